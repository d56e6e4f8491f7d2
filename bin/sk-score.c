/* sk-score - how probable a model finds given translations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "base/out.h"
#include "math/backend.h"
#include "modeldir/open.h"
#include "modeldir/option_rows.h"
#include "modeldir/protect.h"
#include "search/request.h"
#include "search/scorer.h"
#include "text/factor_files.h"
#include "text/lines.h"
#include "text/meter.h"

struct options {
    const char *model, *checkpoint, *source, *target, *output, *output_type, *score_type, *dtype;
    int batch_size, threads, use_cpu, quiet;
    double alpha, beta;
    struct sk_opt_list factors;
};
#define FIELD(f) offsetof(struct options, f)

static const struct sk_opt table[] = {
    {.name = "model", .letter = 'm', .type = SK_OPT_STRING, .offset = FIELD(model), .value = "MODEL_DIR",
     .flags = SK_OPT_REQUIRED, .help = "Directory of the trained model."},
    {.name = "models", .type = SK_OPT_STRING, .offset = FIELD(model), .value = "MODEL_DIR",
     .flags = SK_OPT_HIDDEN, .alias_of = "model"},
    {.name = "checkpoint", .letter = 'c', .type = SK_OPT_STRING, .offset = FIELD(checkpoint), .value = "N|best|FILE",
     .help = "Parameters: number of a checkpoint, best, or a params file. Default: best."},
    {.name = "checkpoints", .type = SK_OPT_STRING, .offset = FIELD(checkpoint), .value = "N|best|FILE",
     .flags = SK_OPT_HIDDEN, .alias_of = "checkpoint"},
    {.name = "source", .letter = 's', .type = SK_OPT_STRING, .offset = FIELD(source), .value = "FILE",
     .flags = SK_OPT_REQUIRED, .help = "Source text, plain or gz; -: standard input."},
    {.name = "source-factors", .letters = "sf", .type = SK_OPT_LIST, .offset = FIELD(factors), .value = "FILE...",
     .help = "Source factors, for a model that has them: for each factor a file with a symbol for each word of the "
             "source (-sf). Without it words have their factors: word|factor."},
    {.name = "target", .letter = 't', .type = SK_OPT_STRING, .offset = FIELD(target), .value = "FILE",
     .flags = SK_OPT_REQUIRED, .help = "Its translation, line by line; plain or gz; -: standard input."},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = FIELD(output), .initial = "-", .value = "FILE",
     .help = "File for the scores, which gets its name when it is complete; -: standard output."},
    {.name = "output-type", .type = SK_OPT_CHOICE, .offset = FIELD(output_type), .initial = "score",
     .choices = "score|pair_with_score", .help = "A line is the score, or score, source and target between tabs."},
    {.name = "score-type", .type = SK_OPT_CHOICE, .offset = FIELD(score_type), .initial = "neglogprob",
     .choices = "neglogprob|logprob",
     .help = "The negative log probability over the length penalty (lower is better), or its negative."},
    SK_ROWS_PENALTY(struct options),
    {.name = "batch-size", .letter = 'b', .type = SK_OPT_INT, .offset = FIELD(batch_size), .initial = "2048",
     .min = 1, .max = 1e6, .value = "N", .help = "Words scored together; has no effect on results."},
    SK_ROWS_COMPUTING(struct options),
    SK_ROW_QUIET(struct options),
    {0}};

static const struct sk_program program = {
    .synopsis = "-m MODEL_DIR [-c N|best|FILE] -s FILE -t FILE [-o FILE]",
    .summary = "Scores each line of a text as the translation of the same line of another: the score that "
               "sk-translate would report.",
    .options = table,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error."};

struct job {
    const struct options *o;
    struct sk_scorer *scorer;
    struct sk_lines *in[2];
    int factors;                     /* of the model, */
    struct sk_factor_files files;    /* in these files, if there are any */
    struct sk_out out;
    struct sk_meter meter;
    int64_t words, how[4];
};

