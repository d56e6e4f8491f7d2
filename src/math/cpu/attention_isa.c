/* attention_isa.c - scaled dot-product attention of one sentence.
 *
 * Keys and values are turned over, so that scores and their gradients run
 * along keys and everything else along the head: each value is one chain of
 * fma, over the head's dimensions, keys or queries ascending. Several rows are
 * done side by side, so that chains do not wait for themselves.
 */
#include <math.h>
#include <string.h>
#include "math/cpu/attention_inline.h"
#include "math/cpu/layer.h"

/* Rows side by side in scores; rows and registers of 16 in sums of rows. */
#ifdef __AVX512F__
enum { QUERIES = 8, ROWS = 4, WIDE = 4 };
#else
enum { QUERIES = 4, ROWS = 2, WIDE = 2 };
#endif

/* to (D, round16(n)) = the rows of x (n, D) as columns. */
static void turn(float *to, const float *x, int ld, int D, int n)
{
    size_t width = (size_t)round16(n);
    for (int j = 0; j < n; j += 16)
        for (int e = 0; e < D; e += 16) {
            int part = D - e < 16 ? D - e : 16;
            sk_v16 r[16];
            for (int i = 0; i < 16; i++)
                r[i] = j + i < n ? get(x + (size_t)(j + i) * (size_t)ld + e, part) : sk_zero16();
            sk_turn16(r);
            for (int i = 0; i < part; i++)
                sk_store16(to + (size_t)(e + i) * width + j, r[i]);
        }
}

/* --- scores -------------------------------------------------------------------- */

SK_INLINE void few_scores(float *s, int width, const float *q, size_t ldq, int m, const float *columns, int d, int n)
{
    for (int j = 0; j < n; j += 16) {
        sk_v16 a[QUERIES];
        for (int i = 0; i < m; i++)
            a[i] = sk_zero16();
        for (int e = 0; e < d; e++) {
            sk_v16 k = sk_load16(columns + (size_t)e * (size_t)width + j);
            for (int i = 0; i < m; i++)
                a[i] = sk_fma16(sk_set16(q[(size_t)i * ldq + e]), k, a[i]);
        }
        for (int i = 0; i < m; i++)
            sk_store16(s + i * width + j, a[i]);
    }
}

/* s (rows, width) = q (rows, d) . columns (d, width); of row i at least the
 * first i + 1 values if causal, else n. */
static void scores(float *s, int width, const float *q, size_t ldq, int rows, const float *columns, int d, int n,
                   int causal)
{
    for (int i = 0; i < rows; i += QUERIES) {
        int m = rows - i < QUERIES ? rows - i : QUERIES, most = causal ? i + m : n;
        const float *qi = q + (size_t)i * ldq;
        float *si = s + i * width;
        switch (m) {                     /* a constant, so that sums stay in registers */
        case 1: few_scores(si, width, qi, ldq, 1, columns, d, most); break;
        case 2: few_scores(si, width, qi, ldq, 2, columns, d, most); break;
        case 3: few_scores(si, width, qi, ldq, 3, columns, d, most); break;
#ifdef __AVX512F__
        case 4: few_scores(si, width, qi, ldq, 4, columns, d, most); break;
        case 5: few_scores(si, width, qi, ldq, 5, columns, d, most); break;
        case 6: few_scores(si, width, qi, ldq, 6, columns, d, most); break;
        case 7: few_scores(si, width, qi, ldq, 7, columns, d, most); break;
#endif
        default: few_scores(si, width, qi, ldq, QUERIES, columns, d, most);
        }
    }
}

/* --- sums of rows ------------------------------------------------------------------ */

/* out (rows, d): row r = sum over k of weight[r * by_row + k * by_term] times row
 * k of `from`, k from first(r) to end(r) - 1. */
struct blend {
    float *out;
    size_t ldo;
    const float *weight;
    size_t by_row, by_term;
    const float *from;
    size_t ldf;
    int d, rows, terms;
    enum { ALL, UP_TO_ROW, FROM_ROW } range;     /* of k: all terms, or 0..r, or r.. */
};
SK_INLINE int first_term(const struct blend *b, int r) { return b->range == FROM_ROW ? r : 0; }
SK_INLINE int end_term(const struct blend *b, int r) { return b->range == UP_TO_ROW ? r + 1 : b->terms; }

