/* checkpoint.h - a run's state on disk: committed, resumed, withdrawn.
 *
 * Checkpoint N is state.N, then params.N (by link: this commits it), then what
 * is derived from the state: `metrics`, `params.best`, removals (older states,
 * `interrupted`, parameters beyond --keep-last-params). Every start derives
 * them again, so a kill anywhere loses nothing that was committed.
 *
 * Training waits until both files are in the system's memory, as long as
 * copying takes: no second copy in ours. What takes long, until they are on
 * disk and have their names, is left to a thread.
 *
 * `state.N`: tensors "m:NAME" and "v:NAME" (the optimizer's moments, if it keeps
 * them), metadata "state". `interrupted`: the same and the parameters,
 * "p:NAME"; replaced whole. With a moving average params.N has the average:
 * then the state has the parameters too, and `interrupted` the average,
 * "e:NAME".
 *
 * Kept are the newest state, and that of the best checkpoint if lowering the
 * learning rate may go back to it; with --keep-last-params the last
 * parameters, the best, and those that an average would be made of.
 */
#ifndef SK_TRAIN_CHECKPOINT_H
#define SK_TRAIN_CHECKPOINT_H
#include "math/ops.h"
#include "model/params.h"
#include "modeldir/average.h"
#include "modeldir/events.h"
#include "train/state.h"

struct sk_checkpoints {
    const char *dir;
    int keep_last;                   /* --keep-last-params; < 0: all */
    int cache;                       /* --cache-last-best-params, by this strategy and metric */
    enum sk_strategy cache_strategy;
    const char *cache_metric;
    int keep_best_state, keep_states;    /* the best one's; how many of the last ones */
    int follows;                     /* another shard writes the directory: nothing is written here */
    const char *late;                /* name in metrics of what evaluators find and decides; or NULL */
    int evaluated, commanded;        /* evaluators, a command will come to every checkpoint: its parameters stay
                                       * until then */
    const struct sk_params *table;
    const struct sk_ops *ops;
    struct sk_device *dev;
    float *params, *average, *m, *v; /* (device) flat, in the table's layout; all but params: NULL if not kept */
    float *host;                     /* table->total floats, for what goes to and from files; may be the
                                      * gradient, which is of no use between updates */
    struct sk_events *events;        /* follows `metrics` */
    struct sk_publisher *publisher;  /* of a checkpoint under way; NULL: none */
};
/* Loads the newest of `interrupted` and the checkpoints that verifies into
 * params, m, v and s; removes what came after it and derives. 1 resumed, 0
 * there is nothing to resume, -1: sk_fail (SK_EXIT_DATA if there are
 * checkpoints but none verifies). corpus, validation: checksums of the data
 * at hand; others: SK_EXIT_CONFIG. */
int sk_checkpoints_resume(struct sk_checkpoints *c, struct sk_train_state *s,
                          const char *corpus, const char *validation);
/* Writes checkpoint s->now.checkpoint and leaves it to a thread to have it on
 * disk and to publish it, while training goes on: 0 or -1. Sets s->params. No
 * other may be under way. */
int sk_checkpoints_commit(struct sk_checkpoints *c, struct sk_train_state *s);
/* To be called now and then, and with `wait` before anything is decided or
 * ended: when the checkpoint has been published, what follows from the state is
 * done. 1: so it was, just now; 0: nothing is under way or (without `wait`) it is
 * not yet there; -1: it could not be published. */
int sk_checkpoints_settle(struct sk_checkpoints *c, const struct sk_train_state *s, int wait);
/* The furthest update that the directory holds, in a checkpoint or `interrupted`; -1: sk_fail. */
int64_t sk_checkpoints_reached(const struct sk_checkpoints *c);
/* Writes `interrupted`, after what is under way: 0 or -1. */
int sk_checkpoints_interrupt(struct sk_checkpoints *c, struct sk_train_state *s);
/* The same to any path, published by link: 0, 1 it is there already, -1; and back,
 * of a run with the same data: 0 or -1. Of another shard. */
int sk_checkpoints_export(struct sk_checkpoints *c, struct sk_train_state *s, const char *path);
int sk_checkpoints_import(const struct sk_checkpoints *c, struct sk_train_state *s, const char *path);
/* Checksum of parameters and moments. */
void sk_checkpoints_hash(const struct sk_checkpoints *c, char hex[SK_HASH_HEX]);
/* Takes back the last checkpoint (s->has_before): the run stands where it
 * stood before that was decided. 0 or -1. */
int sk_checkpoints_withdraw(struct sk_checkpoints *c, struct sk_train_state *s);
/* Moves params.best, after results have come; takes all that follows from the
 * state up again. 0 or -1. */
int sk_checkpoints_link_best(const struct sk_checkpoints *c, const struct sk_train_state *s);
int sk_checkpoints_derive(const struct sk_checkpoints *c, const struct sk_train_state *s);
/* The parameters (from an average on that is one), or the moments with *steps, as
 * they were at a checkpoint whose files are kept. 0 or -1. */
int sk_checkpoints_load_params(struct sk_checkpoints *c, int number);
int sk_checkpoints_load_moments(struct sk_checkpoints *c, int number, int64_t *steps);
/* params.00000, once. 0 or -1. */
int sk_checkpoints_keep_initial(struct sk_checkpoints *c);
/* After the lock was released: scores whose evaluators saw it held and left
 * them to us. When nothing is left to merge or another holds the lock: 0. */
int sk_checkpoints_merge_scores(const char *dir);
/* Name of a parameter with a value that is not finite, else NULL. */
const char *sk_checkpoints_nonfinite(const struct sk_checkpoints *c, const float *values /* (device) */);
#endif
