/* rnn_test.c - the RNN, held to what tests/model.h asks. */
#include "model.h"

#define RNN(...) .architecture = SK_RNN, .rnn = {__VA_ARGS__}
static const struct shape shapes[] = {
    {"1:1 lstm, mlp",
     {.vocab = {20, 23}, .layers = {1, 1}, .size = {8, 8}, .max_len = {20, 20},
      RNN(.embed = {6, 5}, .attention_hidden = 5)}},
    {"2:2 lstm, mlp, normalized, avg, all dropouts",
     {.vocab = {20, 23}, .layers = {2, 2}, .size = {10, 10}, .max_len = {20, 20}, .dropout_embed = {0.1F, 0.2F},
      RNN(.embed = {6, 5}, .attention_hidden = 19, .layer_norm = 1, .start = SK_START_AVG, .first_residual = 2,
          .dropout_inputs = {0.1F, 0.2F}, .dropout_states = {0.2F, 0.1F}, .dropout_hidden = 0.2F)}},
    {"3:3 gru, bilinear, residual, normalized, tied",
     {.vocab = {20, 20}, .layers = {3, 3}, .size = {8, 8}, .max_len = {20, 20}, .tying = SK_TYING_SRC_TRG_SOFTMAX,
      RNN(.cell = SK_GRU, .attention = SK_ATTENTION_BILINEAR, .embed = {8, 8}, .attention_hidden = 8, .layer_norm = 1,
          .first_residual = 2, .dropout_inputs = {0.1F, 0.1F}, .dropout_states = {0.1F, 0.2F})}},
    {"2:3 lstm, scaled dot through projections, upper layers, residual, zero",
     {.vocab = {20, 23}, .layers = {2, 3}, .size = {18, 18}, .max_len = {20, 20},
      RNN(.attention = SK_ATTENTION_DOT, .embed = {4, 6}, .attention_hidden = 6, .scale_dot = 1, .upper = 1,
          .first_residual = 3, .start = SK_START_ZERO, .dropout_hidden = 0.3F)}},
    {"1:2 lstm, mlp, normalized, attention wider than all layers",
     {.vocab = {20, 23}, .layers = {1, 2}, .size = {4, 4}, .max_len = {20, 20},
      RNN(.embed = {3, 2}, .attention_hidden = 70, .layer_norm = 1)}},
    {"2:2 gru, dot, upper layers, dropouts",
     {.vocab = {20, 23}, .layers = {2, 2}, .size = {8, 8}, .max_len = {20, 20}, .tying = SK_TYING_TRG_SOFTMAX,
      RNN(.cell = SK_GRU, .attention = SK_ATTENTION_DOT, .embed = {4, 8}, .attention_hidden = 8, .upper = 1,
          .first_residual = 2, .dropout_inputs = {0.2F, 0.1F}, .dropout_states = {0.2F, 0.2F},
          .dropout_hidden = 0.1F)}},
    {"2:1 lstm, dot, source factors behind the word, dropouts",
     {.vocab = {20, 23}, .layers = {2, 1}, .size = {8, 8}, .max_len = {20, 20}, .dropout_embed = {0.2F, 0.1F},
      RNN(.attention = SK_ATTENTION_DOT, .embed = {9, 5}, .attention_hidden = 6, .dropout_inputs = {0.1F, 0}),
      .factors = {.n = 2, .vocab = {7, 6}, .embed = {2, 3}}}},
    {"1:1 gru, dot, source factors added, tied",
     {.vocab = {20, 20}, .layers = {1, 1}, .size = {8, 8}, .max_len = {20, 20}, .tying = SK_TYING_SRC_TRG,
      RNN(.cell = SK_GRU, .attention = SK_ATTENTION_DOT, .embed = {6, 6}, .attention_hidden = 8),
      .factors = {.n = 1, .sum = 1, .vocab = {9}, .embed = {6}}}},
};

/* --- where recurrent weights and gates begin ---------------------------------- */

static void starts(void)
{
    struct sk_model_config c = shapes[0].c;
    struct sk_params t = {0};
    sk_model_table(&c, &t);
    float *data = sk_xcalloc(t.total, sizeof *data);
    struct sk_init_options o = {.seed = 7, .xavier = 1, .scale = 3, .factor = 'a', .source_vocab = 20,
                                .recurrent = SK_RECURRENT_ORTHOGONAL, .forget_bias = 1.5};
    sk_params_init(&t, data, &o);
    const struct sk_param *p = sk_params_find(&t, "decoder_rnn_l0_h2h_weight");
    const float *w = data + p->offset;
    double far = 0;
    for (int a = 0; a < 8; a++)
        for (int b = 0; b < 8; b++) {
            double dot = 0;
            for (int i = 0; i < 32; i++) dot += (double)w[i * 8 + a] * (double)w[i * 8 + b];
            far = fmax(far, fabs(dot - (a == b ? 2 : 0)));
        }
    ok(far < 1e-6, "orthogonal: columns are orthonormal, times sqrt(2) (%.2g)", far);
    p = sk_params_find(&t, "decoder_rnn_l0_i2h_bias");
    int good = 0;
    for (int i = 0; i < 32; i++) good += data[(int)p->offset + i] == (i / 8 == 1 ? 1.5F : 0.0F);
    is_int(good, 32, "the forget gate's bias begins where it is told to");
    o.recurrent = SK_RECURRENT_STACKED;
    sk_params_init(&t, data, &o);
    good = 0;
    for (int i = 0; i < 32 * 8; i++) good += w[i] == (i / 8 % 8 == i % 8 ? 1.0F : 0.0F);
    is_int(good, 32 * 8, "orthogonal_stacked: an identity matrix for each gate");
    free(data);
    sk_params_free(&t);
}

int main(void)
{
    sk_msg_program("rnn_test");
    struct sk_model_config c = {.vocab = {10, 9}, .layers = {3, 3}, .size = {8, 8}, .max_len = {20, 20},
                               RNN(.attention = SK_ATTENTION_DOT, .embed = {6, 4}, .attention_hidden = 8, .upper = 1)};
    golden("tests/data/rnn_gnmt_like_3x3_dot_upper.json", c);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ok(sk_model_check(&shapes[i].c) == 0, "%s: fits together", shapes[i].name);
        if (TEST_CUDA) beside_cpu(&shapes[i]);
        else differences(&shapes[i], 7e-4);
        company(&shapes[i]);
        parts(&shapes[i]);
        steps(&shapes[i]);
    }
    starts();
    struct sk_model_config bad = shapes[0].c;
    bad.size[0] = bad.size[1] = 7;
    ok(sk_model_check(&bad) == -1 && sk_fail_code() == SK_EXIT_USAGE, "7 units do not read in two directions");
    bad = shapes[0].c;
    bad.rnn.first_residual = 1;
    ok(sk_model_check(&bad) == -1, "the first layer has no residual connection");
    bad = shapes[0].c;
    bad.tying = SK_TYING_TRG_SOFTMAX;
    ok(sk_model_check(&bad) == -1, "tying needs embeddings as wide as the output layer's input");
    return done_testing();
}
