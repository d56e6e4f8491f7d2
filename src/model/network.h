/* network.h - a whole model in memory: private to this folder. */
#ifndef SK_MODEL_NETWORK_H
#define SK_MODEL_NETWORK_H
#include "model/blocks.h"

/* Words to vectors, of one side. */
struct sk_embedding {
    const float *table;              /* (V, D) in net.data */
    float *dtable;                   /* NULL: the other side's call makes it (one shared table) */
    const float *position;           /* (max_len, D) or NULL */
    float *dposition;                /* learned positions */
    float *fixed;                    /* the sinusoids, if these are used */
    int V, D;                        /* of the table */
    int width;                       /* of x: D, if there are no factors */
    float scale;
    uint32_t site_embed, site_prepost;
    float *words;                    /* (T, D) between the two dropouts, if embedding dropout is on */
    float *x;                        /* (T, width) */
};

/* What source factors have besides (factors.c). */
struct sk_factor_net {
    const int32_t *const *rows;      /* what combinations are made of */
    const float *table[SK_FACTORS_MAX];
    float *dtable[SK_FACTORS_MAX];
    int cap;                         /* rows that there is memory for */
    float *whole, *part;             /* (cap, width), (cap, the widest part) */
    int32_t *ids, *iota;             /* host: (1 + n, cap); 0, 1, 2, ... */
};

struct sk_rnn_net;
struct sk_model {
    struct sk_model_config c;
    struct sk_params table;
    struct sk_net net;
    struct sk_batch_limits limits;
    int train;
    int blocks[2];
    struct sk_block *block[2];
    struct sk_rnn_net *rnn;          /* of SK_RNN, which has no blocks */
    struct sk_process final[2];
    struct sk_embedding embed[2];
    struct sk_factor_net factors;
    struct sk_linear output;
    /* training */
    struct sk_backward back[2];
    float *slab;                     /* what a batch's activations are laid out in */
    int32_t *iota;                   /* host, 0, 1, 2, ... */
    float *nll;                      /* host (T) */
    uint8_t *correct;
    float *memory[16];               /* device allocations to release */
    int memories;
    int twin;                        /* parameters and weights are another's */
    /* What sums over several processes are made of (regions.c). */
    struct sk_model_region region[SK_REGIONS_MAX];
    struct { int side, layer; } done_with[SK_REGIONS_MAX];      /* when a region is finished */
    int regions, ready;              /* so many of this pass are */
    void (*when_ready)(void *ctx, int regions);
    void *ready_ctx;
    int decoders;                    /* translating: blocks' buffers belong to one decoder or scorer */
};

float *sk_model_device(struct sk_model *m, size_t floats);
/* embed.c. The name of a side's table; where it stands; the gradients of both sides'
 * tables and positions, from gx (T, width), which is used up. */
const char *sk_embed_table_name(const struct sk_model_config *c, int side);
void sk_embed_init(struct sk_model *m, int side);
void sk_embed_backward(struct sk_model *m, const struct sk_batch *b, float *const gx[2], const struct sk_pass *pass);
/* Embeds rows, at the positions `at` or (NULL) that they have in their sentence; returns (T, D). */
float *sk_model_embed(struct sk_model *m, int side, const int32_t *ids, const int32_t *at,
                      const struct sk_pass *pass);
/* Factors (factors.c). Whether sizes fit: as sk_model_check. Their tables, counted from 0 as in Sockeye. */
#define SK_FACTOR_TABLE "source_embed_factor%d_weight"
int sk_factors_check(const struct sk_model_config *c);
void sk_factors_params(const struct sk_factors *f, struct sk_params *t);
/* Memory for the factors of so many rows; nothing to do without factors. */
void sk_factors_init(struct sk_model *m);
void sk_factors_take(struct sk_model *m, int rows);
void sk_factors_give_back(struct sk_model *m);
/* Words and factors as one, in embed[0].x and then factors.whole, without dropout. */
void sk_factors_embed(struct sk_model *m, const int32_t *ids, struct sk_rows rows);
/* From the gradient of that: those of the factors' tables are stored; that of the
 * word's vectors (T, D) is returned, for the ids in *ids. */
const float *sk_factors_backward(struct sk_model *m, const float *g, const struct sk_leaves *leaves, int T,
                                 const int32_t **ids);
/* The most that attention keeps of T queries, for each head, in sentences of up to
 * `longest` and with up to `keys` keys; 0: a sentence's keys are as many as its queries. */
size_t sk_model_pairs(const struct sk_ops *ops, int T, int longest, int keys);
/* Activations of one side for T rows, without a backward pass: the blocks take
 * turns on two slabs, since a block reads nothing older than its predecessor's
 * result. Ts, pairs, step: as sk_block_layout has them. Returns the memory. */
float *sk_model_layout(struct sk_model *m, int side, int T, int Ts, size_t pairs, int step);
/* Both sides: what the output layer reads (Tt, D). */
const float *sk_model_forward(struct sk_model *m, const struct sk_batch *b, const struct sk_pass *pass);
/* Runs a side's blocks and its final process. */
float *sk_model_stack(struct sk_model *m, int side, float *x, const float *memory, const struct sk_pass *pass);

/* --- regions.c: what of the gradients is finished when ------------------------- */
enum { SK_LAYER_OUTPUT = -1, SK_LAYER_LAST = -2, SK_LAYER_ALL = -3 };
/* Cuts the gradients into regions, once all of them have their places. */
void sk_model_cut(struct sk_model *m);
/* The backward pass is done with that layer of that side (an RNN: SK_LAYER_ALL of a
 * side), with the output layer, with all. */
void sk_model_done_with(struct sk_model *m, int side, int layer);
#endif
