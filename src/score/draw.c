/* draw.c - PCG64. */
#include "score/draw.h"

/* --- the seed is spread over 256 bits: numpy's SeedSequence, which is
 * O'Neill's "seed_seq_fe" (2015) with a pool of four words ---------------------- */

enum { POOL = 4 };

static uint32_t hash(uint32_t value, uint32_t *by, uint32_t multiplier)
{
    value ^= *by;
    *by *= multiplier;
    value *= *by;
    return value ^ value >> 16;
}

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint32_t mixed = 0xCA01F9DDu * a - 0x4973F715u * b;
    return mixed ^ mixed >> 16;
}

static unsigned __int128 join(const uint32_t *word)      /* 64 bits low word first, of two such the high one first */
{
    uint64_t high = word[0] | (uint64_t)word[1] << 32, low = word[2] | (uint64_t)word[3] << 32;
    return (unsigned __int128)high << 64 | low;
}

static const unsigned __int128 multiplier = (unsigned __int128)0x2360ED051FC65DA4u << 64 | 0x4385DF649FCCF645u;

void sk_draw_seed(struct sk_draw *d, uint64_t seed)
{
    uint32_t pool[POOL] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, word[2 * POOL], by = 0x43B0D7E5u;
    for (int i = 0; i < POOL; i++)
        pool[i] = hash(pool[i], &by, 0x931E8875u);
    for (int from = 0; from < POOL; from++)
        for (int to = 0; to < POOL; to++)
            if (from != to)
                pool[to] = mix(pool[to], hash(pool[from], &by, 0x931E8875u));
    by = 0x8B51F9DDu;
    for (int i = 0; i < 2 * POOL; i++)
        word[i] = hash(pool[i % POOL], &by, 0x58F38DEDu);
    d->step = join(word + POOL) << 1 | 1;
    d->state = (d->step + join(word)) * multiplier + d->step;
    d->has_half = 0;
}

/* --- PCG XSL RR 128/64, its output taken in halves ------------------------------ */

static uint32_t next(struct sk_draw *d)
{
    if (d->has_half) {
        d->has_half = 0;
        return d->half;
    }
    d->state = d->state * multiplier + d->step;
    uint64_t folded = (uint64_t)(d->state >> 64) ^ (uint64_t)d->state;
    unsigned turn = (unsigned)(d->state >> 122);
    uint64_t value = folded >> turn | folded << (-turn & 63);
    d->half = (uint32_t)(value >> 32);
    d->has_half = 1;
    return (uint32_t)value;
}

/* Lemire (2019), "Fast random integer generation in an interval". */
uint32_t sk_draw_below(struct sk_draw *d, uint32_t n)
{
    if (n < 2)
        return 0;
    uint64_t product = (uint64_t)next(d) * n;
    if ((uint32_t)product < n) {
        uint32_t unfair = -n % n;
        while ((uint32_t)product < unfair)
            product = (uint64_t)next(d) * n;
    }
    return (uint32_t)(product >> 32);
}
