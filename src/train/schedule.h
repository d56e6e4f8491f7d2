/* schedule.h - the learning rate of each update: a pure state machine.
 *
 * u is the number of the update, 1 for the first; c the updates between two
 * checkpoints; w the warm-up in updates; h the half-life in checkpoints.
 *
 *   constant             rate; no warm-up
 *   plateau-reduce       u <= w: (u + 1) rate / (w + 1); later the rate, which a
 *                        checkpoint multiplies by `factor` after `patience`
 *                        checkpoints without improvement (Sockeye 1.18)
 *   fixed-rate-inv-sqrt-t  rate / sqrt(1 + 3 u / (h c)), at most the ramp above
 *   fixed-rate-inv-t     rate / (1 + u / (h c)), likewise
 *   fixed-step           the rate of the step that holds u, of a list; no warm-up
 *   inv-sqrt-decay       rate min(1, u / w) / sqrt(max(u, w, 1)): the schedule of
 *                        Vaswani et al. 2017, section 5.3, as Sockeye 2 and 3 have it
 */
#ifndef SK_TRAIN_SCHEDULE_H
#define SK_TRAIN_SCHEDULE_H
#include <stdint.h>

enum sk_schedule_type {
    SK_RATE_CONSTANT, SK_RATE_PLATEAU, SK_RATE_INV_SQRT_T, SK_RATE_INV_T, SK_RATE_INV_SQRT_DECAY, SK_RATE_STEPS
};
struct sk_rate_step { double rate; int64_t until; };   /* of updates up to `until` */
struct sk_schedule {
    enum sk_schedule_type type;
    double rate;                     /* --initial-learning-rate */
    int64_t warmup;
    double factor;                   /* plateau-reduce */
    int patience;
    double half_life;                /* fixed-rate-*, in checkpoints */
    int64_t interval;                /* updates between checkpoints */
    struct sk_rate_step *step;       /* fixed-step; malloced */
    int steps;
};
/* Reads "rate:updates,rate:updates" into step and steps; each number of updates
 * is a multiple of s->interval. 0, or -1 with SK_EXIT_USAGE. */
int sk_schedule_read_steps(struct sk_schedule *s, const char *text);
/* What changes during a run; part of the trainer's state. */
struct sk_schedule_state {
    double rate;                     /* after the reductions so far */
    int not_improved;                /* checkpoints since the last improvement or reduction */
};
void sk_schedule_start(const struct sk_schedule *s, struct sk_schedule_state *state);
/* Rate of update u (>= 1). */
double sk_schedule_rate(const struct sk_schedule *s, const struct sk_schedule_state *state, int64_t u);
/* After a checkpoint's validation, `updates` updates being done. Returns 1 if
 * the rate was reduced. */
int sk_schedule_checkpoint(const struct sk_schedule *s, struct sk_schedule_state *state,
                           int64_t updates, int improved);
#endif
