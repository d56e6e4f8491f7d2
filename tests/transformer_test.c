/* transformer_test.c - the Transformer, held to what tests/model.h asks. */
#include "model.h"

static const struct shape shapes[] = {
    {"pre n post dr, tied, relu",
     {{20, 20}, {2, 1}, {8, 8}, {2, 4}, {12, 20}, {20, 20}, {"n", "n"}, {"dr", "dr"}, SK_RELU, SK_POSITIONS_FIXED,
      SK_TYING_SRC_TRG_SOFTMAX, 0.1F, 0.2F, 0.1F, {0, 0}, SK_TRANSFORMER, {0}, {0}}},
    {"post drn, untied, gelu, 2:1 layers, sizes differ",
     {{20, 23}, {2, 1}, {8, 12}, {4, 2}, {10, 14}, {20, 20}, {"", ""}, {"drn", "drn"}, SK_GELU, SK_POSITIONS_FIXED,
      SK_TYING_NONE, 0.2F, 0.1F, 0.1F, {0, 0}, SK_TRANSFORMER, {0}, {0}}},
    {"learned positions, swish1, trg_softmax, embedding dropout",
     {{20, 23}, {1, 1}, {8, 8}, {2, 2}, {12, 12}, {20, 20}, {"n", "n"}, {"dr", "dr"}, SK_SWISH1,
      SK_POSITIONS_LEARNED, SK_TYING_TRG_SOFTMAX, 0.1F, 0.1F, 0.2F, {0.1F, 0.2F}, SK_TRANSFORMER, {0}, {0}}},
    {"odd sequences: nd, nrdnr; no positions, src_trg",
     {{20, 20}, {1, 2}, {8, 8}, {1, 8}, {12, 12}, {20, 20}, {"nd", "dn"}, {"nrdnr", "rr"}, SK_SWISH1,
      SK_POSITIONS_NONE, SK_TYING_SRC_TRG, 0, 0, 0.1F, {0.1F, 0}, SK_TRANSFORMER, {0}, {0}}},
    {"pre empty, post r, pre nn",
     {{20, 20}, {1, 1}, {8, 8}, {2, 2}, {12, 12}, {20, 20}, {"", "nn"}, {"r", "dr"}, SK_GELU, SK_POSITIONS_LEARNED,
      SK_TYING_SRC_TRG_SOFTMAX, 0, 0, 0.1F, {0, 0}, SK_TRANSFORMER, {0}, {0}}},
    {"source factors behind the word, untied, embedding dropout",
     {{20, 23}, {1, 1}, {14, 8}, {2, 2}, {12, 12}, {20, 20}, {"n", "n"}, {"dr", "dr"}, SK_RELU, SK_POSITIONS_FIXED,
      SK_TYING_NONE, 0.1F, 0.1F, 0.2F, {0.1F, 0}, SK_TRANSFORMER, {0}, {2, 0, {7, 6}, {4, 3}}}},
    {"source factors added, all tied, learned positions",
     {{20, 20}, {1, 1}, {8, 8}, {2, 2}, {12, 12}, {20, 20}, {"n", "n"}, {"dr", "dr"}, SK_RELU, SK_POSITIONS_LEARNED,
      SK_TYING_SRC_TRG_SOFTMAX, 0, 0, 0.1F, {0, 0}, SK_TRANSFORMER, {0}, {1, 1, {9}, {8}}}},
    {"a source factor behind the word, tables tied",
     {{20, 20}, {1, 1}, {12, 8}, {2, 2}, {12, 12}, {20, 20}, {"n", "n"}, {"dr", "dr"}, SK_RELU, SK_POSITIONS_FIXED,
      SK_TYING_SRC_TRG, 0, 0, 0.1F, {0, 0}, SK_TRANSFORMER, {0}, {1, 0, {9}, {4}}}},
};

int main(void)
{
    sk_msg_program("transformer_test");
    struct sk_model_config c = {.vocab = {15, 15}, .layers = {2, 2}, .size = {8, 8}, .heads = {2, 2},
                               .feed_forward = {12, 12}, .max_len = {20, 20}, .pre = {"n", "n"}, .post = {"dr", "dr"},
                               .activation = SK_RELU, .positions = SK_POSITIONS_FIXED,
                               .tying = SK_TYING_SRC_TRG_SOFTMAX};
    golden("tests/data/transformer_pre_n_post_dr_tied.json", c);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ok(sk_model_check(&shapes[i].c) == 0, "%s: fits together", shapes[i].name);
        if (TEST_CUDA) beside_cpu(&shapes[i]);
        else differences(&shapes[i], 2e-3);
        if (TEST_CUDA && i > 1) continue;    /* slow there */
        company(&shapes[i]);
        parts(&shapes[i]);
        steps(&shapes[i]);
    }
    numbers = SK_BFLOAT16;
    /* The last: heads that tensor cores take. */
    struct shape last = shapes[0];
    last.name = "heads of 16";
    last.c.size[0] = last.c.size[1] = 32;
    last.c.heads[0] = last.c.heads[1] = 2;
    for (size_t i = 0; TEST_CUDA && i <= sizeof shapes / sizeof shapes[0]; i++) {
        const struct shape *s = i < sizeof shapes / sizeof shapes[0] ? &shapes[i] : &last;
        beside_cpu(s);
        company(s);
        parts(s);
    }
    struct sk_model_config bad = shapes[0].c;
    bad.heads[0] = 3;
    ok(sk_model_check(&bad) == -1 && sk_fail_code() == SK_EXIT_USAGE, "8 is not divisible by 3 heads");
    bad = shapes[0].c;
    bad.vocab[1]++;
    ok(sk_model_check(&bad) == -1, "tying needs one vocabulary");
    bad = shapes[0].c;
    strcpy(bad.pre[0], "nr");
    ok(sk_model_check(&bad) == -1, "no residual before a sub-layer");
    return done_testing();
}
