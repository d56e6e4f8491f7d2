/* rnn.c - the RNN's parameters and memory: see rnn.h. */
#include "model/rnn.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

enum { LAYERS = 64 };

/* --- sizes ------------------------------------------------------------------- */

static int is_share(float p) { return p >= 0 && p < 1; }

int sk_rnn_check(const struct sk_model_config *c)
{
    const struct sk_rnn *r = &c->rnn;
    static const char *const side_name[] = {"encoder", "decoder"};
    int H = c->size[0], both = c->tying == SK_TYING_SRC_TRG || c->tying == SK_TYING_SRC_TRG_SOFTMAX;
    for (int s = 0; s < 2; s++) {
        if (c->vocab[s] < SK_SPECIALS || c->vocab[s] > 1 << 24)
            return sk_fail(SK_EXIT_USAGE, "vocabulary of the %s has %d entries; 4 to 16777216 are possible",
                           side_name[s], c->vocab[s]);
        if (c->layers[s] < 1 || c->layers[s] > LAYERS)
            return sk_fail(SK_EXIT_USAGE, "%d layers in the %s; 1 to 64 are possible", c->layers[s], side_name[s]);
        if (c->max_len[s] < 1 || c->max_len[s] > 65535)
            return sk_fail(SK_EXIT_USAGE, "maximum length %d of the %s; 1 to 65535 are possible", c->max_len[s],
                           side_name[s]);
        if (r->embed[s] < 1 || r->embed[s] > 65536)
            return sk_fail(SK_EXIT_USAGE, "embeddings of width %d in the %s; 1 to 65536 are possible", r->embed[s],
                           side_name[s]);
        if (!is_share(c->dropout_embed[s]) || !is_share(r->dropout_inputs[s]) || !is_share(r->dropout_states[s]))
            return sk_fail(SK_EXIT_USAGE, "dropout must be in [0, 1)");
    }
    if (!is_share(r->dropout_hidden)) return sk_fail(SK_EXIT_USAGE, "dropout must be in [0, 1)");
    if (H < 2 || H > 65536 || H % 2 || c->size[1] != H)
        return sk_fail(SK_EXIT_USAGE, "%d:%d hidden units: an even number from 2 to 65536, the same on both sides, is "
                       "possible (half of them read in each direction)", H, c->size[1]);
    if (r->attention_hidden < 1 || r->attention_hidden > 65536)
        return sk_fail(SK_EXIT_USAGE, "%d hidden units of attention; 1 to 65536 are possible", r->attention_hidden);
    if (r->first_residual && (r->first_residual < 2 || r->first_residual > 1 << 20))
        return sk_fail(SK_EXIT_USAGE, "residual connections from layer %d on; the first layer that can have one is 2",
                       r->first_residual);
    if (both && (c->vocab[0] != c->vocab[1] || r->embed[0] != r->embed[1]))
        return sk_fail(SK_EXIT_USAGE, "weight tying of source and target needs one shared vocabulary and embeddings of "
                       "one width; these have %d and %d entries of width %d and %d", c->vocab[0], c->vocab[1],
                       r->embed[0], r->embed[1]);
    if ((c->tying == SK_TYING_TRG_SOFTMAX || c->tying == SK_TYING_SRC_TRG_SOFTMAX) && r->embed[1] != H)
        return sk_fail(SK_EXIT_USAGE, "weight tying of target and output needs target embeddings as wide as the hidden "
                       "layers; these are %d and %d", r->embed[1], H);
    return 0;
}

/* --- the table ------------------------------------------------------------------ */

static void add(struct sk_params *t, const char *prefix, const char *suffix, enum sk_init init, int rows, int cols)
{
    char name[SK_PARAM_NAME];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    sk_params_add(t, name, init, rows, cols);
}

static void add_norm(struct sk_params *t, const char *prefix, int n)
{
    add(t, prefix, "_norm_gamma", SK_INIT_ONE, n, 0);
    add(t, prefix, "_norm_beta", SK_INIT_ZERO, n, 0);
}

static int gates(const struct sk_model_config *c) { return c->rnn.cell == SK_LSTM ? 4 : 3; }

