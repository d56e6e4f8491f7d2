/* forced.c - given translations: a model's log probability of each word,
 * over all words of a batch at once. */
#include "model/network.h"
#include <stdlib.h>
#include "base/mem.h"
#include "base/msg.h"
#include "model/rnn.h"

struct sk_forced {
    struct sk_model *m;
    int rows[2];
    float *slab[2];
};

struct sk_forced *sk_forced_new(struct sk_model *m, const struct sk_batch_limits *l)
{
    struct sk_forced *f = sk_xcalloc(1, sizeof *f);
    SK_ENSURE(!m->train && !m->decoders);
    m->decoders = 1;
    f->m = m;
    f->rows[0] = l->max_source > l->longest_source ? l->max_source : l->longest_source;
    f->rows[1] = l->max_target > l->longest_target ? l->max_target : l->longest_target;
    int longest = l->longest_source > l->longest_target ? l->longest_source : l->longest_target;
    sk_factors_take(m, f->rows[0]);
    if (m->rnn) {
        int sentences = l->max_sentences > 1 ? l->max_sentences : 1;
        struct sk_rnn_capacity c = {.rows = {f->rows[0], f->rows[1]}, .sentences = sentences, .step = sentences,
                                    .longest = longest, .max_len = {longest, longest}};
        sk_rnn_take(m, &c);
        return f;
    }
    for (int s = 0; s < 2; s++) {
        f->slab[s] = sk_model_layout(m, s, f->rows[s], f->rows[0],
                                     sk_model_pairs(m->net.ops, f->rows[s], s ? l->longest_target : l->longest_source, s ? longest : 0), 0);
        m->embed[s].x = m->net.ops->alloc(m->net.dev, (size_t)f->rows[s] * (size_t)m->c.size[s] * sizeof(float));
    }
    return f;
}

void sk_forced_free(struct sk_forced *f)
{
    if (!f) return;
    const struct sk_net *n = &f->m->net;
    sk_factors_give_back(f->m);
    if (f->m->rnn) sk_rnn_give_back(f->m);
    for (int s = 0; s < 2 && !f->m->rnn; s++) {
        n->ops->free(n->dev, f->slab[s]);
        n->ops->free(n->dev, f->m->embed[s].x);
        f->m->embed[s].x = NULL;
    }
    f->m->decoders = 0;
    free(f);
}

void sk_forced_logprob(struct sk_forced *f, const struct sk_batch *b, float *logp)
{
    struct sk_model *m = f->m;
    SK_ENSURE(b->source_rows <= f->rows[0] && b->target_rows <= f->rows[1]);
    struct sk_pass pass = {.rows = {{b->source_rows, b->sentences, b->source_offset, b->ordinal},
                                    {b->target_rows, b->sentences, b->target_offset, b->ordinal}}};
    const float *x = sk_model_forward(m, b, &pass);
    struct sk_top top = {.label = b->label, .label_logp = logp};
    m->net.ops->output_top(m->net.dev, &top, x, m->output.w, m->output.bias, m->c.vocab[1], b->target_rows);
}