static void show(void *ctx, int64_t done, int64_t all)
{
    struct job *j = ctx;
    sk_meter_show(&j->meter, done, (double)done / (double)all);
}

/* --- pairs of lines -------------------------------------------------------------- */

enum { CHUNK = 16384 };
struct text { char **line; };

/* The source with its factors in it, from files or not: `got`, or -1. */
static int match_factors(struct job *j, int got, char **line, int64_t n)
{
    struct sk_request r = {.text = line ? *line : NULL};
    if (sk_factor_files_next(&j->files, j->in[0], got) < 0)
        return -1;
    if (!got)
        return 0;
    sk_request_factors(&r, j->factors, j->files.n ? j->files.line : NULL);
    *line = r.text;
    if (r.error)
        sk_fail(SK_EXIT_DATA, "%s: line %lld: %s", sk_lines_path(j->in[0]), (long long)(j->meter.lines + n + 1), r.error);
    free(r.error);
    return r.error ? -1 : 1;
}

/* The next pair: 1, 0 at the end of both, -1. */
static int next_pair(struct job *j, struct text text[2], int64_t n)
{
    int got[2];
    for (int i = 0; i < 2; i++) {
        char *line;
        size_t length;
        got[i] = sk_lines_next(j->in[i], &line, &length);
        if (got[i] < 0)
            return -1;
        if (got[i] && i == 0)
            sk_meter_line(&j->meter, length);
        if (got[i])
            text[i].line[n] = sk_translate_line(line, length);
    }
    if (got[0] == got[1])
        return match_factors(j, got[0], got[0] ? &text[0].line[n] : NULL, n);
    for (int i = 0; i < 2; i++)
        if (got[i])
            free(text[i].line[n]);
    int shorter = got[0] ? 1 : 0;
    return sk_fail(SK_EXIT_DATA, "%s has only %lld lines, %s has more: they are to be translations of each other",
                   sk_lines_path(j->in[shorter]), (long long)(j->meter.lines + n), sk_lines_path(j->in[1 - shorter]));
}

static int do_chunk(struct job *j, const struct text text[2], int64_t n)
{
    static const char *const why[] = {NULL, NULL, "it has words, but no source", "it is longer than the model allows"};
    struct sk_pair_score *found = sk_xcalloc((size_t)n, sizeof *found);
    struct sk_str out = {0};
    int logprob = !strcmp(j->o->score_type, "logprob"), pairs = !strcmp(j->o->output_type, "pair_with_score");
    sk_score_pairs(j->scorer, text[0].line, text[1].line, n, found);
    for (int64_t i = 0; i < n; i++) {
        enum sk_scored how = found[i].how;
        if (j->how[how]++ == 0 && why[how])
            sk_warn("line %lld is not scored: %s", (long long)(j->meter.lines + i + 1), why[how]);
        j->words += found[i].words;
        sk_str_printf(&out, "%.3f", logprob ? 0.0 - found[i].score : found[i].score);
        for (int side = 0; pairs && side < 2; side++) {
            sk_str_add(&out, "\t", 1);
            sk_str_add(&out, text[side].line[i], strlen(text[side].line[i]));
        }
        sk_str_add(&out, "\n", 1);
    }
    j->meter.lines += n;
    int result = sk_out_write(&j->out, out.text, out.len);
    sk_str_free(&out);
    free(found);
    return result;
}

/* Reads what is there, up to a chunk, and scores it, until the end. */
static int do_lines(struct job *j)
{
    struct text text[2] = {{sk_xcalloc(CHUNK, sizeof(char *))}, {sk_xcalloc(CHUNK, sizeof(char *))}};
    int got = 1, result = 0;
    while (got > 0 && result == 0) {
        int64_t n = 0;
        while (n < CHUNK && (n == 0 || (sk_lines_ready(j->in[0]) && sk_lines_ready(j->in[1]))) &&
               (got = next_pair(j, text, n)) > 0)
            n++;
        sk_meter_chunk(&j->meter, j->in[0]);
        if (n > 0 && got >= 0)
            result = do_chunk(j, text, n);
        for (int64_t i = 0; i < n; i++)
            for (int side = 0; side < 2; side++)
                free(text[side].line[i]);
    }
    free(text[0].line);
    free(text[1].line);
    return got < 0 ? -1 : result;
}

