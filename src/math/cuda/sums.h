/* sums.h - sums over rows, by leaves. Inside a leaf of n rows the order of
 * additions depends on n alone; leaves are combined by the tree of ops.h. */
#ifndef SK_MATH_CUDA_SUMS_H
#define SK_MATH_CUDA_SUMS_H
#include "math/cuda/cuda.h"

/* db (N) = sum of the rows of dy (., N). Here and below dy and x are of the type of rows. */
void sk_sum_columns(struct sk_device *dev, float *db, const float *dy, int N, struct sk_leaves leaves);
/* dgamma, dbeta (D) of layer norm. */
void sk_norm_columns(struct sk_device *dev, float *dgamma, float *dbeta, const float *dy, const float *x,
                     const float *stat, int D, struct sk_leaves leaves);
/* part (N): column sums of dy (rows, N), one leaf's, of floats or bfloat16; add: onto part. */
void sk_sum_leaf(struct sk_device *dev, float *part, const void *dy, enum sk_dtype dtype, int N, int rows, int add);
/* out (N) = the tree over `leaves` parts (leaves, N). */
void sk_sum_tree(struct sk_device *dev, float *out, const float *parts, int leaves, size_t N);
#endif
