#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "model/params_file.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "train/awaited.h"
#include "train/decide.h"

static char *path_of(const struct sk_checkpoints *c, const char *name)
{
    return sk_path_join(c->dir, name);
}

static void fetch(const struct sk_checkpoints *c, const float *values)
{
    c->ops->download(c->dev, c->host, values, c->table->total * sizeof(float));
}

const char *sk_checkpoints_nonfinite(const struct sk_checkpoints *c, const float *values)
{
    int64_t at = c->ops->find_nonfinite(c->dev, values, c->table->total);
    for (int i = 0; at >= 0 && i < c->table->n; i++) {
        const struct sk_param *p = &c->table->p[i];
        if ((size_t)at >= p->offset && (size_t)at < p->offset + p->size)
            return p->name;
    }
    return at >= 0 ? "(between parameters)" : NULL;
}

/* --- files of tensors -------------------------------------------------------- */

struct group { char prefix; float *values; /* (device) */ };
struct groups { struct group g[3]; int n; };

/* The moments, and the parameters if wanted, in order of their prefixes. */
static struct groups groups_of(const struct sk_checkpoints *c, int with_params)
{
    struct groups s = {.n = 0};
    if (c->m)
        s.g[s.n++] = (struct group){'m', c->m};
    if (with_params)
        s.g[s.n++] = (struct group){'p', c->params};
    if (c->v)
        s.g[s.n++] = (struct group){'v', c->v};
    return s;
}

/* Tensors of all groups, "x:NAME"; names in *names. */
static struct sk_tensor *list_tensors(const struct sk_checkpoints *c, const struct groups *s, char **names)
{
    const struct sk_params *t = c->table;
    struct sk_tensor *list = sk_xcalloc((size_t)(s->n * t->n) + 1, sizeof *list);
    char *name = *names = sk_xcalloc((size_t)(s->n * t->n) + 1, SK_PARAM_NAME + 2);
    for (int k = 0; k < s->n; k++)
        for (int i = 0; i < t->n; i++, name += SK_PARAM_NAME + 2) {
            struct sk_tensor *x = &list[k * t->n + i];
            name[0] = s->g[k].prefix;
            name[1] = ':';
            memcpy(name + 2, t->p[i].name, SK_PARAM_NAME);
            x->name = name;
            x->ndim = t->p[i].ndim;
            memcpy(x->shape, t->p[i].shape, sizeof x->shape);
            x->size = t->p[i].size;
        }
    return list;
}

/* Writes groups with the state as metadata. */
static int save_groups(const struct sk_checkpoints *c, const char *path, const struct groups *all,
                       const struct sk_train_state *s, enum sk_commit how)
{
    char *names, *text = sk_train_state_text(s);
    struct sk_tensor *list = list_tensors(c, all, &names);
    struct sk_meta meta = {"state", text};
    int result = -1;
    struct sk_tensors_writer *w = sk_tensors_create(path, list, all->n * c->table->n, &meta, 1);
    for (int k = 0; w && k < all->n; k++) {
        fetch(c, all->g[k].values);
        for (int i = 0; w && i < c->table->n; i++)
            if (sk_tensors_write(w, c->host + c->table->p[i].offset, c->table->p[i].size) < 0) {
                sk_tensors_abandon(w);
                w = NULL;
            }
    }
    if (w)
        result = sk_tensors_finish(w, how, NULL);
    free(list);
    free(names);
    free(text);
    return result;
}

