/* model.h - models as Sockeye 1.18 builds them (names, shapes, formulas:
 * parameters interchange with it): the Transformer of Vaswani et al. 2017, and
 * the RNN.
 *
 * Order of calls for training: sk_model_new, parameters into
 * sk_model_data(), sk_model_load_weights after each change of them, then
 * sk_model_gradient for each update.
 */
#ifndef SK_MODEL_MODEL_H
#define SK_MODEL_MODEL_H
#include "math/ops.h"
#include "model/params.h"
#include "text/batch.h"
#include "text/factored.h"

enum sk_positions { SK_POSITIONS_NONE, SK_POSITIONS_FIXED, SK_POSITIONS_LEARNED };
enum sk_tying { SK_TYING_NONE, SK_TYING_TRG_SOFTMAX, SK_TYING_SRC_TRG, SK_TYING_SRC_TRG_SOFTMAX };

/* The RNN of Sockeye 1.18 (Bahdanau et al. 2015, Luong et al. 2015, Wu et al.
 * 2016); model/rnn.h says how it is computed. */
enum sk_architecture { SK_TRANSFORMER, SK_RNN };
enum sk_rnn_attention { SK_ATTENTION_MLP, SK_ATTENTION_DOT, SK_ATTENTION_BILINEAR };
enum sk_rnn_start { SK_START_LAST, SK_START_AVG, SK_START_ZERO };
struct sk_rnn {
    enum sk_cell cell;
    int embed[2];                    /* width of the embeddings */
    enum sk_rnn_attention attention;
    int attention_hidden;            /* of mlp and dot */
    int scale_dot, upper;            /* scaled; --rnn-attention-in-upper-layers */
    int first_residual;              /* from which layer, counted from 1 (2 at least); 0: no residual connections */
    enum sk_rnn_start start;         /* where the decoder's states come from */
    int layer_norm;                  /* of mlp attention, attentional hidden layer, initial states */
    /* training only */
    float dropout_inputs[2], dropout_states[2], dropout_hidden;
};

/* Source factors: a word comes with `n` more symbols, each with a table of its own;
 * their vectors stand behind the word's (concat) or are added to it (sum, all of
 * one width). size[0] of a Transformer and rnn.embed[0] are the width of it all. */
struct sk_factors {
    int n, sum;                      /* n: 0, a model without */
    int vocab[SK_FACTORS_MAX], embed[SK_FACTORS_MAX];
};

/* A model's architecture and sizes. [0]: encoder / source, [1]: decoder / target.
 * SK_RNN uses vocab, layers, size (units of a layer, equal on both sides), max_len,
 * tying, dropout_embed and rnn. */
struct sk_model_config {
    int vocab[2], layers[2], size[2], heads[2], feed_forward[2], max_len[2];  /* max_len with EOS/BOS */
    char pre[2][8], post[2][8];      /* strings over n, d, r */
    enum sk_activation activation;
    enum sk_positions positions;
    enum sk_tying tying;
    /* training only */
    float dropout_attention, dropout_act, dropout_prepost;
    float dropout_embed[2];          /* --embed-dropout */
    enum sk_architecture architecture;
    struct sk_rnn rnn;
    struct sk_factors factors;
};
/* Width of what the encoder reads, and of the word's own vector in it. */
int sk_model_source_width(const struct sk_model_config *c);
int sk_model_word_width(const struct sk_model_config *c);
/* 0, or -1 with SK_EXIT_USAGE naming the sizes that do not fit together. */
int sk_model_check(const struct sk_model_config *c);
/* The table of parameters, finished. */
void sk_model_table(const struct sk_model_config *c, struct sk_params *t);

struct sk_model;
/* train != 0: memory for batches of the given limits and gradients. The model
 * keeps pointers to ops and dev. */
struct sk_model *sk_model_new(const struct sk_model_config *c, const struct sk_ops *ops, struct sk_device *dev,
                              const struct sk_batch_limits *limits /* NULL: translating only */);
void sk_model_free(struct sk_model *m);
const struct sk_params *sk_model_params(const struct sk_model *m);
const struct sk_model_config *sk_model_config(const struct sk_model *m);
/* Flat (device) buffers in the layout of the table. */
float *sk_model_data(struct sk_model *m);
float *sk_model_gradients(struct sk_model *m);
/* A model with factors is given the numbers of combinations where ids of source
 * words stand: row i of *rows (combinations, 1 + n) has the ids of word and
 * factors of combination i; the special symbols' numbers are their ids. *rows may
 * change between calls; twins that are made later look there too. */