SK_INLINE void few_rows(const struct blend *b, int r0, int m, int e)
{
    sk_v16 a[ROWS][WIDE];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < WIDE; j++)
            a[i][j] = sk_zero16();
    int first = first_term(b, r0), end = end_term(b, r0 + m - 1);
    int all_from = first_term(b, r0 + m - 1), all_to = end_term(b, r0);
    const float *w = b->weight + (size_t)r0 * b->by_row;
    for (int k = first; k < end; k++) {
        const float *row = b->from + (size_t)k * b->ldf + e, *wk = w + (size_t)k * b->by_term;
        sk_v16 x[WIDE];
        for (int j = 0; j < WIDE; j++)
            x[j] = sk_load16(row + 16 * j);
        int all = k >= all_from && k < all_to;
        for (int i = 0; i < m; i++)
            if (all || (k >= first_term(b, r0 + i) && k < end_term(b, r0 + i))) {
                sk_v16 f = sk_set16(wk[(size_t)i * b->by_row]);
                for (int j = 0; j < WIDE; j++)
                    a[i][j] = sk_fma16(f, x[j], a[i][j]);
            }
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < WIDE; j++)
            sk_store16(b->out + (size_t)(r0 + i) * b->ldo + e + 16 * j, a[i][j]);
}

static void blend(const struct blend *b)
{
    int e = 0;
    for (; e + 16 * WIDE <= b->d; e += 16 * WIDE)
        for (int r = 0; r < b->rows; r += ROWS)
            switch (b->rows - r) {
            case 1: few_rows(b, r, 1, e); break;
#ifdef __AVX512F__
            case 2: few_rows(b, r, 2, e); break;
            case 3: few_rows(b, r, 3, e); break;
#endif
            default: few_rows(b, r, ROWS, e);
            }
    for (; e < b->d; e += 16) {
        int part = b->d - e < 16 ? b->d - e : 16;
        for (int r = 0; r < b->rows; r++) {
            const float *w = b->weight + (size_t)r * b->by_row;
            sk_v16 a = sk_zero16();
            for (int k = first_term(b, r); k < end_term(b, r); k++)
                a = sk_fma16(sk_set16(w[(size_t)k * b->by_term]), get(b->from + (size_t)k * b->ldf + e, part), a);
            put(b->out + (size_t)r * b->ldo + e, part, a);
        }
    }
}

/* --- one sentence ------------------------------------------------------------------- */

/* What the two passes share. */
struct work {
    int d, D, width;
    float *columns;                      /* (D, width) */
    float *s, *t;                        /* (nq, width) of one head */
    float *rows;                         /* (nq, d) of one head */
    float *factor;                       /* (nq, H * nk) of dropout */
};

static struct work begin(const struct sk_attention *a, float *scratch, const float *turned)
{
    struct work w = {.d = a->d, .D = a->H * a->d, .width = round16(a->nk)};
    size_t matrix = (size_t)a->nq * (size_t)w.width;
    w.columns = scratch;
    w.s = w.columns + (size_t)w.D * (size_t)w.width;
    w.t = w.s + matrix;
    w.rows = w.t + matrix;
    w.factor = w.rows + (size_t)a->nq * (size_t)round16(w.d);
    turn(w.columns, turned, a->ldk, w.D, a->nk);
    for (int i = 0; a->drop.p > 0 && i < a->nq; i++)
        SK_ISA_NAME(sk_dropout_factors)(w.factor + (size_t)i * (size_t)(a->H * a->nk), a->H * a->nk, a->drop, a->ordinal,
                                        i);
    return w;
}

/* to (n) = a * b */
SK_INLINE void multiply(float *to, const float *a, const float *b, int n)
{
    for (int j = 0; j < n; j += 16) {
        int part = n - j < 16 ? n - j : 16;
        put(to + j, part, sk_mul16(get(a + j, part), get(b + j, part)));
    }
}

