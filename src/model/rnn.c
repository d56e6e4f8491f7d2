/* rnn.c - the RNN's parameters, and what is made of them: see rnn.h. */
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
    if (both && (c->vocab[0] != c->vocab[1] || sk_model_word_width(c) != r->embed[1]))
        return sk_fail(SK_EXIT_USAGE, "weight tying of source and target needs one shared vocabulary and embeddings of "
                       "one width; these have %d and %d entries of width %d and %d", c->vocab[0], c->vocab[1],
                       sk_model_word_width(c), r->embed[1]);
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
        sk_params_add(t, "source_target_embed_weight", SK_INIT_EMBED, c->vocab[0], c->rnn.embed[1]);
    } else {
        sk_params_add(t, "source_embed_weight", SK_INIT_EMBED, c->vocab[0], sk_model_word_width(c));
        sk_params_add(t, "target_embed_weight", SK_INIT_EMBED, c->vocab[1], c->rnn.embed[1]);
    }
    sk_factors_params(&c->factors, t);
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

static int larger(int a, int b) { return a > b ? a : b; }

float sk_rnn_scale(const struct sk_model *m)
{
    const struct sk_rnn *c = &m->c.rnn;
    return c->attention == SK_ATTENTION_DOT && c->scale_dot ? 1 / sqrtf((float)m->rnn->A) : 1;
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
