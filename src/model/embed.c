/* embed.c - words to vectors: tables, positions, and back. */
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "model/network.h"

/* Position t, value j: sin(t / 10000^(2j/D)) in the first half, the cosine of
 * the same angles in the second. */
static float *sinusoids(const struct sk_net *n, int rows, int D)
{
    float *host = sk_xcalloc((size_t)rows * (size_t)D, sizeof *host);
    for (int t = 0; t < rows; t++)
        for (int j = 0; j < D / 2; j++) {
            double angle = t / pow(10000, 2.0 * j / D);
            host[(size_t)t * (size_t)D + (size_t)j] = (float)sin(angle);
            host[(size_t)t * (size_t)D + (size_t)(D / 2 + j)] = (float)cos(angle);
        }
    size_t bytes = (size_t)rows * (size_t)D * sizeof *host;
    float *dev = n->ops->alloc(n->dev, bytes);
    n->ops->upload(n->dev, dev, host, bytes);
    free(host);
    return dev;
}

static int tied_tables(const struct sk_model_config *c)
{
    return c->tying == SK_TYING_SRC_TRG || c->tying == SK_TYING_SRC_TRG_SOFTMAX;
}

const char *sk_embed_table_name(const struct sk_model_config *c, int side)
{
    if (tied_tables(c)) return "source_target_embed_weight";
    return side ? "target_embed_weight" : "source_embed_weight";
}

void sk_embed_init(struct sk_model *m, int side)
{
    struct sk_net *n = &m->net;
    struct sk_embedding *e = m->embed + side;
    const struct sk_model_config *c = &m->c;
    const struct sk_param *p = sk_params_find(&m->table, sk_embed_table_name(c, side));
    e->V = c->vocab[side];
    e->width = c->architecture == SK_RNN ? c->rnn.embed[side] : c->size[side];
    e->D = side ? e->width : sk_model_word_width(c);
    e->table = n->data + p->offset;
    e->scale = c->architecture == SK_TRANSFORMER && c->positions == SK_POSITIONS_FIXED ? sqrtf((float)e->width) : 1;
    e->site_embed = n->sites++;
    e->site_prepost = n->sites++;
    if (c->architecture == SK_RNN) {
        e->position = NULL;
    } else if (c->positions == SK_POSITIONS_FIXED) {
        e->fixed = sinusoids(n, c->max_len[side], e->width);
        e->position = e->fixed;
    } else if (c->positions == SK_POSITIONS_LEARNED) {
        const struct sk_param *q =
            sk_params_find(&m->table, side ? "target_pos_embed_weight" : "source_pos_embed_weight");
        e->position = n->data + q->offset;
        if (n->grad) e->dposition = n->grad + q->offset;
    }
    /* The output layer's gradient of a tied table is stored in its place, that
     * of its use as embeddings (of both sides in one call) comes on top. */
    if (n->grad && !(side == 0 && tied_tables(c))) {
        int softmax = c->tying == SK_TYING_SRC_TRG_SOFTMAX || (c->tying == SK_TYING_TRG_SOFTMAX && side == 1);
        e->dtable = n->grad + p->offset;
        if (softmax) e->dtable = sk_net_extra(n, e->dtable, p->size);
    }
    if (side == 0) sk_factors_init(m);
}

/* --- passes ------------------------------------------------------------------ */

float *sk_model_embed(struct sk_model *m, int side, const int32_t *ids, const int32_t *at,
                      const struct sk_pass *pass)
{
    struct sk_embedding *e = &m->embed[side];
    const struct sk_net *n = &m->net;
    struct sk_rows rows = pass->rows[side];
    struct sk_dropout prepost = sk_pass_dropout(pass, m->rnn ? 0 : m->c.dropout_prepost, e->site_prepost);
    struct sk_dropout embed = sk_pass_dropout(pass, m->c.dropout_embed[side], e->site_embed);
    if (side == 0 && m->c.factors.n) {
        float *whole = m->factors.whole;
        sk_factors_embed(m, ids, rows);
        n->ops->embed_forward(n->dev, whole, m->factors.iota, e->x, e->scale, NULL, e->width, rows, at, embed);
        n->ops->embed_forward(n->dev, e->x, m->factors.iota, whole, 1, e->position, e->width, rows, at, prepost);
    } else if (embed.p > 0) {
        /* Two dropouts, before and after positions: row t of the words is "word t". */
        n->ops->narrow_rows(n->dev, 0);      /* the words are a table to the other call */
        n->ops->embed_forward(n->dev, e->words, ids, e->table, e->scale, NULL, e->D, rows, at, embed);
        n->ops->narrow_rows(n->dev, n->item < sizeof(float));
        n->ops->embed_forward(n->dev, e->x, m->iota, e->words, 1, e->position, e->D, rows, at, prepost);
    } else {
        n->ops->embed_forward(n->dev, e->x, ids, e->table, e->scale, e->position, e->D, rows, at,
                              prepost);
    }
    return e->x;
}

/* Gradient of the embedding's result to tables and positions. */
void sk_embed_backward(struct sk_model *m, const struct sk_batch *b, float *const gx[2], const struct sk_pass *pass)
{
    const struct sk_net *n = &m->net;
    const struct sk_ops *ops = n->ops;
    const int32_t *ids[2] = {b->source, b->target};
    for (int s = 0; s < 2; s++) {
        struct sk_embedding *e = &m->embed[s];
        struct sk_rows rows = pass->rows[s];
        struct sk_dropout prepost = sk_pass_dropout(pass, m->rnn ? 0 : m->c.dropout_prepost, e->site_prepost);
        struct sk_dropout embed = sk_pass_dropout(pass, m->c.dropout_embed[s], e->site_embed);
        if (prepost.p > 0) ops->dropout_backward(n->dev, gx[s], e->width, rows, prepost);
        if (e->dposition)
            ops->position_backward(n->dev, e->dposition, m->c.max_len[s], e->width, gx[s], rows, pass->leaves[s]);
        if (embed.p > 0) ops->dropout_backward(n->dev, gx[s], e->width, rows, embed);
    }
    float scale[2] = {m->embed[0].scale, m->embed[1].scale};
    const float *g[2] = {gx[0], gx[1]};
    if (m->c.factors.n) g[0] = sk_factors_backward(m, gx[0], &pass->leaves[0], b->source_rows, &ids[0]);
    int first = m->embed[0].dtable ? 1 : 2;       /* streams of one call */
    for (int s = 0; s < 2; s += first)
        ops->embed_backward(n->dev, m->embed[first == 2 ? 1 : s].dtable, m->embed[s].V, m->embed[s].D, first, ids + s,
                            g + s, scale + s, pass->leaves + s);
}
