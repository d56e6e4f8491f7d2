/* product.h - matrix products over packed panels; private to this folder.
 *
 * Products are computed in the device's number type. An ELEMENT is the 4
 * bytes that a lane of a register takes at a step: one float32 value, or two
 * bfloat16 values that follow each other in depth; where the processor has no
 * instructions for bfloat16, one float32 value that has been rounded to it; four
 * int8 values, or, for lack of instructions, two int16 ones.
 *
 * BFLOAT16_AMX: of each SK_BLOCK values of depth, products of the even ones are a
 * chain from 0 and those of the odd ones another; their sum is added to c.
 *
 * INT8, for products forward only: a value of row m or output n is q scale[m]
 * or q scale[n], |q| <= 127, with the scale that makes the largest of a row 127.
 * Sums of products of q are exact, so they do not depend on anything; what
 * comes of them is sum * (scale[m] scale[n]) [+ bias[n], in one fma].
 *
 * A panel is WIDTH columns of the right-hand matrix B (depth K): for each
 * element of depth WIDTH elements, of any value where B ends; panel p starts
 * at p * depth * WIDTH. The left-hand matrix is read in place if elements are
 * plain float32 values, else it is packed row by row.
 */
#ifndef SK_MATH_CPU_PRODUCT_H
#define SK_MATH_CPU_PRODUCT_H
#include "math/cpu/device.h"

/* Rows and columns of the register tile. */
enum { SK_TILE_AVX2 = 6, SK_WIDTH_AVX2 = 16, SK_TILE_AVX512 = 12, SK_WIDTH_AVX512 = 32, SK_TILE_AMX = 16 };
/* Depth of elements of two bfloat16 or four int8 values is a multiple of this: a
 * tile's of AMX. */
enum { SK_UNIT_BF16 = 16, SK_UNIT_VNNI = 16 };
/* Values that SK_BFLOAT16_AMX sums before they are added to what is there. */
enum { SK_BLOCK = 32 };
/* Rows of logits that stand in memory at once: whole leaves with up to MOST, or
 * about ROWS of a longer one; see output.c. */
enum { SK_OUTPUT_ROWS = 256, SK_OUTPUT_MOST = 640 };
/* Elements of depth done at a time: a panel of it stays in the first cache. */
enum { SK_DEPTH = 256 };
/* Floats of the panels of one part of a product, about: they stay in the second cache. */
enum { SK_PANELS = 1 << 18 };

static inline int sk_tile(const struct sk_device *dev)
{
    if (sk_amx(dev))
        return SK_TILE_AMX;
    return dev->isa == SK_ISA_AVX512 ? SK_TILE_AVX512 : SK_TILE_AVX2;
}

static inline int sk_width(const struct sk_device *dev)
{
    return dev->isa == SK_ISA_AVX512 ? SK_WIDTH_AVX512 : SK_WIDTH_AVX2;
}

static inline int sk_round_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

/* Floats of the panels of a matrix of N columns, `depth` elements deep. */
static inline size_t sk_panels_size(const struct sk_device *dev, int N, int depth)
{
    return (size_t)sk_round_up(N, sk_width(dev)) * (size_t)depth;
}

struct sk_weight {
    const struct sk_kernels *kernels;
    int N, K;
    float *forward;                      /* panels of W^T (K, N) */
    float *backward;                     /* panels of W (N, K), or NULL */
    float *scale;                        /* int8: struct sk_tail; else NULL */
    int32_t *offset;
};

/* --- gemm_isa.c, gemm_bf16.c, gemm_blocks_isa.c, gemm_amx.c ------------------------ */

/* What is done with sums at their end. The arrays of columns reach to the end of
 * the last panel, except bias. */
struct sk_tail {
    const float *bias;                   /* (N) or NULL */
    const float *row_scale, *column_scale;       /* (M), (N) of int8, or NULL */
    const int32_t *column_offset;        /* (N) of int8: what to subtract from the sum */
};
/* c (M, N) = [c +] a (M, depth) B, then tail (NULL: nothing), in one thread;
 * panels are `step` floats apart. int8: add must be 0. */
