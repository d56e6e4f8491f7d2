/* gemm_amx.c - products by AMX, which takes 16 elements of 16 rows and of 16
 * columns: SK_BFLOAT16_AMX by TDPBF16PS, where that is one block of 256 sums, and
 * int8 by TDPBUSD.
 *
 * Matrices stand as gemm_bf16.c and gemm_vnni.c pack them. Which half of an
 * element holds the even value does not matter: the two chains are added in the
 * end. A step of depth is one of 2 x 2 tiles: 32 rows of a panel.
 */
#include <string.h>
#include "math/cpu/bf16_inline.h"
#include "math/cpu/product.h"
#include "math/cpu/tile_inline.h"

enum { TILE = SK_TILE_AMX, WIDTH = SK_WIDTH_AVX512, UNIT = SK_UNIT_BF16, SQUARE = 2 * TILE };
/* Tiles: sums above (left, right), below (left, right); rows of a above, below;
 * columns of b left, right. (Intrinsics make names of registers of them.) */
#define UP_LEFT 0
#define UP_RIGHT 1
#define DOWN_LEFT 2
#define DOWN_RIGHT 3
#define UP 4
#define DOWN 5
#define LEFT 6
#define RIGHT 7
enum { TILES = 8 };

struct config { uint8_t palette, start, zero[14]; uint16_t bytes[16]; uint8_t rows[16]; };

/* For products of `up` and `down` rows, at most TILE each. */
static void configure(int up, int down)
{
    struct config c = { .palette = 1 };
    for (int i = 0; i < TILES; i++) {
        c.bytes[i] = 64;
        c.rows[i] = (uint8_t)(i == LEFT || i == RIGHT ? UNIT : i == DOWN_LEFT || i == DOWN_RIGHT || i == DOWN ? down : up);
        if (c.rows[i] == 0)
            c.bytes[i] = 0;
    }
    _tile_loadconfig(&c);
}

/* Sums of a square go to or come from c (., ldc). */
SK_INLINE void store_square(float *c, size_t ldc, int down)
{
    size_t stride = ldc * sizeof *c;
    _tile_stored(UP_LEFT, c, stride);
    _tile_stored(UP_RIGHT, c + 16, stride);
    if (down) {
        _tile_stored(DOWN_LEFT, c + TILE * ldc, stride);
        _tile_stored(DOWN_RIGHT, c + TILE * ldc + 16, stride);
    }
}

SK_INLINE void load_square(const float *c, size_t ldc, int down)
{
    size_t stride = ldc * sizeof *c;
    _tile_loadd(UP_LEFT, c, stride);
    _tile_loadd(UP_RIGHT, c + 16, stride);
    if (down) {
        _tile_loadd(DOWN_LEFT, c + TILE * ldc, stride);
        _tile_loadd(DOWN_RIGHT, c + TILE * ldc + 16, stride);
    }
}

SK_INLINE void zero_square(int down)
{
    _tile_zero(UP_LEFT);
    _tile_zero(UP_RIGHT);
    if (down) {
        _tile_zero(DOWN_LEFT);
        _tile_zero(DOWN_RIGHT);
    }
}

#define STEP_OF(what)                                                                             \
    {                                                                                             \
        _tile_loadd(LEFT, b, WIDTH * sizeof *b);                                                  \
        _tile_loadd(RIGHT, b + 16, WIDTH * sizeof *b);                                            \
        _tile_loadd(UP, up, row * sizeof *up);                                                    \
        what(UP_LEFT, UP, LEFT);                                                                  \
        what(UP_RIGHT, UP, RIGHT);                                                                \
        if (down) {                                                                               \
            _tile_loadd(DOWN, low, row * sizeof *low);                                            \
            what(DOWN_LEFT, DOWN, LEFT);                                                          \
            what(DOWN_RIGHT, DOWN, RIGHT);                                                        \
        }                                                                                         \
    }

/* The square's sums += depth elements of a: rows above and below, `row` floats
 * apart, each unit `skip` behind the one before; and of the panel b. */
SK_INLINE void add_products(const float *up, const float *low, size_t row, size_t skip, const float *b, int depth,
                            int down, int int8)
{
    for (int k = 0; k < depth; k += UNIT, up += skip, low += skip, b += UNIT * WIDTH) {
        if (int8)
            STEP_OF(_tile_dpbusd)
        else
            STEP_OF(_tile_dpbf16ps)
    }
}

/* --- products --------------------------------------------------------------------- */

