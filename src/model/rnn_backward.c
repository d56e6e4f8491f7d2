/* rnn_backward.c - the RNN backward, through time: see rnn.h. */
#include "model/rnn.h"
#include "base/msg.h"

static int rows_at(const struct sk_rnn_order *o, int t) { return o->first[t + 1] - o->first[t]; }

/* Products and norms of parameters want the rows in the batch's order. */
static void weight_gradient(struct sk_model *m, const struct sk_linear *l, const float *dy, const float *x,
                            struct sk_leaves leaves)
{
    m->net.ops->linear_backward_weight(m->net.dev, l->dw, l->db, dy, x, l->N, l->K, leaves);
}

static float *in_order(struct sk_model *m, float *to, const float *from, const int32_t *inverse, int rows, int n)
{
    m->net.ops->rows_move(m->net.dev, to, n, NULL, from, n, inverse, rows, n, 0);
    return to;
}

static void layer_weights(struct sk_model *m, struct sk_rnn_layer *l, const struct sk_rnn_order *o, int rows,
                          struct sk_leaves leaves)
{
    struct sk_rnn_net *r = m->rnn;
    const float *g = in_order(m, r->gp, l->dx, o->inverse, rows, l->i2h.N);
    weight_gradient(m, &l->i2h, g, in_order(m, r->xp, l->in, o->inverse, rows, l->K), leaves);
    if (l->dhx != l->dx) g = in_order(m, r->gp, l->dhx, o->inverse, rows, l->h2h.N);
    weight_gradient(m, &l->h2h, g, in_order(m, r->xp, l->hin, o->inverse, rows, l->H), leaves);
}

/* A vector's gradient from the rows it got it from: ones^T rows, by leaves. */
static void vector_gradient(struct sk_model *m, float *d, const float *rows_of, const int32_t *inverse, int rows,
                            int n, struct sk_leaves leaves)
{
    struct sk_rnn_net *r = m->rnn;
    in_order(m, r->xp, rows_of, inverse, rows, n);
    m->net.ops->rows_move(m->net.dev, r->gp, 1, NULL, r->ones, 1, r->zeros, rows, 1, 0);   /* ones */
    m->net.ops->linear_backward_weight(m->net.dev, d, NULL, r->gp, r->xp, 1, n, leaves);
}

/* Step t of a layer: l->dh (gradient of h, from above and from the step after)
 * becomes that of the state before; gradients of products are stored. */
static void cell(struct sk_model *m, struct sk_rnn_layer *l, int r0, int n, const float *c_before)
{
    const struct sk_net *net = &m->net;
    const struct sk_ops *ops = net->ops;
    const size_t at = (size_t)r0 * (size_t)l->H, g = (size_t)r0 * (size_t)l->i2h.N, values = (size_t)n * (size_t)l->H;
    if (m->c.rnn.cell == SK_LSTM) {
        ops->cell_backward(net->dev, SK_LSTM, l->dx + g, NULL, l->dc, l->dh, l->gates + SK_CELL_GATES * at, l->c + at,
                           c_before, n, l->H);
        ops->linear_backward_data(net->dev, l->dh, l->dhx + g, l->h2h.w, n, 0);
    } else {
        ops->cell_backward(net->dev, SK_GRU, l->dx + g, l->dhx + g, l->dc, l->dh, l->gates + SK_CELL_GATES * at, NULL,
                           l->hin + at, n, l->H);
        ops->linear_backward_data(net->dev, l->dc, l->dhx + g, l->h2h.w, n, 1);
        ops->copy(net->dev, l->dh, l->dc, values * sizeof *l->dh);
    }
    if (l->mask_state) ops->multiply(net->dev, l->dh, l->dh, l->mask_state, values);
}

static void zero(struct sk_model *m, float *p, int rows, int n)
{
    m->net.ops->zero(m->net.dev, p, (size_t)rows * (size_t)n * sizeof *p);
}

