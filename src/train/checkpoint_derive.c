/* checkpoint_derive.c - what follows from a state: `metrics`, `params.best`, removals. */
#include "train/checkpoint_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "train/awaited.h"
#include "train/decide.h"

/* Values that others added to a line (BLEU) stay, also when the evaluation
 * they came from is gone. */
static void keep_foreign_values(struct sk_metrics *t, const struct sk_metrics *found)
{
    for (int i = 0; i < found->n; i++) {
        const struct sk_metrics_line *old = &found->line[i];
        if (!sk_metrics_at(t, old->checkpoint))
            continue;
        for (int k = 0; k < old->n; k++) {
            const struct sk_metrics_line *line = sk_metrics_at(t, old->checkpoint);
            int known = 0;
            for (int j = 0; j < line->n; j++)
                known |= strcmp(line->m[j].name, old->m[k].name) == 0;
            if (!known)
                sk_metrics_set(t, old->checkpoint, old->m[k].name, old->m[k].value);
        }
    }
}

/* *out: what `metrics` says now. */
static int derive_metrics(const struct sk_checkpoints *c, const struct sk_train_state *s, struct sk_metrics *out)
{
    struct sk_metrics table, found = {0};
    char *own = sk_metrics_text(&s->metrics), *path = sk_path_join(c->dir, SK_MD_METRICS), *text = NULL, *before = NULL;
    int result = sk_metrics_parse(&table, own, "metrics of the state");
    if (result < 0)
        SK_BUG("%s", sk_fail_message());
    if (sk_metrics_load(&found, c->dir) < 0)
        sk_warn("%s; it is written anew", sk_fail_message());
    else
        keep_foreign_values(&table, &found);
    if (sk_evaluation_merge(c->dir, &table) < 0)
        sk_warn("%s; its scores are not taken over", sk_fail_message());
    text = sk_metrics_text(&table);
    before = sk_metrics_text(&found);
    if (strcmp(text, before) != 0)
        result = sk_metrics_save(&table, c->dir);
    sk_events_begin(c->events, s->updates, &table);
    sk_events_metrics(c->events, &table);
    *out = table;
    sk_metrics_free(&found);
    free(own);
    free(text);
    free(before);
    free(path);
    return result;
}

int sk_checkpoints_link_best(const struct sk_checkpoints *c, const struct sk_train_state *s)
{
    struct sk_stopping known;
    if (sk_trainer_known(c->dir, c->late, s, &known) < 0)
        return -1;
    int best = known.best_checkpoint, linked = sk_md_best(c->dir), result = 0;
    if (linked == best)
        return linked < 0 ? -1 : 0;
    char *link = sk_path_join(c->dir, SK_MD_BEST);
    if (best == 0) {
        result = sk_file_remove(link);
    } else {
        char *target = sk_md_checkpoint_name("params", best);
        result = sk_link_replace(target, link);
        free(target);
    }
    free(link);
    return result;
}

static int remove_checkpoint_file(const struct sk_checkpoints *c, const char *kind, int number)
{
    char *path = sk_md_checkpoint(c->dir, kind, number);
    int result = sk_file_remove(path);
    free(path);
    return result;
}

/* Parameters that an evaluator works on stay until a later checkpoint. */
static int remove_params(const struct sk_checkpoints *c, int number)
{
    char *eval = sk_path_join(c->dir, SK_MD_EVAL);
    int claim = -1, evaluated = sk_file_exists(eval), result = 0;
    free(eval);
    if (evaluated > 0) {
        char *path = sk_md_eval(c->dir, number, "claim");
        claim = sk_lock_take(path);
        free(path);
        if (claim < 0)
            return 0;
    }
    result = remove_checkpoint_file(c, "params", number);
    if (claim >= 0)
        sk_lock_release(claim);
    return result;
}

/* Marks kept[0..last]: the checkpoints that an average over the lines up to
 * `last` would be made of, and what is needed to know them later. All lines
 * count, whether their parameters are still there or not: so a removal that is
 * done again removes the same. */
