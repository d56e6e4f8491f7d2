/* leaf_inline.h - gradients of weights, for files that include
 * gemm_inline.h and define VALUES, the values of an element, and pack_tiles.
 */
#ifndef SK_MATH_CPU_LEAF_INLINE_H
#define SK_MATH_CPU_LEAF_INLINE_H
#include "math/cpu/gemm_inline.h"

#ifdef __AVX512F__
TILE_FUNCTION(tile_packed, 12, 2, 1, TILE)
#else
TILE_FUNCTION(tile_packed, 6, 2, 1, TILE)
#endif

/* Columns 0..M of dy (rows, M), as tiles of TILE columns of elements: the
 * left-hand matrix of tile_packed; and their sums onto db, unless NULL. Row
 * by row, since rows may lie a page apart. round: values to bfloat16. */
SK_INLINE void pack_tiles(float *a, float *db, const float *dy, size_t ldy, int M, int rows, int round);

/* c (TILE, WIDTH) = plus + c, and so on, while c is in the first cache. */
SK_INLINE void add_levels(float *c, size_t ldc, const struct sk_leaf_tile *t, size_t at)
{
    for (int l = 0; l < t->pluses; l++)
        for (int r = 0; r < TILE; r++)
            for (int j = 0; j < WIDTH; j += 16) {
                float *to = c + (size_t)r * ldc + j;
                sk_store16(to, sk_add16(sk_load16(t->plus[l] + at + (size_t)r * t->ldp + j), sk_load16(to)));
            }
}

/* Asks for what a tile is written to and added from, while it is computed. */
SK_INLINE void fetch_tile(const float *c, size_t ldc, const struct sk_leaf_tile *t, size_t at, int end)
{
    for (int r = 0; r < TILE; r++)
        for (int j = 0; j < WIDTH; j += 16) {
            __builtin_prefetch(c + (size_t)r * ldc + j, 1);
            if (end && t->pluses)
                __builtin_prefetch(t->plus[0] + at + (size_t)r * t->ldp + j);
        }
}

SK_INLINE void leaf_tile(const struct sk_leaf_tile *t, int round)
{
    const struct sk_tail no_tail = {0};
    int tiles = (t->M + TILE - 1) / TILE, row = 0;
    do {
        int deep = least(SK_DEPTH * VALUES, t->rows - row), depth = (deep + VALUES - 1) / VALUES;
        int more = t->add || row > 0, end = row + deep >= t->rows;
        pack_tiles(t->a, t->db, t->dy + (size_t)row * t->ldy, t->ldy, t->M, deep, round);
        for (int n = 0; n < t->columns; n += WIDTH) {
            const float *b = t->x + (size_t)(n / WIDTH) * t->step + (size_t)(row / VALUES) * WIDTH;
            for (int i = 0; i < tiles; i++) {
                float *c = t->c + (size_t)i * TILE * t->ldc + n;
                fetch_tile(c, t->ldc, t, (size_t)i * TILE * t->ldp + (size_t)n, end);
                tile_packed(depth, t->a + (size_t)i * (size_t)depth * TILE, 0, b, 0, c, t->ldc, more, &no_tail);
                if (end)
                    add_levels(c, t->ldc, t, (size_t)i * TILE * t->ldp + (size_t)n);
            }
        }
        row += deep;
    } while (row < t->rows);
    for (int l = 0; t->db && l < t->pluses; l++)
        for (int m = 0; m < t->M; m++)
            t->db[m] = t->plus_db[l][m] + t->db[m];
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
