/* rnn_forward.c - the RNN forward: see rnn.h. */
#include "model/rnn.h"
#include "base/msg.h"

/* --- order of rows --------------------------------------------------------------- */

static int length_of(const struct sk_rows *rows, int s) { return rows->offset[s + 1] - rows->offset[s]; }

/* Counting sort by length, longest first, ties as they stand. reverse: each
 * sentence's rows backwards. */
static void make_order(struct sk_rnn_order *o, const struct sk_rows *rows, int most, int reverse)
{
    int S = rows->sentences;
    int32_t *first = o->first;
    o->steps = 0;
    for (int t = 0; t <= most; t++) first[t] = 0;
    for (int s = 0; s < S; s++) {
        int n = length_of(rows, s);
        SK_ENSURE(n >= 1 && n <= most);
        if (n > o->steps) o->steps = n;
        first[n]++;
    }
    /* How many are longer than n: where those of length n begin. */
    for (int n = o->steps, longer = 0; n >= 0; n--) {
        int count = first[n];
        first[n] = longer;
        longer += count;
    }
    for (int s = 0; s < S; s++) o->rank[first[length_of(rows, s)]++] = s;
    /* Now first[n] is how many are of length n or longer: step t has first[t + 1] rows. */
    for (int t = 0, row = 0; t <= o->steps; t++) {
        int active = t < o->steps ? first[t + 1] : 0;
        first[t] = row;
        row += active;
    }
    for (int t = 0; t < o->steps; t++)
        for (int k = 0; k < first[t + 1] - first[t]; k++) {
            int s = o->rank[k], row = reverse ? rows->offset[s + 1] - 1 - t : rows->offset[s] + t;
            o->packed[first[t] + k] = row;
            o->inverse[row] = first[t] + k;
        }
}

/* --- dropout: masks that are made once an update -------------------------------------- */

static struct sk_dropout dropout(const struct sk_pass *pass, float p, uint32_t site)
{
    return (struct sk_dropout){p, site, pass->update, pass->seed};
}

/* mask (rows, n): 0 or 1 / (1 - p). */
static void make_mask(struct sk_model *m, float *mask, int n, struct sk_rows rows, struct sk_dropout d)
{
    m->net.ops->embed_forward(m->net.dev, mask, m->rnn->zeros, m->rnn->ones, 1, NULL, n, rows, NULL, d);
}

/* One mask a sentence for a layer's inputs and states; sentences by rank. */
static void layer_masks(struct sk_model *m, struct sk_rnn_layer *l, int side, const struct sk_rnn_order *o,
                        const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    struct sk_rows rows = {pass->rows[side].sentences, pass->rows[side].sentences, r->iota, r->ordinal};
    if (!pass->train) return;
    for (int s = 0; s < rows.sentences; s++) r->ordinal[s] = pass->rows[side].ordinal[o->rank[s]];
    if (l->mask_in)
        make_mask(m, l->mask_in, l->K, rows, dropout(pass, m->c.rnn.dropout_inputs[side], l->site_in));
    if (l->mask_state)
        make_mask(m, l->mask_state, l->H, rows, dropout(pass, m->c.rnn.dropout_states[side], l->site_state));
}

/* --- layers ------------------------------------------------------------------------------- */

static int rows_at(const struct sk_rnn_order *o, int t) { return o->first[t + 1] - o->first[t]; }

/* in = x, dropped out with the sentences' masks: rows r0.. of n sentences by rank. */
static void mask_input(const struct sk_model *m, struct sk_rnn_layer *l, int r0, int n, int train)
{
    size_t at = (size_t)r0 * (size_t)l->K;
    l->in = l->x;
    if (!l->own_in || !train) return;
    l->in = l->own_in;
    m->net.ops->multiply(m->net.dev, l->in + at, l->x + at, l->mask_in, (size_t)n * (size_t)l->K);
}