static void mark_cached(const struct sk_checkpoints *c, const struct sk_metrics *t, int last, unsigned char *kept)
{
    int *all = sk_xcalloc((size_t)last + 1, sizeof *all), without, gone;
    int known = sk_awaited_known(c, t, last);
    for (int i = known + 1; i <= last; i++)
        kept[i] = 1;
    last = known;
    for (int i = 0; i < last; i++)
        all[i] = i + 1;
    struct sk_point *points, *chosen = sk_xcalloc((size_t)last + 1, sizeof *chosen);
    int n = sk_average_points(t, c->cache_metric, all, last, &points, &without, &gone);
    n = sk_average_choose(c->cache_strategy, sk_metric_maximize(c->cache_metric), points, n, c->cache, chosen);
    for (int i = 0; i < n; i++)
        kept[chosen[i].checkpoint] = 1;
    free(all);
    free(points);
    free(chosen);
}

static void mark_last(const struct sk_checkpoints *c, const struct sk_decided *d, unsigned char *kept)
{
    int n = c->keep_last > 1 ? c->keep_last : 1;     /* a resume needs the last one */
    for (int i = d->checkpoint; i > 0 && i > d->checkpoint - n; i--)
        kept[i] = 1;
}

static void mark_best(const struct sk_checkpoints *c, const struct sk_decided *d, const struct sk_metrics *t,
                      unsigned char *kept)
{
    kept[d->stopping.best_checkpoint] = 1;
    if (c->cache > 0)
        mark_cached(c, t, d->checkpoint, kept);
}

static int remove_old_params(const struct sk_checkpoints *c, const struct sk_train_state *s, const struct sk_metrics *t)
{
    int *numbers = NULL, n = sk_md_list(c->dir, "params", &numbers), failed = n < 0;
    unsigned char *kept = sk_xcalloc((size_t)s->now.checkpoint + 1, 1);
    mark_last(c, &s->now, kept);
    mark_best(c, &s->now, t, kept);
    failed |= sk_awaited_mark(c, s->now.checkpoint, kept) < 0;
    if (s->has_before) {
        /* The last checkpoint may be withdrawn: then what is kept must be what
         * an undisturbed run would have kept. */
        mark_best(c, &s->before, t, kept);
        if (c->cache > 0 && c->cache_strategy != SK_STRATEGY_BEST)
            mark_last(c, &s->before, kept);
    }
    for (int i = 0; i < n && !failed; i++)
        if (numbers[i] <= s->now.checkpoint && !kept[numbers[i]])
            failed = remove_params(c, numbers[i]) < 0;
    free(kept);
    free(numbers);
    return failed ? -1 : 0;
}

static int remove_old_states(const struct sk_checkpoints *c, const struct sk_train_state *s)
{
    int *numbers = NULL, n = sk_md_list(c->dir, "state", &numbers), failed = n < 0;
    /* If the last one is withdrawn, those before it are the last. */
    int first = s->now.checkpoint - c->keep_states + (s->has_before && c->keep_states > 1 ? 0 : 1);
    for (int i = 0; i < n && !failed; i++) {
        int best = numbers[i] == s->now.stopping.best_checkpoint ||
            (s->has_before && numbers[i] == s->before.stopping.best_checkpoint);
        if (numbers[i] < first && !(c->keep_best_state && best))
            failed = remove_checkpoint_file(c, "state", numbers[i]) < 0;
    }
    free(numbers);
    return failed ? -1 : 0;
}

int sk_checkpoints_derive(const struct sk_checkpoints *c, const struct sk_train_state *s)
{
    struct sk_metrics table = {0};
    int failed = derive_metrics(c, s, &table) < 0 || sk_checkpoints_link_best(c, s) < 0 ||
        remove_old_states(c, s) < 0 || (c->keep_last >= 0 && remove_old_params(c, s, &table) < 0);
    sk_metrics_free(&table);
    return failed ? -1 : 0;
}

int sk_checkpoints_drop_interrupted(const struct sk_checkpoints *c)
{
    char *path = sk_path_join(c->dir, SK_MD_INTERRUPTED);
    int result = sk_file_remove(path);
    free(path);
    return result;
}

/* Removes a checkpoint and its evaluation; params first: without them it is
 * no checkpoint any more. */
int sk_checkpoints_remove(const struct sk_checkpoints *c, int number)
{
    return remove_checkpoint_file(c, "params", number) < 0 || remove_checkpoint_file(c, "state", number) < 0 ||
        sk_evaluation_remove(c->dir, number) < 0 ? -1 : 0;
}