#define SK_GEMM_ARGS (float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step, \
                      int M, int N, int depth, int add, const struct sk_tail *tail)
/* The rows of a (M, K) as elements, one after the other; int8: their scales (M). */
#define SK_ROWS_ARGS (float *to, float *scale, const float *a, size_t lda, int M, int K)
/* Rows of b (rows, N) as elements of depth of panels that are `step` floats apart. */
#define SK_PACK_ARGS (float *panels, size_t step, const float *b, size_t ldb, int N, int rows)
/* Panel p of the transpose of b (N, K). */
#define SK_PACK_TRANSPOSED_ARGS (float *panels, const float *b, int N, int K, int p)
/* One segment of a leaf for one tile of a weight's gradient (c: its rows
 * rounded up to SK_TILE):
 *   c (M, columns) = [c +] sum over `rows` rows of dy^T x
 *   db (M), unless NULL: db + sum of dy
 * then, in turn, c = plus[i] + c, db = plus_db[i] + db. dy is (rows, M) in
 * place, x the first of `columns` / WIDTH panels, `step` floats apart. a:
 * scratch of SK_DEPTH * M (to the next tile) floats. */
enum { SK_LEVELS = 10 };                 /* 1024 leaves */
struct sk_leaf_tile {
    float *c, *db;
    size_t ldc;
    const float *dy, *x;
    size_t ldy, step;
    int M, columns, rows, add;
    float *a;
    const float *plus[SK_LEVELS], *plus_db[SK_LEVELS];
    size_t ldp;
    int pluses;
};
#define SK_LEAF_TILE_ARGS (const struct sk_leaf_tile *t)
SK_ISA_DECLARE(void, sk_gemm, SK_GEMM_ARGS);
SK_ISA_DECLARE(void, sk_pack, SK_PACK_ARGS);
SK_ISA_DECLARE(void, sk_pack_transposed, SK_PACK_TRANSPOSED_ARGS);
SK_ISA_DECLARE(void, sk_leaf_tile, SK_LEAF_TILE_ARGS);
SK_ISA_DECLARE(void, sk_rows_narrow, SK_ROWS_ARGS);
SK_ISA_DECLARE(void, sk_pack_narrow, SK_PACK_ARGS);
SK_ISA_DECLARE(void, sk_pack_transposed_narrow, SK_PACK_TRANSPOSED_ARGS);
SK_ISA_DECLARE(void, sk_leaf_tile_narrow, SK_LEAF_TILE_ARGS);
SK_ISA_DECLARE(void, sk_gemm_blocks, SK_GEMM_ARGS);
SK_ISA_DECLARE(void, sk_leaf_tile_blocks, SK_LEAF_TILE_ARGS);
void sk_gemm_amx SK_GEMM_ARGS;
void sk_leaf_tile_amx SK_LEAF_TILE_ARGS;
void sk_gemm_bf16 SK_GEMM_ARGS;
void sk_rows_bf16 SK_ROWS_ARGS;
void sk_pack_bf16 SK_PACK_ARGS;
void sk_pack_transposed_bf16 SK_PACK_TRANSPOSED_ARGS;
void sk_leaf_tile_bf16 SK_LEAF_TILE_ARGS;

/* int8: gemm_int8_isa.c, gemm_vnni.c, gemm_amx.c */
SK_ISA_DECLARE(void, sk_gemm_int8, SK_GEMM_ARGS);
SK_ISA_DECLARE(void, sk_rows_int8, SK_ROWS_ARGS);
/* Panel p of the transpose of b (N, K), with what tail wants of its columns. */
#define SK_QUANTISE_ARGS (float *panels, float *scale, int32_t *offset, const float *b, int N, int K, int p)
SK_ISA_DECLARE(void, sk_quantise_int8, SK_QUANTISE_ARGS);
void sk_gemm_int8_vnni SK_GEMM_ARGS;
void sk_gemm_int8_amx SK_GEMM_ARGS;
void sk_rows_int8_vnni SK_ROWS_ARGS;
void sk_quantise_int8_vnni SK_QUANTISE_ARGS;