static int load_group(const struct sk_checkpoints *c, struct sk_tensors *f, const struct group *g)
{
    memset(c->host, 0, c->table->total * sizeof(float));
    for (int i = 0; i < c->table->n; i++) {
        const struct sk_param *p = &c->table->p[i];
        char name[SK_PARAM_NAME + 2] = {g->prefix, ':'};
        memcpy(name + 2, p->name, SK_PARAM_NAME);
        const struct sk_tensor *t = sk_tensors_find(f, name);
        if (!t || t->ndim != p->ndim || memcmp(t->shape, p->shape, (size_t)p->ndim * sizeof *p->shape) != 0)
            return sk_fail(SK_EXIT_DATA, "%s: tensor %s is missing or has another shape", sk_tensors_path(f), name);
        if (sk_tensors_read(f, t, 0, p->size, c->host + p->offset) < 0)
            return -1;
    }
    c->ops->upload(c->dev, g->values, c->host, c->table->total * sizeof(float));
    return 0;
}

static int load_groups(const struct sk_checkpoints *c, struct sk_tensors *f, const struct groups *s)
{
    for (int k = 0; k < s->n; k++)
        if (load_group(c, f, &s->g[k]) < 0)
            return -1;
    return 0;
}

/* Checksum that sk_params_save gives a file of these parameters. */
static void hash_params(const struct sk_checkpoints *c, char hex[SK_HASH_HEX])
{
    fetch(c, c->params);
    sk_params_hash(c->table, c->host, hex);
}

/* A file that is damaged is passed over: 0; one that cannot be read is an error. */
static int damaged(void)
{
    if (sk_fail_code() != SK_EXIT_DATA)
        return -1;
    sk_warn("%s; it is passed over", sk_fail_message());
    return 0;
}

/* Opens and verifies a file with a state: 1; 0 (sk_fail) it is damaged; -1. One
 * of another version is not damaged: passing over it would lose the run. */
static int open_state(const char *path, struct sk_train_state *s, struct sk_tensors **f)
{
    *f = sk_tensors_open(path);
    if (!*f)
        return sk_fail_code() == SK_EXIT_DATA ? 0 : -1;
    const char *text = sk_tensors_meta(*f, "state");
    int parsed = -1;
    if (!text)
        sk_fail(SK_EXIT_DATA, "%s holds no training state", path);
    else if (sk_tensors_verify(*f) == 0)
        parsed = sk_train_state_parse(s, text, path);
    if (parsed == 0 && sk_tensors_has_checksum(*f))
        return 1;
    if (parsed == 0) {
        sk_fail(SK_EXIT_DATA, "%s: damaged: it has no checksum", path);
        sk_train_state_free(s);
    }
    sk_tensors_close(*f);
    *f = NULL;
    return parsed == -2 || sk_fail_code() != SK_EXIT_DATA ? -1 : 0;
}

/* --- what follows from a state ------------------------------------------------- */

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
    char *own = sk_metrics_text(&s->metrics), *path = path_of(c, SK_MD_METRICS), *text = NULL, *before = NULL;
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
    char *link = path_of(c, SK_MD_BEST);
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
    char *eval = path_of(c, SK_MD_EVAL);
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
 * `last` would be made of, and what is needed to know them later. All lines count, whether their parameters are still
 * there or not: so a removal that is done again removes the same. */
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
    for (int i = 0; i < n && !failed; i++) {
        int best = numbers[i] == s->now.stopping.best_checkpoint ||
            (s->has_before && numbers[i] == s->before.stopping.best_checkpoint);
        if (numbers[i] < s->now.checkpoint && !(c->keep_best_state && best))
            failed = remove_checkpoint_file(c, "state", numbers[i]) < 0;
    }
    free(numbers);
    return failed ? -1 : 0;
}

int sk_checkpoints_derive(const struct sk_checkpoints *c, const struct sk_train_state *s)
{
    struct sk_metrics table = {0};
    int failed = derive_metrics(c, s, &table) < 0 || sk_checkpoints_link_best(c, s) < 0 || remove_old_states(c, s) < 0 ||
        (c->keep_last >= 0 && remove_old_params(c, s, &table) < 0);
    sk_metrics_free(&table);
    return failed ? -1 : 0;
}

static int drop_interrupted(const struct sk_checkpoints *c)
{
    char *path = path_of(c, SK_MD_INTERRUPTED);
    int result = sk_file_remove(path);
    free(path);
    return result;
}

