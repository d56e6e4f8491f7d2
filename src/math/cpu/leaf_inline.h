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

SK_INLINE void leaf_tile(float *c, float *db, const float *dy, size_t ldy, const float *x, size_t step,
                         int M, int columns, size_t ldc, int rows, int add, float *a, int round)
{
    const struct sk_tail no_tail = {0};
    int tiles = (M + TILE - 1) / TILE;
    for (int t = 0; t < rows; t += SK_DEPTH * VALUES) {
        int deep = least(SK_DEPTH * VALUES, rows - t), more = add || t > 0, depth = (deep + VALUES - 1) / VALUES;
        pack_tiles(a, db, dy + (size_t)t * ldy, ldy, M, deep, round);
        for (int n = 0; n < columns; n += WIDTH) {
            const float *b = x + (size_t)(n / WIDTH) * step + (size_t)(t / VALUES) * WIDTH;
            for (int i = 0; i < tiles; i++)
                tile_packed(depth, a + (size_t)i * (size_t)depth * TILE, 0, b, 0,
                            c + (size_t)i * TILE * ldc + n, ldc, more, &no_tail);
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