/* --- kernels.c -------------------------------------------------------------------- */

/* What computes products in the device's number type. */
struct sk_kernels {
    int values;                          /* of an element */
    int unit;                            /* depth is a multiple of this many elements */
    int flush;                           /* subnormal numbers are zeros: see sk_flush_begin */
    void (*gemm) SK_GEMM_ARGS;
    void (*rows) SK_ROWS_ARGS;           /* NULL: left-hand matrices are read in place */
    void (*pack) SK_PACK_ARGS;
    void (*pack_transposed) SK_PACK_TRANSPOSED_ARGS;
    void (*leaf_tile) SK_LEAF_TILE_ARGS;
    void (*quantise) SK_QUANTISE_ARGS;   /* int8, which has neither of the three before */
};
const struct sk_kernels *sk_kernels(const struct sk_device *dev);
/* The same of one weight: int8 is for products forward only, and not too deep. */
const struct sk_kernels *sk_weight_kernels(const struct sk_device *dev, int K, int backward);

/* Elements of K values: whole units. */
static inline int sk_elements(const struct sk_kernels *k, int K)
{
    return sk_round_up((K + k->values - 1) / k->values, k->unit);
}

/* Around gemm and leaf_tile: float32 instructions that stand in for bfloat16
 * ones must treat subnormal numbers as these do. */
unsigned sk_flush_begin(const struct sk_kernels *k);
void sk_flush_end(unsigned before);

/* --- linear.c --------------------------------------------------------------- */

/* c (M, N) = a (M, K) W^T [+ bias (N)], shared out among the threads. */
void sk_cpu_forward(struct sk_device *dev, float *c, size_t ldc, const float *a, const struct sk_weight *w, int M,
                    const float *bias);
/* c (M, K) = [c +] a (M, N) W. */
void sk_cpu_backward(struct sk_device *dev, float *c, const float *a, size_t lda, const struct sk_weight *w, int M,
                     int add);

/* --- gradient.c ------------------------------------------------------------- */

/* dw (N, K) = sum over rows of dy^T x, db (N) or NULL of dy, by leaves; the
 * rows may come in several calls, in order, which cut leaves anywhere. */
struct sk_weight_sum {
    int N, K;
    float *dw, *db;
    struct sk_leaves leaves;
    float *kept;                         /* what lives between calls; NULL if there is one call only */
    int whole;                           /* each call has 2^whole leaves from a multiple of that on */
};
/* Floats of kept. */
size_t sk_cpu_weight_sum_size(const struct sk_device *dev, int N, int K, int leaves, int whole);
/* Floats of each thread's scratch. */
size_t sk_cpu_weight_sum_scratch(const struct sk_device *dev, int N, int K, int leaves);
/* Adds rows row0..row1 (dy and x point at row0), whose leaves are
 * leaf0..leaf1 - 1: leaf1 is the first leaf that does not begin before row1
 * (empty leaves at row1 may be left to the next call, if there is one). */
void sk_cpu_weight_sum(struct sk_device *dev, const struct sk_weight_sum *sum, const float *dy, size_t ldy,
                       const float *x, int row0, int row1, int leaf0, int leaf1);

/* --- output.c ------------------------------------------------------------------ */

/* log2 of the leaves whose logits stand in memory at once; 0 also where the
 * longest leaf has more rows than that allows, and is cut. */
int sk_cpu_output_whole(struct sk_leaves leaves);

/* --- output_isa.c ----------------------------------------------------------- */

/* Of one row of logits (V): see ops.h. grad != 0: the row becomes its gradient. */
SK_ISA_DECLARE(void, sk_loss_row, (float *logits, int V, int label, float smoothing, float scale, int grad,
                                   float *nll, uint8_t *correct));
SK_ISA_DECLARE(void, sk_logprob_row, (float *logits, int V));
#endif
