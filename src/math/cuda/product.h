/* product.h - products as the other files of this folder use them. */
#ifndef SK_MATH_CUDA_PRODUCT_H
#define SK_MATH_CUDA_PRODUCT_H
#include "math/cuda/gemm.h"

/* W as products want it: floats, or their bfloat16. */
struct sk_weight { int N, K; enum sk_dtype dtype; void *data; };

/* Bytes of a value. */
static inline size_t sk_width(enum sk_dtype dtype) { return dtype == SK_FLOAT32 ? sizeof(float) : sizeof(uint16_t); }
/* What rows are at the moment. */
static inline enum sk_dtype sk_rows_type(const struct sk_device *dev) { return dev->narrow ? SK_BFLOAT16 : SK_FLOAT32; }
/* Value i of rows, whatever they are. */
static inline const float *sk_value(const struct sk_device *dev, const float *rows, size_t i)
{
    return (const float *)((const char *)rows + i * sk_width(sk_rows_type(dev)));
}

/* The operand (n values of rows) in the number type of products: itself, or a copy in the slot. */
const void *sk_operand(struct sk_device *dev, enum sk_cuda_slot slot, const float *x, size_t n);
/* c (T, N) = a W^T + bias, c (T, K) = a W; a as sk_operand gives it, c of type `out`. */
void sk_product_forward(struct sk_device *dev, void *c, enum sk_dtype out, const void *a, const struct sk_weight *w,
                        const float *bias, int T);
void sk_product_data(struct sk_device *dev, void *c, enum sk_dtype out, const void *a, const struct sk_weight *w, int T,
                     int add);

/* Of a weight of so many values or fewer, all leaves' gradients are made side by side. */
constexpr size_t SK_SIDE_MOST = (size_t)8 << 20;

/* The gradient of a weight, leaf after leaf. Finished subtrees stand in `of`, the
 * first in dw, so that the tree of ops.h needs log2(leaves) buffers more. */
enum { SK_LEVELS = 11 };
struct sk_weight_sum {
    struct sk_device *dev;
    int N, K, leaves;
    float *dw, *spare;                   /* (levels, N, K) */
    float *of[SK_LEVELS];
    int size[SK_LEVELS], n;              /* leaves of each; how many there are */
};
struct sk_weight_sum sk_weight_sum_begin(struct sk_device *dev, float *dw, int N, int K, int leaves);
/* One leaf's: dy (rows, N)^T x (rows, K), in pieces; the first of them has first != 0, the last has last != 0. */
void sk_weight_sum_leaf(struct sk_weight_sum *s, const void *dy, const void *x, int rows, int first, int last);
#endif