/* One step of a layer whose input product stands in gx: h and c of rows r0... */
static void cell(struct sk_model *m, struct sk_rnn_layer *l, int r0, int n, const float *h, const float *c,
                 const float *gx, int train)
{
    const struct sk_net *net = &m->net;
    size_t at = (size_t)r0 * (size_t)l->H, values = (size_t)n * (size_t)l->H;
    if (l->mask_state && train) net->ops->multiply(net->dev, l->hin + at, h, l->mask_state, values);
    else net->ops->copy(net->dev, l->hin + at, h, values * sizeof *h);
    sk_linear_forward(net, m->rnn->gh, l->hin + at, &l->h2h, n);
    net->ops->cell_forward(net->dev, m->c.rnn.cell, l->h + at, l->c ? l->c + at : NULL,
                           l->gates + SK_CELL_GATES * at, gx, m->rnn->gh, l->c ? c : l->hin + at, n, l->H);
}

static void residual(struct sk_model *m, struct sk_rnn_layer *l, int r0, int n, const float *below)
{
    const struct sk_ops *ops = m->net.ops;
    size_t at = (size_t)r0 * (size_t)l->H, values = (size_t)n * (size_t)l->H;
    if (!l->residual) return;
    ops->copy(m->net.dev, l->out + at, l->h + at, values * sizeof *below);
    ops->add(m->net.dev, l->out + at, below + at, values);
}

/* A layer of the encoder: all steps, from zero states. */
static void run_layer(struct sk_model *m, struct sk_rnn_layer *l, const struct sk_rnn_order *o, int rows, int train)
{
    struct sk_rnn_net *r = m->rnn;
    size_t H = (size_t)l->H;
    for (int t = 0; t < o->steps && l->own_in && train; t++) mask_input(m, l, o->first[t], rows_at(o, t), train);
    if (!l->own_in || !train) l->in = l->x;
    sk_linear_forward(&m->net, r->gx, l->in, &l->i2h, rows);
    for (int t = 0; t < o->steps; t++) {
        size_t before = t ? (size_t)o->first[t - 1] * H : 0;
        cell(m, l, o->first[t], rows_at(o, t), t ? l->h + before : r->none, t && l->c ? l->c + before : r->none,
             r->gx + (size_t)o->first[t] * (size_t)l->i2h.N, train);
    }
    residual(m, l, 0, rows, l->x);
}

void sk_rnn_encode(struct sk_model *m, struct sk_rows rows, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    int T = rows.rows, E = m->c.rnn.embed[0], H = m->c.size[0], half = H / 2;
    SK_ENSURE(T <= r->cap.rows[0] && rows.sentences <= r->cap.sentences);
    for (int i = 0; i < 2; i++) {
        struct sk_rnn_layer *l = &r->way[i];
        struct sk_rnn_order *o = &r->order[2 * i];
        make_order(o, &rows, r->cap.max_len[0], i);
        layer_masks(m, l, 0, o, pass);
        l->x = l->own_x;
        ops->rows_move(m->net.dev, l->x, E, NULL, m->embed[0].x, E, o->packed, T, E, 0);
        run_layer(m, l, o, T, pass->train);
    }
    for (int i = 0; i < T; i++) {
        r->swap[0][i] = r->order[2].inverse[r->order[0].packed[i]];
        r->swap[1][i] = r->order[0].inverse[r->order[2].packed[i]];
    }
    ops->rows_move(m->net.dev, r->both, H, NULL, r->way[0].out, half, NULL, T, half, 0);
    ops->rows_move(m->net.dev, r->both + half, H, NULL, r->way[1].out, half, r->swap[0], T, half, 0);
    float *x = r->both;
    for (int k = 0; k < r->L[0]; k++) {
        struct sk_rnn_layer *l = &r->layer[0][k];
        layer_masks(m, l, 0, &r->order[0], pass);
        l->x = x;
        run_layer(m, l, &r->order[0], T, pass->train);
        x = l->out;
    }
    ops->rows_move(m->net.dev, r->memory, H, NULL, x, H, r->order[0].inverse, T, H, 0);
    if (r->key.N) sk_linear_forward(&m->net, r->keys, r->memory, &r->key, T);
}

/* --- the decoder's first states ---------------------------------------------------------- */

