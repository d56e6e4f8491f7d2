/* gemm_inline.h - products over packed panels: register tiles and the loops
 * around them, for the files that define
 *
 *   vec, LANES       a register of floats
 *   TILE, WIDTH      rows and columns of the register tile; WIDTH = 2 LANES
 *   LOAD STORE ZERO SPREAD ADD
 *   FMA(a, b, c)     c + what one element of a and one of b give: a step of
 *                    all chains of the register
 *   VALUES           values of an element
 *   NAME(f)          this file's copy of function f
 *
 * and the function pack_tiles.
 *
 * Each value of c is one chain over ascending k. Tiles, panels and blocks of
 * depth only decide which values are computed side by side; between blocks
 * of depth a chain rests in c. So no size of a block can change a bit.
 *
 * K counts elements (product.h), here and in all of this file.
 */
#ifndef SK_MATH_CPU_GEMM_INLINE_H
#define SK_MATH_CPU_GEMM_INLINE_H
#include <string.h>
#include "math/cpu/tile_inline.h"

/* A register tile of R rows and C vectors (C / 2 panels, `step` floats
 * apart). Element (r, k) of a is a[r * row + k * skip]. */
#define INIT_ONE(r, j) vec c##r##_##j = add ? LOAD(c + r * ldc + j * LANES) : ZERO();
#define INIT(r, C) COLS_##C(INIT_ONE, r)
#define FETCH(r, j) vec b##j = LOAD(b + j / 2 * step + j % 2 * LANES);
#define STEP_ONE(r, j) c##r##_##j = FMA(s, b##j, c##r##_##j);
#define STEP(r, C) { vec s = SPREAD(a[r * lda]); COLS_##C(STEP_ONE, r) }
#define BIAS_ONE(r, j) c##r##_##j = ADD(c##r##_##j, LOAD(bias + j * LANES));
#define BIAS(r, C) COLS_##C(BIAS_ONE, r)
#define WRITE_ONE(r, j) STORE(c + r * ldc + j * LANES, c##r##_##j);
#define WRITE(r, C) COLS_##C(WRITE_ONE, r)

