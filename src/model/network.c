/* network.c - building a model, and its passes over a batch. */
#include "model/network.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "model/rnn.h"

float *sk_model_device(struct sk_model *m, size_t floats)
{
    SK_ENSURE(m->memories < (int)(sizeof m->memory / sizeof m->memory[0]));
    float *p = m->net.ops->alloc(m->net.dev, (floats ? floats : 1) * sizeof *p);
    m->memory[m->memories++] = p;
    return p;
}

/* What a batch takes: rows of both sides; queries times keys of attention, of the
 * source to itself, the target to itself, the target to the source. */
struct extent { int T[2]; size_t pairs[3]; };

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Gives activations and the buffers of the backward passes their places from
 * base on (NULL: only counts). Returns floats. */
static size_t lay_out(struct sk_model *m, float *base, const struct extent *e)
{
    const struct sk_model_config *c = &m->c;
    struct sk_slab slab = {.base = base, .item = m->net.item};
    size_t most = 0, wide = 0;
    for (int s = 0; s < 2; s++) {
        size_t rows = (size_t)e->T[s], D = (size_t)c->size[s], F = (size_t)c->feed_forward[s];
        m->embed[s].x = sk_slab_rows(&slab, rows * D);
        m->embed[s].words = c->dropout_embed[s] > 0 ? sk_slab_take(&slab, rows * D) : NULL;
        for (int i = 0; i < m->blocks[s]; i++) {
            struct sk_block *b = &m->block[s][i];
            sk_block_layout(b, &slab, e->T[s], e->T[0], e->pairs[b->kind == SK_CROSS ? 2 : s], 0);
        }
        sk_process_layout(&m->final[s], &slab, e->T[s]);
        most = larger(most, rows * D);
        wide = larger(wide, rows * larger(3 * D, F));
    }
    /* The sides' backward passes follow each other, in the same memory. Attention
     * to the source needs little of `wide` for itself: the gradients of keys and
     * values stand behind that. */
    size_t D = (size_t)c->size[1], queries = ((size_t)e->T[1] * D + 15) / 16 * 16, keys = (size_t)e->T[0] * D;
    keys = (keys + 15) / 16 * 16;
    m->back[0].wide = m->back[1].wide = sk_slab_rows(&slab, larger(wide, queries + 2 * keys));
    if (base) {
        m->back[1].dkeys = sk_rows_at(&m->net, m->back[1].wide, queries);
        m->back[1].dvalues = sk_rows_at(&m->net, m->back[1].dkeys, keys);
    }
    for (int i = 0; i < 4; i++) m->back[1].g[i] = sk_slab_rows(&slab, most);
    m->back[0].g[0] = sk_slab_rows(&slab, most);      /* the others: see stacks_backward */
    return slab.most;
}

/* Of one sentence. */
static size_t pairs_of(const struct sk_ops *ops, int queries, int keys)
{
    const int32_t q[2] = {0, queries}, k[2] = {0, keys};
    const int64_t ordinal = 0;
    return ops->attention_size(1, (struct sk_rows){queries, 1, q, &ordinal}, (struct sk_rows){keys, 1, k, &ordinal});
}

size_t sk_model_pairs(const struct sk_ops *ops, int T, int longest, int keys)
{
    int whole = T / longest, rest = T % longest;
    return (size_t)whole * pairs_of(ops, longest, keys > 0 ? keys : longest) +
           (rest ? pairs_of(ops, rest, keys > 0 ? keys : rest) : 0);
}

/* Memory for batches of the limits. */
static void layout_training(struct sk_model *m)
{
    const struct sk_batch_limits *l = &m->limits;
    int T[2] = {l->max_source > l->longest_source ? l->max_source : l->longest_source,
                l->max_target > l->longest_target ? l->max_target : l->longest_target};
    const struct sk_ops *ops = m->net.ops;
    struct extent e = {{T[0], T[1]},
                       {sk_model_pairs(ops, T[0], l->longest_source, 0), sk_model_pairs(ops, T[1], l->longest_target, 0),
                        sk_model_pairs(ops, T[1], l->longest_target, l->longest_source)}};
    if (!m->rnn) m->slab = sk_model_device(m, lay_out(m, NULL, &e));
    sk_factors_take(m, T[0]);
    int most = T[0] > T[1] ? T[0] : T[1];
    m->iota = sk_xcalloc((size_t)most, sizeof *m->iota);
    for (int i = 0; i < most; i++) m->iota[i] = i;
    m->nll = sk_xcalloc((size_t)T[1], sizeof *m->nll);
    m->correct = sk_xcalloc((size_t)T[1], sizeof *m->correct);
}