/* 16 columns of c (rows, .) = square, as tail says; `lanes` of them exist in c. */
SK_INLINE void finish_half(float *c, size_t ldc, const float *square, const struct sk_tail *t, int rows, __mmask16 lanes,
                           int int8)
{
    __m512 bias = t->bias ? _mm512_maskz_loadu_ps(lanes, t->bias) : _mm512_setzero_ps();
    __m512 scale = int8 ? _mm512_loadu_ps(t->column_scale) : bias;
    __m512i offset = int8 ? _mm512_loadu_si512(t->column_offset) : _mm512_setzero_si512();
    for (int r = 0; r < rows; r++, c += ldc, square += WIDTH) {
        __m512 s = _mm512_loadu_ps(square);
        if (int8) {
            __m512 factor = _mm512_mul_ps(_mm512_set1_ps(t->row_scale[r]), scale);
            s = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_castps_si512(s), offset));
            s = t->bias ? _mm512_fmadd_ps(s, factor, bias) : _mm512_mul_ps(s, factor);
        } else if (t->bias) {
            s = _mm512_add_ps(s, bias);
        }
        _mm512_mask_storeu_ps(c, lanes, s);
    }
}

/* The tail from row m and column n on. */
SK_INLINE struct sk_tail tail_at(const struct sk_tail *t, int m, int n, int int8)
{
    struct sk_tail at = { .bias = t && t->bias ? t->bias + n : NULL };
    if (int8)
        at = (struct sk_tail){ at.bias, t->row_scale + m, t->column_scale + n, t->column_offset + n };
    return at;
}

/* The square before its products, where c ends in the middle of it. */
static void begin(float *square, const float *c, size_t ldc, int rows, int N)
{
    for (int r = 0; r < rows; r++, c += ldc, square += WIDTH)
        memcpy(square, c, (size_t)N * sizeof *c);
}

SK_INLINE void rows_by_panels(float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step,
                              int rows, int N, int K, int add, const struct sk_tail *tail, struct ahead *next,
                              int down, int int8)
{
    _Alignas(64) float square[SQUARE * WIDTH];
    for (int n = 0; n < N; n += WIDTH, panels += step) {
        int columns = least(WIDTH, N - n), whole = columns == WIDTH;
        fetch_some(next);
        if (!add) {
            zero_square(down);
        } else if (whole) {
            load_square(c + n, ldc, down);
        } else {
            memset(square, 0, sizeof square);
            begin(square, c + n, ldc, rows, columns);
            load_square(square, WIDTH, down);
        }
        add_products(a, a + TILE * lda, lda, UNIT, panels, K, down, int8);
        if (whole && !int8 && !tail->bias) {
            store_square(c + n, ldc, down);
            continue;
        }
        store_square(square, WIDTH, down);
        for (int j = 0; j < columns; j += 16) {
            struct sk_tail at = tail_at(tail, 0, n + j, int8);
            finish_half(c + n + j, ldc, square + j, &at, rows, first_lanes(columns - j), int8);
        }
    }
}

SK_INLINE void gemm(float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step, int M, int N,
                    int K, int add, const struct sk_tail *tail, int int8)
{
    int across = (N + WIDTH - 1) / WIDTH, had = -1;
    for (int m = 0; m < M; m += SQUARE, a += SQUARE * lda, c += SQUARE * ldc) {
        int rows = least(SQUARE, M - m);
        struct ahead next = { (const char *)(a + SQUARE * lda), lda * sizeof *a, least(SQUARE, M - m - rows),
                              (K * (int)sizeof *a + 63) / 64, 0, 0 };
        next.each = next.rows * next.lines / across + 1;
        if (rows != had)
            configure(least(rows, TILE), rows > TILE ? rows - TILE : 0);
        had = rows;
        struct sk_tail at = tail_at(tail, m, 0, int8);
        if (rows > TILE)
            rows_by_panels(c, ldc, a, lda, panels, step, rows, N, K, add, &at, &next, 1, int8);
        else
            rows_by_panels(c, ldc, a, lda, panels, step, rows, N, K, add, &at, &next, 0, int8);
    }
    _tile_release();
}

void sk_gemm_amx(float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step, int M, int N,
                 int K, int add, const struct sk_tail *tail)
{
    gemm(c, ldc, a, lda, panels, step, M, N, K, add, tail, 0);
}

void sk_gemm_int8_amx(float *c, size_t ldc, const float *a, size_t lda, const float *panels, size_t step, int M, int N,
                      int K, int add, const struct sk_tail *tail)
{
    gemm(c, ldc, a, lda, panels, step, M, N, K, add, tail, 1);
}

