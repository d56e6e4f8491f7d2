/* transformer.c - sizes that fit together and the table of parameters of the
 * Transformer (names and shapes of Sockeye 1.18). */
#include "model/rnn.h"
#include <stdio.h>
#include <string.h>
#include "base/msg.h"

static const char *const side_name[] = {"encoder", "decoder"};

static int check_steps(const char *what, int side, const char *steps, int residual)
{
    for (const char *s = steps; *s; s++)
        if (!strchr("ndr", *s))
            return sk_fail(SK_EXIT_USAGE, "%s sequence '%s' of the %s: '%c' is none of n (layer norm), "
                           "d (dropout), r (residual)", what, steps, side_name[side], *s);
    if (!residual && strchr(steps, 'r'))
        return sk_fail(SK_EXIT_USAGE, "%s sequence '%s' of the %s: r needs the output of a sub-layer; "
                       "put it into the post-process sequence", what, steps, side_name[side]);
    return 0;
}

int sk_model_check(const struct sk_model_config *c)
{
    if (sk_factors_check(c)) return -1;
    if (c->architecture == SK_RNN) return sk_rnn_check(c);
    for (int s = 0; s < 2; s++) {
        const char *name = side_name[s];
        if (c->vocab[s] < SK_SPECIALS || c->vocab[s] > 1 << 24)
            return sk_fail(SK_EXIT_USAGE, "vocabulary of the %s has %d entries; 4 to 16777216 are possible",
                           name, c->vocab[s]);
        if (c->layers[s] < 1 || c->layers[s] > 1000)
            return sk_fail(SK_EXIT_USAGE, "%d layers in the %s; 1 to 1000 are possible", c->layers[s], name);
        if (c->size[s] < 1 || c->size[s] > 65536 || c->feed_forward[s] < 1 || c->feed_forward[s] > 1 << 20)
            return sk_fail(SK_EXIT_USAGE, "model size %d and feed-forward size %d of the %s are out of range",
                           c->size[s], c->feed_forward[s], name);
        if (c->heads[s] < 1 || c->size[s] % c->heads[s])
            return sk_fail(SK_EXIT_USAGE, "model size %d of the %s is not divisible by its %d attention heads",
                           c->size[s], name, c->heads[s]);
        if (c->positions == SK_POSITIONS_FIXED && c->size[s] % 2)
            return sk_fail(SK_EXIT_USAGE, "fixed positional embeddings need an even model size; the %s has %d",
                           name, c->size[s]);
        /* Positions are 16 bits of the dropout's counter (math/ops.h). */
        if (c->max_len[s] < 1 || c->max_len[s] > 65535)
            return sk_fail(SK_EXIT_USAGE, "maximum length %d of the %s; 1 to 65535 are possible", c->max_len[s], name);
        if (check_steps("preprocess", s, c->pre[s], 0) || check_steps("postprocess", s, c->post[s], 1)) return -1;
        if (!(c->dropout_embed[s] >= 0 && c->dropout_embed[s] < 1))
            return sk_fail(SK_EXIT_USAGE, "embedding dropout %g of the %s is not in [0, 1)",
                           (double)c->dropout_embed[s], name);
    }
    if (!(c->dropout_attention >= 0 && c->dropout_attention < 1) || !(c->dropout_act >= 0 && c->dropout_act < 1) ||
        !(c->dropout_prepost >= 0 && c->dropout_prepost < 1))
        return sk_fail(SK_EXIT_USAGE, "dropout must be in [0, 1)");
    if (c->tying == SK_TYING_SRC_TRG || c->tying == SK_TYING_SRC_TRG_SOFTMAX) {
        if (c->vocab[0] != c->vocab[1])
            return sk_fail(SK_EXIT_USAGE, "weight tying of source and target needs one shared vocabulary; "
                           "these have %d and %d entries", c->vocab[0], c->vocab[1]);
        if (sk_model_word_width(c) != c->size[1])
            return sk_fail(SK_EXIT_USAGE, "weight tying of source and target needs word vectors of one width; these have "
                           "%d and %d values", sk_model_word_width(c), c->size[1]);
    }
    return 0;
}

