/* validate.c - the losses of the held-out texts. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/loop.h"
#include "train/signals.h"

/* The losses of one text, added up: 1, 0: a signal came, -1. */
static int read_all(struct sk_trainer *t, struct sk_reader *text, struct sk_loss *total)
{
    struct sk_loss *loss = NULL;
    int n = 0, got, stopped = 0;
    memset(total, 0, sizeof *total);
    if (sk_reader_seek(text, 0, 0) < 0)
        return -1;
    while ((got = sk_batch_fill(&t->batch, &t->limits, text)) > 0 && !(stopped = sk_signals_pending())) {
        loss = sk_xrealloc(loss, (size_t)n + 1, sizeof *loss);
        loss[n] = (struct sk_loss){0, 0, 0};
        if (!t->shards || sk_shards_own(t, n))
            sk_model_loss(t->model, &t->batch, NULL, &loss[n]);
        n++;
    }
    int result = got < 0 ? sk_trainer_not_read(1) : !stopped;
    if (result > 0 && t->shards && sk_shards_losses(t, loss, n) < 0)
        result = -1;
    for (int i = 0; i < n; i++) {
        total->nll += loss[i].nll;
        total->correct += loss[i].correct;
        total->labels += loss[i].labels;
    }
    free(loss);
    return result;
}

/* The average takes the parameters' place, and they that of the gradient, which
 * is of no use between updates; or back. */
static void show_average(struct sk_trainer *t, int shown)
{
    size_t bytes = t->table->total * sizeof(float);
    if (!t->average)
        return;
    if (shown)
        t->ops->copy(t->dev, t->gradients, t->params, bytes);
    t->ops->copy(t->dev, t->params, shown ? t->average : t->gradients, bytes);
    sk_model_load_weights(t->model);
}

int sk_trainer_validate(struct sk_trainer *t)
{
    show_average(t, 1);
    int done = read_all(t, t->validation, &t->held_out);
    for (int i = 0; i < t->d->monitors && done > 0; i++)
        done = read_all(t, t->monitor[i], &t->monitored[i]);
    show_average(t, 0);
    return done;
}