/* A layer of the encoder: dout (T, H) to dx (T, K). */
static void run_layer(struct sk_model *m, struct sk_rnn_layer *l, const struct sk_rnn_order *o, float *dx,
                      const float *dout, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    const int rows = pass->rows[0].rows, S = pass->rows[0].sentences;
    const size_t H = (size_t)l->H, K = (size_t)l->K;
    zero(m, l->dh, S, l->H);
    zero(m, l->dc, S, l->H);
    for (int t = o->steps - 1; t >= 0; t--) {
        int n = rows_at(o, t);
        ops->add(m->net.dev, l->dh, dout + (size_t)o->first[t] * H, (size_t)n * H);
        cell(m, l, o->first[t], n, t && l->c ? l->c + (size_t)o->first[t - 1] * H : r->none);
    }
    ops->linear_backward_data(m->net.dev, dx, l->dx, l->i2h.w, rows, 0);
    for (int t = 0; t < o->steps && l->mask_in; t++) {
        float *at = dx + (size_t)o->first[t] * K;
        ops->multiply(m->net.dev, at, at, l->mask_in, (size_t)rows_at(o, t) * K);
    }
    if (l->residual) ops->add(m->net.dev, dx, dout, (size_t)rows * H);
    layer_weights(m, l, o, rows, pass->leaves[0]);
}

/* From the gradient of the memory to that of the source's embeddings. */
static void encoder(struct sk_model *m, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    const int T = pass->rows[0].rows, H = m->c.size[0], half = H / 2, E = m->c.rnn.embed[0];
    float *d = r->dlayer[0], *next = r->dlayer[1];
    ops->rows_move(m->net.dev, d, H, NULL, r->dmemory, H, r->order[0].packed, T, H, 0);
    for (int k = r->L[0] - 1; k >= 0; k--) {
        run_layer(m, &r->layer[0][k], &r->order[0], next, d, pass);
        float *swap = d;
        d = next;
        next = swap;
    }
    /* d: of the two ways side by side, in the forward way's order */
    for (int i = 0; i < 2; i++) {
        ops->rows_move(m->net.dev, r->both, half, NULL, d + (i ? half : 0), H, i ? r->swap[1] : NULL, T, half, 0);
        run_layer(m, &r->way[i], &r->order[2 * i], next, r->both, pass);
        ops->rows_move(m->net.dev, r->dwords[0], E, NULL, next, E, r->order[2 * i].inverse, T, E, i);
    }
}

/* --- the decoder --------------------------------------------------------------------- */

/* One step of a layer of the decoder: dout (n, H) joins what comes from the step
 * after; r->din gets the gradient of x (n, K). */
static void step_layer(struct sk_model *m, struct sk_rnn_layer *l, const struct sk_rnn_order *o, int t,
                       const float *dout)
{
    const struct sk_net *net = &m->net;
    const int r0 = o->first[t], n = rows_at(o, t);
    const float *c_before = !l->c ? NULL : t ? l->c + (size_t)o->first[t - 1] * (size_t)l->H : l->c0;
    float *din = m->rnn->din;
    net->ops->add(net->dev, l->dh, dout, (size_t)n * (size_t)l->H);
    cell(m, l, r0, n, c_before);
    net->ops->linear_backward_data(net->dev, din, l->dx + (size_t)r0 * (size_t)l->i2h.N, l->i2h.w, n, 0);
    if (l->mask_in) net->ops->multiply(net->dev, din, din, l->mask_in, (size_t)n * (size_t)l->K);
}

/* dbelow (n, H) of layer l's output -> of the one below; dcontext += (upper). */
static void layer_down(struct sk_model *m, struct sk_rnn_layer *l, const struct sk_rnn_order *o, int t, float *dbelow,
                       float *dcontext)
{
    const struct sk_ops *ops = m->net.ops;
    const int n = rows_at(o, t), H = l->H;
    float *din = m->rnn->din;
    step_layer(m, l, o, t, dbelow);
    ops->rows_move(m->net.dev, dbelow, H, NULL, din, l->K, NULL, n, H, l->residual);
    if (dcontext) ops->rows_move(m->net.dev, dcontext, 2 * H, NULL, din + H, l->K, NULL, n, H, 1);
}

