/* sk-average - the mean of checkpoints' parameters. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "modeldir/average.h"
#include "modeldir/paths.h"
#include "modeldir/protect.h"

struct options {
    const char *output, *strategy, *metric;
    int n, quiet;
};
#define FIELD(f) offsetof(struct options, f)

static const struct sk_opt table[] = {
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = FIELD(output), .value = "FILE",
     .help = "Parameters to write; may be one of the files read.", .flags = SK_OPT_REQUIRED},
    {.name = "num-checkpoints", .letter = 'n', .type = SK_OPT_INT, .offset = FIELD(n), .min = 1,
     .max = 100000, .value = "N", .help = "Most checkpoints of MODEL_DIR to average. Default: 4."},
    {.name = "strategy", .type = SK_OPT_CHOICE, .offset = FIELD(strategy),
     .choices = "best|last|lifespan", .help = "Checkpoints of MODEL_DIR to average: the best ones, the last ones up "
     "to the best, those that stayed the best one longest. Default: best."},
    {.name = "metric", .type = SK_OPT_CHOICE, .offset = FIELD(metric),
     .choices = "perplexity|accuracy|length-ratio-mse|bleu|chrf|rouge1",
     .help = "Validation metric that says which checkpoints are better. Default: perplexity."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = FIELD(quiet), .help = "Only errors on stderr."},
    {0}};

static const struct sk_program program = {
    .synopsis = "MODEL_DIR -o FILE [-n N] [--strategy S] [--metric M] | FILE... -o FILE",
    .summary = "Averages the parameters of checkpoints of a model directory, or of the files named.",
    .options = table,
    .epilogue = "Exit codes: 0 done, 1 no checkpoint to average, 64 usage, 65 bad content, such as files of different "
                "models, 66 no such file, 74 I/O error.",
    .min_operands = 1, .max_operands = -1};

static int is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int nothing_found(const struct options *o, const char *dir, int lines, int gone)
{
    if (!lines)
        return sk_fail(SK_EXIT_NO, "%s/" SK_MD_METRICS " has no checkpoint yet: is it a model directory that has been "
                       "trained?", dir);
    if (gone)
        return sk_fail(SK_EXIT_NO, "%s: none of the %d checkpoints in " SK_MD_METRICS " has its parameters still; see "
                       "--keep-last-params of sk-train-shard", dir, gone);
    return sk_fail(SK_EXIT_NO, "%s/" SK_MD_METRICS ": no checkpoint has a value of %s; sk-bleu-eval adds scores of "
                   "translations, --metrics of sk-train-shard says what training computes", dir, o->metric);
}

/* Removes those out of `gone` from a list of n: how many are left. */
static int without_gone(int *list, int n, const int *gone, int n_gone)
{
    int left = 0;
    for (int i = 0; i < n; i++) {
        int is_gone = 0;
        for (int k = 0; k < n_gone; k++) is_gone |= list[i] == gone[k];
        if (!is_gone) list[left++] = list[i];
    }
    return left;
}

/* The checkpoints to average, none of which is in `absent`: how many, or -1. */
static int choose(const struct options *o, const char *dir, const int *absent, int n_absent, struct sk_point *chosen)
{
    struct sk_metrics t;
    struct sk_point *points = NULL;
    int *there = NULL, n_there, n = -1, without = 0, gone = 0;
    if (sk_metrics_load(&t, dir)) return -1;
    if ((n_there = sk_md_list(dir, "params", &there)) >= 0) {
        n_there = without_gone(there, n_there, absent, n_absent);
        n = sk_average_points(&t, o->metric, there, n_there, &points, &without, &gone);
    }
    if (n == 0) n = nothing_found(o, dir, t.n, gone);
    if (n > 0 && without)
        sk_warn("%s/" SK_MD_METRICS ": %d checkpoints have no value of %s and are left out", dir, without, o->metric);
    if (n > 0 && gone) sk_warn("%s: parameters of %d checkpoints have been removed; they are left out", dir, gone);
    if (n > 0) {
        enum sk_strategy s = !strcmp(o->strategy, "best") ? SK_STRATEGY_BEST
                           : !strcmp(o->strategy, "last") ? SK_STRATEGY_LAST : SK_STRATEGY_LIFESPAN;
        n = sk_average_choose(s, sk_metric_maximize(o->metric), points, n, o->n, chosen);
    }
    free(points);
    free(there);
    sk_metrics_free(&t);
    return n;
}