static void add_norms(struct sk_params *t, const char *prefix, const char *when, const char *steps, int D)
{
    char name[SK_PARAM_NAME];
    if (!strchr(steps, 'n')) return;
    snprintf(name, sizeof name, "%s_%s_norm_gamma", prefix, when);
    sk_params_add(t, name, SK_INIT_ONE, D, 0);
    snprintf(name, sizeof name, "%s_%s_norm_beta", prefix, when);
    sk_params_add(t, name, SK_INIT_ZERO, D, 0);
}

static void add_matrix(struct sk_params *t, const char *prefix, const char *suffix, int rows, int cols)
{
    char name[SK_PARAM_NAME];
    snprintf(name, sizeof name, "%s_%s", prefix, suffix);
    sk_params_add(t, name, SK_INIT_WEIGHT, rows, cols);
}

static void add_bias(struct sk_params *t, const char *prefix, const char *suffix, int n)
{
    char name[SK_PARAM_NAME];
    snprintf(name, sizeof name, "%s_%s", prefix, suffix);
    sk_params_add(t, name, SK_INIT_ZERO, n, 0);
}

void sk_model_table(const struct sk_model_config *c, struct sk_params *t)
{
    char prefix[64];
    if (c->architecture == SK_RNN) {
        sk_rnn_params(c, t);
        return;
    }
    for (int s = 0; s < 2; s++) {
        int D = c->size[s], F = c->feed_forward[s];
        for (int l = 0; l < c->layers[s]; l++) {
            snprintf(prefix, sizeof prefix, "%s_transformer_%d_att_self", side_name[s], l);
            add_norms(t, prefix, "pre", c->pre[s], D);
            add_matrix(t, prefix, "i2h_weight", 3 * D, D);
            add_matrix(t, prefix, "h2o_weight", D, D);
            add_norms(t, prefix, "post", c->post[s], D);
            if (s == 1) {
                snprintf(prefix, sizeof prefix, "%s_transformer_%d_att_enc", side_name[s], l);
                add_norms(t, prefix, "pre", c->pre[s], D);
                add_matrix(t, prefix, "q2h_weight", D, D);
                add_matrix(t, prefix, "k2h_weight", D, c->size[0]);
                add_matrix(t, prefix, "v2h_weight", D, c->size[0]);
                add_matrix(t, prefix, "h2o_weight", D, D);
                add_norms(t, prefix, "post", c->post[s], D);
            }
            snprintf(prefix, sizeof prefix, "%s_transformer_%d_ff", side_name[s], l);
            add_norms(t, prefix, "pre", c->pre[s], D);
            add_matrix(t, prefix, "i2h_weight", F, D);
            add_bias(t, prefix, "i2h_bias", F);
            add_matrix(t, prefix, "h2o_weight", D, F);
            add_bias(t, prefix, "h2o_bias", D);
            add_norms(t, prefix, "post", c->post[s], D);
        }
        snprintf(prefix, sizeof prefix, "%s_transformer_final", side_name[s]);
        add_norms(t, prefix, "process", c->pre[s], D);
        if (c->positions == SK_POSITIONS_LEARNED)
            sk_params_add(t, s ? "target_pos_embed_weight" : "source_pos_embed_weight", SK_INIT_WEIGHT,
                          c->max_len[s], D);
    }
    if (c->tying == SK_TYING_SRC_TRG || c->tying == SK_TYING_SRC_TRG_SOFTMAX) {
        sk_params_add(t, "source_target_embed_weight", SK_INIT_EMBED, c->vocab[0], c->size[1]);
    } else {
        sk_params_add(t, "source_embed_weight", SK_INIT_EMBED, c->vocab[0], sk_model_word_width(c));
        sk_params_add(t, "target_embed_weight", SK_INIT_EMBED, c->vocab[1], c->size[1]);
    }
    sk_factors_params(&c->factors, t);
    if (c->tying == SK_TYING_NONE || c->tying == SK_TYING_SRC_TRG)
        sk_params_add(t, "target_output_weight", SK_INIT_WEIGHT, c->vocab[1], c->size[1]);
    sk_params_add(t, "target_output_bias", SK_INIT_ZERO, c->vocab[1], 0);
    sk_params_finish(t);
}