#define TILE_FUNCTION(name, R, C, A_ROW, A_STEP)                                                      \
    static void name(int K, const float *a, size_t row, const float *b, size_t step,                  \
                     float *c, size_t ldc, int add, const float *bias)                                \
    {                                                                                                 \
        const size_t lda = (A_ROW);                                                                   \
        ROWS_##R(INIT, C)                                                                             \
        for (int k = 0; k < K; k++) {                                                                 \
            COLS_##C(FETCH, 0)                                                                        \
            ROWS_##R(STEP, C)                                                                         \
            a += (A_STEP);                                                                            \
            b += WIDTH;                                                                               \
        }                                                                                             \
        if (bias) {                                                                                   \
            ROWS_##R(BIAS, C)                                                                         \
        }                                                                                             \
        ROWS_##R(WRITE, C)                                                                            \
        (void)row;                                                                                    \
        (void)step;                                                                                   \
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
TILE_FUNCTION(tile_packed, 12, 2, 1, TILE)
#else
TILE_FUNCTION(tile_packed, 6, 2, 1, TILE)
#endif

typedef void tile_function(int K, const float *a, size_t row, const float *b, size_t step,
                           float *c, size_t ldc, int add, const float *bias);

static tile_function *const tile_of[TILE + 1] = {
    NULL, tile_1_2, tile_2_2, tile_3_2, tile_4_2, tile_5_2, tile_6_2,
#ifdef __AVX512F__
    tile_7_2, tile_8_2, tile_9_2, tile_10_2, tile_11_2, tile_12_2
#endif
};

/* One panel, all rows. */
static void panel(float *c, size_t ldc, const float *a, size_t lda, const float *b,
                  int M, int K, int add, const float *bias)
{
    for (int i = 0; i < M; i += TILE)
        tile_of[least(TILE, M - i)](K, a + (size_t)i * lda, lda, b, 0, c + (size_t)i * ldc, ldc, add, bias);
}

/* The last panel, if only N < WIDTH columns of it exist in c. */
static void part_panel(float *c, size_t ldc, const float *a, size_t lda, const float *b,
                       int M, int N, int K, int add, const float *bias)
{
    _Alignas(64) float t[TILE * WIDTH], padded[WIDTH] = { 0 };
    size_t bytes = (size_t)N * sizeof *c;
    if (bias)
        memcpy(padded, bias, bytes);
    memset(t, 0, sizeof t);
    for (int i = 0; i < M; i += TILE) {
        int rows = least(TILE, M - i);
        for (int r = 0; add && r < rows; r++)
            memcpy(t + r * WIDTH, c + (size_t)(i + r) * ldc, bytes);
        tile_of[rows](K, a + (size_t)i * lda, lda, b, 0, t, WIDTH, add, bias ? padded : NULL);
        for (int r = 0; r < rows; r++)
            memcpy(c + (size_t)(i + r) * ldc, t + r * WIDTH, bytes);
    }
}

void NAME(sk_gemm)(float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step,
                   int M, int N, int K, int add, const float *bias)
{
    /* Few rows use a panel once: no reason to cut its depth. They take
     * several panels at a time instead, to have enough chains in flight. */
    int blocks = M <= 2 * TILE ? 1 : (K + SK_DEPTH - 1) / SK_DEPTH;
    int depth = (K + blocks - 1) / blocks;
    tile_function *wide = M == 1 ? tile_1_8 : M == 2 ? tile_2_4 : tile_3_4;
    int group = M == 1 ? 4 : M <= 3 ? 2 : 1;
    for (int k = 0; k < K; k += depth) {
        int kn = least(depth, K - k), more = add || k > 0;
        const float *last = k + kn == K ? bias : NULL, *ak = a + k;
        const float *b = panels + (size_t)k * WIDTH;
        int n = 0;
        if (group > 1)
            for (; n + group * WIDTH <= N; n += group * WIDTH, b += (size_t)group * step)
                wide(kn, ak, lda, b, step, c + n, ldc, more, last ? last + n : NULL);
        for (; n + WIDTH <= N; n += WIDTH, b += step)
            panel(c + n, ldc, ak, lda, b, M, kn, more, last ? last + n : NULL);
        if (n < N)
            part_panel(c + n, ldc, ak, lda, b, M, N - n, kn, more, last ? last + n : NULL);
    }
}

/* Columns 0..M of dy (rows, M), as tiles of TILE columns of elements: the
 * left-hand matrix of tile_packed; and their sums onto db, unless NULL. Row
 * by row, since rows may lie a page apart. round: values to bfloat16. */
SK_INLINE void pack_tiles(float *a, float *db, const float *dy, size_t ldy, int M, int rows, int round);

SK_INLINE void leaf_tile(float *c, float *db, const float *dy, size_t ldy, const float *x, size_t step,
                         int M, int columns, size_t ldc, int rows, int add, float *a, int round)
{
    int tiles = (M + TILE - 1) / TILE;
    for (int t = 0; t < rows; t += SK_DEPTH * VALUES) {
        int deep = least(SK_DEPTH * VALUES, rows - t), more = add || t > 0, depth = (deep + VALUES - 1) / VALUES;
        pack_tiles(a, db, dy + (size_t)t * ldy, ldy, M, deep, round);
        for (int n = 0; n < columns; n += WIDTH) {
            const float *b = x + (size_t)(n / WIDTH) * step + (size_t)(t / VALUES) * WIDTH;
            for (int i = 0; i < tiles; i++)
                tile_packed(depth, a + (size_t)i * (size_t)depth * TILE, 0, b, 0,
                            c + (size_t)i * TILE * ldc + n, ldc, more, NULL);
        }
    }
}

/* db (M) += row (M) */
static void add_row(float *db, const float *row, int M)
{
    int m = 0;
    for (; m + 16 <= M; m += 16)
        sk_store16(db + m, sk_add16(sk_load16(db + m), sk_load16(row + m)));
    for (; m < M; m++)
        db[m] += row[m];
}

enum { AHEAD = 12 };                     /* rows fetched in advance: about what hides a miss */

/* At row t of rows, dy (M): asks for the one AHEAD of it. */
SK_INLINE void fetch_ahead(const float *dy, size_t ldy, int M, int t, int rows)
{
    const char *soon = (const char *)(dy + (t + AHEAD < rows ? AHEAD * ldy : 0));
    for (size_t i = 0; i < (size_t)M * sizeof *dy + 63; i += 64)
        __builtin_prefetch(soon + i);
}
#endif