static void add_layer(struct sk_params *t, const struct sk_model_config *c, const char *prefix, int K, int H)
{
    int G = gates(c) * H;
    add(t, prefix, "_i2h_weight", SK_INIT_WEIGHT, G, K);
    add(t, prefix, "_i2h_bias", c->rnn.cell == SK_LSTM ? SK_INIT_GATES : SK_INIT_ZERO, G, 0);
    add(t, prefix, "_h2h_weight", SK_INIT_RECURRENT, G, H);
    add(t, prefix, "_h2h_bias", SK_INIT_ZERO, G, 0);
}

/* Width of what a layer of the decoder reads. */
static int decoder_input(const struct sk_model_config *c, int layer)
{
    int H = c->size[1];
    if (layer == 0) return c->rnn.embed[1] + H;
    return c->rnn.upper ? 2 * H : H;
}

static int start_count(const struct sk_model_config *c)
{
    return c->rnn.start == SK_START_ZERO ? 0 : c->layers[1] * (c->rnn.cell == SK_LSTM ? 2 : 1);
}

/* Which products attention has: names, and their widths (0: there is none). */
struct attention { const char *key, *query; int A; };
static struct attention attention_of(const struct sk_model_config *c)
{
    int H = c->size[0], A = c->rnn.attention_hidden;
    if (c->rnn.attention == SK_ATTENTION_MLP)
        return (struct attention){"decoder_rnn_att_e2h_weight", "decoder_rnn_att_q2h_weight", A};
    if (c->rnn.attention == SK_ATTENTION_BILINEAR) return (struct attention){"decoder_rnn_att_s2t_weight", NULL, H};
    if (A == H) return (struct attention){NULL, NULL, H};
    return (struct attention){"decoder_rnn_att_s2h_weight", "decoder_rnn_att_t2h_weight", A};
}

static void layer_name(char name[64], int side, int layer)
{
    snprintf(name, 64, "%s_rnn_l%d", side ? "decoder" : "encoder", layer);
}

void sk_rnn_params(const struct sk_model_config *c, struct sk_params *t)
{
    char name[64];
    int H = c->size[0];
    struct attention a = attention_of(c);
    add_layer(t, c, "encoder_birnn_forward_l0", c->rnn.embed[0], H / 2);
    add_layer(t, c, "encoder_birnn_reverse_l0", c->rnn.embed[0], H / 2);
    for (int l = 0; l < c->layers[0] - 1; l++) {
        layer_name(name, 0, l);
        add_layer(t, c, name, H, H);
    }
    for (int l = 0; l < c->layers[1]; l++) {
        layer_name(name, 1, l);
        add_layer(t, c, name, decoder_input(c, l), H);
    }
    for (int k = 0; k < start_count(c); k++) {
        snprintf(name, sizeof name, "decoder_rnn_enc2decinit_%d", k);
        add(t, name, "_weight", SK_INIT_WEIGHT, H, H);
        add(t, name, "_bias", SK_INIT_ZERO, H, 0);
        if (c->rnn.layer_norm) add_norm(t, name, H);
    }
    if (a.key) sk_params_add(t, a.key, SK_INIT_WEIGHT, a.A, H);
    if (a.query) sk_params_add(t, a.query, SK_INIT_WEIGHT, a.A, H);
    if (c->rnn.attention == SK_ATTENTION_MLP) {
        sk_params_add(t, "decoder_rnn_att_h2s_weight", SK_INIT_WEIGHT, 1, a.A);
        if (c->rnn.layer_norm) add_norm(t, "decoder_rnn_att", a.A);
    }
    add(t, "decoder_rnn_hidden", "_weight", SK_INIT_WEIGHT, H, 2 * H);
    add(t, "decoder_rnn_hidden", "_bias", SK_INIT_ZERO, H, 0);
    if (c->rnn.layer_norm) add_norm(t, "decoder_rnn_hidden", H);
    if (c->tying == SK_TYING_SRC_TRG || c->tying == SK_TYING_SRC_TRG_SOFTMAX) {
        sk_params_add(t, "source_target_embed_weight", SK_INIT_EMBED, c->vocab[0], c->rnn.embed[0]);
    } else {
        sk_params_add(t, "source_embed_weight", SK_INIT_EMBED, c->vocab[0], c->rnn.embed[0]);
        sk_params_add(t, "target_embed_weight", SK_INIT_EMBED, c->vocab[1], c->rnn.embed[1]);
    }
    if (c->tying == SK_TYING_NONE || c->tying == SK_TYING_SRC_TRG)
        sk_params_add(t, "target_output_weight", SK_INIT_WEIGHT, c->vocab[1], H);
    sk_params_add(t, "target_output_bias", SK_INIT_ZERO, c->vocab[1], 0);
    sk_params_finish(t);
}

