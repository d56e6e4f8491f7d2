/* draw.h - random numbers as numpy's default_rng(seed) gives them: PCG64
 * (O'Neill 2014), so that resamples are those of sacreBLEU. */
#ifndef SK_SCORE_DRAW_H
#define SK_SCORE_DRAW_H
#include <stdint.h>

struct sk_draw { unsigned __int128 state, step; uint32_t half; int has_half; };
void sk_draw_seed(struct sk_draw *d, uint64_t seed);
/* 0..n-1, each as likely as the others: numpy's choice(n). n >= 1. */
uint32_t sk_draw_below(struct sk_draw *d, uint32_t n);
#endif