void sk_model_combinations(struct sk_model *m, const int32_t *const *rows);
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
/* The same of some leaves of an update (sk_batch_part), for processes that share
 * it: what the regions hold afterwards is to be summed over the aligned ranges of
 * leaves, pair by pair, as ops.h has it, before sk_model_gradient_finish makes
 * the gradients of it. A range without sentences counts as zeros. */
enum { SK_REGIONS_MAX = 64 };
struct sk_model_region { float *data /* device */; size_t n; };
/* In the order in which the backward pass is done with them; how many. */
int sk_model_regions(const struct sk_model *m, const struct sk_model_region **region);
/* ready (or NULL) is told when the first n regions hold what they will: their memory
 * may be read from then on. Told at least once, of all of them. */
void sk_model_gradient_part(struct sk_model *m, const struct sk_batch *b, uint64_t seed, uint32_t update,
                            float smoothing, float loss_scale, struct sk_loss *loss,
                            void (*ready)(void *ctx, int regions), void *ctx);
void sk_model_gradient_finish(struct sk_model *m);
/* Without dropout and gradients. nll (Tt) per label or NULL. */
void sk_model_loss(struct sk_model *m, const struct sk_batch *b, float *nll, struct sk_loss *loss);

/* A model made for translating once more, on a device that is `dev` or its twin:
 * it reads the parameters and weights of m, which must outlive it, and has
 * its own decoder. */
struct sk_model *sk_model_twin(const struct sk_model *m, struct sk_device *dev);
/* What it was made with. */
const struct sk_ops *sk_model_ops(const struct sk_model *m, struct sk_device **dev);

/* --- translating (decoder.c) -------------------------------------------- */
/* A decoder holds the encoder's results of up to `slots` sentences and the
 * keys and values of up to `beam` hypotheses for each. Sentences come and go
 * at any time. A row's distribution depends on its own source and prefix only. */
enum { SK_ENSEMBLE_MAX = 64 };
struct sk_decoder;
/* source_rows: most rows encoded at once; the longest source, too. A model
 * serves one decoder at a time. */
struct sk_decoder *sk_decoder_new(struct sk_model *m, int slots, int source_rows, int beam, int max_steps);
void sk_decoder_free(struct sk_decoder *d);
/* Encodes n sentences: ids with EOS at the end, packed; offset (n + 1);
 * sentence i is known as slot[i] from now on. */
void sk_decoder_encode(struct sk_decoder *d, const int32_t *ids, const int32_t *offset, int n, const int32_t *slot);
/* Rows of one step, grouped by sentences. */
struct sk_decoder_rows {
    int groups;                      /* G */
    const int32_t *slot;             /* (G) */
    const int32_t *position;         /* (G) words before: steps that the sentence has had */
    const int32_t *first;            /* (G + 1) first row of each, R at the end; 1 to `beam` rows each */
    const int32_t *id;               /* (R) input word: BOS at position 0 */
    const int32_t *parent;           /* (R) the row it continues, as that was numbered among the rows of the
                                        same sentence at its step before; position 0: ignored */
};
void sk_decoder_step(struct sk_decoder *d, const struct sk_decoder_rows *rows);
/* The next words after sk_decoder_step (row r of `top` is row r of the step),
 * once a step. Several decoders that made the same step: the mean of their
 * distributions, of the logarithms if log_linear. */
void sk_decoder_top(struct sk_decoder *const *d, int n, int log_linear, const struct sk_top *top);
/* From now on slot's sentence has these n words only, ascending (the caller's, as long as
 * the sentence is there); NULL: all. sk_decoder_top gives the distributions over them; of
 * what is asked for all must be among them, and label_first be there. */
void sk_decoder_allow(struct sk_decoder *d, int slot, const int32_t *word, int n);
/* In place of sk_decoder_top: the whole distributions (R, V), over all words: log
 * probabilities, in host memory that is good, and the caller's to change, until the next
 * step. */
float *sk_decoder_logprob(struct sk_decoder *const *d, int n, int log_linear);

/* --- scoring (forced.c) -------------------------------------------------- */
/* Memory for batches of the limits, to run a model that was made for
 * translating over given translations. */
struct sk_forced;
struct sk_forced *sk_forced_new(struct sk_model *m, const struct sk_batch_limits *l);
/* logp (Tt) of each label: the bits that sk_decoder_top gives. */
void sk_forced_logprob(struct sk_forced *f, const struct sk_batch *b, float *logp);
void sk_forced_free(struct sk_forced *f);
#endif
