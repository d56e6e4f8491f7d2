/* transformer.h - the Transformer of Vaswani et al. 2017 as Sockeye 1.18
 * builds it (names, shapes, formulas: parameters interchange with it).
 *
 * Order of calls for training: sk_model_new, parameters into
 * sk_model_data(), sk_model_load_weights after each change of them, then
 * sk_model_gradient for each update.
 */
#ifndef SK_MODEL_TRANSFORMER_H
#define SK_MODEL_TRANSFORMER_H
#include "math/ops.h"
#include "model/params.h"
#include "text/batch.h"

enum sk_positions { SK_POSITIONS_NONE, SK_POSITIONS_FIXED, SK_POSITIONS_LEARNED };
enum sk_tying { SK_TYING_NONE, SK_TYING_TRG_SOFTMAX, SK_TYING_SRC_TRG, SK_TYING_SRC_TRG_SOFTMAX };

/* [0]: encoder / source, [1]: decoder / target. */
struct sk_transformer {
    int vocab[2], layers[2], size[2], heads[2], feed_forward[2], max_len[2];  /* max_len with EOS/BOS */
    char pre[2][8], post[2][8];      /* strings over n, d, r */
    enum sk_activation activation;
    enum sk_positions positions;
    enum sk_tying tying;
    /* training only */
    float dropout_attention, dropout_act, dropout_prepost;
    float dropout_embed[2];          /* --embed-dropout */
};
/* 0, or -1 with SK_EXIT_USAGE naming the sizes that do not fit together. */
int sk_transformer_check(const struct sk_transformer *c);
/* The table of parameters, finished. */
void sk_transformer_params(const struct sk_transformer *c, struct sk_params *t);

struct sk_model;
/* train != 0: memory for batches of the given limits and gradients. The model
 * keeps pointers to ops and dev. */
struct sk_model *sk_model_new(const struct sk_transformer *c, const struct sk_ops *ops, struct sk_device *dev,
                              const struct sk_batch_limits *limits /* NULL: translating only */);
void sk_model_free(struct sk_model *m);
const struct sk_params *sk_model_params(const struct sk_model *m);
const struct sk_transformer *sk_model_config(const struct sk_model *m);
/* Flat (device) buffers in the layout of the table. */
float *sk_model_data(struct sk_model *m);
float *sk_model_gradients(struct sk_model *m);
/* After any change of sk_model_data. */
void sk_model_load_weights(struct sk_model *m);

struct sk_loss {
    double nll;                      /* sum over labels, unsmoothed */
    int64_t correct, labels;
};
/* Gradient of the smoothed cross entropy, each label weighted loss_scale;
 * dropout by (seed, update). Adds nothing: gradients are stored. */
void sk_model_gradient(struct sk_model *m, const struct sk_batch *b, uint64_t seed, uint32_t update,
                       float smoothing, float loss_scale, struct sk_loss *loss);
/* Without dropout and gradients. nll (Tt) per label or NULL. */
void sk_model_loss(struct sk_model *m, const struct sk_batch *b, float *nll, struct sk_loss *loss);

/* --- translating ------------------------------------------------------- */
/* A decoder holds the encoder's results of up to `sentences` sentences and
 * the keys and values of up to `rows` hypotheses. A row's distribution
 * depends on its own source and prefix only. */
struct sk_decoder;
struct sk_decoder *sk_decoder_new(struct sk_model *m, int sentences, int source_rows, int rows, int max_steps);
void sk_decoder_free(struct sk_decoder *d);
/* Encodes n sentences: ids with EOS at the end, packed; offset (n + 1). */
void sk_decoder_encode(struct sk_decoder *d, const int32_t *ids, const int32_t *offset, int n);
/* One step for R rows: row r continues row parent[r] of the previous step
 * (ignored at step 0) of sentence sentence[r], with input word id[r] (BOS at
 * step 0) at position `step`. logp (R, V) host = log probabilities of the
 * next word; valid until the next call. */
const float *sk_decoder_step(struct sk_decoder *d, int step, int R, const int32_t *id,
                             const int32_t *parent, const int32_t *sentence);
#endif