void SK_ISA_NAME(sk_attend)(const struct sk_attention *a, float *scratch)
{
    struct work w = begin(a, scratch, a->k);
    int d = w.d, width = w.width;
    const sk_v16 scale = sk_set16(1.0f / sqrtf((float)d));
    for (int h = 0; h < a->H; h++) {
        for (int i = 0; i < a->nq; i++)
            for (int e = 0; e < d; e += 16) {
                int part = d - e < 16 ? d - e : 16;
                put(w.rows + (size_t)i * (size_t)d + e, part,
                    sk_mul16(get(a->q + (size_t)i * (size_t)a->ldq + h * d + e, part), scale));
            }
        scores(w.s, width, w.rows, (size_t)d, a->nq, w.columns + (size_t)(h * d) * (size_t)width, d, a->nk, a->causal);
        for (int i = 0; i < a->nq; i++) {
            int n = a->causal ? i + 1 : a->nk;
            float *s = w.s + i * width;
            softmax(s, n);
            memcpy(a->prob + ((size_t)h * (size_t)a->nq + (size_t)i) * (size_t)a->nk, s, (size_t)n * sizeof *s);
            if (a->drop.p > 0)
                multiply(s, s, w.factor + ((size_t)i * (size_t)a->H + (size_t)h) * (size_t)a->nk, n);
        }
        blend(&(struct blend){a->context + h * d, (size_t)w.D, w.s, (size_t)width, 1, a->v + h * d, (size_t)a->ldk, d,
                              a->nq, a->nk, a->causal ? UP_TO_ROW : ALL});
    }
}

/* Row i of a head: s, the gradients of dropped probabilities, become those of
 * scores, t the dropped probabilities. p: probabilities, f: factors or NULL. */
SK_INLINE void score_gradients(float *s, float *t, const float *p, const float *f, float scale, int n)
{
    sk_v16 sum = sk_zero16();
    for (int j = 0; j < n; j += 16) {
        int part = n - j < 16 ? n - j : 16;
        sk_v16 x = get(p + j, part), g = get(s + j, part), kept = x;
        if (f) {
            sk_v16 factor = get(f + j, part);
            g = sk_mul16(g, factor);
            kept = sk_mul16(x, factor);
        }
        put(s + j, part, g);
        put(t + j, part, kept);
        sum = sk_fma16(x, g, sum);
    }
    const sk_v16 mean = sk_set16(sk_sum16(sum)), by = sk_set16(scale);
    for (int j = 0; j < n; j += 16) {
        int part = n - j < 16 ? n - j : 16;
        put(s + j, part, sk_mul16(sk_mul16(get(p + j, part), sk_sub16(get(s + j, part), mean)), by));
    }
}

void SK_ISA_NAME(sk_attend_gradient)(const struct sk_attention *a, float *scratch)
{
    struct work w = begin(a, scratch, a->v);
    int d = w.d, width = w.width;
    const float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < a->H; h++) {
        const float *dc = a->dcontext + h * d, *q = a->q + h * d, *k = a->k + h * d;
        scores(w.s, width, dc, (size_t)w.D, a->nq, w.columns + (size_t)(h * d) * (size_t)width, d, a->nk, a->causal);
        for (int i = 0; i < a->nq; i++)
            score_gradients(w.s + i * width, w.t + i * width,
                            a->prob + ((size_t)h * (size_t)a->nq + (size_t)i) * (size_t)a->nk,
                            a->drop.p > 0 ? w.factor + ((size_t)i * (size_t)a->H + (size_t)h) * (size_t)a->nk : NULL,
                            scale, a->causal ? i + 1 : a->nk);
        struct blend dq = {a->dq + h * d, (size_t)a->ldq, w.s, (size_t)width, 1, k, (size_t)a->ldk, d, a->nq, a->nk,
                           a->causal ? UP_TO_ROW : ALL};
        struct blend dk = {a->dk + h * d, (size_t)a->ldk, w.s, 1, (size_t)width, q, (size_t)a->ldq, d, a->nk, a->nq,
                           a->causal ? FROM_ROW : ALL};
        struct blend dv = {a->dv + h * d, (size_t)a->ldk, w.t, 1, (size_t)width, dc, (size_t)w.D, d, a->nk, a->nq,
                           a->causal ? FROM_ROW : ALL};
        blend(&dq);
        blend(&dk);
        blend(&dv);
    }
}