static int score(struct job *j, struct sk_trained *m)
{
    const struct options *o = j->o;
    struct sk_translate_options limits = {.max_words = 0};
    sk_trained_limits(&limits, m, 1, 0, 0);
    struct sk_scorer_options options = {.alpha = o->alpha, .beta = o->beta, .batch = o->batch_size,
                                        .max_words = {limits.max_words, m->config.model.max_len[1] - 1},
                                        .factored = sk_trained_factored(m), .progress = show, .ctx = j};
    j->scorer = sk_scorer_new(m->model, m->source, m->target, &options);
    sk_meter_start(&j->meter, "pairs scored");
    int result = do_lines(j);
    double seconds = sk_meter_seconds(&j->meter);
    sk_scorer_free(j->scorer);
    if (result == 0)
        sk_info("scored %lld pairs in %.1f s: %.1f pairs/s, %.0f words/s", (long long)j->meter.lines, seconds,
                (double)j->meter.lines / seconds, (double)j->words / seconds);
    int64_t not_scored = j->how[SK_UNSCORED_BLANK] + j->how[SK_UNSCORED_LONG];
    if (not_scored > 0)
        sk_warn("%lld of %lld pairs are not scored (%s): %lld without a source, %lld longer than the model allows",
                (long long)not_scored, (long long)j->meter.lines, !strcmp(o->score_type, "logprob") ? "-inf" : "inf",
                (long long)j->how[SK_UNSCORED_BLANK], (long long)j->how[SK_UNSCORED_LONG]);
    return result;
}

static int run(const struct options *o, const struct sk_ops *ops, struct sk_device *dev)
{
    const char *path[2] = {o->source, o->target};
    struct sk_trained m;
    struct job j = {.o = o};
    char text[256];
    if (sk_trained_open(&m, o->model, o->checkpoint, ops, dev))
        return -1;
    ops->describe(dev, text, sizeof text);
    sk_info("scoring with %s on %s", m.params, text);
    j.factors = m.config.model.factors.n;
    int result = sk_factor_files_open(&j.files, o->factors.v, o->factors.n, j.factors, "source-factors");
    for (int i = 0; i < 2 && result == 0; i++)
        result = (j.in[i] = sk_lines_open(path[i], SK_LINES_REPLACE_INVALID)) ? 0 : -1;
    if (result == 0)
        result = sk_out_open(&j.out, o->output);
    if (result == 0)
        result = sk_out_close(&j.out, score(&j, &m));
    for (int i = 0; i < 2; i++)
        sk_lines_close(j.in[i]);
    sk_factor_files_close(&j.files);
    sk_trained_close(&m);
    return result;
}

int main(int argc, char **argv)
{
    struct options o;
    sk_msg_program(argv[0]);
    sk_opt_parse(&program, &o, argc, argv);
    sk_temp_catch_signals();
    sk_quiet(o.quiet);
    if (!strcmp(o.source, "-") && !strcmp(o.target, "-"))
        sk_opt_misuse("--source - and --target -: one of the two can be standard input");
    if (sk_md_check_output(o.output))
        return sk_die();
    const struct sk_ops *ops = sk_backend(o.use_cpu);
    struct sk_device *dev = ops ? sk_device_open(ops, o.threads, o.dtype) : NULL;
    int result = dev ? run(&o, ops, dev) : -1;
    if (dev)
        ops->close(dev);
    return result ? sk_die() : SK_EXIT_OK;
}
