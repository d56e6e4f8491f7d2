/* blocks.c - sub-layers forward: see blocks.h. */
#include "model/blocks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

float *sk_slab_take(struct sk_slab *s, size_t floats)
{
    size_t at = s->used;
    s->used += (floats + 15) / 16 * 16;
    if (s->used > s->most) s->most = s->used;
    return s->base ? s->base + at : NULL;
}

float *sk_slab_rows(struct sk_slab *s, size_t values)
{
    return sk_slab_take(s, (values * s->item + sizeof(float) - 1) / sizeof(float));
}

float *sk_rows_at(const struct sk_net *n, float *rows, size_t i)
{
    return (float *)(void *)((char *)rows + i * n->item);
}

const struct sk_param *sk_net_param(const struct sk_net *n, const char *name)
{
    const struct sk_param *p = sk_params_find(n->table, name);
    if (!p) SK_BUG("parameter %s is not in the table", name);
    return p;
}

struct sk_dropout sk_pass_dropout(const struct sk_pass *pass, float p, uint32_t site)
{
    return (struct sk_dropout){pass->train ? p : 0, site, pass->update, pass->seed};
}

float *sk_net_extra(struct sk_net *n, float *into, size_t floats)
{
    n->sum = sk_xrealloc(n->sum, (size_t)n->sums + 1, sizeof *n->sum);
    float *from = n->ops->alloc(n->dev, floats * sizeof *from);
    n->sum[n->sums++] = (struct sk_net_sum){into, from, floats};
    return from;
}

/* --- linear ----------------------------------------------------------- */

void sk_linear_init(struct sk_net *n, struct sk_linear *l, const char *weight, const char *bias)
{
    const struct sk_param *p = sk_net_param(n, weight);
    SK_ENSURE(p->ndim == 2);
    l->N = (int)p->shape[0];
    l->K = (int)p->shape[1];
    l->data = n->data + p->offset;
    l->dw = n->grad ? n->grad + p->offset : NULL;
    l->w = n->ops->weight_new(n->dev, l->N, l->K, n->backward);
    if (!bias) return;
    p = sk_net_param(n, bias);
    l->bias = n->data + p->offset;
    l->db = n->grad ? n->grad + p->offset : NULL;
}

void sk_linear_load(const struct sk_net *n, struct sk_linear *l)
{
    if (l->w) n->ops->weight_load(n->dev, l->w, l->data);
}

void sk_linear_free(const struct sk_net *n, struct sk_linear *l)
{
    if (l->w) n->ops->weight_free(n->dev, l->w);
    l->w = NULL;
}

void sk_linear_forward(const struct sk_net *n, float *y, const float *x, const struct sk_linear *l, int T)
{
    n->ops->linear_forward(n->dev, y, x, l->w, l->bias, T);
}

/* --- blocks --------------------------------------------------------------- */

void sk_block_init(struct sk_net *n, struct sk_block *b, enum sk_kind kind, int side, int layer)
{
    const struct sk_model_config *c = n->config;
    static const char *const names[] = {"att_self", "att_enc", "ff"};
    char prefix[64], weight[SK_PARAM_NAME], bias[SK_PARAM_NAME];
    snprintf(prefix, sizeof prefix, "%s_transformer_%d_%s", side ? "decoder" : "encoder", layer, names[kind]);
    b->kind = kind;
    b->side = side;
    b->D = c->size[side];
    b->F = c->feed_forward[side];
    b->H = c->heads[side];
    b->in_place = kind == SK_FEED && c->activation == SK_RELU;
    snprintf(weight, sizeof weight, "%s_pre", prefix);
    sk_process_init(n, &b->pre, c->pre[side], weight, b->D, 0);
    b->site = n->sites++;
    snprintf(weight, sizeof weight, "%s_%s", prefix, kind == SK_CROSS ? "q2h_weight" : "i2h_weight");
    snprintf(bias, sizeof bias, "%s_i2h_bias", prefix);
    sk_linear_init(n, &b->in, weight, kind == SK_FEED ? bias : NULL);
    if (kind == SK_CROSS) {
        snprintf(weight, sizeof weight, "%s_k2h_weight", prefix);
        sk_linear_init(n, &b->k, weight, NULL);
        snprintf(weight, sizeof weight, "%s_v2h_weight", prefix);
        sk_linear_init(n, &b->v, weight, NULL);
    }
    snprintf(weight, sizeof weight, "%s_h2o_weight", prefix);
    snprintf(bias, sizeof bias, "%s_h2o_bias", prefix);
    sk_linear_init(n, &b->out, weight, kind == SK_FEED ? bias : NULL);
    snprintf(weight, sizeof weight, "%s_post", prefix);
    sk_process_init(n, &b->post, c->post[side], weight, b->D, 1);
}