struct sk_model *sk_model_new(const struct sk_model_config *c, const struct sk_ops *ops, struct sk_device *dev,
                              const struct sk_batch_limits *limits)
{
    struct sk_model *m = sk_xcalloc(1, sizeof *m);
    m->c = *c;
    m->train = limits != NULL;
    if (limits) m->limits = *limits;
    sk_model_table(c, &m->table);
    struct sk_net *n = &m->net;
    n->ops = ops;
    n->dev = dev;
    n->config = &m->c;
    n->table = &m->table;
    n->backward = m->train;
    /* Factors are put together and taken apart by operations that know no narrow rows. */
    n->item = ops->narrow_rows(dev, m->train && c->architecture == SK_TRANSFORMER && c->factors.n == 0);
    ops->narrow_rows(dev, 0);
    n->data = sk_model_device(m, m->table.total);
    if (m->train) n->grad = sk_model_device(m, m->table.total);
    for (int s = 0; s < 2; s++) {
        sk_embed_init(m, s);
        if (c->architecture == SK_RNN) continue;
        int kinds = s ? 3 : 2;
        m->blocks[s] = kinds * c->layers[s];
        m->block[s] = sk_xcalloc((size_t)m->blocks[s], sizeof *m->block[s]);
        for (int i = 0; i < m->blocks[s]; i++) {
            enum sk_kind kind = i % kinds == 0 ? SK_SELF : i % kinds == kinds - 1 ? SK_FEED : SK_CROSS;
            sk_block_init(n, &m->block[s][i], kind, s, i / kinds);
        }
        sk_process_init(n, &m->final[s], c->pre[s],
                        s ? "decoder_transformer_final_process" : "encoder_transformer_final_process", c->size[s], 0);
    }
    for (int s = 0; s < 2 && m->train; s++)
        for (int i = 0; i < m->blocks[s]; i++)
            sk_process_join(&m->block[s][i].post, i + 1 < m->blocks[s] ? &m->block[s][i + 1].pre : &m->final[s]);
    if (c->architecture == SK_RNN) sk_rnn_init(m);
    int own_output = c->tying == SK_TYING_NONE || c->tying == SK_TYING_SRC_TRG;
    sk_linear_init(n, &m->output, own_output ? "target_output_weight" : sk_embed_table_name(c, 1), "target_output_bias");
    SK_ENSURE(n->sites <= SK_SITE_MAX);
    if (m->train) {
        layout_training(m);
        sk_model_cut(m);
    }
    return m;
}

struct sk_model *sk_model_twin(const struct sk_model *m, struct sk_device *dev)
{
    struct sk_model *t = sk_xcalloc(1, sizeof *t);
    SK_ENSURE(!m->train);
    *t = *m;
    t->twin = 1;
    t->decoders = t->memories = 0;
    t->net.dev = dev;
    t->net.config = &t->c;
    t->net.table = &t->table;
    t->factors.whole = t->factors.part = NULL;
    t->factors.ids = t->factors.iota = NULL;
    for (int s = 0; s < 2; s++) {
        size_t n = (size_t)m->blocks[s];
        t->embed[s].x = NULL;
        t->block[s] = sk_xcalloc(n, sizeof *t->block[s]);
        if (n) memcpy(t->block[s], m->block[s], n * sizeof *t->block[s]);
    }
    if (m->rnn) sk_rnn_twin(t);
    return t;
}

static void free_twin(struct sk_model *t)
{
    for (int s = 0; s < 2; s++) free(t->block[s]);
    if (t->rnn) sk_rnn_free_twin(t);
    free(t);
}

void sk_model_free(struct sk_model *m)
{
    if (!m) return;
    if (m->twin) {
        free_twin(m);
        return;
    }
    struct sk_net *n = &m->net;
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < m->blocks[s]; i++) sk_block_free(n, &m->block[s][i]);
        free(m->block[s]);
        if (m->embed[s].fixed) n->ops->free(n->dev, m->embed[s].fixed);
    }
    sk_rnn_free(m);
    sk_factors_give_back(m);
    sk_linear_free(n, &m->output);
    for (int i = 0; i < n->sums; i++) n->ops->free(n->dev, n->sum[i].from);
    free(n->sum);
    for (int i = 0; i < m->memories; i++) n->ops->free(n->dev, m->memory[i]);
    sk_params_free(&m->table);
    free(m->iota);
    free(m->nll);
    free(m->correct);
    free(m);
}

