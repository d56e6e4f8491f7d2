/* blocks_inline.h - sums of a register tile by blocks of BLOCK elements, each of
 * one value: the even ones' chain and the odd ones', both from 0, added, and
 * that to the sum so far. One chain at a time is in registers: the even ones
 * and the sums so far wait in memory.
 */
#ifndef SK_MATH_CPU_BLOCKS_INLINE_H
#define SK_MATH_CPU_BLOCKS_INLINE_H

#define KEEP_ONE(r, j) STORE(sums + (r * 8 + j) * LANES, c##r##_##j);
#define KEEP(r, C) COLS_##C(KEEP_ONE, r)
#define CLEAR_ONE(r, j) c##r##_##j = ZERO();
#define CLEAR(r, C) COLS_##C(CLEAR_ONE, r)
#define EVEN_ONE(r, j) STORE(evens + (r * 8 + j) * LANES, c##r##_##j); c##r##_##j = ZERO();
#define EVEN(r, C) COLS_##C(EVEN_ONE, r)
#define JOIN_ONE(r, j)                                                                                \
        c##r##_##j = ADD(FETCH_ONE(evens + (r * 8 + j) * LANES), c##r##_##j);                         \
        c##r##_##j = ADD(FETCH_ONE(sums + (r * 8 + j) * LANES), c##r##_##j);
#define JOIN(r, C) COLS_##C(JOIN_ONE, r)

/* a and b end behind the last element. */
#define CHAIN(R, C, A_STEP, first)                                                                    \
        a = begin_a + (size_t)(first) * (A_STEP);                                                     \
        b = begin_b + (size_t)(first) * WIDTH;                                                        \
        for (int k = first; k < n; k += 2) {                                                          \
            STEPS(R, C, A_STEP)                                                                       \
            a += 2 * (size_t)(A_STEP);                                                                \
            b += 2 * WIDTH;                                                                           \
        }

#define TILE_SUMS(R, C, A_STEP)                                                                       \
        _Alignas(64) float sums[R * 8 * LANES], evens[R * 8 * LANES];                                 \
        const float *begin_a = a, *begin_b = b;                                                       \
        ROWS_##R(INIT, C)                                                                             \
        for (int done = 0; done < K; done += BLOCK) {                                                 \
            int n = least(BLOCK, K - done);                                                           \
            ROWS_##R(KEEP, C)                                                                         \
            ROWS_##R(CLEAR, C)                                                                        \
            CHAIN(R, C, A_STEP, 0)                                                                    \
            ROWS_##R(EVEN, C)                                                                         \
            CHAIN(R, C, A_STEP, 1)                                                                    \
            ROWS_##R(JOIN, C)                                                                         \
            begin_a += BLOCK * (size_t)(A_STEP);                                                      \
            begin_b += BLOCK * WIDTH;                                                                 \
        }
#endif