/* --- building --------------------------------------------------------------------- */

/* Value and gradient of a vector. */
static void vector(struct sk_net *n, const char *prefix, const char *suffix, const float **value, float **gradient)
{
    char name[SK_PARAM_NAME];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    const struct sk_param *p = sk_params_find(n->table, name);
    if (!p) SK_BUG("parameter %s is not in the table", name);
    *value = n->data + p->offset;
    *gradient = n->grad ? n->grad + p->offset : NULL;
}

static void linear(struct sk_net *n, struct sk_linear *l, const char *prefix, const char *part)
{
    char weight[SK_PARAM_NAME], bias[SK_PARAM_NAME];
    snprintf(weight, sizeof weight, "%s%s_weight", prefix, part);
    snprintf(bias, sizeof bias, "%s%s_bias", prefix, part);
    sk_linear_init(n, l, weight, bias);
}

static void init_layer(struct sk_net *n, struct sk_rnn_layer *l, const char *prefix)
{
    linear(n, &l->i2h, prefix, "_i2h");
    linear(n, &l->h2h, prefix, "_h2h");
    l->K = l->i2h.K;
    l->H = l->h2h.K;
    l->site_in = n->sites++;
    l->site_state = n->sites++;
}

static void init_products(struct sk_model *m)
{
    struct sk_rnn_net *r = m->rnn;
    struct sk_net *n = &m->net;
    const struct sk_model_config *c = &m->c;
    char name[64];
    init_layer(n, &r->way[0], "encoder_birnn_forward_l0");
    init_layer(n, &r->way[1], "encoder_birnn_reverse_l0");
    for (int s = 0; s < 2; s++) {
        r->L[s] = c->layers[s] - (s == 0);
        r->layer[s] = sk_xcalloc((size_t)r->L[s] + 1, sizeof *r->layer[s]);
        for (int l = 0; l < r->L[s]; l++) {
            int number = l + (s ? 1 : 2);        /* counted from 1 in its stack */
            layer_name(name, s, l);
            init_layer(n, &r->layer[s][l], name);
            r->layer[s][l].residual = c->rnn.first_residual && number >= c->rnn.first_residual;
        }
    }
    r->starts = start_count(c);
    for (int k = 0; k < r->starts; k++) {
        snprintf(name, sizeof name, "decoder_rnn_enc2decinit_%d", k);
        linear(n, &r->start[k], name, "");
        if (!c->rnn.layer_norm) continue;
        vector(n, name, "_norm_gamma", &r->start_gamma[k], &r->dstart_gamma[k]);
        vector(n, name, "_norm_beta", &r->start_beta[k], &r->dstart_beta[k]);
    }
    struct attention a = attention_of(c);
    r->A = a.A;
    if (a.key) sk_linear_init(n, &r->key, a.key, NULL);
    if (a.query) sk_linear_init(n, &r->query, a.query, NULL);
    if (c->rnn.attention == SK_ATTENTION_MLP) {
        vector(n, "decoder_rnn_att", "_h2s_weight", &r->v, &r->dv);
        if (c->rnn.layer_norm) {
            vector(n, "decoder_rnn_att", "_norm_gamma", &r->gamma, &r->dgamma);
            vector(n, "decoder_rnn_att", "_norm_beta", &r->beta, &r->dbeta);
        }
    }
    linear(n, &r->hidden, "decoder_rnn_hidden", "");
    if (c->rnn.layer_norm) {
        vector(n, "decoder_rnn_hidden", "_norm_gamma", &r->hidden_gamma, &r->dhidden_gamma);
        vector(n, "decoder_rnn_hidden", "_norm_beta", &r->hidden_beta, &r->dhidden_beta);
    }
    r->site_hidden = n->sites++;
}

