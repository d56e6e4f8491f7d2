/* product.h - matrix products over packed panels; private to this folder.
 *
 * A panel is WIDTH columns of the right-hand matrix B (depth K): K rows of
 * WIDTH floats, zeros where B ends; panel p starts at p * K * WIDTH. The
 * left-hand matrix is read in place.
 */
#ifndef SK_MATH_CPU_PRODUCT_H
#define SK_MATH_CPU_PRODUCT_H
#include "math/cpu/device.h"

/* Rows and columns of the register tile. */
enum { SK_TILE_AVX2 = 6, SK_WIDTH_AVX2 = 16, SK_TILE_AVX512 = 12, SK_WIDTH_AVX512 = 32 };
/* Rows of logits that stand in memory at once: enough that reading the partial
 * sums of the weight's gradient back costs little beside their products. */
enum { SK_OUTPUT_ROWS = 256 };
/* Depth done at a time: a panel of it stays in the first cache. */
enum { SK_DEPTH = 256 };

static inline int sk_tile(const struct sk_device *dev)
{
    return dev->isa == SK_ISA_AVX512 ? SK_TILE_AVX512 : SK_TILE_AVX2;
}

static inline int sk_width(const struct sk_device *dev)
{
    return dev->isa == SK_ISA_AVX512 ? SK_WIDTH_AVX512 : SK_WIDTH_AVX2;
}

static inline int sk_round_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

/* Floats of the panels of a (K, N) matrix. */
static inline size_t sk_panels_size(const struct sk_device *dev, int N, int K)
{
    return (size_t)sk_round_up(N, sk_width(dev)) * (size_t)K;
}

struct sk_weight {
    int N, K;
    float *forward;                      /* panels of W^T (K, N) */
    float *backward;                     /* panels of W (N, K), or NULL */
};

/* --- gemm_isa.c ------------------------------------------------------------- */

/* c (M, N) = [c +] a (M, K) B [+ bias (N)], in one thread. */
SK_ISA_DECLARE(void, sk_gemm, (float *c, size_t ldc, const float *a, size_t lda, const float *panels,
                               int M, int N, int K, int add, const float *bias));
/* Panels 0.. of b (K, N), rows k0..k1 of them. */
SK_ISA_DECLARE(void, sk_pack, (float *panels, const float *b, size_t ldb, int N, int K, int k0, int k1));
/* Panel p of the transpose of b (N, K). */
SK_ISA_DECLARE(void, sk_pack_transposed, (float *panels, const float *b, int N, int K, int p));
/* One segment of a leaf for one tile of a weight's gradient (tile of c: its
 * rows rounded up to SK_TILE):
 *   c (M, columns) = [c +] sum over `rows` rows of dy^T x
 *   db (M), unless NULL: db + sum of dy
 * dy is (rows, M) in place, x the first of `columns` / WIDTH panels, `step`
 * floats apart. a: scratch of SK_DEPTH * M (to the next tile) floats. */
SK_ISA_DECLARE(void, sk_leaf_tile, (float *c, float *db, const float *dy, size_t ldy, const float *x, size_t step,
                                    int M, int columns, size_t ldc, int rows, int add, float *a));
/* a (n) = b (n) + a (n), n a multiple of 16 */
SK_ISA_DECLARE(void, sk_add_to, (float *a, const float *b, size_t n));

/* --- linear.c --------------------------------------------------------------- */

/* sk_gemm shared out among the threads. */
void sk_cpu_product(struct sk_device *dev, float *c, size_t ldc, const float *a, size_t lda,
                    const float *panels, int M, int N, int K, int add, const float *bias);

/* --- gradient.c ------------------------------------------------------------- */

/* dw (N, K) = sum over rows of dy^T x, db (N) or NULL of dy, by leaves; the
 * rows may come in several calls, in order, which cut leaves anywhere. */
struct sk_weight_sum {
    int N, K;
    float *dw, *db;
    struct sk_leaves leaves;
    float *kept;                         /* what lives between calls; NULL if there is one call only */
};
/* Floats of kept. */
size_t sk_cpu_weight_sum_size(const struct sk_device *dev, int N, int K, int leaves);
/* Floats of each thread's scratch. */
size_t sk_cpu_weight_sum_scratch(const struct sk_device *dev, int N, int K, int leaves);
/* Adds rows row0..row1 (dy and x point at row0), whose leaves are
 * leaf0..leaf1 - 1: leaf1 is the first leaf that does not begin before row1
 * (empty leaves at row1 may be left to the next call, if there is one). */
void sk_cpu_weight_sum(struct sk_device *dev, const struct sk_weight_sum *sum, const float *dy, size_t ldy,
                       const float *x, int row0, int row1, int leaf0, int leaf1);

/* --- output_isa.c ----------------------------------------------------------- */

/* Of one row of logits (V): see ops.h. grad != 0: the row becomes its gradient. */
SK_ISA_DECLARE(void, sk_loss_row, (float *logits, int V, int label, float smoothing, float scale, int grad,
                                   float *nll, uint8_t *correct));
SK_ISA_DECLARE(void, sk_logprob_row, (float *logits, int V));
#endif