void sk_block_layout(struct sk_block *b, struct sk_slab *s, int T, int Ts, size_t pairs, int step)
{
    size_t rows = (size_t)T, D = (size_t)b->D, F = (size_t)b->F;
    sk_process_layout(&b->pre, s, T);
    b->wide = sk_slab_rows(s, rows * (b->kind == SK_FEED ? F : b->kind == SK_SELF ? 3 * D : D));
    b->mid = b->in_place ? b->wide : sk_slab_rows(s, rows * (b->kind == SK_FEED ? F : D));
    b->f = sk_slab_rows(s, rows * D);
    if (b->kind != SK_FEED && !step) b->prob = sk_slab_take(s, pairs * (size_t)b->H);
    if (b->kind == SK_CROSS && !step) {
        b->keys = sk_slab_rows(s, (size_t)Ts * D);
        b->values = sk_slab_rows(s, (size_t)Ts * D);
    }
    sk_process_layout(&b->post, s, T);
}

void sk_block_load(const struct sk_net *n, struct sk_block *b)
{
    sk_linear_load(n, &b->in);
    sk_linear_load(n, &b->k);
    sk_linear_load(n, &b->v);
    sk_linear_load(n, &b->out);
}

void sk_block_free(const struct sk_net *n, struct sk_block *b)
{
    sk_linear_free(n, &b->in);
    sk_linear_free(n, &b->k);
    sk_linear_free(n, &b->v);
    sk_linear_free(n, &b->out);
}

void sk_feed_forward(const struct sk_net *n, struct sk_block *b, const float *y, const struct sk_pass *pass)
{
    struct sk_rows rows = pass->rows[b->side];
    sk_linear_forward(n, b->wide, y, &b->in, rows.rows);
    n->ops->activation_forward(n->dev, b->mid, b->wide, n->config->activation, b->F, rows,
                               sk_pass_dropout(pass, n->config->dropout_act, b->site));
    sk_linear_forward(n, b->f, b->mid, &b->out, rows.rows);
}

void sk_cross_keys(const struct sk_net *n, const struct sk_block *b, float *keys, float *values,
                   const float *memory, int Ts)
{
    sk_linear_forward(n, keys, memory, &b->k, Ts);
    sk_linear_forward(n, values, memory, &b->v, Ts);
}

/* Where q, k and v of an attention stand, and whose rows the keys are. */
struct sk_qkv { float *q, *k, *v; int ldq, ldk; struct sk_rows key; };
static struct sk_qkv qkv_of(const struct sk_net *n, const struct sk_block *b, float *wide, float *keys, float *values,
                            const struct sk_pass *pass)
{
    size_t D = (size_t)b->D;
    if (b->kind == SK_SELF)
        return (struct sk_qkv){wide, sk_rows_at(n, wide, D), sk_rows_at(n, wide, 2 * D), 3 * b->D, 3 * b->D,
                               pass->rows[b->side]};
    return (struct sk_qkv){wide, keys, values, b->D, b->D, pass->rows[0]};
}

