/* decoder.c - translating: encoder results and keys and values of hypotheses
 * are kept; each step adds one row to each hypothesis.
 *
 * Nothing is copied when a beam is reordered: a hypothesis is a list of
 * indices of rows in the caches, and continues its parent's list.
 */
#include "model/network.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

struct sk_decoder {
    struct sk_model *m;
    int sentences, source_rows, rows, max_steps;
    int32_t *offset;                 /* (sentences + 1) of the encoded ones */
    int encoded;
    int64_t *zeros;                  /* ordinals: no dropout here */
    int32_t *iota;
    float **key, **value;            /* per decoder block: caches */
    float *slab[2];
    float *logp, *host;              /* (rows, V) */
    int32_t *past[2];                /* (rows, max_steps) cache rows of each hypothesis, now and before */
    const int32_t **index;           /* (rows) lists given to attention */
    int32_t *keys;                   /* (rows) their lengths */
};

/* Activations of one side: the blocks take turns on two slabs, since a block
 * reads nothing older than its predecessor's result. */
static float *layout(struct sk_model *m, int side, int T, int longest, int step)
{
    struct sk_slab s = {0};
    for (int go = 0; go < 2; go++) {
        size_t half = (s.most + 15) / 16 * 16;
        if (go) s = (struct sk_slab){.base = m->net.ops->alloc(m->net.dev, 2 * half * sizeof(float))};
        for (int i = 0; i <= m->blocks[side]; i++) {
            s.used = go && i % 2 ? half : 0;
            if (i < m->blocks[side]) sk_block_layout(&m->block[side][i], &s, T, 0, longest, step);
            else sk_process_layout(&m->final[side], &s, T);
        }
    }
    return s.base;
}

struct sk_decoder *sk_decoder_new(struct sk_model *m, int sentences, int source_rows, int rows, int max_steps)
{
    const struct sk_transformer *c = &m->c;
    const struct sk_ops *ops = m->net.ops;
    struct sk_decoder *d = sk_xcalloc(1, sizeof *d);
    SK_ENSURE(!m->train && !m->decoders && max_steps <= c->max_len[1]);
    m->decoders = 1;
    *d = (struct sk_decoder){.m = m, .sentences = sentences, .source_rows = source_rows, .rows = rows,
                             .max_steps = max_steps};
    int longest = source_rows < c->max_len[0] ? source_rows : c->max_len[0];
    int most = source_rows > rows + 1 ? source_rows : rows + 1;
    d->offset = sk_xcalloc((size_t)sentences + 1, sizeof *d->offset);
    d->zeros = sk_xcalloc((size_t)(sentences > rows ? sentences : rows), sizeof *d->zeros);
    d->iota = sk_xcalloc((size_t)most, sizeof *d->iota);
    for (int i = 0; i < most; i++) d->iota[i] = i;
    d->slab[0] = layout(m, 0, source_rows, longest, 0);
    d->slab[1] = layout(m, 1, rows, 0, 1);
    size_t D = (size_t)c->size[1], V = (size_t)c->vocab[1];
    m->embed[0].x = ops->alloc(m->net.dev, (size_t)source_rows * (size_t)c->size[0] * sizeof(float));
    m->embed[1].x = ops->alloc(m->net.dev, (size_t)rows * D * sizeof(float));
    d->key = sk_xcalloc((size_t)m->blocks[1], sizeof *d->key);
    d->value = sk_xcalloc((size_t)m->blocks[1], sizeof *d->value);
    for (int i = 0; i < m->blocks[1]; i++) {
        enum sk_kind kind = m->block[1][i].kind;
        if (kind == SK_SELF)
            d->key[i] = ops->alloc(m->net.dev, (size_t)max_steps * (size_t)rows * 2 * D * sizeof(float));
        if (kind == SK_CROSS) {
            d->key[i] = ops->alloc(m->net.dev, (size_t)source_rows * D * sizeof(float));
            d->value[i] = ops->alloc(m->net.dev, (size_t)source_rows * D * sizeof(float));
        }
    }
    d->logp = ops->alloc(m->net.dev, (size_t)rows * V * sizeof(float));
    d->host = sk_xaligned((size_t)rows * V * sizeof(float));
    for (int i = 0; i < 2; i++) d->past[i] = sk_xcalloc((size_t)rows * (size_t)max_steps, sizeof **d->past);
    d->index = sk_xcalloc((size_t)rows, sizeof *d->index);
    d->keys = sk_xcalloc((size_t)rows, sizeof *d->keys);
    return d;
}

