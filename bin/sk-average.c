/* sk-average: averages the parameters of checkpoints. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "modeldir/average.h"
#include "modeldir/paths.h"

struct values {
    const char *output, *strategy, *metric;
    int n, quiet;
};
#define AT(field) offsetof(struct values, field)

static const struct sk_opt options[] = {
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = AT(output), .value = "FILE",
     .help = "The averaged parameters (safetensors).", .flags = SK_OPT_REQUIRED},
    {.name = "num-checkpoints", .letter = 'n', .type = SK_OPT_INT, .offset = AT(n), .initial = "4", .min = 1,
     .max = 100000, .value = "N", .help = "How many checkpoints of a model directory."},
    {.name = "strategy", .type = SK_OPT_CHOICE, .offset = AT(strategy), .initial = "best",
     .choices = "best|last|lifespan", .help = "best: the N best; last: the N up to the best; lifespan: the N that "
     "stayed the best for longest."},
    {.name = "metric", .type = SK_OPT_STRING, .offset = AT(metric), .initial = "perplexity", .value = "NAME",
     .help = "Validation metric that decides what is best: perplexity, accuracy, bleu, or any NAME-val of the "
     "metrics."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = AT(quiet), .help = "Only errors on stderr."},
    {.name = NULL}
};

static const struct sk_program program = {
    .synopsis = "MODEL_DIR -o FILE [-n N] [--strategy S] | FILE FILE... -o FILE",
    .summary = "Averages parameters: of the checkpoints of a model directory, or of given files.",
    .options = options,
    .epilogue = "Translate with the result by sk-translate -m MODEL_DIR -c FILE.",
    .min_operands = 1,
    .max_operands = -1,
};

static enum sk_strategy strategy(const char *name)
{
    return !strcmp(name, "best") ? SK_AVERAGE_BEST : !strcmp(name, "last") ? SK_AVERAGE_LAST : SK_AVERAGE_LIFESPAN;
}

static int average_directory(const struct values *v, const char *dir)
{
    struct sk_point *points;
    struct sk_str found = {0};
    int n = sk_average_points(dir, v->metric, &points);
    if (n < 0) return -1;
    if (n == 0) {
        free(points);
        return sk_fail(SK_EXIT_NO, "%s has no checkpoint with parameters and a value of %s-val in its metrics", dir,
                       v->metric);
    }
    int *chosen = sk_xcalloc((size_t)n, sizeof *chosen);
    int count = sk_average_choose(points, n, strategy(v->strategy), sk_metric_maximize(v->metric), v->n, chosen);
    const char **files = sk_xcalloc((size_t)count, sizeof *files);
    char **owned = sk_xcalloc((size_t)count, sizeof *owned);
    for (int i = 0; i < count; i++) {
        double value = 0;
        for (int k = 0; k < n; k++)
            if (points[k].checkpoint == chosen[i]) value = points[k].value;
        sk_str_printf(&found, "%s(%g, %d)", i ? ", " : "", value, chosen[i]);
        files[i] = owned[i] = sk_md_checkpoint(dir, "params", chosen[i]);
    }
    sk_info("Found: %s", found.text);
    if (count < v->n) sk_warn("%d checkpoints are averaged, not %d: there are no more", count, v->n);
    int r = sk_average_files(files, count, v->output);
    for (int i = 0; i < count; i++) free(owned[i]);
    free(owned);
    free(files);
    free(chosen);
    free(points);
    sk_str_free(&found);
    return r;
}

int main(int argc, char **argv)
{
    static struct values v;
    int first = sk_opt_parse(&program, &v, argc, argv), n = argc - first, r;
    if (first < argc && !strcmp(argv[first], "--")) n = argc - ++first;
    sk_quiet(v.quiet);
    DIR *d = opendir(argv[first]);
    if (d) {
        closedir(d);
        if (n > 1) sk_opt_misuse("%s is a folder: give one model directory, or files", argv[first]);
        r = average_directory(&v, argv[first]);
    } else {
        r = sk_average_files((const char *const *)(argv + first), n, v.output);
    }
    if (r) return sk_die();
    sk_info("Averaged parameters written to '%s'", v.output);
    return 0;
}