/* Each linear map of the network: f is called with it. */
static void each_linear(struct sk_model *m, void (*f)(const struct sk_net *, struct sk_linear *))
{
    struct sk_rnn_net *r = m->rnn;
    for (int i = 0; i < 2; i++) {
        f(&m->net, &r->way[i].i2h);
        f(&m->net, &r->way[i].h2h);
        for (int l = 0; l < r->L[i]; l++) {
            f(&m->net, &r->layer[i][l].i2h);
            f(&m->net, &r->layer[i][l].h2h);
        }
    }
    for (int k = 0; k < r->starts; k++) f(&m->net, &r->start[k]);
    if (r->key.N) f(&m->net, &r->key);
    if (r->query.N) f(&m->net, &r->query);
    f(&m->net, &r->hidden);
}

void sk_rnn_load(struct sk_model *m) { each_linear(m, sk_linear_load); }

/* --- memory --------------------------------------------------------------------------- */

static int larger(int a, int b) { return a > b ? a : b; }

float sk_rnn_scale(const struct sk_model *m)
{
    const struct sk_rnn *c = &m->c.rnn;
    return c->attention == SK_ATTENTION_DOT && c->scale_dot ? 1 / sqrtf((float)m->rnn->A) : 1;
}

/* The widest input of a layer. */
static int widest(const struct sk_model *m)
{
    const struct sk_rnn_net *r = m->rnn;
    int K = larger(2 * m->c.size[0], m->c.rnn.embed[0]);
    for (int l = 0; l < r->L[1]; l++) K = larger(K, r->layer[1][l].K);
    return K;
}

/* own: x is no layer's result but put together. */
static void layer_layout(struct sk_model *m, struct sk_rnn_layer *l, struct sk_slab *s, int side, int own)
{
    const struct sk_rnn *c = &m->c.rnn;
    const struct sk_rnn_capacity *cap = &m->rnn->cap;
    size_t T = (size_t)cap->rows[side], S = (size_t)larger(cap->sentences, cap->step), K = (size_t)l->K;
    size_t H = (size_t)l->H, G = (size_t)l->i2h.N;
    int lstm = c->cell == SK_LSTM, masks = m->train && c->dropout_inputs[side] > 0;
    l->own_x = own ? sk_slab_take(s, T * K) : NULL;
    l->own_in = masks ? sk_slab_take(s, T * K) : NULL;
    l->mask_in = masks ? sk_slab_take(s, S * K) : NULL;
    l->mask_state = m->train && c->dropout_states[side] > 0 ? sk_slab_take(s, S * H) : NULL;
    l->gates = sk_slab_take(s, T * SK_CELL_GATES * H);
    l->c = lstm ? sk_slab_take(s, T * H) : NULL;
    l->h = sk_slab_take(s, T * H);
    l->hin = sk_slab_take(s, T * H);
    l->own_out = l->residual ? sk_slab_take(s, T * H) : NULL;
    l->out = l->residual ? l->own_out : l->h;
    l->h0 = side ? sk_slab_take(s, S * H) : NULL;
    l->c0 = side && lstm ? sk_slab_take(s, S * H) : NULL;
    if (!m->train) return;
    l->dx = sk_slab_take(s, T * G);
    l->dhx = lstm ? l->dx : sk_slab_take(s, T * G);
    l->dh = sk_slab_take(s, S * H);
    l->dc = sk_slab_take(s, S * H);
}

