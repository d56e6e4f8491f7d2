/* gemm.cc - products on a host: each element one chain of fused multiply-adds, k
 * ascending from 0, as the cpu backend has them. */
#include "math/cuda/gemm.h"
#include "math/cuda/kernel.h"

struct sk_gemm_engine { int unused; };
struct sk_gemm_engine *sk_gemm_open(struct sk_device *, const char **) { return new sk_gemm_engine(); }
void sk_gemm_close(struct sk_gemm_engine *e) { delete e; }

/* The nearest float of 10 bits of precision, ties away from zero, as tensor cores have it. */
static float tf32(float x)
{
    union { float f; uint32_t u; } v = {x};
    v.u = (v.u + 0x1000) & ~(uint32_t)0x1fff;
    return v.f;
}

/* Value i of an operand, whatever its number type. */
static float value(const void *p, enum sk_dtype dtype, int tf, size_t i)
{
    if (dtype == SK_FLOAT32)
        return tf ? tf32(((const float *)p)[i]) : ((const float *)p)[i];
    union { uint32_t u; float f; } v = {(uint32_t)((const uint16_t *)p)[i] << 16};
    return v.f;
}

static void product(const struct sk_gemm &g, int tf)
{
    auto at = [tf](const void *p, enum sk_dtype dtype, size_t i) { return value(p, dtype, tf, i); };
    size_t M = (size_t)g.M, N = (size_t)g.N, K = (size_t)g.K;
    float *sum = new float[N], *b = new float[N * K];    /* b as (K, N) */
    for (size_t k = 0; k < K; k++)
        for (size_t n = 0; n < N; n++)
            b[k * N + n] = at(g.b, g.dtype, g.kind == SK_GEMM_FORWARD ? n * (size_t)g.ldb + k : k * (size_t)g.ldb + n);
    for (size_t m = 0; m < M; m++) {
        for (size_t n = 0; n < N; n++)
            sum[n] = 0;
        for (size_t k = 0; k < K; k++) {
            float a = at(g.a, g.dtype, g.kind == SK_GEMM_WEIGHT ? k * (size_t)g.lda + m : m * (size_t)g.lda + k);
            const float *row = b + k * N;
            for (size_t n = 0; n < N; n++)
                sum[n] = __builtin_fmaf(a, row[n], sum[n]);
        }
        for (size_t n = 0; n < N; n++) {
            const size_t i = m * (size_t)g.ldc + n;
            if (g.bias)
                sum[n] += value(g.bias, g.out, 0, n);
            if (g.add)
                sum[n] += value(g.c, g.out, 0, i);
            if (g.out == SK_FLOAT32)
                ((float *)g.c)[i] = sum[n];
            else
                ((uint16_t *)g.c)[i] = sk_narrow(sum[n]);
        }
    }
    delete[] sum;
    delete[] b;
}

void sk_gemm_run(struct sk_device *dev, const struct sk_gemm *g)
{
    struct sk_gemm copy = *g;
    int tf = dev->tf32;
    sk_host_queue(sk_gemm_stream(dev, g), [copy, tf] { product(copy, tf); });
}
