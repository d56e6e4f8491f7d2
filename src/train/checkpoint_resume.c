/* checkpoint_resume.c - from files back into a run. */
#include "train/checkpoint_private.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "model/params_file.h"
#include "modeldir/paths.h"

/* 1 loaded into all that is kept, and s; 0 damaged; -1. */
static int load_checkpoint(const struct sk_checkpoints *c, int number, struct sk_train_state *s)
{
    char *state = sk_md_checkpoint(c->dir, "state", number), *params = sk_md_checkpoint(c->dir, "params", number);
    char hash[SK_HASH_HEX];
    const struct sk_tensor_groups groups = sk_checkpoints_groups(c, SK_OF_STATE);
    int there = sk_file_exists(state);
    if (there <= 0) {
        if (there == 0)
            sk_warn("%s is missing; checkpoint %d is passed over", state, number);
        free(state);
        free(params);
        return there;
    }
    struct sk_tensors *f;
    int opened = sk_checkpoints_open(state, s, &f), good = opened > 0 && sk_checkpoints_load(c, f, &groups) == 0;
    sk_tensors_close(f);
    if (good && sk_params_load(c->table, params, c->host, 0, hash) < 0)
        good = 0;
    else if (good && (strcmp(hash, s->params) != 0 || s->now.checkpoint != number))
        good = 0, sk_fail(SK_EXIT_DATA, "%s and %s do not belong together", state, params);
    if (good)
        c->ops->upload(c->dev, sk_checkpoints_written(c), c->host, c->table->total * sizeof(float));
    free(state);
    free(params);
    if (good)
        return 1;
    if (opened > 0)
        sk_train_state_free(s);
    return opened < 0 ? -1 : sk_checkpoints_damaged();
}

static int load_interrupted(const struct sk_checkpoints *c, struct sk_train_state *s)
{
    char *path = sk_path_join(c->dir, SK_MD_INTERRUPTED);
    const struct sk_tensor_groups all = sk_checkpoints_groups(c, SK_OF_ALL);
    struct sk_tensors *f;
    int opened = sk_checkpoints_open(path, s, &f), good = opened > 0 && sk_checkpoints_load(c, f, &all) == 0;
    sk_tensors_close(f);
    free(path);
    if (good)
        return 1;
    if (opened > 0)
        sk_train_state_free(s);
    return opened < 0 ? -1 : sk_checkpoints_damaged();
}

/* The state alone: what `interrupted` says, whether it is there and whole. */
static int peek_interrupted(const struct sk_checkpoints *c, struct sk_train_state *s)
{
    char *path = sk_path_join(c->dir, SK_MD_INTERRUPTED);
    int there = sk_file_exists(path);
    struct sk_tensors *f = NULL;
    int opened = there > 0 ? sk_checkpoints_open(path, s, &f) : there;
    sk_tensors_close(f);
    free(path);
    return there > 0 && opened == 0 ? sk_checkpoints_damaged() : opened;
}

int64_t sk_checkpoints_reached(const struct sk_checkpoints *c)
{
    struct sk_train_state s = {0};
    int *numbers = NULL, n = sk_md_list(c->dir, "params", &numbers), got = n < 0 ? -1 : peek_interrupted(c, &s);
    int64_t updates = got > 0 ? s.updates : got;
    sk_train_state_free(&s);
    if (got >= 0 && n > 0) {
        char *path = sk_md_checkpoint(c->dir, "state", numbers[n - 1]);
        struct sk_tensors *f = NULL;
        got = sk_checkpoints_open(path, &s, &f);
        if (got > 0 && s.updates > updates) updates = s.updates;
        if (got < 0) updates = -1;
        if (got > 0) sk_train_state_free(&s);
        sk_tensors_close(f);
        free(path);
    }
    free(numbers);
    return updates;
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
            failed = sk_checkpoints_remove(c, numbers[i]) < 0;
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

static int resume(struct sk_checkpoints *c, struct sk_train_state *s, const char *corpus, const char *validation)
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
                        (!interrupted && sk_checkpoints_drop_interrupted(c) < 0)))
        goto out;
    result = 1;
out:
    sk_train_state_free(&peeked);
    free(numbers);
    return result;
}

int sk_checkpoints_resume(struct sk_checkpoints *c, struct sk_train_state *s, const char *corpus,
                          const char *validation)
{
    /* While another shard writes, a file may go between listing and opening it. */
    enum { TRIES = 20, PAUSE_MS = 50 };
    for (int i = 1;; i++) {
        int resumed = resume(c, s, corpus, validation);
        if (resumed >= 0 || !c->follows || i == TRIES ||
            (sk_fail_code() != SK_EXIT_NOINPUT && sk_fail_code() != SK_EXIT_DATA))
            return resumed;
        sk_train_state_free(s);
        *s = (struct sk_train_state){0};
        poll(NULL, 0, PAUSE_MS);
    }
}

/* --- back to a checkpoint ------------------------------------------------------------ */

int sk_checkpoints_load_params(struct sk_checkpoints *c, int number)
{
    char *path = sk_md_checkpoint(c->dir, "params", number);
    int result = sk_params_load(c->table, path, c->host, 0, NULL) < 0 ? -1 : 0;
    if (result == 0)
        c->ops->upload(c->dev, c->params, c->host, c->table->total * sizeof(float));
    if (result == 0 && c->average)
        c->ops->copy(c->dev, c->average, c->params, c->table->total * sizeof(float));
    free(path);
    return result;
}

int sk_checkpoints_load_moments(struct sk_checkpoints *c, int number, int64_t *steps)
{
    const struct sk_tensor_groups moments = sk_checkpoints_groups(c, SK_OF_MOMENTS);
    struct sk_train_state then = {0};
    char *path = sk_md_checkpoint(c->dir, "state", number);
    struct sk_tensors *f;
    int opened = sk_checkpoints_open(path, &then, &f), result = opened > 0 ? sk_checkpoints_load(c, f, &moments) : -1;
    *steps = then.steps;
    if (opened > 0)
        sk_train_state_free(&then);
    sk_tensors_close(f);
    free(path);
    return result;
}