void sk_rnn_summary(struct sk_model *m, float *e, struct sk_rows rows)
{
    struct sk_rnn_net *r = m->rnn;
    int H = m->c.size[0];
    if (m->c.rnn.start == SK_START_AVG) {
        m->net.ops->rows_mean(m->net.dev, e, r->memory, H, rows);
        return;
    }
    for (int s = 0; s < rows.sentences; s++) r->last[s] = rows.offset[s + 1] - 1;
    m->net.ops->rows_move(m->net.dev, e, H, NULL, r->memory, H, r->last, rows.sentences, H, 0);
}

void sk_rnn_start(struct sk_model *m, float *const *out, const float *e, int n)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    size_t H = (size_t)m->c.size[0];
    for (int k = 0; k < r->starts; k++) {
        float *z = r->start_gamma[k] ? r->z[k] : out[k];
        sk_linear_forward(&m->net, z, e, &r->start[k], n);
        if (r->start_gamma[k])
            ops->norm_forward(m->net.dev, out[k], r->zstat[k], z, r->start_gamma[k], r->start_beta[k], n, (int)H);
        ops->tanh_forward(m->net.dev, out[k], out[k], (size_t)n * H);
    }
}

/* --- one step of the decoder ------------------------------------------------------------------ */

/* A layer of the decoder that reads x, rows r0.. of n. */
static void step_layer(struct sk_model *m, struct sk_rnn_layer *l, int r0, int n, const float *below,
                       const float *h, const float *c, int train)
{
    mask_input(m, l, r0, n, train);
    sk_linear_forward(&m->net, m->rnn->gx, l->in + (size_t)r0 * (size_t)l->K, &l->i2h, n);
    cell(m, l, r0, n, h, c, m->rnn->gx, train);
    residual(m, l, r0, n, below);
}

static void step(struct sk_model *m, int r0, int n, const float *s, const float *const *before, const float *keys,
                 const float *values, const int32_t *first, const int32_t *keys_n, int train)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_net *net = &m->net;
    const struct sk_ops *ops = net->ops;
    const int H = m->c.size[1], E = m->c.rnn.embed[1], K0 = E + H, upper = m->c.rnn.upper && r->L[1] > 1;
    const int per = m->c.rnn.cell == SK_LSTM ? 2 : 1;
    const size_t at = (size_t)r0 * (size_t)H;
    struct sk_rnn_layer *l = &r->layer[1][0];
    l->x = l->own_x;
    ops->rows_move(net->dev, l->x + (size_t)r0 * (size_t)K0 + E, K0, NULL, s, H, NULL, n, H, 0);
    step_layer(m, l, r0, n, NULL, before[0], before[per - 1], train);
    for (int k = 1; k < r->L[1] && !upper; k++) {
        r->layer[1][k].x = l->out;
        step_layer(m, &r->layer[1][k], r0, n, l->out, before[per * k], before[per * k + per - 1], train);
        l = &r->layer[1][k];
    }
    const float *q = l->out + at;
    if (r->query.N) {
        float *to = r->q + (size_t)r0 * (size_t)r->A;
        sk_linear_forward(net, to, q, &r->query, n);
        q = to;
    }
    struct sk_attend a = {.A = r->A, .D = H, .q = q, .keys = keys, .values = values, .v = r->v, .gamma = r->gamma,
                          .beta = r->beta, .scale = sk_rnn_scale(m), .first = first, .n = keys_n,
                          .prob = r->prob + (size_t)r0 * (size_t)r->cap.longest, .ldp = r->cap.longest};
    ops->attend_forward(net->dev, r->context + at, H, &a, n);
    for (int k = 1; k < r->L[1] && upper; k++) {
        struct sk_rnn_layer *u = &r->layer[1][k];
        u->x = u->own_x;
        float *x = u->x + 2 * at;
        ops->rows_move(net->dev, x, 2 * H, NULL, l->out + at, H, NULL, n, H, 0);
        ops->rows_move(net->dev, x + H, 2 * H, NULL, r->context + at, H, NULL, n, H, 0);
        step_layer(m, u, r0, n, l->out, before[per * k], before[per * k + per - 1], train);
        l = u;
    }
    float *cat = r->cat + 2 * at, *pre = r->hidden_gamma ? r->pre + at : r->s + at;
    ops->rows_move(net->dev, cat, 2 * H, NULL, l->out + at, H, NULL, n, H, 0);
    ops->rows_move(net->dev, cat + H, 2 * H, NULL, r->context + at, H, NULL, n, H, 0);
    if (r->mask_hidden && train) ops->multiply(net->dev, cat, cat, r->mask_hidden + 2 * at, 2 * (size_t)n * (size_t)H);
    sk_linear_forward(net, pre, cat, &r->hidden, n);
    if (r->hidden_gamma)
        ops->norm_forward(net->dev, r->s + at, r->stat + 2 * (size_t)r0, pre, r->hidden_gamma, r->hidden_beta, n, H);
    ops->tanh_forward(net->dev, r->s + at, r->s + at, (size_t)n * (size_t)H);
}