static void attention(struct sk_model *m, const struct sk_rnn_layer *asks, const struct sk_rnn_order *o, int t,
                      const float *dcontext, float *dbelow)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_net *net = &m->net;
    const int n = rows_at(o, t), H = m->c.size[1];
    const size_t r0 = (size_t)o->first[t], A = (size_t)r->A;
    struct sk_attend a = {.A = r->A, .D = H, .q = r->query.N ? r->q + r0 * A : asks->out + r0 * A, .keys = r->keys,
                          .values = r->memory, .v = r->v, .gamma = r->gamma, .beta = r->beta,
                          .scale = sk_rnn_scale(m), .first = r->key_first, .n = r->key_n,
                          .prob = r->prob + r0 * (size_t)r->cap.longest, .ldp = r->cap.longest};
    struct sk_attend_gradients g = {.dq = r->dq + r0 * A, .dkeys = r->dkeys, .dvalues = r->dmemory,
                                    .dv = r->v ? r->dvr + r0 * A : NULL, .dgamma = r->gamma ? r->dgr + r0 * A : NULL,
                                    .dbeta = r->gamma ? r->dbr + r0 * A : NULL};
    net->ops->attend_backward(net->dev, &g, dcontext, 2 * H, &a, n);
    if (r->query.N) net->ops->linear_backward_data(net->dev, dbelow, g.dq, r->query.w, n, 1);
    else net->ops->add(net->dev, dbelow, g.dq, (size_t)n * A);
}

static void step(struct sk_model *m, const struct sk_rnn_order *o, int t)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_net *net = &m->net;
    const struct sk_ops *ops = net->ops;
    const int H = m->c.size[1], E = m->c.rnn.embed[1], n = rows_at(o, t), top = r->L[1] - 1;
    const int upper = m->c.rnn.upper && top > 0;
    const size_t r0 = (size_t)o->first[t], at = r0 * (size_t)H, values = (size_t)n * (size_t)H;
    struct sk_rnn_layer *layer = r->layer[1];
    float *dpre = r->dpre + at;
    ops->tanh_backward(net->dev, dpre, r->ds + at, r->s + at, values);
    if (r->hidden_gamma) {
        /* Gradients of the norm's parameters are asked for later, by leaves. */
        const int32_t all[2] = {0, n};
        ops->norm_backward(net->dev, r->dpre0 + at, r->scratch, r->scratch + H, dpre, r->pre + at, r->stat + 2 * r0,
                           r->hidden_gamma, H, (struct sk_leaves){1, all}, 0);
        dpre = r->dpre0 + at;
    }
    ops->linear_backward_data(net->dev, r->dcat, dpre, r->hidden.w, n, 0);
    if (r->mask_hidden) ops->multiply(net->dev, r->dcat, r->dcat, r->mask_hidden + 2 * at, 2 * values);
    ops->rows_move(net->dev, r->dbelow, H, NULL, r->dcat, 2 * H, NULL, n, H, 0);
    for (int k = top; k > 0 && upper; k--) layer_down(m, &layer[k], o, t, r->dbelow, r->dcat + H);
    attention(m, &layer[upper ? 0 : top], o, t, r->dcat + H, r->dbelow);
    for (int k = top; k > 0 && !upper; k--) layer_down(m, &layer[k], o, t, r->dbelow, NULL);
    step_layer(m, &layer[0], o, t, r->dbelow);
    ops->rows_move(net->dev, r->dwords[1], E, o->packed + r0, r->din, E + H, NULL, n, E, 0);
    if (t) {
        float *ds = r->ds + (size_t)o->first[t - 1] * (size_t)H;
        ops->rows_move(net->dev, ds, H, NULL, r->din + E, E + H, NULL, n, H, 1);
    }
}

/* Sums over all rows of the decoder. */
static void decoder_weights(struct sk_model *m, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_order *o = &r->order[1];
    const int T = pass->rows[1].rows, H = m->c.size[1], upper = m->c.rnn.upper && r->L[1] > 1;
    struct sk_leaves leaves = pass->leaves[1];
    const struct sk_rnn_layer *asks = &r->layer[1][upper ? 0 : r->L[1] - 1];
    for (int k = 0; k < r->L[1]; k++) layer_weights(m, &r->layer[1][k], o, T, leaves);
    in_order(m, r->gp, r->dpre0, o->inverse, T, H);
    weight_gradient(m, &r->hidden, r->gp, in_order(m, r->xp, r->cat, o->inverse, T, 2 * H), leaves);
    if (r->hidden_gamma) {
        /* In the batch's order: dy, x, stat; dx goes nowhere. */
        float *x = in_order(m, r->xp, r->pre, o->inverse, T, H), *dy = in_order(m, r->gp, r->dpre, o->inverse, T, H);
        float *stat = in_order(m, r->gp + (size_t)T * (size_t)H, r->stat, o->inverse, T, 2);
        m->net.ops->norm_backward(m->net.dev, r->ds, r->dhidden_gamma, r->dhidden_beta, dy, x, stat, r->hidden_gamma,
                                  H, leaves, 0);
    }
    if (r->v) vector_gradient(m, r->dv, r->dvr, o->inverse, T, r->A, leaves);
    if (r->gamma) {
        vector_gradient(m, r->dgamma, r->dgr, o->inverse, T, r->A, leaves);
        vector_gradient(m, r->dbeta, r->dbr, o->inverse, T, r->A, leaves);
    }
    if (r->query.N) {
        float *dq = in_order(m, r->gp, r->dq, o->inverse, T, r->A);
        weight_gradient(m, &r->query, dq, in_order(m, r->xp, asks->out, o->inverse, T, H), leaves);
    }
}

