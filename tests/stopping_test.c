/* stopping_test.c - best checkpoint, patience, divergence, limits. */
#include <math.h>
#include <stddef.h>
#include "tap.h"
#include "train/stopping.h"

static struct sk_standing at(int64_t updates, int64_t epoch, int checkpoint)
{
    return (struct sk_standing){.updates = updates, .epoch = epoch, .samples = updates * 10,
                                .seconds = (double)updates, .at_checkpoint = checkpoint};
}

static void best(void)
{
    struct sk_stopping s = {0};
    is_int(sk_stopping_checkpoint(&s, 1, 50, 0, 50, 100), 1, "the first value improves");
    is_int(sk_stopping_checkpoint(&s, 2, 50, 0, 50, 100), 0, "an equal one does not");
    is_int(sk_stopping_checkpoint(&s, 3, NAN, 0, NAN, 100), 0, "NaN does not");
    is_int(s.diverged, 1, "NaN is divergence");
    is_int(s.not_improved, 2, "two without improvement");
    is_int(sk_stopping_checkpoint(&s, 4, 49, 0, 49, 100), 1, "a lower perplexity does");
    is_int(s.best_checkpoint, 4, "and is best");
    is_int(s.diverged, 0, "and no divergence");
    is_int(s.not_improved, 0, "and patience is fresh");

    s = (struct sk_stopping){0};
    sk_stopping_checkpoint(&s, 1, 0.2, 1, 30, 100);
    is_int(sk_stopping_checkpoint(&s, 2, 0.1, 1, 20, 100), 0, "accuracy: lower does not improve");
    is_int(sk_stopping_checkpoint(&s, 3, 0.3, 1, 40, 100), 1, "accuracy: higher does");

    s = (struct sk_stopping){0};
    sk_stopping_checkpoint(&s, 1, 500, 0, 500, 100);
    is_int(s.diverged, 0, "checkpoint 1 never shows divergence");
    sk_stopping_checkpoint(&s, 2, 400, 0, 400, 100);
    is_int(s.diverged, 0, "nor does one that improves");
    sk_stopping_checkpoint(&s, 3, 401, 0, 401, 100);
    is_int(s.diverged, 1, "over twice the vocabulary without improvement does");
}

static void limits(void)
{
    struct sk_stopping s = {.best = 1, .best_checkpoint = 1, .not_improved = 3};
    struct sk_limits l = {.patience = -1};
    struct sk_standing w = at(100, 2, 1);
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_NO, "no limits, no end");
    l.patience = 3;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_CONVERGED, "patience is spent");
    w.at_checkpoint = 0;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_NO, "which is looked at at checkpoints only");
    w.at_checkpoint = 1;
    l.min_updates = 101;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_NO, "not before the minimum of updates");
    is_str(sk_stopping_waits_for(&s, &l, &w), "updates", "and why");
    l.min_updates = 100;
    l.min_epochs = 3;
    is_str(sk_stopping_waits_for(&s, &l, &w), "epochs", "nor before that of epochs");
    l.min_epochs = 2;
    l.min_samples = 1001;
    is_str(sk_stopping_waits_for(&s, &l, &w), "samples", "nor before that of samples");
    l.min_samples = 1000;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_CONVERGED, "all are reached");
    l = (struct sk_limits){.patience = 4, .max_updates = 100};
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_UPDATES, "--max-updates");
    w = at(101, 2, 0);
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_UPDATES, "also when more than that were done");
    l = (struct sk_limits){.patience = 4, .max_epochs = 2};
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_EPOCHS, "--max-num-epochs");
    l = (struct sk_limits){.patience = 4, .max_samples = 1010};
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_SAMPLES, "--max-samples");
    l = (struct sk_limits){.patience = 4, .max_checkpoints = 10, .interval = 10};
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_CHECKPOINTS, "--max-checkpoints, as updates");
    l.max_checkpoints = 11;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_NO, "one more");
    l = (struct sk_limits){.patience = 4, .max_seconds = 50};
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_NO, "--max-seconds waits for a checkpoint");
    w.at_checkpoint = 1;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_SECONDS, "--max-seconds");
    s.diverged = 1;
    is_int(sk_stopping_reason(&s, &l, &w), SK_STOP_DIVERGED, "divergence comes first");
}

int main(void)
{
    best();
    limits();
    return done_testing();
}
