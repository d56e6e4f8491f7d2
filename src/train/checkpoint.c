#include "train/checkpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
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

/* --- in the background ------------------------------------------------------------ */

/* Both files are written, to the system's memory; they wait for the disk. */
struct sk_publisher {
    struct sk_tensors_writer *state, *params;
    pthread_t thread;
    int threaded, failed;
    atomic_int done;
    enum sk_exit code;               /* why, if it failed */
    char *message;
};

/* State before parameters: these commit. */
static void *publish(void *ctx)
{
    struct sk_publisher *p = ctx;
    p->failed = sk_tensors_commit(p->state, SK_PUBLISH) < 0;
    if (p->failed)
        sk_tensors_abandon(p->params);
    else
        p->failed = sk_tensors_commit(p->params, SK_PUBLISH) < 0;
    if (p->failed) {
        p->code = sk_fail_code();
        p->message = sk_xstrdup(sk_fail_message());
    }
    atomic_store(&p->done, 1);
    return NULL;
}

static void start_publishing(struct sk_publisher *p)
{
    sigset_t all, before;
    /* Signals are for the thread that trains. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->threaded = pthread_create(&p->thread, NULL, publish, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!p->threaded)
        publish(p);
}

int sk_checkpoints_commit(struct sk_checkpoints *c, struct sk_train_state *s)
{
    const struct sk_tensor_groups groups = sk_checkpoints_groups(c, SK_OF_STATE);
    s->withdraws = 0;
    if (c->follows) {
        sk_checkpoints_hash_params(c, s->params);
        return 0;
    }
    char *state = sk_md_checkpoint(c->dir, "state", s->now.checkpoint);
    char *params = sk_md_checkpoint(c->dir, "params", s->now.checkpoint);
    SK_ENSURE(!c->publisher);
    struct sk_publisher *p = sk_xcalloc(1, sizeof *p);
    sk_checkpoints_fetch(c, sk_checkpoints_written(c));
    p->params = sk_params_stage(c->table, params, c->host, s->params);
    p->state = p->params ? sk_checkpoints_stage(c, state, &groups, s) : NULL;
    int result = p->state ? 0 : -1;
    if (p->state) {
        start_publishing(p);
        c->publisher = p;
    } else {
        sk_tensors_abandon(p->params);
        free(p);
    }
    free(state);
    free(params);
    return result;
}

int sk_checkpoints_settle(struct sk_checkpoints *c, const struct sk_train_state *s, int wait)
{
    struct sk_publisher *p = c->publisher;
    if (!p || (!wait && !atomic_load(&p->done)))
        return 0;
    if (p->threaded)
        pthread_join(p->thread, NULL);
    int failed = p->failed;
    if (failed)
        sk_fail(p->code, "%s", p->message);
    free(p->message);
    free(p);
    c->publisher = NULL;
    return failed || sk_checkpoints_derive(c, s) < 0 || sk_checkpoints_drop_interrupted(c) < 0 ? -1 : 1;
}

/* --- at once -------------------------------------------------------------------------- */

int sk_checkpoints_export(struct sk_checkpoints *c, struct sk_train_state *s, const char *path)
{
    const struct sk_tensor_groups all = sk_checkpoints_groups(c, SK_OF_ALL);
    /* That of a checkpoint is known, whatever the parameters were set back to since. */
    if (s->updates != s->now.updates || s->now.checkpoint == 0)
        sk_checkpoints_hash_params(c, s->params);
    struct sk_tensors_writer *w = sk_checkpoints_stage(c, path, &all, s);
    return w ? sk_tensors_commit(w, SK_PUBLISH) : -1;
}

int sk_checkpoints_import(const struct sk_checkpoints *c, struct sk_train_state *s, const char *path)
{
    const struct sk_tensor_groups all = sk_checkpoints_groups(c, SK_OF_ALL);
    struct sk_tensors *f;
    int opened = sk_checkpoints_open(path, s, &f), result = opened > 0 ? sk_checkpoints_load(c, f, &all) : -1;
    sk_tensors_close(f);
    if (result < 0 && opened > 0)
        sk_train_state_free(s);
    return result;
}

void sk_checkpoints_hash(const struct sk_checkpoints *c, char hex[SK_HASH_HEX])
{
    const struct sk_tensor_groups all = sk_checkpoints_groups(c, SK_OF_ALL);
    struct sk_hash *h = sk_hash_new();
    for (int i = 0; i < all.n; i++) {
        sk_checkpoints_fetch(c, all.g[i].values);
        sk_hash_add(h, c->host, c->table->total * sizeof(float));
    }
    sk_hash_end(h, hex);
}

int sk_checkpoints_interrupt(struct sk_checkpoints *c, struct sk_train_state *s)
{
    const struct sk_tensor_groups all = sk_checkpoints_groups(c, SK_OF_ALL);
    if (c->follows)
        return 0;
    if (sk_checkpoints_settle(c, s, 1) < 0)
        return -1;
    char *path = sk_path_join(c->dir, SK_MD_INTERRUPTED);
    sk_checkpoints_hash_params(c, s->params);
    struct sk_tensors_writer *w = sk_checkpoints_stage(c, path, &all, s);
    free(path);
    return w ? sk_tensors_commit(w, SK_REPLACE) : -1;
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
    if (sk_checkpoints_interrupt(c, s) < 0 || sk_checkpoints_remove(c, number) < 0)
        return -1;
    sk_events_forget(c->events);
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
