/* sk-translate - translates lines with a trained model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "base/pool.h"
#include "modeldir/open.h"
#include "search/translate.h"
#include "text/lines.h"

struct options {
    const char *models, *checkpoints, *input, *output, *output_type;
    int beam_size, batch_size, chunk_size, num_stds, max_input_len, threads, use_cpu, quiet;
    double alpha, beta;
};
#define FIELD(f) offsetof(struct options, f)

static const struct sk_opt table[] = {
    {.name = "models", .letter = 'm', .type = SK_OPT_STRING, .offset = FIELD(models), .value = "MODEL_DIR",
     .flags = SK_OPT_REQUIRED, .help = "Directory of the trained model."},
    {.name = "checkpoints", .letter = 'c', .type = SK_OPT_STRING, .offset = FIELD(checkpoints), .value = "N|best|FILE",
     .help = "Parameters: number of a checkpoint, best, or a params file. Default: best."},
    {.name = "input", .letter = 'i', .type = SK_OPT_STRING, .offset = FIELD(input), .initial = "-", .value = "FILE",
     .help = "Text to translate, plain or gz; -: standard input."},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = FIELD(output), .initial = "-", .value = "FILE",
     .help = "File for the translations, which gets its name when it is complete; -: standard output."},
    {.name = "output-type", .type = SK_OPT_CHOICE, .offset = FIELD(output_type), .initial = "translation",
     .choices = "translation|translation_with_score|score",
     .help = "What a line holds. Scores are negative log probabilities over the length penalty: lower is better."},
    {.name = "beam-size", .letter = 'b', .type = SK_OPT_INT, .offset = FIELD(beam_size), .initial = "5", .min = 1,
     .max = 10000, .value = "N", .help = "Hypotheses kept for each sentence; 1: greedy."},
    {.name = "batch-size", .type = SK_OPT_INT, .offset = FIELD(batch_size), .initial = "32", .min = 1, .max = 65536,
     .value = "N", .help = "Sentences translated together; has no effect on results."},
    {.name = "chunk-size", .type = SK_OPT_INT, .offset = FIELD(chunk_size), .initial = "0", .min = 0, .max = 1e9,
     .value = "N",
     .help = "Most lines read before they are sorted by length and translated; 0: 16 times --batch-size. What a pipe "
             "or terminal has is translated without waiting for more."},
    {.name = "length-penalty-alpha", .type = SK_OPT_FLOAT, .offset = FIELD(alpha), .initial = "1.0", .min = -100,
     .max = 100, .value = "A", .help = "Exponent of the length penalty."},
    {.name = "length-penalty-beta", .type = SK_OPT_FLOAT, .offset = FIELD(beta), .initial = "0.0", .min = 0,
     .max = 1e6, .value = "B", .help = "Length added in the length penalty."},
    {.name = "max-output-length-num-stds", .type = SK_OPT_INT, .offset = FIELD(num_stds), .initial = "2",
     .min = -1e6, .max = 1e6, .value = "N",
     .help = "Longest translation: so many standard deviations over the mean length ratio of training."},
    {.name = "max-input-len", .letter = 'n', .type = SK_OPT_INT, .offset = FIELD(max_input_len), .initial = "0",
     .min = 0, .max = 1e9, .value = "N",
     .help = "Lines with N words or more are cut into pieces of N - 1 (with the end symbol N); 0, and always: as "
             "training allowed."},
    {.name = "threads", .type = SK_OPT_INT, .offset = FIELD(threads), .initial = "0", .min = 0, .max = 1024,
     .value = "N", .help = "Threads; 0: one for each CPU. Has no effect on results."},
    {.name = "use-cpu", .type = SK_OPT_FLAG, .offset = FIELD(use_cpu), .help = "Use the CPU."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = FIELD(quiet), .help = "Only warnings and errors."},
    {0}};

static const struct sk_program program = {
    .synopsis = "-m MODEL_DIR [-c N|best|FILE] [-i FILE] [-o FILE]",
    .summary = "Translates each line of its input by beam search: one line out for each line in, in order.",
    .options = table,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error."};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Where translations go: standard output, or a file that appears when it is
 * complete (a pipe or device gets them at once). */
struct output { struct sk_file file; int is_stdout; };

static int output_open(struct output *out, const char *path)
{
    out->is_stdout = strcmp(path, "-") == 0;
    return out->is_stdout ? 0 : sk_file_create(&out->file, path);
}

static int output_write(struct output *out, const struct sk_str *text)
{
    if (out->is_stdout)
        return sk_write_all(STDOUT_FILENO, text->text, text->len);
    if (sk_file_write(&out->file, text->text, text->len))
        return -1;
    return out->file.temp ? 0 : sk_file_flush(&out->file);
}

static int output_close(struct output *out, int failed)
{
    if (out->is_stdout)
        return failed;
    if (!failed)
        return sk_file_commit(&out->file, SK_REPLACE) < 0 ? -1 : 0;
    sk_file_abandon(&out->file);
    return -1;
}

struct progress { double start; int64_t lines, chunk, words; };

