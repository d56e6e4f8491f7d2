/* gemm_inline.h - products over packed panels: register tiles and the loops
 * around them, for the files that define
 *
 *   vec              a register of LANES elements, or of sums
 *   TILE, WIDTH      rows and columns of the register tile; WIDTH = 2 LANES
 *   SPREAD(x), FETCH_ONE(p)     one element everywhere; LANES of them
 *   FMA(a, b, c)     c + what one element of a and one of b give: a step of
 *                    all sums of the register
 *   FIRST(p), ZERO() what sums begin with: from c, or nothing
 *   FINISH(r, j, s)  statements that put sum s, of row r and columns
 *                    j * LANES.., into c, as `end` (struct sk_tail) says
 *   DEPTH_AT_ONCE    elements after which sums may rest in c
 *   BLOCK            perhaps: see blocks_inline.h
 *   NAME(f)          this file's copy of function f
 *
 * Each value of c is one sum over ascending k. Tiles, panels and blocks of
 * depth only decide which values are computed side by side; between blocks
 * of depth a sum rests in c. So no size of a block can change a bit.
 *
 * K counts elements (product.h), here and in all of this file.
 */
#ifndef SK_MATH_CPU_GEMM_INLINE_H
#define SK_MATH_CPU_GEMM_INLINE_H
#include <string.h>
#include "math/cpu/tile_inline.h"

/* A register tile of R rows and C vectors (C / 2 panels, `step` floats
 * apart). Element (r, k) of a is a[r * row + k * skip]. */
#define INIT_ONE(r, j) vec c##r##_##j = add ? FIRST(c + r * ldc + j * LANES) : ZERO();
#define INIT(r, C) COLS_##C(INIT_ONE, r)
#define FETCH(r, j) vec b##j = FETCH_ONE(b + j / 2 * step + j % 2 * LANES);
#define STEP_ONE(r, j) c##r##_##j = FMA(s, b##j, c##r##_##j);
#define STEP(r, C) { vec s = SPREAD(a[r * lda]); COLS_##C(STEP_ONE, r) }
#define WRITE_ONE(r, j) FINISH(r, j, c##r##_##j)
#define WRITE(r, C) COLS_##C(WRITE_ONE, r)

/* Panels come from the second cache: each line is asked for some steps before. */
enum { SOON = 12 * WIDTH };
#define STEPS(R, C, A_STEP)                                                                           \
            COLS_##C(FETCH, 0)                                                                        \
            __builtin_prefetch(b + SOON);                                                             \
            __builtin_prefetch(b + SOON + WIDTH / 2);                                                 \
            ROWS_##R(STEP, C)

#ifndef BLOCK
#define TILE_SUMS(R, C, A_STEP)                                                                       \
        ROWS_##R(INIT, C)                                                                             \
        for (int k = 0; k < K; k++) {                                                                 \
            STEPS(R, C, A_STEP)                                                                       \
            a += (A_STEP);                                                                            \
            b += WIDTH;                                                                               \
        }
#else
#include "math/cpu/blocks_inline.h"
#endif

#define TILE_FUNCTION(name, R, C, A_ROW, A_STEP)                                                      \
    static void name(int K, const float *a, size_t row, const float *b, size_t step,                  \
                     float *c, size_t ldc, int add, const struct sk_tail *tail)                       \
    {                                                                                                 \
        const size_t lda = (A_ROW);                                                                   \
        const struct sk_tail end = *tail;                                                             \
        TILE_SUMS(R, C, A_STEP)                                                                       \
        ROWS_##R(WRITE, C)                                                                            \
        (void)row;                                                                                    \
        (void)step;                                                                                   \
        (void)add;                                                                                    \
    }
#define TILE_IN_PLACE(R, C) TILE_FUNCTION(tile_##R##_##C, R, C, row, 1)

TILE_IN_PLACE(1, 8)
TILE_IN_PLACE(2, 4)
TILE_IN_PLACE(3, 4)
TILE_IN_PLACE(1, 2)
TILE_IN_PLACE(2, 2)
TILE_IN_PLACE(3, 2)
TILE_IN_PLACE(4, 2)
TILE_IN_PLACE(5, 2)
TILE_IN_PLACE(6, 2)
#ifdef __AVX512F__
TILE_IN_PLACE(7, 2)
TILE_IN_PLACE(8, 2)
TILE_IN_PLACE(9, 2)
TILE_IN_PLACE(10, 2)
TILE_IN_PLACE(11, 2)
TILE_IN_PLACE(12, 2)
#endif

