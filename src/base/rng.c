#include "base/rng.h"

#include "base/msg.h"

enum { ROUNDS = 8 };

/* Finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t sk_permute(uint64_t key, uint64_t n, uint64_t i)
{
    SK_ENSURE(i < n);
    if (n == 1)
        return 0;
    /* Two halves of h bits each, the least with 4^h >= n: on average fewer
     * than four walks until the image lies below n. */
    int bits = 64 - __builtin_clzll(n - 1), h = (bits + 1) / 2;
    uint64_t mask = ((uint64_t)1 << h) - 1, start = mix(key + 0x9E3779B97F4A7C15u);
    do {
        uint64_t left = i >> h, right = i & mask;
        for (uint64_t round = 1; round <= ROUNDS; round++) {
            uint64_t f = mix(start ^ (round << 40) ^ right * 0xD1B54A32D192ED03u) >> (64 - h);
            uint64_t swapped = left ^ f;
            left = right;
            right = swapped;
        }
        i = left << h | right;
    } while (i >= n);
    return i;
}
