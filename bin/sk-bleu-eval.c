/* sk-bleu-eval - scores translations, or translates and scores checkpoints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/file.h"
#include "base/msg.h"
#include "base/opt.h"
#include "modeldir/evaluate.h"
#include "modeldir/open.h"
#include "modeldir/paths.h"

struct options {
    struct sk_opt_list hypotheses, checkpoint;
    const char *references, *tokenize, *dtype;
    int lowercase, width, beam_size, batch_size, num_stds, threads, use_cpu, quiet;
    double alpha, beta;
};
#define FIELD(f) offsetof(struct options, f)
#define HEADING(text) {.name = "", .type = SK_OPT_FLAG, .help = text}

static const struct sk_opt table[] = {
    HEADING("Scoring files"),
    {.name = "hypotheses", .letter = 'i', .type = SK_OPT_LIST, .offset = FIELD(hypotheses), .value = "FILE",
     .help = "Translations, one per line: plain, gz or - (the default). With several files each gets a line."},
    {.name = "references", .letter = 'r', .type = SK_OPT_STRING, .offset = FIELD(references), .value = "FILE",
     .help = "Reference translations, line by line."},
    {.name = "tokenize", .type = SK_OPT_CHOICE, .offset = FIELD(tokenize), .choices = "13a|none",
     .help = "Tokeniser of BLEU: that of mteval-v13a, or white space only. Default: 13a for files, none for "
             "checkpoints."},
    {.name = "lowercase", .type = SK_OPT_FLAG, .offset = FIELD(lowercase), .help = "Compare without case."},
    {.name = "width", .letter = 'w', .type = SK_OPT_INT, .offset = FIELD(width), .initial = "2", .min = 0, .max = 15,
     .value = "N", .help = "Digits printed after the point."},
    HEADING("Scoring checkpoints"),
    {.name = "checkpoint", .letter = 'c', .type = SK_OPT_LIST, .offset = FIELD(checkpoint), .value = "N",
     .help = "Numbers of checkpoints, or best (the default)."},
    {.name = "beam-size", .letter = 'b', .type = SK_OPT_INT, .offset = FIELD(beam_size), .initial = "5", .min = 1,
     .max = 10000, .value = "N", .help = "Hypotheses kept for each sentence."},
    {.name = "batch-size", .type = SK_OPT_INT, .offset = FIELD(batch_size), .initial = "32", .min = 1, .max = 65536,
     .value = "N", .help = "Sentences translated together; has no effect on results."},
    {.name = "length-penalty-alpha", .type = SK_OPT_FLOAT, .offset = FIELD(alpha), .initial = "1.0", .min = -100,
     .max = 100, .value = "A", .help = "Exponent of the length penalty."},
    {.name = "length-penalty-beta", .type = SK_OPT_FLOAT, .offset = FIELD(beta), .initial = "0.0", .min = 0,
     .max = 1e6, .value = "B", .help = "Length added in the length penalty."},
    {.name = "max-output-length-num-stds", .type = SK_OPT_INT, .offset = FIELD(num_stds), .initial = "2",
     .min = -1e6, .max = 1e6, .value = "N",
     .help = "Longest translation: so many standard deviations over the mean length ratio of training."},
    {.name = "threads", .type = SK_OPT_INT, .offset = FIELD(threads), .initial = "0", .min = 0, .max = 1024,
     .value = "N", .help = "Threads; 0: one for each CPU. Has no effect on results."},
    {.name = "dtype", .type = SK_OPT_CHOICE, .offset = FIELD(dtype), .initial = "float32", .choices = SK_DTYPES,
     .help = "Numbers that matrix products multiply, whatever the model was trained with. bfloat16 and int8 are "
             "faster where the processor has instructions for them."},
    {.name = "use-cpu", .type = SK_OPT_FLAG, .offset = FIELD(use_cpu), .help = "Use the CPU."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = FIELD(quiet), .help = "Only warnings and errors."},
    {0}};

static const struct sk_program program = {
    .synopsis = "[--hypotheses FILE...] --references FILE | MODEL_DIR [--checkpoint N...]",
    .summary = "Prints BLEU (0 to 100) of translations, or of the validation text translated by checkpoints of a "
               "model, which is also stored in the model directory.",
    .options = table,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error, 75 somebody else "
                "evaluates this checkpoint.",
    .min_operands = 0, .max_operands = 1};

static enum sk_bleu_tokenizer tokenizer(const char *name)
{
    return strcmp(name, "13a") == 0 ? SK_BLEU_13A : SK_BLEU_NONE;
}

/* One line of results; `what` tells several apart. */
static int print_score(const struct options *o, double score, const char *what)
{
    char *line = what ? sk_xprintf("BLEU\t%.*f\t%s\n", o->width, score, what)
                      : sk_xprintf("BLEU\t%.*f\n", o->width, score);
    int result = sk_write_all(1, line, strlen(line));
    free(line);
    return result;
}