void sk_decoder_free(struct sk_decoder *d)
{
    if (!d) return;
    struct sk_model *m = d->m;
    const struct sk_ops *ops = m->net.ops;
    for (int i = 0; i < m->blocks[1]; i++) {
        if (d->key[i]) ops->free(m->net.dev, d->key[i]);
        if (d->value[i]) ops->free(m->net.dev, d->value[i]);
    }
    for (int i = 0; i < 2; i++) {
        ops->free(m->net.dev, d->slab[i]);
        ops->free(m->net.dev, m->embed[i].x);
        m->embed[i].x = NULL;
        free(d->past[i]);
    }
    ops->free(m->net.dev, d->logp);
    free(d->host);
    free(d->offset);
    free(d->zeros);
    free(d->iota);
    free(d->key);
    free(d->value);
    free(d->index);
    free(d->keys);
    m->decoders = 0;
    free(d);
}

void sk_decoder_encode(struct sk_decoder *d, const int32_t *ids, const int32_t *offset, int n)
{
    struct sk_model *m = d->m;
    SK_ENSURE(n <= d->sentences && offset[n] <= d->source_rows);
    memcpy(d->offset, offset, ((size_t)n + 1) * sizeof *offset);
    d->encoded = n;
    struct sk_pass pass = {.rows = {{offset[n], n, d->offset, d->zeros}}};
    const float *memory = sk_model_stack(m, 0, sk_model_embed(m, 0, ids, 0, &pass), NULL, &pass);
    for (int i = 0; i < m->blocks[1]; i++)
        if (m->block[1][i].kind == SK_CROSS)
            sk_cross_keys(&m->net, &m->block[1][i], d->key[i], d->value[i], memory, offset[n]);
}

static void attend(const struct sk_net *n, struct sk_block *b, const float *k, const float *v, int ldk, int R,
                   const int32_t *const *index, const int32_t *keys)
{
    n->ops->attention_step(n->dev, b->mid, b->wide, b->D, k, v, ldk, b->H, b->D, R, index, keys);
    sk_linear_forward(n, b->f, b->mid, &b->out, R);
}

const float *sk_decoder_step(struct sk_decoder *d, int step, int R, const int32_t *id,
                             const int32_t *parent, const int32_t *sentence)
{
    struct sk_model *m = d->m;
    const struct sk_net *n = &m->net;
    SK_ENSURE(R <= d->rows && step < d->max_steps);
    int32_t *now = d->past[step % 2], *before = d->past[1 - step % 2];
    for (int r = 0; r < R; r++) {
        int32_t *list = now + (size_t)r * (size_t)d->max_steps;
        if (step) memcpy(list, before + (size_t)parent[r] * (size_t)d->max_steps, (size_t)step * sizeof *list);
        list[step] = step * d->rows + r;
    }
    struct sk_rows rows = {R, R, d->iota, d->zeros};
    struct sk_pass pass = {.rows = {rows, rows}};
    float *x = sk_model_embed(m, 1, id, step, &pass);
    for (int i = 0; i < m->blocks[1]; i++) {
        struct sk_block *b = &m->block[1][i];
        size_t D = (size_t)b->D;
        const float *y = sk_process_forward(n, &b->pre, x, NULL, R, &pass, 1);
        if (b->kind == SK_FEED) {
            sk_feed_forward(n, b, y, &pass);
        } else if (b->kind == SK_SELF) {
            sk_linear_forward(n, b->wide, y, &b->in, R);
            sk_linear_forward(n, d->key[i] + (size_t)step * (size_t)d->rows * 2 * D, y, &b->k, R);
            for (int r = 0; r < R; r++) {
                d->index[r] = now + (size_t)r * (size_t)d->max_steps;
                d->keys[r] = step + 1;
            }
            attend(n, b, d->key[i], d->key[i] + D, 2 * b->D, R, d->index, d->keys);
        } else {
            sk_linear_forward(n, b->wide, y, &b->in, R);
            for (int r = 0; r < R; r++) {
                SK_ENSURE(sentence[r] >= 0 && sentence[r] < d->encoded);
                d->index[r] = d->iota + d->offset[sentence[r]];
                d->keys[r] = d->offset[sentence[r] + 1] - d->offset[sentence[r]];
            }
            attend(n, b, d->key[i], d->value[i], b->D, R, d->index, d->keys);
        }
        x = sk_process_forward(n, &b->post, b->f, x, R, &pass, 1);
    }
    x = sk_process_forward(n, &m->final[1], x, NULL, R, &pass, 1);
    n->ops->output_logprob(n->dev, d->logp, x, m->output.w, m->output.bias, m->c.vocab[1], R);
    n->ops->download(n->dev, d->host, d->logp, (size_t)R * (size_t)m->c.vocab[1] * sizeof(float));
    return d->host;
}
