/* rnn_decoder.c - translating with the RNN: memory of sources in slots, and
 * the states of hypotheses. Row k of the sentence in slot s stands at
 * (parity * slots + s) * beam + k, parity that of its position; states before
 * position 0 stand at odd parity, row 0. */
#include "model/rnn.h"
#include <stdlib.h>
#include "base/mem.h"
#include "base/msg.h"

struct sk_rnn_decoder {
    struct sk_model *m;
    int slots, beam, rows, width, tensors;
    float *keys, *values;            /* (slots, width, A or H); one, if keys are the memory itself */
    float *s, *state[2 * 64];        /* (2 rows, H); tensors as enc2decinit has them */
    float *s_before, *before[2 * 64];    /* (rows, H) of one step */
    int32_t *length;                 /* (slots) */
    int32_t *from, *to, *first, *n;  /* (rows) */
    int32_t *place;                  /* (source_rows) */
    int64_t *zeros;
};

static float *take(const struct sk_model *m, size_t rows, int n)
{
    return m->net.ops->alloc(m->net.dev, rows * (size_t)n * sizeof(float));
}

struct sk_rnn_decoder *sk_rnn_decoder_new(struct sk_model *m, int slots, int source_rows, int beam, int max_steps)
{
    struct sk_rnn_decoder *d = sk_xcalloc(1, sizeof *d);
    int H = m->c.size[1], rows = slots * beam, longest = source_rows < m->c.max_len[0] ? source_rows : m->c.max_len[0];
    struct sk_rnn_capacity c = {.rows = {source_rows, rows}, .sentences = slots, .step = rows, .longest = longest,
                                .max_len = {longest, max_steps}};
    sk_rnn_take(m, &c);
    d->m = m;
    d->slots = slots;
    d->beam = beam;
    d->rows = rows;
    d->tensors = m->c.layers[1] * (m->c.rnn.cell == SK_LSTM ? 2 : 1);
    d->s = take(m, 2 * (size_t)rows, H);
    d->s_before = take(m, (size_t)rows, H);
    for (int k = 0; k < d->tensors; k++) {
        d->state[k] = take(m, 2 * (size_t)rows, H);
        d->before[k] = take(m, (size_t)rows, H);
    }
    d->length = sk_xcalloc((size_t)slots, sizeof *d->length);
    d->from = sk_xcalloc((size_t)rows, sizeof *d->from);
    d->to = sk_xcalloc((size_t)rows, sizeof *d->to);
    d->first = sk_xcalloc((size_t)rows, sizeof *d->first);
    d->n = sk_xcalloc((size_t)rows, sizeof *d->n);
    d->place = sk_xcalloc((size_t)source_rows, sizeof *d->place);
    d->zeros = sk_xcalloc((size_t)rows, sizeof *d->zeros);
    return d;
}

void sk_rnn_decoder_free(struct sk_rnn_decoder *d)
{
    if (!d) return;
    const struct sk_net *n = &d->m->net;
    if (d->keys && d->keys != d->values) n->ops->free(n->dev, d->keys);
    if (d->values) n->ops->free(n->dev, d->values);
    n->ops->free(n->dev, d->s);
    n->ops->free(n->dev, d->s_before);
    for (int k = 0; k < d->tensors; k++) {
        n->ops->free(n->dev, d->state[k]);
        n->ops->free(n->dev, d->before[k]);
    }
    free(d->length);
    free(d->from);
    free(d->to);
    free(d->first);
    free(d->n);
    free(d->place);
    free(d->zeros);
    sk_rnn_give_back(d->m);
    free(d);
}

/* The same places, each of `width` rows. */
static void regrow(const struct sk_rnn_decoder *d, float **p, int n, int width)
{
    const struct sk_net *net = &d->m->net;
    size_t from = (size_t)d->width * (size_t)n, to = (size_t)width * (size_t)n;
    float *more = take(d->m, (size_t)d->slots * (size_t)width, n);
    for (int i = 0; *p && i < d->slots; i++)
        net->ops->copy(net->dev, more + (size_t)i * to, *p + (size_t)i * from, from * sizeof *more);
    if (*p) net->ops->free(net->dev, *p);
    *p = more;
}

