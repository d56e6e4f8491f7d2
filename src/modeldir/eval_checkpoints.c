/* eval_checkpoints.c - what sk-bleu-eval does with a model directory: given
 * checkpoints, or all of them as they come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "math/backend.h"
#include "modeldir/eval_options.h"
#include "modeldir/paths.h"
#include "modeldir/watch.h"

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
    return n > 0 ? best : sk_fail(SK_EXIT_NOINPUT, "%s has no checkpoint: has training reached one? sk-status %s says how it stands", dir, dir);
}

static int print_scores(const struct sk_eval_options *o, const struct sk_evaluate_options *e, const struct sk_evaluated *r,
                        int checkpoint, int several)
{
    struct sk_str out = {0};
    for (int k = 0; k < e->measures; k++) {
        sk_measure_name(&e->measure[k], &out);
        sk_str_printf(&out, "\t%.*f", o->width, r->score[k]);
        if (several)
            sk_str_printf(&out, "\t%d", checkpoint);
        sk_str_add(&out, "\n", 1);
    }
    int result = sk_write_all(1, out.text, out.len);
    sk_str_free(&out);
    return result;
}

static struct sk_evaluate_options search_options(const struct sk_eval_options *o, struct sk_measure_options *measure)
{
    return (struct sk_evaluate_options){
        .beam_size = o->beam_size, .num_stds = o->num_stds, .batch = o->batch_size, .alpha = o->alpha, .beta = o->beta,
        .dtype = sk_dtype_named(o->dtype), .sample = sk_eval_sample(o), .seed = o->seed, .measure = measure,
        .measures = sk_eval_measures(o, "none", measure)};
}

static struct sk_device *open_device(const struct sk_eval_options *o, const struct sk_ops **ops, int say)
{
    *ops = sk_backend(o->use_cpu);
    struct sk_device *dev = *ops ? sk_device_open(*ops, o->threads, o->dtype) : NULL;
    char text[256];
    if (dev && say) {
        (*ops)->describe(dev, text, sizeof text);
        sk_info("translating on %s", text);
    }
    return dev;
}

/* What happened to one checkpoint: on standard output, and in words. */
static int tell(const struct sk_eval_options *o, const struct sk_evaluate_options *e, const char *dir, int checkpoint,
                const struct sk_evaluated *r, int several)
{
    int result = print_scores(o, e, r, checkpoint, several);
    if (r->seconds > 0)
        sk_info("checkpoint %d: %lld sentences in %.1f s (%.1f/s, %.0f words/s), bleu-val %.6f", checkpoint,
                r->sentences, r->seconds, (double)r->sentences / r->seconds, (double)r->words / r->seconds, r->bleu_val);
    else
        sk_info("checkpoint %d: scored as stored, bleu-val %.6f", checkpoint, r->bleu_val);
    if (!r->stored)
        sk_warn("not stored: %s/eval/%05d.json was made with other options, or its translations are damaged; remove "
                "it to replace it", dir, checkpoint);
    else
        sk_info(r->merged == 1   ? "stored in eval/%05d.json and in metrics"
                : r->merged == 0 ? "stored in eval/%05d.json; the running training takes it over into metrics"
                                 : "stored in eval/%05d.json; the next start of training takes it over into metrics",
                checkpoint);
    return result;
}

int sk_eval_checkpoints(const struct sk_eval_options *o, const char *dir)
{
    static const char *best[] = {"best"};
    struct sk_measure_options measure[SK_MEASURES];
    struct sk_opt_list which = o->checkpoint.n > 0 ? o->checkpoint : (struct sk_opt_list){1, best};
    struct sk_evaluate_options options = search_options(o, measure);
    const struct sk_ops *ops;
    struct sk_device *dev = open_device(o, &ops, 1);
    int result = dev ? 0 : -1;
    for (int i = 0; i < which.n && result == 0; i++) {
        struct sk_evaluated r;
        int checkpoint = checkpoint_number(dir, which.v[i]);
        result = checkpoint < 0 ? -1 : sk_evaluate_checkpoint(dir, checkpoint, &options, ops, dev, &r);
        if (result == 0)
            result = tell(o, &options, dir, checkpoint, &r, which.n > 1);
    }
    for (int k = 0; k < options.measures && result == 0; k++) {
        struct sk_str signature = {0};
        sk_measure_signature(&measure[k], 1, 0, 0, &signature);
        sk_info("%s", signature.text);
        sk_str_free(&signature);
    }
    if (dev)
        ops->close(dev);
    return result;
}

/* --- all of them ---------------------------------------------------------------------- */

struct watching { const struct sk_eval_options *o; struct sk_evaluate_options search; };

/* In a process of its own. */
static int evaluate(void *ctx, const char *dir, int checkpoint, int claim, int first)
{
    const struct watching *w = ctx;
    struct sk_evaluated r;
    const struct sk_ops *ops;
    struct sk_device *dev = open_device(w->o, &ops, first);
    int result = dev ? sk_evaluate_claimed(dir, checkpoint, claim, &w->search, ops, dev, &r) : -1;
    if (result == 0 && r.stored)
        result = (r.merged = sk_evaluation_merge_now(dir, checkpoint)) < 0 ? -1 : 0;
    if (result == 0)
        result = tell(w->o, &w->search, dir, checkpoint, &r, 1);
    return result;
}

int sk_eval_watch(const struct sk_eval_options *o, const char *dir)
{
    struct sk_measure_options measure[SK_MEASURES];
    struct watching w = {o, search_options(o, measure)};
    struct sk_watch_options options = {.poll = o->poll, .idle = o->idle, .once = o->once,
                                       .stop_on_failure = o->stop_on_failure, .evaluate = evaluate, .ctx = &w};
    return sk_watch(dir, &options);
}