static void say_found(const struct sk_point *p, int n, int wanted)
{
    struct sk_str s = {0};
    for (int i = 0; i < n; i++) {
        char value[32];
        sk_metrics_number(p[i].value, value);
        sk_str_printf(&s, "%s(%s, %d)", i ? ", " : "", value, p[i].checkpoint);
    }
    sk_info("Found: %s", s.text);
    if (n < wanted) sk_info("These are fewer than the %d wanted", wanted);
    sk_str_free(&s);
}

/* Which of the files has been removed; -1: none. */
static int removed_one(char **paths, int n)
{
    for (int i = 0; i < n; i++)
        if (sk_file_exists(paths[i]) == 0) return i;
    return -1;
}

static int average_checkpoints(const struct options *o, const char *dir)
{
    struct sk_point *chosen = sk_xcalloc((size_t)o->n, sizeof *chosen);
    char **paths = sk_xcalloc((size_t)o->n, sizeof *paths);
    int *absent = NULL, n_absent = 0, removed, r;
    /* A training that runs may remove parameters after they were chosen; once
     * they are open it does not matter. */
    do {
        int n = choose(o, dir, absent, n_absent, chosen);
        r = n < 0 ? -1 : 0;
        for (int i = 0; i < n; i++) paths[i] = sk_md_checkpoint(dir, "params", chosen[i].checkpoint);
        if (!r) {
            say_found(chosen, n, o->n);
            r = sk_average_files((const char *const *)paths, n, o->output);
        }
        removed = r && n > 0 && sk_fail_code() == SK_EXIT_NOINPUT ? removed_one(paths, n) : -1;
        if (!r) sk_info("Mean of %d checkpoints written to '%s'", n, o->output);
        if (removed >= 0) {
            sk_info("%s has just been removed: choosing again", paths[removed]);
            absent = sk_xrealloc(absent, (size_t)n_absent + 1, sizeof *absent);
            absent[n_absent++] = chosen[removed].checkpoint;
        }
        for (int i = 0; i < n; i++) free(paths[i]);
    } while (removed >= 0);
    free(absent);
    free(paths);
    free(chosen);
    return r;
}

int main(int argc, char **argv)
{
    struct options o;
    sk_msg_program(argv[0]);
    int first = sk_opt_parse(&program, &o, argc, argv), n = argc - first, r, dir = is_dir(argv[first]);
    sk_temp_catch_signals();
    sk_quiet(o.quiet);
    for (int i = first; i < argc && n > 1; i++)
        if (is_dir(argv[i])) sk_opt_misuse("%s is a folder: give one MODEL_DIR alone, or files of parameters", argv[i]);
    if (!dir && (o.n || o.strategy || o.metric))
        sk_opt_misuse("--num-checkpoints, --strategy and --metric choose among the checkpoints of a MODEL_DIR; of files "
                      "all are averaged");
    if (!strcmp(o.output, "-"))
        sk_opt_misuse("--output -: parameters need a file, whose header is completed at the end");
    if (sk_md_check_output(o.output)) return sk_die();
    if (!o.n) o.n = 4;
    if (!o.strategy) o.strategy = "best";
    if (!o.metric) o.metric = "perplexity";
    if (dir) {
        r = average_checkpoints(&o, argv[first]);
    } else {
        r = sk_average_files((const char *const *)argv + first, n, o.output);
        if (!r) sk_info("Mean of %d files written to '%s'", n, o.output);
    }
    return r ? sk_die() : SK_EXIT_OK;
}
