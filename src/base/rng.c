#include "base/rng.h"
#include "base/msg.h"

/* Four rounds of a balanced Feistel network over 2 * half bits; values
 * outside 0..n-1 walk on along their cycle, so the map stays a bijection. */
uint64_t sk_permute(uint64_t key, uint64_t n, uint64_t i)
{
    SK_ENSURE(i < n);
    unsigned half = 1;
    while (half < 32 && n > (uint64_t)1 << (2 * half)) half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint32_t round = 0; round < 6; round++) {
            struct sk_rng r = sk_philox(key, (uint32_t)right, round, (uint32_t)n, (uint32_t)(n >> 32));
            uint64_t next = left ^ (r.v[0] & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}