const struct sk_params *sk_model_params(const struct sk_model *m) { return &m->table; }
const struct sk_model_config *sk_model_config(const struct sk_model *m) { return &m->c; }
float *sk_model_data(struct sk_model *m) { return m->net.data; }
const struct sk_ops *sk_model_ops(const struct sk_model *m, struct sk_device **dev)
{
    *dev = m->net.dev;
    return m->net.ops;
}

float *sk_model_gradients(struct sk_model *m) { return m->net.grad; }

void sk_model_load_weights(struct sk_model *m)
{
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < m->blocks[s]; i++) sk_block_load(&m->net, &m->block[s][i]);
    if (m->rnn) sk_rnn_load(m);
    sk_linear_load(&m->net, &m->output);
}

/* --- passes ------------------------------------------------------------------ */

float *sk_model_layout(struct sk_model *m, int side, int T, int Ts, size_t pairs, int step)
{
    struct sk_slab s = {.item = m->net.item};
    for (int go = 0; go < 2; go++) {
        size_t half = (s.most + 15) / 16 * 16;
        if (go) s = (struct sk_slab){.base = m->net.ops->alloc(m->net.dev, 2 * half * sizeof(float)), .item = s.item};
        for (int i = 0; i <= m->blocks[side]; i++) {
            s.used = go && i % 2 ? half : 0;
            if (i < m->blocks[side]) sk_block_layout(&m->block[side][i], &s, T, Ts, pairs, step);
            else sk_process_layout(&m->final[side], &s, T);
        }
    }
    return s.base;
}

float *sk_model_stack(struct sk_model *m, int side, float *x, const float *memory, const struct sk_pass *pass)
{
    for (int i = 0; i < m->blocks[side]; i++)
        x = sk_block_forward(&m->net, &m->block[side][i], x, memory, pass);
    return sk_process_forward(&m->net, &m->final[side], x, NULL, pass->rows[side].rows, pass, side);
}

static struct sk_pass pass_of(const struct sk_batch *b, int train, uint64_t seed, uint32_t update)
{
    return (struct sk_pass){
        train, seed, update,
        {{b->source_rows, b->sentences, b->source_offset, b->ordinal},
         {b->target_rows, b->sentences, b->target_offset, b->ordinal}},
        {{b->leaves, b->source_leaf}, {b->leaves, b->target_leaf}}};
}

/* Sums per leaf, then the tree over leaves: the same for any number of shards. */
static void sum_loss(const struct sk_batch *b, const float *nll, const uint8_t *correct, struct sk_loss *loss)
{
    double sum[1024];
    SK_ENSURE(b->leaves <= 1024);
    loss->correct = 0;
    loss->labels = b->target_rows;
    for (int l = 0; l < b->leaves; l++) {
        sum[l] = 0;
        for (int t = b->target_leaf[l]; t < b->target_leaf[l + 1]; t++) {
            sum[l] += (double)nll[t];
            loss->correct += correct[t];
        }
    }
    for (int step = 1; step < b->leaves; step *= 2)
        for (int l = 0; l + step < b->leaves; l += 2 * step) sum[l] += sum[l + step];
    loss->nll = sum[0];
}

static float *forward(struct sk_model *m, const struct sk_batch *b, const struct sk_pass *pass, float **memory)
{
    *memory = NULL;
    if (m->rnn) return sk_rnn_forward(m, b, pass);
    if (m->train) {
        /* Batches seldom fill their memory: close together, they touch less of it. */
        size_t (*pairs)(int, struct sk_rows, struct sk_rows) = m->net.ops->attention_size;
        const struct sk_rows *r = pass->rows;
        struct extent e = {{b->source_rows, b->target_rows},
                           {pairs(1, r[0], r[0]), pairs(1, r[1], r[1]), pairs(1, r[1], r[0])}};
        lay_out(m, m->slab, &e);
    }
    *memory = sk_model_stack(m, 0, sk_model_embed(m, 0, b->source, NULL, pass), NULL, pass);
    return sk_model_stack(m, 1, sk_model_embed(m, 1, b->target, NULL, pass), *memory, pass);
}

