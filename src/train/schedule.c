#include "train/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"

static int read_step(struct sk_schedule *s, const char *text)
{
    char *colon, *end;
    double rate = strtod(text, &colon);
    if (text[strspn(text, "0123456789.eE+-:")] || colon == text || *colon != ':' || !isfinite(rate) || rate < 0)
        return sk_fail(SK_EXIT_USAGE, "--learning-rate-schedule: '%s' is not of the form rate:updates", text);
    long long updates = strtoll(colon + 1, &end, 10);
    if (end == colon + 1 || *end || updates < 1 || updates > UINT32_MAX)
        return sk_fail(SK_EXIT_USAGE, "--learning-rate-schedule: '%s' is not of the form rate:updates", text);
    if (updates % s->interval)
        return sk_fail(SK_EXIT_USAGE, "--learning-rate-schedule: %lld updates of '%s' are no multiple of "
                       "--checkpoint-frequency %lld", updates, text, (long long)s->interval);
    int64_t before = s->steps ? s->step[s->steps - 1].until : 0;
    if (before + updates > UINT32_MAX)
        return sk_fail(SK_EXIT_USAGE, "--learning-rate-schedule: more than %u updates", UINT32_MAX);
    s->step = sk_xrealloc(s->step, (size_t)s->steps + 1, sizeof *s->step);
    s->step[s->steps++] = (struct sk_rate_step){rate, before + updates};
    return 0;
}

int sk_schedule_read_steps(struct sk_schedule *s, const char *text)
{
    char *copy = sk_xstrdup(text), *rest = copy, *item;
    int result = 0;
    s->step = NULL;
    s->steps = 0;
    while (result == 0 && (item = strsep(&rest, ",")) != NULL)
        result = read_step(s, item);
    free(copy);
    return result;
}

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
    case SK_RATE_STEPS:
        for (int i = 0; i < s->steps; i++)
            if (u <= s->step[i].until)
                return s->step[i].rate;
        return s->step[s->steps - 1].rate;
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