static void show(void *ctx, int64_t done, int64_t all)
{
    const struct progress *p = ctx;
    double lines = (double)p->lines + (double)p->chunk * (double)done / (double)all;
    sk_live("%.0f lines translated, %.1f/s", lines, lines / (now() - p->start));
}

/* Translates a chunk and writes it out. */
static int do_chunk(struct sk_translator *t, const struct options *o, char *const *line, int64_t n,
                    struct output *out, struct progress *p)
{
    struct sk_translation *found = sk_xcalloc((size_t)n, sizeof *found);
    struct sk_str text = {0};
    int with_score = strcmp(o->output_type, "translation") != 0, with_text = strcmp(o->output_type, "score") != 0;
    p->chunk = n;
    sk_translate(t, line, n, found);
    for (int64_t i = 0; i < n; i++) {
        if (with_score)
            sk_str_printf(&text, "%.3f%s", found[i].score, with_text ? "\t" : "");
        if (with_text)
            sk_str_add(&text, found[i].text, strlen(found[i].text));
        sk_str_add(&text, "\n", 1);
        p->words += found[i].words;
    }
    p->lines += n;
    int result = output_write(out, &text);
    sk_translation_free(found, n);
    free(found);
    sk_str_free(&text);
    return result;
}

/* Reads what is there, up to a chunk, and translates it, until the end. */
static int do_lines(struct sk_translator *t, const struct options *o, struct sk_lines *in, struct output *out,
                    struct progress *p)
{
    int64_t most = o->chunk_size > 0 ? o->chunk_size : 16 * (int64_t)o->batch_size, n;
    char **chunk = NULL, *line;
    size_t length, cap = 0;
    int got = 1, result = 0;
    while (got > 0 && result == 0) {
        for (n = 0; n < most && (n == 0 || sk_lines_ready(in)); n++) {
            got = sk_lines_next(in, &line, &length);
            if (got <= 0)
                break;
            if ((size_t)n == cap) {
                cap = cap ? 2 * cap : 64;
                chunk = sk_xrealloc(chunk, cap, sizeof *chunk);
            }
            chunk[n] = sk_translate_line(line, length);
        }
        if (n > 0)
            result = do_chunk(t, o, chunk, n, out, p);
        for (int64_t i = 0; i < n; i++)
            free(chunk[i]);
    }
    free(chunk);
    return got < 0 ? -1 : result;
}

static int translate(const struct options *o, const struct sk_trained *m, struct sk_lines *in, struct output *out)
{
    struct progress p = {.start = now()};
    struct sk_translate_options options = {
        .beam = {.beam_size = o->beam_size, .alpha = o->alpha, .beta = o->beta, .nbest = 1},
        .batch = o->chunk_size > 0 && o->chunk_size < o->batch_size ? o->chunk_size : o->batch_size,
        .progress = show, .ctx = &p};
    sk_translate_limits(&options, &m->config.model, m->config.max_seq_len[0], o->max_input_len,
                        m->config.length_ratio_mean, m->config.length_ratio_std, o->num_stds);
    struct sk_translator *t = sk_translator_new(&m->model, 1, m->source, m->target, &options);
    int result = do_lines(t, o, in, out, &p);
    sk_translator_free(t);
    double seconds = now() - p.start;
    if (result == 0)
        sk_info("translated %lld lines in %.1f s: %.1f lines/s, %.0f words/s", (long long)p.lines, seconds,
                (double)p.lines / seconds, (double)p.words / seconds);
    return result;
}

static int run(const struct options *o, struct sk_device *dev)
{
    struct sk_trained m;
    struct output out = {0};
    char text[256];
    if (sk_trained_open(&m, o->models, o->checkpoints, &sk_ops_cpu, dev))
        return -1;
    sk_ops_cpu.describe(dev, text, sizeof text);
    sk_info("translating with %s on %s", m.params, text);
    struct sk_lines *in = sk_lines_open(o->input, SK_LINES_REPLACE_INVALID);
    int result = in ? output_open(&out, o->output) : -1;
    if (result == 0)
        result = output_close(&out, translate(o, &m, in, &out));
    if (in)
        sk_lines_close(in);
    sk_trained_close(&m);
    return result;
}

int main(int argc, char **argv)
{
    struct options o;
    const char *why = "";
    sk_msg_program(argv[0]);
    sk_opt_parse(&program, &o, argc, argv);
    sk_quiet(o.quiet);
    if (o.max_input_len == 1)
        sk_opt_misuse("--max-input-len 1: a piece is a word and the end symbol at least, 2 or more");
    if (o.chunk_size > 0 && o.chunk_size < o.batch_size && o.chunk_size != 1)
        sk_warn("--chunk-size %d is less than --batch-size %d: batches will be smaller", o.chunk_size, o.batch_size);
    struct sk_device *dev = sk_ops_cpu.open(o.threads > 0 ? o.threads : sk_cpu_count(), &why);
    int result = dev ? run(&o, dev) : sk_fail(SK_EXIT_TEMP, "cannot use the CPU: %s", why);
    if (dev)
        sk_ops_cpu.close(dev);
    return result ? sk_die() : SK_EXIT_OK;
}
