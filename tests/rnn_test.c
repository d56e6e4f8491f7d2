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
    {"2:2 gru, dot, upper layers, dropouts",
     {.vocab = {20, 23}, .layers = {2, 2}, .size = {8, 8}, .max_len = {20, 20}, .tying = SK_TYING_TRG_SOFTMAX,
      RNN(.cell = SK_GRU, .attention = SK_ATTENTION_DOT, .embed = {4, 8}, .attention_hidden = 8, .upper = 1,
          .first_residual = 2, .dropout_inputs = {0.2F, 0.1F}, .dropout_states = {0.2F, 0.2F},
          .dropout_hidden = 0.1F)}},
};

int main(void)
{
    sk_msg_program("rnn_test");
    struct sk_transformer c = {.vocab = {10, 9}, .layers = {3, 3}, .size = {8, 8}, .max_len = {20, 20},
                               RNN(.attention = SK_ATTENTION_DOT, .embed = {6, 4}, .attention_hidden = 8, .upper = 1)};
    golden("tests/data/rnn_gnmt_like_3x3_dot_upper.json", c);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ok(sk_transformer_check(&shapes[i].c) == 0, "%s: fits together", shapes[i].name);
        differences(&shapes[i], 7e-4);
        company(&shapes[i]);
        steps(&shapes[i]);
    }
    struct sk_transformer bad = shapes[0].c;
    bad.size[0] = bad.size[1] = 7;
    ok(sk_transformer_check(&bad) == -1 && sk_fail_code() == SK_EXIT_USAGE, "7 units do not read in two directions");
    bad = shapes[0].c;
    bad.rnn.first_residual = 1;
    ok(sk_transformer_check(&bad) == -1, "the first layer has no residual connection");
    bad = shapes[0].c;
    bad.tying = SK_TYING_TRG_SOFTMAX;
    ok(sk_transformer_check(&bad) == -1, "tying needs embeddings as wide as the output layer's input");
    return done_testing();
}
