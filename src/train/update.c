/* update.c - one update: its batches, their gradient, the optimizer. */
#include <math.h>
#include <stdio.h>

#include "base/msg.h"
#include "train/loop.h"

int sk_trainer_not_read(int from_text)
{
    if (sk_fail_code() != SK_EXIT_DATA)
        return -1;
    return sk_fail(SK_EXIT_DATA, from_text ? "%s; remove it: the next start makes it again from the text"
                                           : "%s; let sk-prepare-data prepare the text again", sk_fail_message());
}

/* Fills t->batch, over the end of an epoch if need be. */
static int next_batch(struct sk_trainer *t)
{
    int got = sk_batch_fill(&t->batch, &t->limits, t->reader);
    if (got == 0 && sk_reader_seek(t->reader, t->state.epoch + 1, 0) == 0)
        got = sk_batch_fill(&t->batch, &t->limits, t->reader);
    if (got == 0)
        SK_BUG("a corpus of %lld pairs gave no batch", (long long)sk_corpus_stats(t->d->train)->pairs);
    return got < 0 ? sk_trainer_not_read(!t->o->prepared_data) : 0;
}

/* The epoch in the state, as in Sockeye, is that of the next batch. */
static int note_position(struct sk_trainer *t)
{
    struct sk_pair next;
    int more = sk_reader_peek(t->reader, &next);
    sk_reader_tell(t->reader, &t->state.epoch, &t->state.position);
    if (more == 0) {
        t->state.epoch++;
        t->state.position = 0;
        return sk_reader_seek(t->reader, t->state.epoch, 0);
    }
    return more < 0 ? sk_trainer_not_read(!t->o->prepared_data) : 0;
}

int sk_trainer_not_finite(const struct sk_trainer *t, int64_t update)
{
    const char *what = "parameter", *name = sk_checkpoints_nonfinite(&t->checkpoints, t->params);
    if (!name) {
        what = "gradient of";
        name = sk_checkpoints_nonfinite(&t->checkpoints, t->gradients);
    }
    char kept[64] = "has no checkpoint yet";
    if (t->state.now.checkpoint > 0)
        snprintf(kept, sizeof kept, "keeps checkpoint %d", t->state.now.checkpoint);
    return sk_fail(SK_EXIT_NO, "training has diverged: at update %lld %s %s is not finite. %s %s; try a lower "
                   "--initial-learning-rate or --gradient-clipping-type norm", (long long)update,
                   name ? what : "the loss", name ? name : "of the batch", t->o->output, kept);
}

/* What an update is made of, besides the gradient. */
struct tally { struct sk_loss loss; int64_t samples; };

/* The gradient of the update's batches, summed up as if they were one; *rescale
 * makes it the mean that --loss-normalization-type wants. 0 or -1. */
static int gradient(struct sk_trainer *t, uint32_t u, struct tally *total, double *rescale)
{
    int n = t->o->update_interval, valid = t->o->loss_normalization[0] == 'v';
    size_t bytes = t->table->total * sizeof(float);
    *total = (struct tally){.samples = 0};
    for (int i = 0; i < n; i++) {
        struct sk_loss loss;
        if (next_batch(t) < 0)
            return -1;
        /* How many labels several batches have is known after the last. */
        float scale = 1.0f / (float)(valid && n == 1 ? t->batch.target_rows : t->o->batch_size);
        if (!t->shards)
            sk_model_gradient(t->model, &t->batch, (uint64_t)t->o->seed, u, (float)t->o->label_smoothing, scale, &loss);
        else if (sk_shards_gradient(t, u, scale, &loss) < 0)
            return -1;
        if (i + 1 == n && n > 1)
            t->ops->add(t->dev, t->gradients, t->sum, t->table->total);
        else if (n > 1 && i == 0)
            t->ops->copy(t->dev, t->sum, t->gradients, bytes);
        else if (n > 1)
            t->ops->add(t->dev, t->sum, t->gradients, t->table->total);
        total->loss.nll += loss.nll;
        total->loss.correct += loss.correct;
        total->loss.labels += loss.labels;
        total->samples += t->batch.sentences;
        sk_report_batch(&t->report, &t->batch);
    }
    *rescale = n == 1 ? 1.0 : valid ? (double)t->o->batch_size / (double)total->loss.labels : 1.0 / n;
    return 0;
}

