/* gemm.h - one matrix product: gemm_lt.cu computes it with cuBLASLt. Sums are
 * made in float32, in an order that depends on K, N and the number type alone,
 * not on M: the same algorithm, without split sums, for all M. */
#ifndef SK_MATH_CUDA_GEMM_H
#define SK_MATH_CUDA_GEMM_H
#include "math/cuda/cuda.h"

enum sk_gemm_kind {
    SK_GEMM_FORWARD,         /* c (M, N) = a (M, K) b (N, K)^T [+ bias (N)] */
    SK_GEMM_DATA,            /* c (M, N) = a (M, K) b (K, N) */
    SK_GEMM_WEIGHT           /* c (M, N) = a (K, M)^T b (K, N) */
};
struct sk_gemm {
    enum sk_gemm_kind kind;
    enum sk_dtype dtype;                 /* of a and b: float, or uint16_t of bfloat16 */
    int M, N, K;                         /* M, of SK_GEMM_WEIGHT K, counts tokens */
    const void *a, *b;
    int lda, ldb, ldc;                   /* of rows */
    enum sk_dtype out;                   /* of c and bias: float, or uint16_t of bfloat16 */
    void *c;
    const void *bias;
    int add;                             /* onto c, after the sum */
    int side;                            /* 0: in dev->stream; i: in dev->side[i - 1] */
};
struct sk_gemm_engine *sk_gemm_open(struct sk_device *dev, const char **why);
void sk_gemm_close(struct sk_gemm_engine *e);
void sk_gemm_run(struct sk_device *dev, const struct sk_gemm *g);
static inline cudaStream_t sk_gemm_stream(const struct sk_device *dev, const struct sk_gemm *g)
{
    return g->side ? dev->side[g->side - 1].stream : dev->stream;
}
/* Bytes that it takes for itself; of these, for each side. */
enum { SK_GEMM_SIDE = 8 << 20, SK_GEMM_MAIN = 32 << 20, SK_GEMM_WORKSPACE = SK_GEMM_MAIN + SK_SIDES * SK_GEMM_SIDE };
#endif