/* g[1]: gradient of what the output layer reads; then g: those of the embeddings. */
static void stacks_backward(struct sk_model *m, const struct sk_batch *b, float *g[2], const float *memory,
                            const struct sk_pass *pass)
{
    const struct sk_net *n = &m->net;
    float *none = NULL;
    g[1] = sk_process_backward(n, &m->final[1], &m->back[1], g[1], &none, b->target_rows, pass, 1);
    g[0] = m->back[0].g[0];
    int set = 0;
    for (int i = m->blocks[1] - 1; i >= 0; i--) {
        g[1] = sk_block_backward(n, &m->block[1][i], &m->back[1], g[1], memory, g[0], &set, pass);
        if (i % 3 == 0) sk_model_done_with(m, 1, i / 3);
    }
    /* What the decoder is done with. */
    for (int i = 0, k = 1; i < 4 && k < 4; i++)
        if (m->back[1].g[i] != g[1]) m->back[0].g[k++] = m->back[1].g[i];
    g[0] = sk_process_backward(n, &m->final[0], &m->back[0], g[0], &none, b->source_rows, pass, 0);
    for (int i = m->blocks[0] - 1; i >= 0; i--) {
        g[0] = sk_block_backward(n, &m->block[0][i], &m->back[0], g[0], NULL, NULL, NULL, pass);
        if (i % 2 == 0) sk_model_done_with(m, 0, i / 2);
    }
}

const float *sk_model_forward(struct sk_model *m, const struct sk_batch *b, const struct sk_pass *pass)
{
    float *memory;
    return forward(m, b, pass, &memory);
}

static void no_gradient(struct sk_model *m)
{
    const struct sk_net *n = &m->net;
    n->ops->zero(n->dev, n->grad, m->table.total * sizeof(float));
    for (int i = 0; i < n->sums; i++) n->ops->zero(n->dev, n->sum[i].from, n->sum[i].n * sizeof(float));
}

void sk_model_gradient(struct sk_model *m, const struct sk_batch *b, uint64_t seed, uint32_t update,
                       float smoothing, float loss_scale, struct sk_loss *loss)
{
    sk_model_gradient_part(m, b, seed, update, smoothing, loss_scale, loss, NULL, NULL);
    sk_model_gradient_finish(m);
}

void sk_model_gradient_finish(struct sk_model *m)
{
    const struct sk_net *n = &m->net;
    for (int i = 0; i < n->sums; i++) n->ops->add(n->dev, n->sum[i].into, n->sum[i].from, n->sum[i].n);
}

void sk_model_gradient_part(struct sk_model *m, const struct sk_batch *b, uint64_t seed, uint32_t update,
                            float smoothing, float loss_scale, struct sk_loss *loss,
                            void (*ready)(void *ctx, int regions), void *ctx)
{
    const struct sk_net *n = &m->net;
    m->ready = 0;
    m->when_ready = ready;
    m->ready_ctx = ctx;
    if (b->sentences == 0) {
        no_gradient(m);
        sk_model_done_with(m, 0, SK_LAYER_LAST);
        *loss = (struct sk_loss){0, 0, 0};
        return;
    }
    struct sk_pass pass = pass_of(b, 1, seed, update);
    float *memory, *g[2];
    n->ops->narrow_rows(n->dev, n->item < sizeof(float));
    const float *top = forward(m, b, &pass, &memory);
    g[1] = m->rnn ? sk_rnn_gradient(m) : m->back[1].g[0];
    n->ops->output_loss(n->dev, g[1], m->output.dw, m->output.db, m->nll, m->correct, top, m->output.w,
                        m->output.bias, b->label, smoothing, loss_scale, m->c.vocab[1], m->c.size[1], pass.leaves[1]);
    sum_loss(b, m->nll, m->correct, loss);
    sk_model_done_with(m, 1, SK_LAYER_OUTPUT);

    if (m->rnn) sk_rnn_backward(m, b, g[1], g, &pass);
    else stacks_backward(m, b, g, memory, &pass);
    sk_embed_backward(m, b, g, &pass);
    n->ops->narrow_rows(n->dev, 0);
    sk_model_done_with(m, 0, SK_LAYER_LAST);
}

void sk_model_loss(struct sk_model *m, const struct sk_batch *b, float *nll, struct sk_loss *loss)
{
    const struct sk_net *n = &m->net;
    struct sk_pass pass = pass_of(b, 0, 0, 0);
    n->ops->narrow_rows(n->dev, n->item < sizeof(float));
    const float *top = sk_model_forward(m, b, &pass);
    n->ops->output_loss(n->dev, NULL, NULL, NULL, m->nll, m->correct, top, m->output.w, m->output.bias, b->label, 0,
                        1, m->c.vocab[1], m->c.size[1], pass.leaves[1]);
    n->ops->narrow_rows(n->dev, 0);
    sum_loss(b, m->nll, m->correct, loss);
    if (nll) memcpy(nll, m->nll, (size_t)b->target_rows * sizeof *nll);
}
