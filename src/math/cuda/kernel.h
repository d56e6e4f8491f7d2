/* kernel.h - for kernels: warps, sums, dropout, rows of sentences. */
#ifndef SK_MATH_CUDA_KERNEL_H
#define SK_MATH_CUDA_KERNEL_H
#include "math/cuda/cuda.h"
#include "base/rng.h"

#ifndef SK_BLOCK_WARPS                    /* fewer where threads are dear: on hosts */
#define SK_BLOCK_WARPS 8
#endif
constexpr int SK_WARP = 32, SK_WARPS = SK_BLOCK_WARPS, SK_THREADS = SK_WARP * SK_WARPS;
#define SK_ALL 0xffffffffu

__device__ static inline int sk_lane() { return (int)threadIdx.x % SK_WARP; }
__device__ static inline int sk_warp() { return (int)threadIdx.x / SK_WARP; }
/* Kernels in which a warp does a row. */
__device__ static inline int sk_row_of_warp() { return (int)blockIdx.x * SK_WARPS + sk_warp(); }

/* All lanes get the sum, by a tree of lanes 16, 8, 4, 2, 1 apart. */
__device__ static inline float sk_warp_sum(float v)
{
    for (int step = SK_WARP / 2; step; step /= 2)
        v += __shfl_xor_sync(SK_ALL, v, step);
    return v;
}
/* All lanes get the largest value, NaN aside. */
__device__ static inline float sk_warp_max(float v)
{
    for (int step = SK_WARP / 2; step; step /= 2)
        v = fmaxf(v, __shfl_xor_sync(SK_ALL, v, step));
    return v;
}
/* The same of a block of SK_THREADS; `shared` (SK_WARPS) may be used again after
 * the next barrier. */
__device__ static inline float sk_block_sum(float v, float *shared)
{
    v = sk_warp_sum(v);
    __syncthreads();
    if (sk_lane() == 0)
        shared[sk_warp()] = v;
    __syncthreads();
    float s = shared[0];
    for (int i = 1; i < SK_WARPS; i++)
        s += shared[i];
    return s;
}
__device__ static inline float sk_block_max(float v, float *shared)
{
    v = sk_warp_max(v);
    __syncthreads();
    if (sk_lane() == 0)
        shared[sk_warp()] = v;
    __syncthreads();
    float s = shared[0];
    for (int i = 1; i < SK_WARPS; i++)
        s = fmaxf(s, shared[i]);
    return s;
}

/* --- sentences ------------------------------------------------------------------ */

/* struct sk_rows on the device. */
struct sk_device_rows {
    int rows, sentences;
    const int32_t *offset;
    const int64_t *ordinal;
};
static inline struct sk_device_rows sk_stage_rows(struct sk_device *dev, struct sk_rows rows)
{
    struct sk_device_rows d = {rows.rows, rows.sentences, NULL, NULL};
    d.offset = sk_stage_ints(dev, rows.offset, (size_t)rows.sentences + 1);
    d.ordinal = (const int64_t *)sk_stage(dev, rows.ordinal, (size_t)rows.sentences * sizeof(int64_t));
    return d;
}
__device__ static inline int sk_sentence_of(const int32_t *offset, int sentences, int row)
{
    int low = 0, high = sentences;       /* offset[low] <= row < offset[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (offset[middle] <= row) low = middle;
        else high = middle;
    }
    return low;
}

/* --- dropout: sk_dropout in ops.h ------------------------------------------------- */

struct sk_drop {
    int on;
    float keep;                          /* 1 / (1 - p) */
    uint32_t limit, site, update;
    uint64_t seed;
};
static inline struct sk_drop sk_drop_of(struct sk_dropout d)
{
    struct sk_drop to = {d.p > 0, 1.0f / (1.0f - d.p), (uint32_t)(d.p * 65536), d.site, d.update, d.seed};
    return to;
}
/* Bit l: value l * blocks + b of the row is kept. */
__device__ static inline unsigned sk_drop_bits(const struct sk_drop &d, int64_t ordinal, int position, int b)
{
    struct sk_rng r = sk_philox(d.seed, (uint32_t)b, (uint32_t)position | d.site << 16, (uint32_t)ordinal, d.update);
    unsigned bits = 0;
    for (int l = 0; l < 8; l++)
        bits |= (unsigned)((r.v[l / 2] >> 16 * (l % 2) & 0xffff) >= d.limit) << l;
    return bits;
}

__device__ static inline float sk_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* Nearest bfloat16 (its bits), ties to even; subnormals become zeros, NaN quiet. */
__device__ static inline uint16_t sk_narrow(float x)
{
    union { float f; uint32_t u; } v = {x};
    uint32_t size = v.u & 0x7fffffffu;
    if (size > 0x7f800000u)
        return (uint16_t)((v.u | 0x00400000u) >> 16);
    if (size < 0x00800000u)
        return (uint16_t)((v.u & 0x80000000u) >> 16);
    return (uint16_t)((v.u + 0x7fffu + (v.u >> 16 & 1)) >> 16);
}

/* --- values of rows: float, or bfloat16 (uint16_t) ------------------------------------ */

struct alignas(8) sk_two { float x, y; };
struct alignas(4) sk_two_narrow { uint16_t x, y; };

__device__ static inline float sk_wide(uint16_t bits)
{
    union { uint32_t u; float f; } v = {(uint32_t)bits << 16};
    return v.f;
}
__device__ static inline float sk_get(const float *p) { return *p; }
__device__ static inline float sk_get(const uint16_t *p) { return sk_wide(*p); }
__device__ static inline void sk_put(float *p, float v) { *p = v; }
__device__ static inline void sk_put(uint16_t *p, float v) { *p = sk_narrow(v); }
/* Two neighbours at once: p is a multiple of their size. */
__device__ static inline struct sk_two sk_get2(const float *p) { return *(const struct sk_two *)p; }
__device__ static inline struct sk_two sk_get2(const uint16_t *p)
{
    const struct sk_two_narrow v = *(const struct sk_two_narrow *)p;
    return {sk_wide(v.x), sk_wide(v.y)};
}
__device__ static inline void sk_put2(float *p, struct sk_two v) { *(struct sk_two *)p = v; }
__device__ static inline void sk_put2(uint16_t *p, struct sk_two v)
{
    *(struct sk_two_narrow *)p = {sk_narrow(v.x), sk_narrow(v.y)};
}
/* What is read again of v once it is stored. */
__device__ static inline float sk_stored(const float *, float v) { return v; }
__device__ static inline float sk_stored(const uint16_t *, float v) { return sk_wide(sk_narrow(v)); }

/* Runs a template for the type of the device's rows. */
#define SK_FOR_ROWS(dev, run)              \
    do {                                   \
        if ((dev)->narrow) run(uint16_t);  \
        else run(float);                   \
    } while (0)
/* Can rows of n values be read by two? (Pointers may be NULL.) */
static inline bool sk_by_two(int n, const void *a, const void *b, const void *c)
{
    return n % 16 == 0 && ((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % 8 == 0;
}
#endif