/* Sentences of each leaf. */
static struct sk_leaves sentence_leaves(struct sk_model *m, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    struct sk_leaves rows = pass->leaves[0];
    int s = 0;
    for (int l = 0; l <= rows.n; l++) {
        while (s < pass->rows[0].sentences && pass->rows[0].offset[s] < rows.row[l]) s++;
        r->leaf[l] = s;
    }
    return (struct sk_leaves){rows.n, r->leaf};
}

/* From the gradients of the decoder's first states to the memory. */
static void starts(struct sk_model *m, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    const struct sk_rnn_order *o = &r->order[1];
    const int S = pass->rows[0].sentences, H = m->c.size[1], per = m->c.rnn.cell == SK_LSTM ? 2 : 1;
    struct sk_leaves leaves = sentence_leaves(m, pass);
    if (!r->starts) return;
    for (int k = 0; k < r->starts; k++) {
        struct sk_rnn_layer *l = &r->layer[1][k / per];
        float *d = k % per ? l->dc : l->dh, *by_sentence = r->dz;
        ops->tanh_backward(m->net.dev, d, d, k % per ? l->c0 : l->h0, (size_t)S * (size_t)H);
        ops->rows_move(m->net.dev, by_sentence, H, o->rank, d, H, NULL, S, H, 0);
        if (r->start_gamma[k]) {
            ops->rows_move(m->net.dev, r->xp, H, o->rank, r->z[k], H, NULL, S, H, 0);
            ops->rows_move(m->net.dev, r->gp, 2, o->rank, r->zstat[k], 2, NULL, S, 2, 0);
            ops->norm_backward(m->net.dev, d, r->dstart_gamma[k], r->dstart_beta[k], by_sentence, r->xp, r->gp,
                               r->start_gamma[k], H, leaves, 0);
            by_sentence = d;
        }
        weight_gradient(m, &r->start[k], by_sentence, r->e, leaves);
        ops->linear_backward_data(m->net.dev, r->de, by_sentence, r->start[k].w, S, k > 0);
    }
    if (m->c.rnn.start == SK_START_AVG) ops->rows_mean_backward(m->net.dev, r->dmemory, r->de, H, pass->rows[0]);
    else ops->rows_move(m->net.dev, r->dmemory, H, r->last, r->de, H, NULL, S, H, 1);
}

float *sk_rnn_gradient(struct sk_model *m) { return m->rnn->dpre; }

void sk_rnn_backward(struct sk_model *m, const struct sk_batch *b, float *dtop, float *dembed[2],
                     const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_order *o = &r->order[1];
    const int Ts = b->source_rows, Tt = b->target_rows, H = m->c.size[1];
    m->net.ops->rows_move(m->net.dev, r->ds, H, NULL, dtop, H, o->packed, Tt, H, 0);
    zero(m, r->dmemory, Ts, H);
    if (r->dkeys != r->dmemory) zero(m, r->dkeys, Ts, r->A);
    for (int k = 0; k < r->L[1]; k++) {
        zero(m, r->layer[1][k].dh, b->sentences, H);
        zero(m, r->layer[1][k].dc, b->sentences, H);
    }
    for (int t = o->steps - 1; t >= 0; t--) step(m, o, t);
    decoder_weights(m, pass);
    starts(m, pass);
    if (r->key.N) {
        weight_gradient(m, &r->key, r->dkeys, r->memory, pass->leaves[0]);
        m->net.ops->linear_backward_data(m->net.dev, r->dmemory, r->dkeys, r->key.w, Ts, 1);
    }
    sk_model_done_with(m, 1, SK_LAYER_ALL);
    encoder(m, pass);
    dembed[0] = r->dwords[0];
    dembed[1] = r->dwords[1];
}