static void backward_layout(struct sk_model *m, struct sk_slab *s)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_capacity *cap = &r->cap;
    size_t Ts = (size_t)cap->rows[0], Tt = (size_t)cap->rows[1], T = Ts > Tt ? Ts : Tt, H = (size_t)m->c.size[0];
    size_t S = (size_t)larger(cap->sentences, cap->step), A = (size_t)r->A, most = (size_t)widest(m);
    r->ones = sk_slab_take(s, most);
    if (m->c.rnn.dropout_hidden > 0) {
        r->mask_hidden = sk_slab_take(s, Tt * 2 * H);
        r->mask_packed = sk_slab_take(s, Tt * 2 * H);
    }
    r->ds = sk_slab_take(s, Tt * H);
    r->dpre = sk_slab_take(s, Tt * H);
    r->dpre0 = r->hidden_gamma ? sk_slab_take(s, Tt * H) : r->dpre;
    r->dcat = sk_slab_take(s, S * 2 * H);
    r->dbelow = sk_slab_take(s, S * H);
    r->din = sk_slab_take(s, S * most);
    r->dq = sk_slab_take(s, Tt * A);
    r->dvr = r->v ? sk_slab_take(s, Tt * A) : NULL;
    r->dgr = r->gamma ? sk_slab_take(s, Tt * A) : NULL;
    r->dbr = r->gamma ? sk_slab_take(s, Tt * A) : NULL;
    r->dkeys = r->key.N ? sk_slab_take(s, Ts * A) : NULL;
    r->dmemory = sk_slab_take(s, Ts * H);
    if (!r->key.N) r->dkeys = r->dmemory;
    for (int i = 0; i < 2; i++) {
        r->dlayer[i] = sk_slab_take(s, Ts * (H > (size_t)m->c.rnn.embed[0] ? H : (size_t)m->c.rnn.embed[0]));
        r->dwords[i] = sk_slab_take(s, (i ? Tt : Ts) * (size_t)m->c.rnn.embed[i]);
    }
    r->de = sk_slab_take(s, S * H);
    r->dz = sk_slab_take(s, S * H);
    r->gp = sk_slab_take(s, T * (A > 4 * H ? A : 4 * H));      /* attention may be wider than all layers */
    r->xp = sk_slab_take(s, T * (A > most ? A : most));
    r->scratch = sk_slab_take(s, 2 * H);
}

static void layout(struct sk_model *m, struct sk_slab *s)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_capacity *cap = &r->cap;
    size_t Ts = (size_t)cap->rows[0], Tt = (size_t)cap->rows[1], T = Ts > Tt ? Ts : Tt, H = (size_t)m->c.size[0];
    size_t S = (size_t)larger(cap->sentences, cap->step), A = (size_t)r->A;
    for (int i = 0; i < 2; i++) {
        m->embed[i].x = sk_slab_take(s, (i ? Tt : Ts) * (size_t)m->c.rnn.embed[i]);
        m->embed[i].words = m->train && m->c.dropout_embed[i] > 0 ?
            sk_slab_take(s, (i ? Tt : Ts) * (size_t)m->c.rnn.embed[i]) : NULL;
        layer_layout(m, &r->way[i], s, 0, 1);
        for (int l = 0; l < r->L[i]; l++) layer_layout(m, &r->layer[i][l], s, i, i && (l == 0 || m->c.rnn.upper));
    }
    r->none = sk_slab_take(s, S * H);
    r->both = sk_slab_take(s, Ts * H);
    r->memory = sk_slab_take(s, Ts * H);
    r->keys = r->key.N ? sk_slab_take(s, Ts * A) : r->memory;
    r->gx = sk_slab_take(s, T * 4 * H);
    r->gh = sk_slab_take(s, S * 4 * H);
    r->e = sk_slab_take(s, S * H);
    r->e_ranked = sk_slab_take(s, S * H);
    for (int k = 0; k < r->starts && m->c.rnn.layer_norm; k++) {
        r->z[k] = sk_slab_take(s, S * H);
        r->zstat[k] = sk_slab_take(s, S * 2);
    }
    r->q = r->query.N ? sk_slab_take(s, Tt * A) : NULL;
    r->prob = sk_slab_take(s, Tt * (size_t)cap->longest);
    r->context = sk_slab_take(s, Tt * H);
    r->cat = sk_slab_take(s, Tt * 2 * H);
    r->pre = r->hidden_gamma ? sk_slab_take(s, Tt * H) : NULL;
    r->stat = r->hidden_gamma ? sk_slab_take(s, Tt * 2) : NULL;
    r->s = sk_slab_take(s, Tt * H);
    r->top = sk_slab_take(s, Tt * H);
    if (m->train) backward_layout(m, s);
}

static int32_t *numbers(int n) { return sk_xcalloc((size_t)n + 1, sizeof(int32_t)); }