/* Norm of the gradient of what is trained. */
static double gradient_norm(struct sk_trainer *t, double rescale)
{
    for (int i = 0; i < t->ranges; i++)
        if (t->range[i].fixed)
            t->ops->zero(t->dev, t->gradients + t->range[i].offset, t->range[i].n * sizeof(float));
    return rescale * sqrt(t->ops->sum_squares(t->dev, t->gradients, t->table->total));
}

static float *at(float *flat, const struct sk_param_range *r)
{
    return flat ? flat + r->offset : NULL;
}

static void optimize(struct sk_trainer *t, double rate, double norm, double rescale)
{
    const struct sk_train_plan *p = t->p;
    struct sk_optimizer_step s = sk_optimizer_constants(&p->optimizer, t->state.steps + 1, rate);
    if (p->clip == SK_CLIP_NORM && norm > p->clip_threshold)
        rescale *= p->clip_threshold / norm;
    s.rescale = (float)rescale;
    s.clip = p->clip == SK_CLIP_ABS ? (float)p->clip_threshold : 0.0f;
    for (int i = 0; i < t->ranges; i++) {
        const struct sk_param_range *r = &t->range[i];
        s.decay = r->decays ? (float)p->optimizer.weight_decay : 0.0f;
        if (!r->fixed)
            t->ops->optimize(t->dev, t->params + r->offset, at(t->m, r), at(t->v, r), t->gradients + r->offset, r->n,
                             &s);
    }
}

/* The average after update u. Its first steps are longer, so that it leaves the
 * start behind (as in Marian and TensorFlow). A step is one of gradient descent
 * on half the squared distance to the parameters, which every backend has. */
static void smooth(struct sk_trainer *t, int64_t u)
{
    double start = (double)(1 + u) / (double)(10 + u), keep = t->o->ema < start ? t->o->ema : start;
    const struct sk_optimizer_step s = {.kind = SK_SGD, .rescale = -1, .decay = 1, .rate = (float)(1 - keep)};
    if (t->average)
        t->ops->optimize(t->dev, t->average, NULL, NULL, t->params, t->table->total, &s);
}

/* Before the first update after a checkpoint that lowered the learning rate. */
static int go_back(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    int best = s->now.stopping.best_checkpoint;
    float *const moments[] = {t->m, t->v};
    if (best > 0 && t->p->param_reset) {
        if (sk_checkpoints_load_params(&t->checkpoints, best) < 0)
            return -1;
        sk_model_load_weights(t->model);
        sk_info("Parameters are those of checkpoint %d again", best);
    }
    if (best > 0 && t->p->states_reset == SK_STATES_BEST) {
        if (sk_checkpoints_load_moments(&t->checkpoints, best, &s->steps) < 0)
            return -1;
        sk_info("The optimizer's state is that of checkpoint %d again", best);
    }
    if (t->p->states_reset == SK_STATES_INITIAL) {
        for (int i = 0; i < 2; i++)
            if (moments[i])
                t->ops->zero(t->dev, moments[i], t->table->total * sizeof(float));
        s->steps = 0;
        sk_info("The optimizer's state is begun anew");
    }
    return 0;
}

int sk_trainer_update(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    struct tally total;
    double rescale;
    int64_t u = s->updates + 1;
    if (s->now.lowered && s->now.updates == s->updates && go_back(t) < 0)
        return -1;
    if (gradient(t, (uint32_t)u, &total, &rescale) < 0)
        return -1;
    double norm = gradient_norm(t, rescale), rate = sk_schedule_rate(&t->p->schedule, &s->now.schedule, u);
    if (!isfinite(norm) || !isfinite(total.loss.nll))
        return sk_trainer_not_finite(t, u);
    optimize(t, rate, norm, rescale);
    smooth(t, u);
    sk_model_load_weights(t->model);
    s->updates = u;
    s->steps++;
    s->samples += total.samples;
    s->learning_rate = rate;
    s->gradient_norm = norm;
    s->now.nll += total.loss.nll;
    s->now.correct += total.loss.correct;
    s->now.labels += total.loss.labels;
    s->seconds = t->seconds_before + sk_clock() - t->started;
    if (note_position(t) < 0)
        return -1;
    sk_debug("Update [%lld]\tloss=%.6f\tgradient-norm=%.6g\tlearning-rate=%.6g\tlabels=%lld", (long long)u,
             total.loss.nll / (double)total.loss.labels, norm, rate, (long long)total.loss.labels);
    sk_report_update(&t->report, s);
    return 0;
}
