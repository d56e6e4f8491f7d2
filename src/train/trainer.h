/* trainer.h - the training loop. */
#ifndef SK_TRAIN_TRAINER_H
#define SK_TRAIN_TRAINER_H
#include "train/prepare.h"
#include "train/shards.h"

/* Trains until a limit, convergence, divergence or a signal. Returns the exit
 * code; -1 after sk_fail. The caller has caught signals (signals.h). */
int sk_train(const struct sk_train_options *o, const struct sk_train_plan *p, const struct sk_train_data *d,
             struct sk_shards *shards /* NULL: alone */);
#endif