void sk_rnn_step(struct sk_model *m, int r0, int n, const float *s, const float *const *before,
                 const float *keys, const float *values, const int32_t *first, const int32_t *keys_n)
{
    step(m, r0, n, s, before, keys, values, first, keys_n, 0);
}

/* --- a whole batch ---------------------------------------------------------------------------------- */

static void decoder_masks(struct sk_model *m, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    struct sk_rows rows = pass->rows[1];
    int H = m->c.size[1];
    if (!pass->train) return;
    for (int k = 0; k < r->L[1]; k++) layer_masks(m, &r->layer[1][k], 1, &r->order[1], pass);
    if (!r->mask_hidden) return;
    make_mask(m, r->mask_packed, 2 * H, rows, dropout(pass, m->c.rnn.dropout_hidden, r->site_hidden));
    m->net.ops->rows_move(m->net.dev, r->mask_hidden, 2 * H, NULL, r->mask_packed, 2 * H, r->order[1].packed,
                          rows.rows, 2 * H, 0);
}

float *sk_rnn_forward(struct sk_model *m, const struct sk_batch *b, const struct sk_pass *pass)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_ops *ops = m->net.ops;
    struct sk_rows source = pass->rows[0], target = pass->rows[1];
    const int H = m->c.size[1], E = m->c.rnn.embed[1], lstm = m->c.rnn.cell == SK_LSTM, S = target.sentences;
    SK_ENSURE(target.rows <= r->cap.rows[1] && S <= r->cap.step);
    sk_model_embed(m, 0, b->source, NULL, pass);
    sk_rnn_encode(m, source, pass);
    sk_model_embed(m, 1, b->target, NULL, pass);
    struct sk_rnn_order *o = &r->order[1];
    make_order(o, &target, r->cap.max_len[1], 0);
    decoder_masks(m, pass);
    ops->rows_move(m->net.dev, r->layer[1][0].own_x, E + H, NULL, m->embed[1].x, E, o->packed, target.rows, E, 0);
    for (int k = 0; k < S; k++) {
        r->key_first[k] = source.offset[o->rank[k]];
        r->key_n[k] = source.offset[o->rank[k] + 1] - source.offset[o->rank[k]];
    }
    float *start[2 * 64];
    const float *before[2 * 64];
    int n = 0;
    for (int k = 0; k < r->L[1]; k++) {
        start[n++] = r->layer[1][k].h0;
        if (lstm) start[n++] = r->layer[1][k].c0;
    }
    if (r->starts) {
        sk_rnn_summary(m, r->e, source);
        ops->rows_move(m->net.dev, r->e_ranked, H, NULL, r->e, H, o->rank, S, H, 0);
        sk_rnn_start(m, start, r->e_ranked, S);
    } else {
        for (int k = 0; k < n; k++) ops->zero(m->net.dev, start[k], (size_t)S * (size_t)H * sizeof(float));
    }
    for (int t = 0; t < o->steps; t++) {
        size_t last = t ? (size_t)o->first[t - 1] * (size_t)H : 0;
        for (int k = 0, i = 0; k < r->L[1]; k++) {
            before[i] = t ? r->layer[1][k].h + last : start[i];
            i++;
            if (!lstm) continue;
            before[i] = t ? r->layer[1][k].c + last : start[i];
            i++;
        }
        step(m, o->first[t], rows_at(o, t), t ? r->s + last : r->none, before, r->keys, r->memory, r->key_first,
             r->key_n, pass->train);
    }
    ops->rows_move(m->net.dev, r->top, H, NULL, r->s, H, o->inverse, target.rows, H, 0);
    return r->top;
}
