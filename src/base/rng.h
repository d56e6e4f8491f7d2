/* rng.h - counter-based random numbers: no state, a pure function of
 * (key, counter). Philox4x32-10 (Salmon et al. 2011, "Parallel random
 * numbers: as easy as 1, 2, 3"). Header only, so that kernels can inline it.
 */
#ifndef SK_BASE_RNG_H
#define SK_BASE_RNG_H
#include <stdint.h>
#ifdef __CUDACC__
#define SK_RNG_INLINE static inline __host__ __device__
#else
#define SK_RNG_INLINE static inline
#endif

struct sk_rng { uint32_t v[4]; };

SK_RNG_INLINE struct sk_rng sk_philox(uint64_t key, uint32_t c0, uint32_t c1,
                                      uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    struct sk_rng r = {{c0, c1, c2, c3}};
    return r;
}

/* Uniform in [0, 1) with 24 bits. */
SK_RNG_INLINE float sk_rng_uniform(uint32_t bits) { return (float)(bits >> 8) * 0x1p-24f; }

/* Position i of a keyed permutation of 0..n-1: a bijection computed, not
 * stored (balanced Feistel network over the next power of four, cycle
 * walking). The same (key, n) gives the same order everywhere. */
uint64_t sk_permute(uint64_t key, uint64_t n, uint64_t i);
#endif