float *sk_block_forward(const struct sk_net *n, struct sk_block *b, float *x, const float *memory,
                        const struct sk_pass *pass)
{
    struct sk_rows rows = pass->rows[b->side];
    int T = rows.rows;
    const float *y = sk_process_forward(n, &b->pre, x, NULL, T, pass, b->side);
    b->y = y;
    if (b->kind == SK_FEED) {
        sk_feed_forward(n, b, y, pass);
    } else {
        sk_linear_forward(n, b->wide, y, &b->in, T);
        if (b->kind == SK_CROSS) sk_cross_keys(n, b, b->keys, b->values, memory, pass->rows[0].rows);
        struct sk_qkv a = qkv_of(n, b, b->wide, b->keys, b->values, pass);
        n->ops->attention_forward(n->dev, b->mid, b->prob, a.q, a.ldq, a.k, a.v, a.ldk, b->H, b->D, rows, a.key,
                                  b->kind == SK_SELF && b->side == 1,
                                  sk_pass_dropout(pass, n->config->dropout_attention, b->site));
        sk_linear_forward(n, b->f, b->mid, &b->out, T);
    }
    return sk_process_forward(n, &b->post, b->f, x, T, pass, b->side);
}

/* --- backward ---------------------------------------------------------------- */

static void weight_gradient(const struct sk_net *n, const struct sk_linear *l, const float *dy, const float *x,
                            struct sk_leaves leaves)
{
    n->ops->linear_backward_weight(n->dev, l->dw, l->db, dy, x, l->N, l->K, leaves);
}

float *sk_block_backward(const struct sk_net *n, struct sk_block *b, struct sk_backward *w, float *gx,
                         const float *memory, float *dmemory, int *dmemory_set, const struct sk_pass *pass)
{
    const struct sk_ops *ops = n->ops;
    struct sk_rows rows = pass->rows[b->side];
    struct sk_leaves leaves = pass->leaves[b->side], source = pass->leaves[0];
    int T = rows.rows, Ts = pass->rows[0].rows;
    float *residual = NULL, *wide = w->wide;
    float *gf = sk_process_backward(n, &b->post, w, gx, &residual, T, pass, b->side);
    weight_gradient(n, &b->out, gf, b->mid, leaves);
    if (b->kind == SK_FEED) {
        ops->linear_backward_data(n->dev, wide, gf, b->out.w, T, 0);
        ops->activation_backward(n->dev, wide, wide, b->wide, n->config->activation, b->F, rows,
                                 sk_pass_dropout(pass, n->config->dropout_act, b->site));
    } else {
        float *dcontext = sk_backward_other(w, gf, residual);
        ops->linear_backward_data(n->dev, dcontext, gf, b->out.w, T, 0);
        struct sk_qkv a = qkv_of(n, b, b->wide, b->keys, b->values, pass);
        struct sk_qkv d = qkv_of(n, b, wide, w->dkeys, w->dvalues, pass);
        ops->attention_backward(n->dev, d.q, d.k, d.v, dcontext, b->prob, a.q, a.ldq, a.k, a.v, a.ldk, b->H, b->D,
                                rows, a.key, b->kind == SK_SELF && b->side == 1,
                                sk_pass_dropout(pass, n->config->dropout_attention, b->site));
        if (b->kind == SK_CROSS) {
            weight_gradient(n, &b->k, d.k, memory, source);
            weight_gradient(n, &b->v, d.v, memory, source);
            ops->linear_backward_data(n->dev, dmemory, d.k, b->k.w, Ts, *dmemory_set);
            ops->linear_backward_data(n->dev, dmemory, d.v, b->v.w, Ts, 1);
            *dmemory_set = 1;
        }
    }
    weight_gradient(n, &b->in, wide, b->y, leaves);
    if (!b->pre.steps[0] && residual) {
        ops->linear_backward_data(n->dev, residual, wide, b->in.w, T, 1);
        return residual;
    }
    float *gy = sk_backward_other(w, residual, NULL);
    ops->linear_backward_data(n->dev, gy, wide, b->in.w, T, 0);
    return sk_pre_backward(n, &b->pre, w, gy, residual, T, pass, b->side);
}
