/* shards.h - training by several processes: what the training loop does otherwise
 * when --num-shards is more than 1. exchange/ has the protocol; here is what it
 * means for a trainer.
 *
 * All shards hold the whole state and do the same with it; each computes its
 * leaves of every update and its part of a validation. One, the leader, writes.
 */
#ifndef SK_TRAIN_SHARDS_H
#define SK_TRAIN_SHARDS_H
#include "text/batch.h"
#include "model/model.h"
#include "train/options.h"
#include "train/stopping.h"

struct sk_trainer;
struct sk_shards;

/* Waits until this shard is to prepare the directory or another one has done so.
 * NULL: sk_fail. */
struct sk_shards *sk_shards_enter(const struct sk_train_options *o);
void sk_shards_leave(struct sk_shards *s);
/* Holds the directory's lock; and others trained already. */
int sk_shards_lead(const struct sk_shards *s);
int sk_shards_found(const struct sk_shards *s);

/* The loop's: before the state is loaded, 0 or -1; then at the head of each turn. */
int sk_shards_begin(struct sk_trainer *t);
void sk_shards_end(struct sk_trainer *t);
/* In step with all others of a generation, and of one mind about time: 1; 0: a
 * signal came while there was none; -1: sk_fail. */
int sk_shards_step(struct sk_trainer *t);
/* After something failed: because the generation is over (1: it is left, go on
 * with a turn), or not (0). */
int sk_shards_over(struct sk_trainer *t);
/* Training has failed: if others went on without this shard, which was held up
 * meanwhile, and swept away what it had begun to write, that is why (SK_EXIT_TEMP). */
void sk_shards_excuse(struct sk_trainer *t);
/* This shard is about to leave, by a signal. The last one to do so saves what it
 * holds: is it to? 1, 0, -1. */
int sk_shards_saves(struct sk_trainer *t);
/* While waiting for something else than messages: -1 (sk_fail) if the generation is
 * over. Looks once a second. */
int sk_shards_watch(struct sk_trainer *t);
/* Why training ends, or SK_STOP_NO: the leader's mind, as of the last step. */
enum sk_stop sk_shards_reason(const struct sk_trainer *t);
/* All have come so far: 0 or -1. */
int sk_shards_barrier(struct sk_trainer *t);

/* As sk_model_gradient, of all: 0 or -1. */
int sk_shards_gradient(struct sk_trainer *t, uint32_t update, float scale, struct sk_loss *loss);
/* Whether batch i of a validation is ours; then the losses of all n, of which
 * each filled in its own. 0 or -1. */
int sk_shards_own(const struct sk_trainer *t, int i);
int sk_shards_losses(struct sk_trainer *t, struct sk_loss *loss, int n);

#endif
