#include "train/decide.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/evaluation.h"
#include "train/loop.h"

static struct sk_standing standing(const struct sk_trainer *t)
{
    const struct sk_train_state *s = &t->state;
    /* What a checkpoint between two regular ones decides does not end a run:
     * it would be withdrawn if the run went on. */
    return (struct sk_standing){.updates = s->updates, .samples = s->samples, .epoch = s->epoch, .seconds = s->seconds,
                                .at_checkpoint = s->now.updates == s->updates && s->updates > 0 && !s->has_before};
}

enum sk_stop sk_trainer_stop_reason(const struct sk_trainer *t)
{
    struct sk_standing where = standing(t);
    return sk_stopping_reason(&t->state.now.stopping, &t->p->limits, &where);
}

static double perplexity_of(const struct sk_loss *l)
{
    return exp(l->nll / (double)l->labels);
}

static double accuracy_of(const struct sk_loss *l)
{
    return (double)l->correct / (double)l->labels;
}

/* A metric of a text with a name. */
static void set_of(struct sk_trainer *t, const char *metric, const char *name, double value)
{
    char *text = sk_xprintf("%s-%s", metric, name);
    sk_metrics_set_number(&t->state.metrics, t->state.now.checkpoint, text, value);
    free(text);
}

static void fill_monitors(struct sk_trainer *t)
{
    for (int i = 0; i < t->d->monitors; i++) {
        const char *name = t->o->monitors.v[i].name;
        set_of(t, "perplexity-val", name, perplexity_of(&t->monitored[i]));
        if (t->p->accuracy)
            set_of(t, "accuracy-val", name, accuracy_of(&t->monitored[i]));
    }
}

static void say_monitors(const struct sk_trainer *t, int checkpoint)
{
    for (int i = 0; i < t->d->monitors; i++)
        sk_info("Checkpoint [%d]\tValidation-perplexity-%s=%.6f", checkpoint, t->o->monitors.v[i].name,
                perplexity_of(&t->monitored[i]));
}

/* Of all pairs so far, the share that each text of --data gave, and how often it was passed through. */
static void fill_shares(struct sk_trainer *t)
{
    const struct sk_train_state *s = &t->state;
    int64_t taken[SK_TEXTS_MAX], all = 0;
    int n = sk_corpus_parts(t->d->train);
    if (n == 0)
        return;
    sk_corpus_taken(t->d->train, t->o->seed, s->epoch, s->position, taken);
    for (int i = 0; i < n; i++)
        all += taken[i];
    for (int i = 0; i < n; i++) {
        const char *name = t->o->texts.v[i].name;
        set_of(t, "data-share", name, (double)taken[i] / (double)all);
        set_of(t, "data-passes", name, (double)taken[i] / (double)sk_corpus_part(t->d->train, i)->pairs);
    }
}

static void fill_metrics(struct sk_trainer *t, const struct sk_decided *trained, double perplexity, double accuracy)
{
    struct sk_train_state *s = &t->state;
    struct sk_metrics *m = &s->metrics;
    int n = s->now.checkpoint;
    enum sk_stop reason = sk_trainer_stop_reason(t);
    double labels = (double)trained->labels;
    if (t->p->accuracy) {
        sk_metrics_set_number(m, n, "accuracy-train", (double)trained->correct / labels);
        sk_metrics_set_number(m, n, "accuracy-val", accuracy);
    }
    sk_metrics_set(m, n, "converged", reason == SK_STOP_CONVERGED ? "True" : "False");
    sk_metrics_set(m, n, "diverged", s->now.stopping.diverged ? "True" : "False");
    sk_metrics_set_number(m, n, "epoch", (double)s->epoch);
    sk_metrics_set_number(m, n, "gradient-norm", s->gradient_norm);
    sk_metrics_set_number(m, n, "learning-rate", s->learning_rate);
    sk_metrics_set_number(m, n, "perplexity-train", exp(trained->nll / labels));
    sk_metrics_set_number(m, n, "perplexity-val", perplexity);
    fill_monitors(t);
    fill_shares(t);
    sk_metrics_set_number(m, n, "time-elapsed", s->seconds);
    sk_metrics_set(m, n, "used-gpu-memory", "0");
}

