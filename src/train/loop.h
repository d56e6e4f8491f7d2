/* loop.h - one training process, as the files of the training loop share it:
 * private to this folder.
 */
#ifndef SK_TRAIN_LOOP_H
#define SK_TRAIN_LOOP_H
#include "train/checkpoint.h"
#include "train/prepare.h"
#include "train/report.h"
#include "train/shards.h"

struct sk_trainer {
    const struct sk_train_options *o;
    const struct sk_train_plan *p;
    const struct sk_train_data *d;
    const struct sk_ops *ops;
    struct sk_device *dev;
    struct sk_model *model;
    const struct sk_params *table;
    /* (device) flat; NULL: not needed. sum: of an update's batches but the last */
    float *params, *gradients, *m, *v, *sum;
    struct sk_param_range *range;    /* what the optimizer does with which parameters */
    int ranges;
    struct sk_batch_limits limits;
    struct sk_batch batch;
    struct sk_reader *reader, *validation;
    struct sk_train_state state;
    struct sk_checkpoints checkpoints;
    struct sk_report report;
    struct sk_shards *shards;        /* NULL: this process trains alone */
    double started, seconds_before;  /* clock at the start; state.seconds then */
};

/* The next update, or -1 after sk_fail. What it did is in the state. (update.c) */
int sk_trainer_update(struct sk_trainer *t);
/* A corpus, made from text or by sk-prepare-data, could not be read: adds the
 * remedy to what is kept, if it is damaged. -1. (update.c) */
int sk_trainer_not_read(int from_text);
/* Divergence: says which parameter or gradient is not finite at an update. -1. */
int sk_trainer_not_finite(const struct sk_trainer *t, int64_t update);
#endif
