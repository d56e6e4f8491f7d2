/* blocks.h - sub-layers of the Transformer over the seam, forward and
 * backward: private to this folder.
 *
 * A stack is a flat row of sub-layers, each `x' = post(f(pre(x)), prev = x)`
 * with f = self-attention, attention to the encoder, or feed-forward, and a
 * final process. Activations that the backward pass wants stay in buffers
 * that are laid out once (struct sk_slab).
 */
#ifndef SK_MODEL_BLOCKS_H
#define SK_MODEL_BLOCKS_H
#include "model/model.h"

/* What all blocks of one model share. */
struct sk_net {
    const struct sk_ops *ops;
    struct sk_device *dev;
    const struct sk_model_config *config;
    const struct sk_params *table;
    float *data, *grad;              /* device; grad NULL: translating only */
    /* Gradients of second uses of a parameter, added onto the first at the
     * end, in this order. */
    struct sk_net_sum { float *into, *from; size_t n; } *sum;
    int sums;
    uint32_t sites;                  /* dropout sites given out */
    int backward;                    /* weights are wanted for gradients too */
    size_t item;                     /* bytes of a value of rows (ops.h) in its passes; 2: they are narrow */
};

/* Memory for the gradient of one more use of a parameter, to be added onto
 * `into` when all are there. */
float *sk_net_extra(struct sk_net *n, float *into, size_t floats);

/* What one pass over a batch needs to know. */
struct sk_pass {
    int train;                       /* dropout on */
    uint64_t seed;
    uint32_t update;
    struct sk_rows rows[2];          /* source, target */
    struct sk_leaves leaves[2];
};

struct sk_dropout sk_pass_dropout(const struct sk_pass *pass, float p, uint32_t site);
/* A parameter that the table must have. */
const struct sk_param *sk_net_param(const struct sk_net *n, const char *name);

/* Bump allocator, in floats: run with base NULL it measures, then it hands out.
 * item: bytes of a value of rows. */
struct sk_slab { float *base; size_t used, most, item; };
float *sk_slab_take(struct sk_slab *s, size_t floats);
/* Rows (ops.h) of so many values; where value i of them stands. */
float *sk_slab_rows(struct sk_slab *s, size_t values);
float *sk_rows_at(const struct sk_net *n, float *rows, size_t i);

struct sk_linear {
    struct sk_weight *w;
    const float *data, *bias;        /* in net->data */
    float *dw, *db;                  /* in net->grad */
    int N, K;
};
void sk_linear_init(struct sk_net *n, struct sk_linear *l, const char *weight, const char *bias);
void sk_linear_load(const struct sk_net *n, struct sk_linear *l);
void sk_linear_free(const struct sk_net *n, struct sk_linear *l);
void sk_linear_forward(const struct sk_net *n, float *y, const float *x, const struct sk_linear *l, int T);

/* One pre, post or final string at one place. */
struct sk_process {
    char steps[8];
    int D, owns;                     /* owns: its input may be overwritten (post) */
    const float *gamma, *beta;
    float *dgamma[8], *dbeta[8];     /* of each n */
    uint32_t site[8];                /* of each d */
    float *out[8], *stat[8];
    const float *in[8];              /* of each n: remembered for the backward pass */
    /* Training: the process whose input this one's result is, if that begins with n; and
     * the one whose result this one's input is, if it ends with d, r: so that they are done
     * in one operation. */
    struct sk_process *next, *before;
    int begun;                       /* forward: its first n is done */
};
void sk_process_init(struct sk_net *n, struct sk_process *p, const char *steps, const char *prefix,
                     int D, int owns);
/* p's result is what q takes, in a pass whose buffers all stand apart. */
void sk_process_join(struct sk_process *p, struct sk_process *q);
void sk_process_layout(struct sk_process *p, struct sk_slab *s, int T);
/* Returns where the result is. side: 0 source rows, 1 target rows. */
float *sk_process_forward(const struct sk_net *n, struct sk_process *p, float *x, const float *prev,
                          int T, const struct sk_pass *pass, int side);

enum sk_kind { SK_SELF, SK_CROSS, SK_FEED };
struct sk_block {
    enum sk_kind kind;
    int side, D, F, H;
    struct sk_process pre, post;
    struct sk_linear in, out;        /* i2h (or q2h) and h2o */
    struct sk_linear k, v;           /* attention to the encoder */
    uint32_t site;
    int in_place;                    /* the activation overwrites what it reads: mid is wide */
    float *wide;                     /* (T, 3D) q|k|v, (T, D) q, or (T, F) before activation */
    float *mid;                      /* (T, D) context, or (T, F) after activation */
    float *keys, *values;            /* (Ts, D) of SK_CROSS */
    float *prob, *f;
    const float *y;                  /* pre's result, for the backward pass */
};
void sk_block_init(struct sk_net *n, struct sk_block *b, enum sk_kind kind, int side, int layer);
/* T rows here, Ts rows of what is attended to; pairs: queries times keys, summed
 * over sentences. step: for translating row by row: keys and values are kept
 * elsewhere. */
void sk_block_layout(struct sk_block *b, struct sk_slab *s, int T, int Ts, size_t pairs, int step);
void sk_block_load(const struct sk_net *n, struct sk_block *b);
void sk_block_free(const struct sk_net *n, struct sk_block *b);
/* f of SK_FEED: from y (T, D) to b->f. */
void sk_feed_forward(const struct sk_net *n, struct sk_block *b, const float *y, const struct sk_pass *pass);
/* Keys and values (Ts, D) of SK_CROSS from the encoder's result. */
void sk_cross_keys(const struct sk_net *n, const struct sk_block *b, float *keys, float *values,
                   const float *memory, int Ts);
float *sk_block_forward(const struct sk_net *n, struct sk_block *b, float *x, const float *memory,
                        const struct sk_pass *pass);

/* Memory of the backward pass of one side. */
struct sk_backward {
    float *g[4];                     /* (T, D) */
    float *wide;                     /* (T, max(3D, F)); may be the other side's */
    float *dkeys, *dvalues;          /* (Ts, D), decoder only */
    float *dropped;                  /* one of g: the gradient of what the block before has dropped
                                      * of, where the norm after it has made that already; or NULL */
};
/* A buffer of w->g that is neither a nor b. */
float *sk_backward_other(const struct sk_backward *w, const float *a, const float *b);
/* gx: gradient of the block's output, one of w->g; returns that of its input
 * (also one of them). dmemory (Ts, De) += for SK_CROSS; *dmemory_set says
 * whether it holds anything yet. */
float *sk_block_backward(const struct sk_net *n, struct sk_block *b, struct sk_backward *w, float *gx,
                         const float *memory, float *dmemory, int *dmemory_set, const struct sk_pass *pass);
/* g: gradient of the process's output. Returns that of its input. Where the
 * string has r, *residual (NULL: none yet) gets what goes to prev; it may be
 * the very buffer that is returned, which is then not to be overwritten. */
float *sk_process_backward(const struct sk_net *n, struct sk_process *p, struct sk_backward *w, float *g,
                           float **residual, int T, const struct sk_pass *pass, int side);
/* The pre string at the end of a block's backward pass: what reaches y joins
 * the residual's gradient; a leading norm adds to it without a buffer between. */
float *sk_pre_backward(const struct sk_net *n, struct sk_process *p, struct sk_backward *w, float *gy,
                       float *residual, int T, const struct sk_pass *pass, int side);
#endif