int sk_checkpoints_merge_scores(const char *dir)
{
    for (;;) {
        struct sk_metrics t = {0};
        int changed = sk_metrics_load(&t, dir) < 0 ? -1 : sk_evaluation_merge(dir, &t);
        sk_metrics_free(&t);
        if (changed <= 0)
            return changed;
        int merged = sk_evaluation_merge_now(dir, 0);
        if (merged <= 0)
            return merged;
    }
}

/* --- writing ---------------------------------------------------------------------- */

int sk_checkpoints_commit(struct sk_checkpoints *c, struct sk_train_state *s)
{
    const struct groups moments = groups_of(c, 0);
    char *state = sk_md_checkpoint(c->dir, "state", s->now.checkpoint);
    char *params = sk_md_checkpoint(c->dir, "params", s->now.checkpoint);
    char hash[SK_HASH_HEX];
    int result = -1;
    s->withdraws = 0;
    hash_params(c, s->params);
    if (c->follows)
        result = 0;
    if (c->follows || save_groups(c, state, &moments, s, SK_PUBLISH) < 0)
        goto out;
    fetch(c, c->params);
    if (sk_params_save(c->table, params, c->host, SK_PUBLISH, hash) < 0)
        goto out;
    SK_ENSURE(strcmp(hash, s->params) == 0);
    result = sk_checkpoints_derive(c, s) < 0 || drop_interrupted(c) < 0 ? -1 : 0;
out:
    free(state);
    free(params);
    return result;
}

int sk_checkpoints_export(struct sk_checkpoints *c, struct sk_train_state *s, const char *path)
{
    const struct groups all = groups_of(c, 1);
    /* That of a checkpoint is known, whatever the parameters were set back to since. */
    if (s->updates != s->now.updates || s->now.checkpoint == 0)
        hash_params(c, s->params);
    return save_groups(c, path, &all, s, SK_PUBLISH);
}

int sk_checkpoints_import(const struct sk_checkpoints *c, struct sk_train_state *s, const char *path)
{
    const struct groups all = groups_of(c, 1);
    struct sk_tensors *f;
    int opened = open_state(path, s, &f), result = opened > 0 ? load_groups(c, f, &all) : -1;
    sk_tensors_close(f);
    if (result < 0 && opened > 0)
        sk_train_state_free(s);
    return result;
}

void sk_checkpoints_hash(const struct sk_checkpoints *c, char hex[SK_HASH_HEX])
{
    const struct groups all = groups_of(c, 1);
    struct sk_hash *h = sk_hash_new();
    for (int i = 0; i < all.n; i++) {
        fetch(c, all.g[i].values);
        sk_hash_add(h, c->host, c->table->total * sizeof(float));
    }
    sk_hash_end(h, hex);
}

int sk_checkpoints_interrupt(struct sk_checkpoints *c, struct sk_train_state *s)
{
    if (c->follows)
        return 0;
    const struct groups all = groups_of(c, 1);
    char *path = path_of(c, SK_MD_INTERRUPTED);
    hash_params(c, s->params);
    int result = save_groups(c, path, &all, s, SK_REPLACE);
    free(path);
    return result;
}

/* Removes a checkpoint and its evaluation; params first: without them it is
 * no checkpoint any more. */
static int remove_checkpoint(const struct sk_checkpoints *c, int number)
{
    return remove_checkpoint_file(c, "params", number) < 0 || remove_checkpoint_file(c, "state", number) < 0 ||
        sk_evaluation_remove(c->dir, number) < 0 ? -1 : 0;
}