/* --- gradients of weights ------------------------------------------------------------ */

/* Columns 0..M of dy (rows, M) as rows of tiles: a unit of 16 columns after the
 * other, each of 16 x UNIT elements; and their sums onto db, unless NULL. */
static void pack_squares(float *a, float *db, const float *dy, size_t ldy, int M, int rows)
{
    size_t tile = (size_t)((rows + 2 * UNIT - 1) / (2 * UNIT)) * TILE * UNIT;
    for (int t = 0; t < rows; t += 2 * UNIT, dy += 2 * UNIT * ldy, a += TILE * UNIT) {
        int deep = least(2 * UNIT, rows - t);
        for (int m = 0; m < M; m += TILE) {
            __mmask16 lanes = first_lanes(M - m);
            sk_v16 r[16];
            for (int e = 0; e < UNIT; e++) {
                const float *first = dy + (size_t)(2 * e) * ldy + m;
                __mmask16 is0 = 2 * e < deep ? lanes : 0, is1 = 2 * e + 1 < deep ? lanes : 0;
                r[e] = _mm512_castsi512_ps(pairs(_mm512_maskz_loadu_ps(is0, first),
                                                 _mm512_maskz_loadu_ps(is1, first + (is1 ? ldy : 0))));
            }
            sk_turn16(r);
            for (int i = 0; i < TILE; i++)
                _mm512_storeu_ps(a + (size_t)(m / TILE) * tile + i * UNIT, r[i]);
        }
        for (int i = 0; db && i < deep; i++)
            add_row(db, dy + (size_t)i * ldy, M);
    }
}

/* c (rows, 32) = the levels below, in turn, + square */
static void add_levels(const struct sk_leaf_tile *t, size_t at, float *c, const float *square, int rows)
{
    for (int r = 0; r < rows; r++) {
        __m512 s0 = _mm512_loadu_ps(square + r * WIDTH), s1 = _mm512_loadu_ps(square + r * WIDTH + 16);
        for (int l = 0; l < t->pluses; l++) {
            const float *p = t->plus[l] + at + (size_t)r * t->ldp;
            s0 = _mm512_add_ps(_mm512_loadu_ps(p), s0);
            s1 = _mm512_add_ps(_mm512_loadu_ps(p + 16), s1);
        }
        _mm512_storeu_ps(c + (size_t)r * t->ldc, s0);
        _mm512_storeu_ps(c + (size_t)r * t->ldc + 16, s1);
    }
}

SK_INLINE void segment(const struct sk_leaf_tile *t, int row, int deep, int add, int pluses)
{
    _Alignas(64) float square[SQUARE * WIDTH];
    int depth = (deep + 2 * UNIT - 1) / (2 * UNIT) * UNIT;
    size_t tile = (size_t)depth * TILE;
    for (int m = 0; m < t->M; m += SQUARE) {
        int down = t->M - m > TILE;
        const float *a = t->a + (size_t)(m / TILE) * tile;
        for (int n = 0; n < t->columns; n += WIDTH) {
            const float *b = t->x + (size_t)(n / WIDTH) * t->step + (size_t)(row / 2) * WIDTH;
            float *c = t->c + (size_t)m * t->ldc + n;
            if (add)
                load_square(c, t->ldc, down);
            else
                zero_square(down);
            add_products(a, a + tile, UNIT, TILE * UNIT, b, depth, down, 0);
            if (pluses) {
                store_square(square, WIDTH, down);
                add_levels(t, (size_t)m * t->ldp + (size_t)n, c, square, down ? SQUARE : TILE);
            } else {
                store_square(c, t->ldc, down);
            }
        }
    }
}

void sk_leaf_tile_amx(const struct sk_leaf_tile *t)
{
    enum { DEEP = SK_DEPTH * 2 };
    int row = 0;
    configure(TILE, TILE);
    do {
        int deep = least(DEEP, t->rows - row);
        pack_squares(t->a, t->db, t->dy + (size_t)row * t->ldy, t->ldy, t->M, deep);
        segment(t, row, deep, t->add || row > 0, row + deep >= t->rows ? t->pluses : 0);
        row += deep;
    } while (row < t->rows);
    _tile_release();
    for (int l = 0; t->db && l < t->pluses; l++)
        for (int m = 0; m < t->M; m++)
            t->db[m] = t->plus_db[l][m] + t->db[m];
}
