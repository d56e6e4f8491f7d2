#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "model/params_file.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "train/checkpoint_private.h"

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

int sk_checkpoints_commit(struct sk_checkpoints *c, struct sk_train_state *s)
{
    const struct sk_tensor_groups moments = sk_checkpoints_groups(c, 0);
    char *state = sk_md_checkpoint(c->dir, "state", s->now.checkpoint);
    char *params = sk_md_checkpoint(c->dir, "params", s->now.checkpoint);
    char hash[SK_HASH_HEX];
    int result = -1;
    s->withdraws = 0;
    sk_checkpoints_hash(c, s->params);
    if (sk_checkpoints_save(c, state, &moments, s, SK_PUBLISH) < 0)
        goto out;
    sk_checkpoints_fetch(c, c->params);
    if (sk_params_save(c->table, params, c->host, SK_PUBLISH, hash) < 0)
        goto out;
    SK_ENSURE(strcmp(hash, s->params) == 0);
    result = sk_checkpoints_derive(c, s) < 0 || sk_checkpoints_drop_interrupted(c) < 0 ? -1 : 0;
out:
    free(state);
    free(params);
    return result;
}

int sk_checkpoints_interrupt(struct sk_checkpoints *c, struct sk_train_state *s)
{
    const struct sk_tensor_groups all = sk_checkpoints_groups(c, 1);
    char *path = sk_path_join(c->dir, SK_MD_INTERRUPTED);
    sk_checkpoints_hash(c, s->params);
    int result = sk_checkpoints_save(c, path, &all, s, SK_REPLACE);
    free(path);
    return result;
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
    if (sk_checkpoints_interrupt(c, s) < 0 || sk_checkpoints_remove(c, number) < 0)
        return -1;
    return sk_checkpoints_derive(c, s);
}

int sk_checkpoints_keep_initial(struct sk_checkpoints *c)
{
    char *path = sk_md_checkpoint(c->dir, "params", 0);
    sk_checkpoints_fetch(c, c->params);
    int result = sk_params_save(c->table, path, c->host, SK_PUBLISH, NULL) < 0 ? -1 : 0;
    free(path);
    return result;
}