typedef void tile_function(int K, const float *a, size_t row, const float *b, size_t step,
                           float *c, size_t ldc, int add, const struct sk_tail *tail);

static tile_function *const tile_of[TILE + 1] = {
    NULL, tile_1_2, tile_2_2, tile_3_2, tile_4_2, tile_5_2, tile_6_2,
#ifdef __AVX512F__
    tile_7_2, tile_8_2, tile_9_2, tile_10_2, tile_11_2, tile_12_2
#endif
};

/* The same from row m and column n on. */
SK_INLINE struct sk_tail tail_at(const struct sk_tail *t, int m, int n)
{
    struct sk_tail at = {0};
    if (t && t->bias)
        at.bias = t->bias + n;
    if (t && t->row_scale)
        at = (struct sk_tail){at.bias, t->row_scale + m, t->column_scale + n, t->column_offset + n};
    return at;
}

/* The last panel, if only N < WIDTH columns of it exist in c. */
static void part_tile(float *c, size_t ldc, const float *a, size_t lda, const float *b,
                      int rows, int N, int K, int add, const struct sk_tail *tail)
{
    _Alignas(64) float t[TILE * WIDTH], padded[WIDTH] = { 0 };
    size_t bytes = (size_t)N * sizeof *c;
    struct sk_tail at = *tail;
    memset(t, 0, sizeof t);
    if (at.bias)
        at.bias = memcpy(padded, at.bias, bytes);
    for (int r = 0; add && r < rows; r++)
        memcpy(t + r * WIDTH, c + (size_t)r * ldc, bytes);
    tile_of[rows](K, a, lda, b, 0, t, WIDTH, add, &at);
    for (int r = 0; r < rows; r++)
        memcpy(c + (size_t)r * ldc, t + r * WIDTH, bytes);
}

void NAME(sk_gemm)(float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step,
                   int M, int N, int K, int add, const struct sk_tail *tail)
{
    /* Few rows use a panel once: no reason to cut its depth. They take
     * several panels at a time instead, to have enough sums in flight. */
    int blocks = M <= 2 * TILE ? 1 : (K + DEPTH_AT_ONCE - 1) / DEPTH_AT_ONCE;
    int depth = sk_round_up((K + blocks - 1) / blocks, SK_BLOCK), across = (N + WIDTH - 1) / WIDTH;
    tile_function *wide = M == 1 ? tile_1_8 : M == 2 ? tile_2_4 : tile_3_4;
    int group = M == 1 ? 4 : M <= 3 ? 2 : 1;
    for (int m = 0; m < M; m += TILE, a += (size_t)TILE * lda, c += (size_t)TILE * ldc) {
        int rows = least(TILE, M - m);
        struct ahead next = { (const char *)(a + (size_t)TILE * lda), lda * sizeof *a, least(TILE, M - m - rows),
                              (K * (int)sizeof *a + 63) / 64, 0, 0 };
        next.each = (next.rows * next.lines) / (blocks * across) + 1;
        for (int k = 0; k < K; k += depth) {
            int kn = least(depth, K - k), more = add || k > 0, n = 0;
            const struct sk_tail *last = k + kn == K ? tail : NULL;
            const float *b = panels + (size_t)k * WIDTH, *ak = a + k;
            for (; group > 1 && n + group * WIDTH <= N; n += group * WIDTH, b += (size_t)group * step) {
                struct sk_tail at = tail_at(last, 0, n);
                wide(kn, ak, lda, b, step, c + n, ldc, more, &at);
            }
            for (; n < N; n += WIDTH, b += step) {
                struct sk_tail at = tail_at(last, m, n);
                fetch_some(&next);
                if (n + WIDTH <= N)
                    tile_of[rows](kn, ak, lda, b, 0, c + n, ldc, more, &at);
                else
                    part_tile(c + n, ldc, ak, lda, b, rows, N - n, kn, more, &at);
            }
        }
    }
}
#endif
