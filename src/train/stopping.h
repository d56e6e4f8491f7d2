/* stopping.h - which checkpoint is best, and when training ends: pure
 * functions of the trainer's counters.
 */
#ifndef SK_TRAIN_STOPPING_H
#define SK_TRAIN_STOPPING_H
#include <stdint.h>

/* What the validation results so far say; part of the trainer's state. */
struct sk_stopping {
    double best;                     /* value of the optimized metric */
    int best_checkpoint;             /* 0: none yet */
    int not_improved;                /* checkpoints since */
    int diverged;                    /* set by the last checkpoint */
};
/* Takes the value of checkpoint N; strictly better (never NaN) improves, so
 * the first of equal checkpoints stays best. Diverged, as in Sockeye 1.18: not
 * the first checkpoint, no improvement, and the validation perplexity is over
 * twice the target vocabulary's size or not finite. Returns 1 on improvement. */
int sk_stopping_checkpoint(struct sk_stopping *s, int checkpoint, double value, int maximize,
                           double perplexity, int target_vocab);

/* Limits; 0: none (patience -1: none). */
struct sk_limits {
    int64_t max_updates, min_updates, max_samples, min_samples;
    int64_t max_epochs, min_epochs;
    int64_t max_checkpoints, interval;   /* interval: updates between checkpoints */
    double max_seconds;
    int patience;                    /* --max-num-checkpoint-not-improved */
};
enum sk_stop {
    SK_STOP_NO, SK_STOP_UPDATES, SK_STOP_CHECKPOINTS, SK_STOP_SAMPLES, SK_STOP_EPOCHS, SK_STOP_SECONDS,
    SK_STOP_CONVERGED, SK_STOP_DIVERGED
};
/* Where training stands. The last three of enum sk_stop and seconds are
 * looked at only where a checkpoint was just made. */
struct sk_standing { int64_t updates, samples, epoch; double seconds; int at_checkpoint; };
enum sk_stop sk_stopping_reason(const struct sk_stopping *s, const struct sk_limits *l,
                                const struct sk_standing *where);
/* Convergence is near but a minimum is not reached: which one ("updates",
 * "samples", "epochs"), else NULL. */
const char *sk_stopping_waits_for(const struct sk_stopping *s, const struct sk_limits *l,
                                  const struct sk_standing *where);
#endif
