/* rnn.h - the RNN with attention (struct sk_rnn): private to this folder.
 *
 * Encoder: one bidirectional layer of half width, then layers of full width,
 * forward. Decoder, step t (input feeding): layer 0 reads the word before and
 * the attentional hidden state s of the step before; the query of attention
 * is the top layer's output, or (upper) layer 0's, and then the layers above
 * read the context too; s = tanh(W [top; context] + b) is what the output
 * layer reads. Layers from first_residual on add their input (without the
 * context) to what they give out.
 *
 * Order of rows. Inside, rows stand time-major: sentences sorted by length,
 * longest first, step t's rows are those of all sentences longer than t, so
 * that they stand at the front of the rows of step t - 1, and nothing is
 * padded. The encoder's input products and its weight gradients, and the
 * decoder's weight gradients, are one product over all rows. Gradients of
 * parameters are summed over rows in the batch's own order, by leaves.
 */
#ifndef SK_MODEL_RNN_H
#define SK_MODEL_RNN_H
#include "model/network.h"

int sk_rnn_check(const struct sk_model_config *c);
void sk_rnn_params(const struct sk_model_config *c, struct sk_params *t);

/* Builds what a model of this kind has besides embeddings and output. Training:
 * with memory for batches of the model's limits. */
void sk_rnn_init(struct sk_model *m);
void sk_rnn_load(struct sk_model *m);
void sk_rnn_free(struct sk_model *m);
/* m->rnn is another model's: a copy of it that has no memory yet takes its place. */
void sk_rnn_twin(struct sk_model *m);
void sk_rnn_free_twin(struct sk_model *m);
/* (Tt, H) what the output layer reads, in the batch's order. */
float *sk_rnn_forward(struct sk_model *m, const struct sk_batch *b, const struct sk_pass *pass);
/* Where its gradient (Tt, H) may stand. */
float *sk_rnn_gradient(struct sk_model *m);
/* From the gradient of that (overwritten) to the parameters, and to embeddings:
 * dembed[0] (Ts, E), dembed[1] (Tt, E). */
void sk_rnn_backward(struct sk_model *m, const struct sk_batch *b, float *dtop, float *dembed[2],
                     const struct sk_pass *pass);

/* --- memory of models that only translate ------------------------------------ */
/* Source rows and sentences; target rows and rows of one step; longest source. */
struct sk_rnn_capacity { int rows[2], sentences, step, longest, max_len[2]; };
void sk_rnn_take(struct sk_model *m, const struct sk_rnn_capacity *c);
void sk_rnn_give_back(struct sk_model *m);

/* --- translating (rnn_decoder.c): what struct sk_decoder does ------------------ */
struct sk_rnn_decoder;
struct sk_rnn_decoder *sk_rnn_decoder_new(struct sk_model *m, int slots, int source_rows, int beam, int max_steps);
void sk_rnn_decoder_free(struct sk_rnn_decoder *d);
void sk_rnn_decoder_encode(struct sk_rnn_decoder *d, const int32_t *ids, const int32_t *offset, int n,
                           const int32_t *slot);
/* Returns (R, H), what the output layer reads. */
const float *sk_rnn_decoder_step(struct sk_rnn_decoder *d, const struct sk_decoder_rows *rows);

/* --- inside ----------------------------------------------------------------------- */

struct sk_rnn_layer {
    struct sk_linear i2h, h2h;
    int K, H, residual;
    uint32_t site_in, site_state;
    /* (T, .) of all rows; out is h where there is no residual connection, in is x
     * where there is no dropout, x may be the layer below's out */
    float *x, *in, *gates, *c, *h, *hin, *out;
    float *own_x, *own_in, *own_out;
    float *mask_in, *mask_state;     /* (S, K), (S, H) */
    float *dx, *dhx;                 /* (T, 3H or 4H); LSTM: one */
    float *h0, *c0;                  /* (S, H) states before the first step; decoder */
    float *dh, *dc;                  /* (S, H) gradient that comes from the step after */
};

/* Order of time-major rows. Host. */
struct sk_rnn_order {
    int steps;
    int32_t *first;                  /* (steps + 1) */
    int32_t *packed, *inverse;       /* (T) time-major row -> the batch's; back */
    int32_t *rank;                   /* (S) sentences, longest first */
};

struct sk_rnn_net {
    int L[2], A;                     /* layers of a stack beyond the bidirectional one; width of the query */
    struct sk_rnn_layer way[2];      /* forward, reverse */
    struct sk_rnn_layer *layer[2];
    struct sk_linear start[2 * 64];  /* state tensors, in Sockeye's order */
    int starts;
    struct sk_linear key, query, hidden;          /* key.w, query.w NULL: there is none */
    const float *v, *gamma, *beta;                /* of mlp attention */
    float *dv, *dgamma, *dbeta;
    const float *start_gamma[2 * 64], *start_beta[2 * 64], *hidden_gamma, *hidden_beta;
    float *dstart_gamma[2 * 64], *dstart_beta[2 * 64], *dhidden_gamma, *dhidden_beta;
    uint32_t site_hidden;
    struct sk_rnn_capacity cap;
    struct sk_rnn_order order[3];    /* source, target, source reversed */
    int32_t *swap[2];                /* (Ts) rows of one way of the encoder in the other's order */
    int32_t *key_first, *key_n, *last;            /* (step), by rank */
    int32_t *zeros, *leaf;           /* (T) 0; (leaves + 1) sentences */
    int64_t *ordinal;                /* (S) by rank */
    int32_t *iota;
    float *slab;                     /* of models that only translate */
    /* device */
    float *none;                     /* zeros (max(S, step), H) */
    float *ones;                     /* (largest K) */
    float *both;                     /* (Ts, H) the two ways side by side */
    float *memory, *keys;            /* (Ts, H), (Ts, A): in the batch's order */
    float *gx, *gh;                  /* (T, 4H), (max(S, step), 4H) */
    float *e, *e_ranked, *z[2 * 64], *zstat[2 * 64];
    float *q, *prob;                 /* (T, A), (T, longest) */
    float *context, *cat;           /* (Tt, H), (Tt, 2H) */
    float *pre, *stat, *s, *top;     /* (Tt, H) before the norm, its (Tt, 2), result; in the batch's order */
    float *mask_hidden, *mask_packed;
    /* backward */
    float *ds, *dpre, *dpre0, *dcat, *dbelow, *din, *dq, *dvr, *dgr, *dbr, *dkeys, *dmemory, *dlayer[2], *de, *dz;
    float *dwords[2];
    float *gp, *xp;                  /* rows in the batch's order */
    float *scratch;                  /* gradients of norms that are asked for later */
};

/* What scores of dot attention are multiplied by. */
float sk_rnn_scale(const struct sk_model *m);
/* The encoder, over m->embed[0].x: memory and keys. */
void sk_rnn_encode(struct sk_model *m, struct sk_rows rows, const struct sk_pass *pass);
/* Initial states of n sentences whose encodings e are (n, H): row i to state tensor k's out[k]. */
void sk_rnn_start(struct sk_model *m, float *const *out, const float *e, int n);
/* e (n, H) from the memory, by sentence. */
void sk_rnn_summary(struct sk_model *m, float *e, struct sk_rows rows);
/* One step of the decoder: rows r0.. of n; words' embeddings stand in layer 0's
 * x. before: s, and states as in start, of the step before, (n, H) each. */
void sk_rnn_step(struct sk_model *m, int r0, int n, const float *s, const float *const *before,
                 const float *keys, const float *values, const int32_t *first, const int32_t *keys_n);
#endif
