#include "train/stopping.h"

#include <math.h>
#include <stddef.h>

int sk_stopping_checkpoint(struct sk_stopping *s, int checkpoint, double value, int maximize,
                           double perplexity, int target_vocab)
{
    int first = s->best_checkpoint == 0 && s->not_improved == 0;
    int improved = !isnan(value) &&
        (s->best_checkpoint == 0 || (maximize ? value > s->best : value < s->best));
    if (improved) {
        s->best = value;
        s->best_checkpoint = checkpoint;
        s->not_improved = 0;
    } else {
        s->not_improved++;
    }
    s->diverged = !first && !improved && !(perplexity <= 2.0 * (double)target_vocab);
    return improved;
}

static int patience_spent(const struct sk_stopping *s, const struct sk_limits *l)
{
    return l->patience >= 0 && s->not_improved >= l->patience;
}

const char *sk_stopping_waits_for(const struct sk_stopping *s, const struct sk_limits *l,
                                  const struct sk_standing *where)
{
    if (!patience_spent(s, l))
        return NULL;
    if (where->updates < l->min_updates)
        return "updates";
    if (where->samples < l->min_samples)
        return "samples";
    return where->epoch < l->min_epochs ? "epochs" : NULL;
}

enum sk_stop sk_stopping_reason(const struct sk_stopping *s, const struct sk_limits *l,
                                const struct sk_standing *where)
{
    if (where->at_checkpoint) {
        if (s->diverged)
            return SK_STOP_DIVERGED;
        if (patience_spent(s, l) && !sk_stopping_waits_for(s, l, where))
            return SK_STOP_CONVERGED;
        if (l->max_seconds > 0 && where->seconds >= l->max_seconds)
            return SK_STOP_SECONDS;
    }
    if (l->max_updates > 0 && where->updates >= l->max_updates)
        return SK_STOP_UPDATES;
    if (l->max_checkpoints > 0 && where->updates >= l->max_checkpoints * l->interval)
        return SK_STOP_CHECKPOINTS;
    if (l->max_samples > 0 && where->samples >= l->max_samples)
        return SK_STOP_SAMPLES;
    if (l->max_epochs > 0 && where->epoch >= l->max_epochs)
        return SK_STOP_EPOCHS;
    return SK_STOP_NO;
}