static void take_host(struct sk_model *m)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_capacity *cap = &r->cap;
    int S = larger(cap->sentences, cap->step), T = larger(cap->rows[0], cap->rows[1]);
    for (int i = 0; i < 3; i++) {
        int side = i == 1;
        r->order[i].first = numbers(cap->max_len[side] + 1);
        r->order[i].packed = numbers(cap->rows[side]);
        r->order[i].inverse = numbers(cap->rows[side]);
        r->order[i].rank = numbers(S);
    }
    for (int i = 0; i < 2; i++) r->swap[i] = numbers(cap->rows[0]);
    r->key_first = numbers(S);
    r->key_n = numbers(S);
    r->last = numbers(S);
    r->zeros = numbers(larger(T, S));
    r->iota = numbers(larger(T, S) + 1);
    for (int i = 0; i <= larger(T, S); i++) r->iota[i] = i;
    r->leaf = numbers(1024);
    r->ordinal = sk_xcalloc((size_t)S + 1, sizeof *r->ordinal);
}

/* Forgets what take_host and sk_rnn_take gave. */
static void forget(struct sk_rnn_net *r)
{
    memset(r->order, 0, sizeof r->order);
    r->swap[0] = r->swap[1] = r->key_first = r->key_n = r->last = r->zeros = r->iota = r->leaf = NULL;
    r->ordinal = NULL;
    r->slab = NULL;
}

static void free_host(struct sk_rnn_net *r)
{
    for (int i = 0; i < 3; i++) {
        free(r->order[i].first);
        free(r->order[i].packed);
        free(r->order[i].inverse);
        free(r->order[i].rank);
    }
    for (int i = 0; i < 2; i++) free(r->swap[i]);
    free(r->key_first);
    free(r->key_n);
    free(r->last);
    free(r->zeros);
    free(r->iota);
    free(r->leaf);
    free(r->ordinal);
    forget(r);
}

static void fill_ones(struct sk_model *m)
{
    int n = widest(m);
    float *one = sk_xcalloc((size_t)n, sizeof *one);
    for (int i = 0; i < n; i++) one[i] = 1;
    m->net.ops->upload(m->net.dev, m->rnn->ones, one, (size_t)n * sizeof *one);
    free(one);
}

void sk_rnn_take(struct sk_model *m, const struct sk_rnn_capacity *c)
{
    struct sk_rnn_net *r = m->rnn;
    struct sk_slab s = {0};
    r->cap = *c;
    layout(m, &s);
    r->slab = m->net.ops->alloc(m->net.dev, s.most * sizeof(float));
    s = (struct sk_slab){.base = r->slab};
    layout(m, &s);
    take_host(m);
    if (m->train) fill_ones(m);
}

void sk_rnn_give_back(struct sk_model *m)
{
    struct sk_rnn_net *r = m->rnn;
    if (r->slab) m->net.ops->free(m->net.dev, r->slab);
    r->slab = NULL;
    m->embed[0].x = m->embed[1].x = NULL;
    free_host(r);
}

void sk_rnn_init(struct sk_model *m)
{
    m->rnn = sk_xcalloc(1, sizeof *m->rnn);
    init_products(m);
    if (!m->train) return;
    const struct sk_batch_limits *l = &m->limits;
    struct sk_rnn_capacity c = {.rows = {larger(l->max_source, l->longest_source),
                                         larger(l->max_target, l->longest_target)},
                                .sentences = larger(l->max_sentences, 1), .step = larger(l->max_sentences, 1),
                                .longest = l->longest_source, .max_len = {l->longest_source, l->longest_target}};
    sk_rnn_take(m, &c);
}

void sk_rnn_twin(struct sk_model *m)
{
    struct sk_rnn_net *r = sk_xcalloc(1, sizeof *r);
    *r = *m->rnn;
    forget(r);
    for (int i = 0; i < 2; i++) {
        size_t n = (size_t)r->L[i];
        r->layer[i] = sk_xcalloc(n + 1, sizeof *r->layer[i]);
        if (n) memcpy(r->layer[i], m->rnn->layer[i], n * sizeof *r->layer[i]);
    }
    m->rnn = r;
}

void sk_rnn_free_twin(struct sk_model *m)
{
    sk_rnn_give_back(m);
    for (int i = 0; i < 2; i++) free(m->rnn->layer[i]);
    free(m->rnn);
}

void sk_rnn_free(struct sk_model *m)
{
    struct sk_rnn_net *r = m->rnn;
    if (!r) return;
    sk_rnn_give_back(m);
    each_linear(m, sk_linear_free);
    for (int i = 0; i < 2; i++) free(r->layer[i]);
    free(r);
    m->rnn = NULL;
}
