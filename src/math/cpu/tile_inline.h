/* tile_inline.h - what loops over tiles share.
 *
 * Register tiles are written out by the preprocessor: arrays of registers would
 * be kept in memory. ROWS_12(X, C) is X(0, C) ... X(11, C), COLS_4(X, r) is
 * X(r, 0) ... X(r, 3).
 */
#ifndef SK_MATH_CPU_TILE_INLINE_H
#define SK_MATH_CPU_TILE_INLINE_H
#include "math/cpu/math_inline.h"

#define COLS_2(X, r) X(r, 0) X(r, 1)
#define COLS_4(X, r) COLS_2(X, r) X(r, 2) X(r, 3)
#define COLS_8(X, r) COLS_4(X, r) X(r, 4) X(r, 5) X(r, 6) X(r, 7)
#define ROWS_1(X, C) X(0, C)
#define ROWS_2(X, C) ROWS_1(X, C) X(1, C)
#define ROWS_3(X, C) ROWS_2(X, C) X(2, C)
#define ROWS_4(X, C) ROWS_3(X, C) X(3, C)
#define ROWS_5(X, C) ROWS_4(X, C) X(4, C)
#define ROWS_6(X, C) ROWS_5(X, C) X(5, C)
#define ROWS_7(X, C) ROWS_6(X, C) X(6, C)
#define ROWS_8(X, C) ROWS_7(X, C) X(7, C)
#define ROWS_9(X, C) ROWS_8(X, C) X(8, C)
#define ROWS_10(X, C) ROWS_9(X, C) X(9, C)
#define ROWS_11(X, C) ROWS_10(X, C) X(10, C)
#define ROWS_12(X, C) ROWS_11(X, C) X(11, C)

static inline int least(int a, int b) { return a < b ? a : b; }

/* Rows of the left-hand matrix are fetched while those before are multiplied. */
struct ahead { const char *row; size_t stride; int rows, lines, line, each; };

SK_INLINE void fetch_some(struct ahead *f)
{
    for (int i = 0; i < f->each && f->rows > 0; i++) {
        __builtin_prefetch(f->row + (size_t)f->line * 64);
        if (++f->line == f->lines) {
            f->line = 0;
            f->row += f->stride;
            f->rows--;
        }
    }
}

/* db (M) += row (M) */
SK_INLINE void add_row(float *db, const float *row, int M)
{
    int m = 0;
    for (; m + 16 <= M; m += 16)
        sk_store16(db + m, sk_add16(sk_load16(db + m), sk_load16(row + m)));
    for (; m < M; m++)
        db[m] += row[m];
}
#endif