static void widen(struct sk_rnn_decoder *d, int longest)
{
    int width = (longest + 15) / 16 * 16;
    if (width <= d->width) return;
    regrow(d, &d->values, d->m->c.size[0], width);
    if (d->m->rnn->key.N) regrow(d, &d->keys, d->m->rnn->A, width);
    else d->keys = d->values;
    d->width = width;
}

/* Row r of the sentence at a position. */
static int row_at(const struct sk_rnn_decoder *d, int position, int slot, int k)
{
    return ((position & 1) * d->slots + slot) * d->beam + k;
}

void sk_rnn_decoder_encode(struct sk_rnn_decoder *d, const int32_t *ids, const int32_t *offset, int n,
                           const int32_t *slot)
{
    struct sk_model *m = d->m;
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    const int H = m->c.size[0], T = offset[n];
    int longest = 0;
    SK_ENSURE(n <= d->slots);
    for (int i = 0; i < n; i++) {
        SK_ENSURE(slot[i] >= 0 && slot[i] < d->slots);
        d->length[slot[i]] = offset[i + 1] - offset[i];
        if (d->length[slot[i]] > longest) longest = d->length[slot[i]];
        d->to[i] = row_at(d, -1, slot[i], 0);
    }
    widen(d, longest);
    for (int i = 0; i < n; i++)
        for (int t = offset[i]; t < offset[i + 1]; t++) d->place[t] = slot[i] * d->width + t - offset[i];
    struct sk_pass pass = {.rows = {{T, n, offset, d->zeros}}};
    sk_model_embed(m, 0, ids, NULL, &pass);
    sk_rnn_encode(m, pass.rows[0], &pass);
    ops->rows_move(m->net.dev, d->values, H, d->place, r->memory, H, NULL, T, H, 0);
    if (r->key.N) ops->rows_move(m->net.dev, d->keys, r->A, d->place, r->keys, r->A, NULL, T, r->A, 0);
    if (r->starts) {
        sk_rnn_summary(m, r->e, pass.rows[0]);
        sk_rnn_start(m, d->before, r->e, n);
    }
    for (int k = 0; k < d->tensors; k++)
        ops->rows_move(m->net.dev, d->state[k], H, d->to, r->starts ? d->before[k] : r->none, H, NULL, n, H, 0);
    ops->rows_move(m->net.dev, d->s, H, d->to, r->none, H, NULL, n, H, 0);
}

const float *sk_rnn_decoder_step(struct sk_rnn_decoder *d, const struct sk_decoder_rows *in)
{
    struct sk_model *m = d->m;
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    const int H = m->c.size[1], E = m->c.rnn.embed[1], R = in->first[in->groups], lstm = m->c.rnn.cell == SK_LSTM;
    for (int g = 0; g < in->groups; g++)
        for (int i = in->first[g]; i < in->first[g + 1]; i++) {
            int s = in->slot[g], p = in->position[g], parent = p ? in->parent[i] : 0, k = i - in->first[g];
            SK_ENSURE(s >= 0 && s < d->slots && p >= 0 && k < d->beam && parent >= 0 && parent < d->beam);
            d->from[i] = row_at(d, p - 1, s, parent);
            d->to[i] = row_at(d, p, s, k);
            d->first[i] = s * d->width;
            d->n[i] = d->length[s];
        }
    struct sk_pass pass = {.rows = {{0}, {R, R, r->iota, d->zeros}}};
    sk_model_embed(m, 1, in->id, NULL, &pass);
    ops->rows_move(m->net.dev, r->layer[1][0].own_x, E + H, NULL, m->embed[1].x, E, NULL, R, E, 0);
    ops->rows_move(m->net.dev, d->s_before, H, NULL, d->s, H, d->from, R, H, 0);
    for (int k = 0; k < d->tensors; k++)
        ops->rows_move(m->net.dev, d->before[k], H, NULL, d->state[k], H, d->from, R, H, 0);
    sk_rnn_step(m, 0, R, d->s_before, (const float *const *)d->before, d->keys, d->values, d->first, d->n);
    ops->rows_move(m->net.dev, d->s, H, d->to, r->s, H, NULL, R, H, 0);
    for (int k = 0; k < d->tensors; k++) {
        const struct sk_rnn_layer *l = &r->layer[1][lstm ? k / 2 : k];
        ops->rows_move(m->net.dev, d->state[k], H, d->to, lstm && k % 2 ? l->c : l->h, H, NULL, R, H, 0);
    }
    return r->s;
}
