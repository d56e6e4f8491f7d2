/* loop.h - one training process, as the files of the training loop share it:
 * private to this folder.
 */
#ifndef SK_TRAIN_LOOP_H
#define SK_TRAIN_LOOP_H
#include "train/beside.h"
#include "train/checkpoint.h"
#include "train/decide.h"
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
    float *params, *gradients, *average, *m, *v, *sum;
    struct sk_param_range *range;    /* what the optimizer does with which parameters */
    int ranges;
    struct sk_batch_limits limits;
    struct sk_batch batch;
    struct sk_reader *reader, *validation, *monitor[SK_TEXTS_MAX];
    struct sk_loss held_out, monitored[SK_TEXTS_MAX];    /* what the last validation found */
    struct sk_train_state state;
    struct sk_checkpoints checkpoints;
    struct sk_report report;
    struct sk_shards *shards;        /* NULL: this process trains alone */
    struct sk_beside beside;
    double started, seconds_before;  /* clock at the start; state.seconds then */
    double saving;                   /* seconds that writing the last checkpoint took, until it went on */
};

/* The next update, or -1 after sk_fail. What it did is in the state. (update.c) */
int sk_trainer_update(struct sk_trainer *t);
/* Each held-out pair once, in corpus order; shards share the batches out. 1:
 * done, 0: a signal came, -1. (validate.c) */
int sk_trainer_validate(struct sk_trainer *t);
/* A corpus, made from text or by sk-prepare-data, could not be read: adds the
 * remedy to what is kept, if it is damaged. -1. (update.c) */
int sk_trainer_not_read(int from_text);
/* Divergence: says which parameter or gradient is not finite at an update. -1. */
int sk_trainer_not_finite(const struct sk_trainer *t, int64_t update);
/* After the validation of the next checkpoint: whether it is the best, patience,
 * learning rate, its line of metrics. 1; 0: a signal came while it waited for
 * the result of the one before, and nothing is decided; -1. (decide.c) */
int sk_trainer_decide(struct sk_trainer *t);
enum sk_stop sk_trainer_stop_reason(const struct sk_trainer *t);

/* beside.c, in this order. All -1 after sk_fail, or: */
int sk_beside_open(struct sk_trainer *t);        /* starts the watcher; 0 */
/* Between updates: takes late results over, starts what has died, runs the
 * command. 0; -1: only --stop-training-on-decoder-failure. */
int sk_beside_look(struct sk_trainer *t);
/* Waits for the optimized metric of a checkpoint: 1; 0: a signal. */
int sk_beside_await(struct sk_trainer *t, int checkpoint, double *value);
/* Before a run is called finished: waits for what decides. 1; 0: a signal. */
int sk_beside_settle(struct sk_trainer *t);
/* When it is: waits until the watcher and the command have done all. 1; 0: a signal. */
int sk_beside_end(struct sk_trainer *t);
void sk_beside_close(struct sk_trainer *t);      /* ends what still runs */
#endif
