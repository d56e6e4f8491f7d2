/* gemm_isa.c - the products' inner loops.
 *
 * Each element is one chain of fused multiply-adds over ascending k. Tiles,
 * panels and blocks of depth only decide which elements are computed side by
 * side; between blocks of depth a chain rests in c. So no size of a block
 * can change a bit.
 */
#include <immintrin.h>
#include <string.h>
#include "math/cpu/math_inline.h"
#include "math/cpu/product.h"

#ifdef __AVX512F__
typedef __m512 vec;
enum { LANES = 16, TILE = SK_TILE_AVX512, WIDTH = SK_WIDTH_AVX512 };
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define ZERO() _mm512_setzero_ps()
#define SPREAD(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#else
typedef __m256 vec;
enum { LANES = 8, TILE = SK_TILE_AVX2, WIDTH = SK_WIDTH_AVX2 };
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define ZERO() _mm256_setzero_ps()
#define SPREAD(x) _mm256_broadcast_ss(&(x))
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#endif

/* A register tile of R rows and C vectors (C / 2 panels, `step` floats
 * apart), written out by the preprocessor: arrays of vectors would be kept
 * in memory. Element (r, k) of a is a[r * lda + k * skip]. */
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

static int least(int a, int b) { return a < b ? a : b; }

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

void SK_ISA_NAME(sk_gemm)(float *c, size_t ldc, const float *a, size_t lda, const float *panels,
                          int M, int N, int K, int add, const float *bias)
{
    /* Few rows use a panel once: no reason to cut its depth. They take
     * several panels at a time instead, to have enough chains in flight. */
    int blocks = M <= 2 * TILE ? 1 : (K + SK_DEPTH - 1) / SK_DEPTH;
    int depth = (K + blocks - 1) / blocks;
    size_t step = (size_t)K * WIDTH;
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

void SK_ISA_NAME(sk_pack)(float *panels, const float *b, size_t ldb, int N, int K, int k0, int k1)
{
    size_t step = (size_t)K * WIDTH;
    int whole = N / WIDTH, part = N % WIDTH;
    for (int k = k0; k < k1; k++) {
        const float *from = b + (size_t)k * ldb;
        float *to = panels + (size_t)k * WIDTH;
        for (int p = 0; p < whole; p++, from += WIDTH, to += step) {
            STORE(to, LOAD(from));
            STORE(to + LANES, LOAD(from + LANES));
        }
        for (int j = 0; part && j < WIDTH; j++)
            to[j] = j < part ? from[j] : 0.0f;
    }
}

void SK_ISA_NAME(sk_pack_transposed)(float *panels, const float *b, int N, int K, int p)
{
    float *to = panels + (size_t)p * WIDTH * (size_t)K;
    int part = least(WIDTH, N - p * WIDTH);
    const float *from = b + (size_t)p * WIDTH * (size_t)K;
    if (part < WIDTH)
        memset(to, 0, (size_t)K * WIDTH * sizeof *to);
    /* in squares of 16, so that lines read are used whole before they leave the cache */
    for (int k0 = 0; k0 < K; k0 += 16)
        for (int j = 0; j < part; j++)
            for (int k = k0; k < least(K, k0 + 16); k++)
                to[(size_t)k * WIDTH + j] = from[(size_t)j * (size_t)K + k];
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

/* Columns 0..M of dy (rows, M), as tiles of TILE columns: the left-hand
 * matrix of tile_packed; and their sums onto db, if wanted. Row by row,
 * since rows may lie a page apart. */
static void pack_tiles(float *a, float *db, const float *dy, size_t ldy, int M, int rows)
{
    int whole = M / TILE, part = M % TILE;
    size_t tile = (size_t)rows * TILE;
    for (int t = 0; t < rows; t++, dy += ldy) {
        float *to = a + (size_t)t * TILE;
        const char *soon = (const char *)(dy + (t + AHEAD < rows ? AHEAD * ldy : 0));
        for (size_t i = 0; i < (size_t)M * sizeof *a + 63; i += 64)
            __builtin_prefetch(soon + i);
        for (int i = 0; i < whole; i++)
            memcpy(to + (size_t)i * tile, dy + i * TILE, TILE * sizeof *a);
        for (int j = 0; part && j < TILE; j++)
            to[(size_t)whole * tile + j] = j < part ? dy[whole * TILE + j] : 0.0f;
        if (db)
            add_row(db, dy, M);
    }
}

void SK_ISA_NAME(sk_leaf_tile)(float *c, float *db, const float *dy, size_t ldy, const float *x, size_t step,
                               int M, int columns, size_t ldc, int rows, int add, float *a)
{
    int tiles = (M + TILE - 1) / TILE;
    for (int t = 0; t < rows; t += SK_DEPTH) {
        int depth = least(SK_DEPTH, rows - t), more = add || t > 0;
        pack_tiles(a, db, dy + (size_t)t * ldy, ldy, M, depth);
        for (int n = 0; n < columns; n += WIDTH) {
            const float *b = x + (size_t)(n / WIDTH) * step + (size_t)t * WIDTH;
            for (int i = 0; i < tiles; i++)
                tile_packed(depth, a + (size_t)i * (size_t)depth * TILE, 0, b, 0,
                            c + (size_t)i * TILE * ldc + n, ldc, more, NULL);
        }
    }
}

void SK_ISA_NAME(sk_add_to)(float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        sk_store16(a + i, sk_add16(sk_load16(b + i), sk_load16(a + i)));
}
