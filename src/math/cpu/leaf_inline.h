/* leaf_inline.h - gradients of weights, for files that include
 * gemm_inline.h and define VALUES, the values of an element, and pack_tiles.
 */
#ifndef SK_MATH_CPU_LEAF_INLINE_H
#define SK_MATH_CPU_LEAF_INLINE_H
#include "math/cpu/gemm_inline.h"

/* The left-hand matrix stands in tiles, and before sums are stored, those of
 * finished leaves, plus[0..pluses) from `at` on, are added: c = plus + c. */
#define ADD_ONE(r, j) c##r##_##j = ADD(FETCH_ONE(p + r * t->ldp + j * LANES), c##r##_##j);
#define ADD_LEVEL(r, C) COLS_##C(ADD_ONE, r)
#define STORE_ONE(r, j) STORE(c + r * ldc + j * LANES, c##r##_##j);
#define STORE_SUMS(r, C) COLS_##C(STORE_ONE, r)
#define TILE_PACKED(R)                                                                                \
    static void tile_packed(int K, const float *a, const float *b, float *c, size_t ldc, int add,     \
                            const struct sk_leaf_tile *t, size_t at, int pluses)                      \
    {                                                                                                 \
        const size_t lda = 1, step = 0;                                                               \
        TILE_SUMS(R, 2, TILE)                                                                         \
        for (int l = 0; l < pluses; l++) {                                                            \
            const float *p = t->plus[l] + at;                                                         \
            ROWS_##R(ADD_LEVEL, 2)                                                                    \
        }                                                                                             \
        ROWS_##R(STORE_SUMS, 2)                                                                       \
    }
#ifdef __AVX512F__
TILE_PACKED(12)
#else
TILE_PACKED(6)
#endif

/* Columns 0..M of dy (rows, M), as tiles of TILE columns of elements: the
 * left-hand matrix of tile_packed; and their sums onto db, unless NULL. Row
 * by row, since rows may lie a page apart. round: values to bfloat16. */
SK_INLINE void pack_tiles(float *a, float *db, const float *dy, size_t ldy, int M, int rows, int round);

/* Asks for what a tile is written to and added from, while it is computed. */
SK_INLINE void fetch_tile(const float *c, size_t ldc, const struct sk_leaf_tile *t, size_t at, int pluses)
{
    for (int r = 0; r < TILE; r++)
        for (int j = 0; j < WIDTH; j += 16) {
            __builtin_prefetch(c + (size_t)r * ldc + j, 1);
            for (int l = 0; l < pluses; l++)
                __builtin_prefetch(t->plus[l] + at + (size_t)r * t->ldp + j);
        }
}

SK_INLINE void leaf_tile(const struct sk_leaf_tile *t, int round)
{
    int tiles = (t->M + TILE - 1) / TILE, row = 0;
    do {
        int deep = least(SK_DEPTH * VALUES, t->rows - row), depth = (deep + VALUES - 1) / VALUES;
        int more = t->add || row > 0, pluses = row + deep >= t->rows ? t->pluses : 0;
        pack_tiles(t->a, t->db, t->dy + (size_t)row * t->ldy, t->ldy, t->M, deep, round);
        for (int n = 0; n < t->columns; n += WIDTH) {
            const float *b = t->x + (size_t)(n / WIDTH) * t->step + (size_t)(row / VALUES) * WIDTH;
            for (int i = 0; i < tiles; i++) {
                float *c = t->c + (size_t)i * TILE * t->ldc + n;
                size_t at = (size_t)i * TILE * t->ldp + (size_t)n;
                fetch_tile(c, t->ldc, t, at, pluses);
                tile_packed(depth, t->a + (size_t)i * (size_t)depth * TILE, b, c, t->ldc, more, t, at, pluses);
            }
        }
        row += deep;
    } while (row < t->rows);
    for (int l = 0; t->db && l < t->pluses; l++)
        for (int m = 0; m < t->M; m++)
            t->db[m] = t->plus_db[l][m] + t->db[m];
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