/* about: the checkpoint whose result it is. */
static void say_decision(const struct sk_trainer *t, int about, double value, int improved, double best_before,
                         int had_best)
{
    const struct sk_stopping *s = &t->state.now.stopping;
    char which[48] = "";
    if (t->p->late)
        snprintf(which, sizeof which, "Checkpoint [%d]\t", about);
    if (improved)
        sk_info("%sValidation-%s improved to %.6f (delta=%.6f).", which, t->p->optimized, value,
                had_best ? fabs(value - best_before) : INFINITY);
    else
        sk_info("%sValidation-%s has not improved for %d checkpoints, best so far: %.6f", which, t->p->optimized,
                s->not_improved, s->best);
    struct sk_standing where = standing(t);
    const char *waits = sk_stopping_waits_for(s, &t->p->limits, &where);
    if (waits)
        sk_info("Patience is spent, but the minimum number of %s is not reached", waits);
}

/* The perplexity of a checkpoint as its line has it. */
static double line_perplexity(const struct sk_train_state *s, int checkpoint)
{
    double value;
    return sk_metrics_get(&s->metrics, checkpoint, "perplexity-val", &value) ? value : NAN;
}

int sk_trainer_known(const char *dir, const char *late, const struct sk_train_state *s, struct sk_stopping *known)
{
    int last = s->now.checkpoint;
    double value;
    *known = s->now.stopping;
    int there = late && last > 0 ? sk_evaluation_score(dir, last, late, &value) : 0;
    if (there > 0)
        sk_stopping_checkpoint(known, last, value, sk_metric_maximize(late), line_perplexity(s, last), 1);
    return there < 0 ? -1 : 0;
}

int sk_trainer_decide(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    const struct sk_loss *val = &t->held_out;
    double perplexity = perplexity_of(val), accuracy = accuracy_of(val);
    int n = s->now.checkpoint + 1, about = t->p->late ? n - 1 : n, improved = 1;
    int maximize = sk_metric_maximize(t->p->optimized);
    double value = maximize ? accuracy : perplexity, its_perplexity = perplexity;
    sk_info("Checkpoint [%d]\tValidation-perplexity=%.6f", n, perplexity);
    if (t->p->accuracy)
        sk_info("Checkpoint [%d]\tValidation-accuracy=%.6f", n, accuracy);
    say_monitors(t, n);
    if (t->p->late && about > 0) {
        int got = sk_beside_await(t, about, &value);
        if (got <= 0)
            return got;
        its_perplexity = line_perplexity(s, about);
        sk_metrics_set_number(&s->metrics, about, t->p->late, value);
    }

    const struct sk_decided before = s->now;
    s->has_before = s->updates % t->p->schedule.interval != 0;
    s->before = before;
    s->now.checkpoint = n;
    s->now.updates = s->updates;
    /* The first checkpoint of a run with a late metric has nothing to decide on. */
    if (about > 0) {
        improved = sk_stopping_checkpoint(&s->now.stopping, about, value, maximize, its_perplexity,
                                          t->d->config.model.vocab[1]);
        say_decision(t, about, value, improved, before.stopping.best, before.stopping.best_checkpoint > 0);
    }
    s->now.lowered = sk_schedule_checkpoint(&t->p->schedule, &s->now.schedule, s->updates, improved);
    if (s->now.lowered)
        sk_info("Learning rate lowered from %.6g to %.6g", before.schedule.rate, s->now.schedule.rate);
    fill_metrics(t, &before, perplexity, accuracy);
    s->now.nll = 0;
    s->now.correct = s->now.labels = 0;
    return 1;
}
