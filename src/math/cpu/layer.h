/* layer.h - operations between products: what their two files share. Row
 * operations work on a range of rows each; the kernels are in *_isa.c. */
#ifndef SK_MATH_CPU_LAYER_H
#define SK_MATH_CPU_LAYER_H
#include "math/cpu/device.h"

/* A row operation: `kernel` runs on rows first..end-1 with scratch for one
 * row's dropout factors. Which members it uses is said there. */
struct sk_row_op {
    void (*kernel)(const struct sk_row_op *o, int first, int end, float *factor);
    int n;                           /* values of a row */
    struct sk_rows rows;
    struct sk_dropout drop;
    float *out, *stat;
    const float *a, *b, *gamma, *beta;
    enum sk_activation act;
    const int32_t *id, *at;
    float scale;
    int add;
};
#define SK_ROW_KERNEL(f) SK_ISA_DECLARE(void, f, (const struct sk_row_op *o, int first, int end, float *factor))
SK_ROW_KERNEL(sk_row_dropout_add);
SK_ROW_KERNEL(sk_row_activation);
SK_ROW_KERNEL(sk_row_activation_gradient);
SK_ROW_KERNEL(sk_row_relu_gradient);
SK_ROW_KERNEL(sk_row_embed);
SK_ROW_KERNEL(sk_row_norm);
SK_ROW_KERNEL(sk_row_norm_gradient);

/* 1 / (1 - p) where the value of the row is kept, 0 elsewhere: n floats, and
 * up to 63 more may be written. */
enum { SK_FACTOR_PAD = 64 };
SK_ISA_DECLARE(void, sk_dropout_factors, (float *factor, int n, struct sk_dropout drop, int64_t ordinal, int position));
/* Sentence of a row. */
int sk_sentence_of(const struct sk_rows *rows, int row);

/* --- sums over rows, by leaves ------------------------------------------- */

/* dgamma and dbeta of columns first..first + 31 (or up to D). */
SK_ISA_DECLARE(void, sk_norm_columns, (float *dgamma, float *dbeta, const float *dy, const float *x,
                                       const float *stat, int D, int first, struct sk_leaves leaves));
/* One row of a table: sum of scale[stream] * dx rows, listed leaf after leaf. */
struct sk_sum_entry { int32_t row; int16_t stream, leaf; };
SK_ISA_DECLARE(void, sk_sum_rows, (float *out, int D, const struct sk_sum_entry *e, int n, int leaves,
                                   const float *const *dx, const float *scale));
SK_ISA_DECLARE(void, sk_add_range, (float *a, const float *b, size_t n));

/* --- attention: one sentence's queries (attention_isa.c) ------------------- */
struct sk_attention {
    int H, d, nq, nk, causal;
    const float *q, *k, *v;          /* first rows */
    int ldq, ldk;
    float *prob;                     /* (H, nq, nk) */
    struct sk_dropout drop;
    int64_t ordinal;
    float *context;                  /* (nq, D) */
    const float *dcontext;
    float *dq, *dk, *dv;
};
/* Floats of scratch for a sentence. */
size_t sk_attention_scratch(int H, int D, int nq, int nk);
SK_ISA_DECLARE(void, sk_attend, (const struct sk_attention *a, float *scratch));
SK_ISA_DECLARE(void, sk_attend_gradient, (const struct sk_attention *a, float *scratch));

/* --- optimizer_isa.c -------------------------------------------------------- */
SK_ISA_DECLARE(double, sk_sum_squares_chunk, (const float *g, size_t n));
SK_ISA_DECLARE(void, sk_optimize_range, (float *w, float *m, float *v, const float *g, size_t n,
                                         const struct sk_optimizer_step *s));
#endif