int sk_checkpoints_withdraw(struct sk_checkpoints *c, struct sk_train_state *s)
{
    int number = s->now.checkpoint;
    SK_ENSURE(s->has_before && s->before.checkpoint == number - 1);
    s->now = s->before;
    s->has_before = 0;
    sk_metrics_truncate(&s->metrics, s->now.checkpoint);
    /* From here on `interrupted` stands for the run, even if we are killed
     * before the checkpoint is gone. */
    s->withdraws = number;
    if (c->follows)
        return 0;
    if (sk_checkpoints_interrupt(c, s) < 0 || remove_checkpoint(c, number) < 0)
        return -1;
    return sk_checkpoints_derive(c, s);
}

/* --- resuming ----------------------------------------------------------------------- */

/* 1 loaded into params, m, v and s; 0 damaged; -1. */
static int load_checkpoint(const struct sk_checkpoints *c, int number, struct sk_train_state *s)
{
    char *state = sk_md_checkpoint(c->dir, "state", number), *params = sk_md_checkpoint(c->dir, "params", number);
    char hash[SK_HASH_HEX];
    const struct groups moments = groups_of(c, 0);
    int there = sk_file_exists(state);
    if (there <= 0) {
        if (there == 0)
            sk_warn("%s is missing; checkpoint %d is passed over", state, number);
        free(state);
        free(params);
        return there;
    }
    struct sk_tensors *f;
    int opened = open_state(state, s, &f), good = opened > 0 && load_groups(c, f, &moments) == 0;
    sk_tensors_close(f);
    if (good && sk_params_load(c->table, params, c->host, 0, hash) < 0)
        good = 0;
    else if (good && (strcmp(hash, s->params) != 0 || s->now.checkpoint != number))
        good = 0, sk_fail(SK_EXIT_DATA, "%s and %s do not belong together", state, params);
    if (good)
        c->ops->upload(c->dev, c->params, c->host, c->table->total * sizeof(float));
    free(state);
    free(params);
    if (good)
        return 1;
    if (opened > 0)
        sk_train_state_free(s);
    return opened < 0 ? -1 : damaged();
}

static int load_interrupted(const struct sk_checkpoints *c, struct sk_train_state *s)
{
    char *path = path_of(c, SK_MD_INTERRUPTED);
    const struct groups all = groups_of(c, 1);
    struct sk_tensors *f;
    int opened = open_state(path, s, &f), good = opened > 0 && load_groups(c, f, &all) == 0;
    sk_tensors_close(f);
    free(path);
    if (good)
        return 1;
    if (opened > 0)
        sk_train_state_free(s);
    return opened < 0 ? -1 : damaged();
}

/* The state alone: what `interrupted` says, whether it is there and whole. */
static int peek_interrupted(const struct sk_checkpoints *c, struct sk_train_state *s)
{
    char *path = path_of(c, SK_MD_INTERRUPTED);
    int there = sk_file_exists(path);
    struct sk_tensors *f = NULL;
    int opened = there > 0 ? open_state(path, s, &f) : there;
    sk_tensors_close(f);
    free(path);
    return there > 0 && opened == 0 ? damaged() : opened;
}

/* Newest checkpoint that verifies: its number, 0: none, -1. */
static int newest_checkpoint(const struct sk_checkpoints *c, const int *numbers, int n, struct sk_train_state *s)
{
    for (int i = n - 1; i >= 0; i--) {
        int loaded = load_checkpoint(c, numbers[i], s);
        if (loaded)
            return loaded < 0 ? -1 : numbers[i];
    }
    return 0;
}

/* Checkpoints and states after the one resumed from: a withdrawn one, one that
 * was never committed, or damaged ones. */
static int remove_later(const struct sk_checkpoints *c, int last, int withdrawn)
{
    static const char *const kinds[] = {"params", "state"};
    int failed = 0;
    for (int k = 0; k < 2 && !failed; k++) {
        int *numbers = NULL, n = sk_md_list(c->dir, kinds[k], &numbers);
        failed = n < 0;
        for (int i = n - 1; i >= 0 && !failed; i--) {
            if (numbers[i] <= last)
                break;
            if (k == 0 && numbers[i] != withdrawn)
                sk_warn("%s: checkpoint %d is removed and made again", c->dir, numbers[i]);
            failed = remove_checkpoint(c, numbers[i]) < 0;
        }
        free(numbers);
    }
    return failed ? -1 : 0;
}

