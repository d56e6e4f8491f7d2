#include "train/schedule.h"

#include <math.h>

void sk_schedule_start(const struct sk_schedule *s, struct sk_schedule_state *state)
{
    state->rate = s->rate;
    state->not_improved = 0;
}

/* Sockeye 1.18's ramp: from 2 / (w + 1) of the rate up to all of it. */
static double ramp(const struct sk_schedule *s, int64_t u)
{
    return (double)(u + 1) * s->rate / (double)(s->warmup + 1);
}

double sk_schedule_rate(const struct sk_schedule *s, const struct sk_schedule_state *state, int64_t u)
{
    double rate = s->rate, half_life = s->half_life * (double)s->interval;
    switch (s->type) {
    case SK_RATE_CONSTANT:
        return rate;
    case SK_RATE_PLATEAU:
        return s->warmup > 0 && u <= s->warmup ? ramp(s, u) : state->rate;
    case SK_RATE_INV_SQRT_T:
        rate /= sqrt(1.0 + 3.0 * (double)u / half_life);
        break;
    case SK_RATE_INV_T:
        rate /= 1.0 + (double)u / half_life;
        break;
    case SK_RATE_INV_SQRT_DECAY: {
        double warmup = s->warmup > 0 ? (double)s->warmup : 1.0, t = (double)u;
        return rate * (t < warmup ? t / warmup : 1.0) / sqrt(t > warmup ? t : warmup);
    }
    }
    return s->warmup > 0 && ramp(s, u) < rate ? ramp(s, u) : rate;
}

int sk_schedule_checkpoint(const struct sk_schedule *s, struct sk_schedule_state *state,
                           int64_t updates, int improved)
{
    if (s->type != SK_RATE_PLATEAU)
        return 0;
    if (improved) {
        state->not_improved = 0;
        return 0;
    }
    state->not_improved++;
    /* During warm-up the rate is not yet the one that stopped helping. */
    if (state->not_improved < s->patience || updates < s->warmup)
        return 0;
    state->rate *= s->factor;
    state->not_improved = 0;
    return 1;
}