static void say_signature(const struct options *o, enum sk_bleu_tokenizer t)
{
    char text[128];
    sk_bleu_signature(t, o->lowercase, text, sizeof text);
    sk_info("%s", text);
}

static int score_files(const struct options *o)
{
    static const char *const standard_input[] = {"-"};
    enum sk_bleu_tokenizer t = tokenizer(o->tokenize ? o->tokenize : "13a");
    int n = o->hypotheses.n > 0 ? o->hypotheses.n : 1;
    for (int i = 0; i < n; i++) {
        const char *path = o->hypotheses.n > 0 ? o->hypotheses.v[i] : standard_input[0];
        struct sk_bleu b = {0};
        if (sk_bleu_add_files(&b, t, o->lowercase, path, o->references))
            return -1;
        if (print_score(o, sk_bleu_score(&b), n > 1 ? path : NULL))
            return -1;
    }
    say_signature(o, t);
    return 0;
}

/* A checkpoint's number as given on the command line, or -1. */
static int checkpoint_number(const char *dir, const char *text)
{
    if (strcmp(text, "best") != 0) {
        char *end;
        errno = 0;
        long n = strtol(text, &end, 10);
        if (end == text || *end || errno || n < 0 || n > 2147483647)
            sk_opt_misuse("--checkpoint %s: expected a number, or best", text);
        return (int)n;
    }
    int *all, best = sk_md_best(dir), n;
    if (best != 0)
        return best;
    n = sk_md_list(dir, "params", &all);
    if (n < 0)
        return -1;
    if (n > 0) {
        best = all[n - 1];
        sk_warn("%s has no params.best yet: taking its newest checkpoint, %d", dir, best);
    }
    free(all);
    return n > 0 ? best : sk_fail(SK_EXIT_NOINPUT, "%s has no checkpoint: is it a model directory?", dir);
}

static int score_checkpoints(const struct options *o, const char *dir)
{
    static const char *best[] = {"best"};
    struct sk_opt_list which = o->checkpoint.n > 0 ? o->checkpoint : (struct sk_opt_list){1, best};
    struct sk_evaluate_options options = {.beam_size = o->beam_size, .num_stds = o->num_stds,
                                          .batch = o->batch_size, .alpha = o->alpha, .beta = o->beta,
                                          .dtype = sk_dtype_named(o->dtype),
                                          .tokenizer = tokenizer(o->tokenize ? o->tokenize : "none"),
                                          .lowercase = o->lowercase};
    struct sk_device *dev = sk_device_open(&sk_ops_cpu, o->threads, o->dtype);
    if (!dev)
        return -1;
    char text[256];
    sk_ops_cpu.describe(dev, text, sizeof text);
    sk_info("translating on %s", text);
    int result = 0;
    for (int i = 0; i < which.n && result == 0; i++) {
        struct sk_evaluated r;
        int checkpoint = checkpoint_number(dir, which.v[i]);
        result = checkpoint < 0 ? -1 : sk_evaluate_checkpoint(dir, checkpoint, &options, &sk_ops_cpu, dev, &r);
        if (result)
            break;
        snprintf(text, sizeof text, "%d", checkpoint);
        result = print_score(o, r.score, which.n > 1 ? text : NULL);
        if (r.seconds > 0)
            sk_info("checkpoint %d: %lld sentences in %.1f s (%.1f/s, %.0f words/s), bleu-val %.6f", checkpoint,
                    r.sentences, r.seconds, (double)r.sentences / r.seconds, (double)r.words / r.seconds, r.bleu_val);
        else
            sk_info("checkpoint %d: scored as stored, bleu-val %.6f", checkpoint, r.bleu_val);
        if (!r.stored)
            sk_warn("not stored: %s/eval/%05d.json was made with other options or from other parameters; remove it "
                    "to replace it", dir, checkpoint);
        else
            sk_info(r.merged == 1   ? "stored in eval/%05d.json and in metrics"
                    : r.merged == 0 ? "stored in eval/%05d.json; the running training takes it over into metrics"
                                    : "stored in eval/%05d.json; the next start of training takes it over into metrics",
                    checkpoint);
    }
    if (result == 0)
        say_signature(o, options.tokenizer);
    sk_ops_cpu.close(dev);
    return result;
}

int main(int argc, char **argv)
{
    struct options o;
    sk_msg_program(argv[0]);
    int operand = sk_opt_parse(&program, &o, argc, argv);
    int has_dir = operand < argc;
    sk_quiet(o.quiet);
    if (has_dir && (o.references || o.hypotheses.n > 0))
        sk_opt_misuse("give either MODEL_DIR, or --references (and --hypotheses)");
    if (!has_dir && !o.references)
        sk_opt_misuse("expected MODEL_DIR, or --references FILE (and --hypotheses FILE)");
    if (!has_dir && o.checkpoint.n > 0)
        sk_opt_misuse("--checkpoint needs MODEL_DIR");
    int result = has_dir ? score_checkpoints(&o, argv[operand]) : score_files(&o);
    return result ? sk_die() : SK_EXIT_OK;
}