static int check_data(const struct sk_checkpoints *c, const struct sk_train_state *s, const char *corpus,
                      const char *validation)
{
    if (strcmp(s->corpus, corpus) == 0 && strcmp(s->validation, validation) == 0)
        return 0;
    return sk_fail(SK_EXIT_CONFIG, "%s was trained with other %s text: give the same, or another --output, or "
                   "--overwrite-output to begin anew", c->dir,
                   strcmp(s->corpus, corpus) != 0 ? "training" : "validation");
}

int sk_checkpoints_resume(struct sk_checkpoints *c, struct sk_train_state *s, const char *corpus,
                          const char *validation)
{
    struct sk_train_state peeked = {0};
    int *numbers = NULL, n = sk_md_list(c->dir, "params", &numbers);
    int interrupted = n < 0 ? -1 : peek_interrupted(c, &peeked), newest = 0, result = -1;
    if (n < 0 || interrupted < 0)
        goto out;
    newest = newest_checkpoint(c, numbers, n, s);
    if (newest < 0)
        goto out;
    /* Of a checkpoint and an `interrupted` of the same update the checkpoint is
     * later, unless it is about to be withdrawn. */
    if (interrupted && newest && !(peeked.updates > s->updates ||
                                   (peeked.updates == s->updates && peeked.withdraws == newest)))
        interrupted = 0;
    if (interrupted) {
        sk_train_state_free(s);
        if (load_interrupted(c, s) <= 0)
            goto out;
    } else if (!newest) {
        result = n == 0 ? 0 : sk_fail(SK_EXIT_DATA, "%s holds %d checkpoints, but none can be resumed from. Restore "
                                      "state and params of one, or give --overwrite-output to begin anew", c->dir, n);
        if (n == 0 && !c->follows)
            result = remove_later(c, 0, 0);
        goto out;
    }
    if (check_data(c, s, corpus, validation) < 0)
        goto out;
    if (!c->follows && (remove_later(c, s->now.checkpoint, s->withdraws) < 0 || sk_checkpoints_derive(c, s) < 0 ||
                        (!interrupted && drop_interrupted(c) < 0)))
        goto out;
    result = 1;
out:
    sk_train_state_free(&peeked);
    free(numbers);
    return result;
}

/* --- back to a checkpoint ------------------------------------------------------------ */

int sk_checkpoints_load_params(struct sk_checkpoints *c, int number)
{
    char *path = sk_md_checkpoint(c->dir, "params", number);
    int result = sk_params_load(c->table, path, c->host, 0, NULL) < 0 ? -1 : 0;
    if (result == 0)
        c->ops->upload(c->dev, c->params, c->host, c->table->total * sizeof(float));
    free(path);
    return result;
}

int sk_checkpoints_load_moments(struct sk_checkpoints *c, int number, int64_t *steps)
{
    const struct groups moments = groups_of(c, 0);
    struct sk_train_state then = {0};
    char *path = sk_md_checkpoint(c->dir, "state", number);
    struct sk_tensors *f;
    int opened = open_state(path, &then, &f), result = opened > 0 ? load_groups(c, f, &moments) : -1;
    *steps = then.steps;
    if (opened > 0)
        sk_train_state_free(&then);
    sk_tensors_close(f);
    free(path);
    return result;
}

int sk_checkpoints_keep_initial(struct sk_checkpoints *c)
{
    char *path = sk_md_checkpoint(c->dir, "params", 0);
    fetch(c, c->params);
    int result = sk_params_save(c->table, path, c->host, SK_PUBLISH, NULL) < 0 ? -1 : 0;
    free(path);
    return result;
}
