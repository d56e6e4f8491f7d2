/* rows_isa.c - row operations: dropout, activations, embeddings, layer norm. */
#include <math.h>
#include "base/rng.h"
#include "math/cpu/layer.h"
#include "math/cpu/math_inline.h"

/* --- dropout ---------------------------------------------------------------- */

/* One round of Philox (sk_philox) on 64-bit lanes, of which the low halves count:
 * the multiplication reads no others. */
#ifdef __AVX512F__
typedef __m512i lanes;                   /* 8 counters; two of them: 16 */
enum { COUNTERS = 16 };
#define PRODUCT(x, m) _mm512_mul_epu32(x, _mm512_set1_epi64(m))
#define HIGH_XOR(x, c, k) _mm512_ternarylogic_epi32(_mm512_srli_epi64(x, 32), c, _mm512_set1_epi32((int)(k)), 0x96)
#define ALL(x) _mm512_set1_epi32((int)(x))
#define JOIN(even, odd) _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32))
#define COUNT_FROM(b, odd) \
    _mm512_add_epi32(ALL((b) + (odd)), _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14))
#else
typedef __m256i lanes;                   /* 4 counters; two of them: 8 */
enum { COUNTERS = 8 };
#define PRODUCT(x, m) _mm256_mul_epu32(x, _mm256_set1_epi64x(m))
#define HIGH_XOR(x, c, k) \
    _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(x, 32), c), _mm256_set1_epi32((int)(k)))
#define ALL(x) _mm256_set1_epi32((int)(x))
#define JOIN(even, odd) _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)
#define COUNT_FROM(b, odd) _mm256_add_epi32(ALL((b) + (odd)), _mm256_setr_epi64x(0, 2, 4, 6))
#endif

SK_INLINE void philox_round(lanes c[4], uint32_t k0, uint32_t k1)
{
    lanes p0 = PRODUCT(c[0], 0xD2511F53), p1 = PRODUCT(c[2], 0xCD9E8D57);
    c[0] = HIGH_XOR(p1, c[1], k0);
    c[2] = HIGH_XOR(p0, c[3], k1);
    c[1] = p1;
    c[3] = p0;
}

/* `keep` where the 16 bits of a lane reach the limit, 0 elsewhere. low: the lower
 * 16 of 32 bits, else the upper ones. */
SK_INLINE void factors_from(float *to, lanes bits, int low, uint32_t limit, float keep)
{
#ifdef __AVX512F__
    bits = low ? _mm512_and_epi32(bits, ALL(0xffff)) : _mm512_srli_epi32(bits, 16);
    _mm512_storeu_ps(to, _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(bits, ALL(limit)), _mm512_set1_ps(keep)));
#else
    bits = low ? _mm256_and_si256(bits, ALL(0xffff)) : _mm256_srli_epi32(bits, 16);
    __m256i kept = _mm256_cmpgt_epi32(bits, ALL(limit - 1));
    _mm256_storeu_ps(to, _mm256_and_ps(_mm256_castsi256_ps(kept), _mm256_set1_ps(keep)));
#endif
}

void SK_ISA_NAME(sk_dropout_factors)(float *factor, int n, struct sk_dropout drop, int64_t ordinal, int position)
{
    int blocks = (n + 7) / 8;
    uint32_t limit = (uint32_t)(drop.p * 65536), c1 = (uint32_t)position | drop.site << 16;
    float keep = 1.0f / (1.0f - drop.p);
    for (int b = 0; b < blocks; b += COUNTERS) {
        lanes even[4] = {COUNT_FROM(b, 0), ALL(c1), ALL((uint32_t)ordinal), ALL(drop.update)};
        lanes odd[4] = {COUNT_FROM(b, 1), ALL(c1), ALL((uint32_t)ordinal), ALL(drop.update)};
        uint32_t k0 = (uint32_t)drop.seed, k1 = (uint32_t)(drop.seed >> 32);
        for (int round = 0; round < 10; round++) {
            philox_round(even, k0, k1);
            philox_round(odd, k0, k1);
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        for (int lane = 0; lane < 8; lane++) {
            lanes bits = JOIN(even[lane / 2], odd[lane / 2]);
            float *to = factor + lane * blocks + b;
            if (b + COUNTERS <= blocks) {
                factors_from(to, bits, lane % 2 == 0, limit, keep);
            } else {
                float part[COUNTERS];
                factors_from(part, bits, lane % 2 == 0, limit, keep);
                for (int i = 0; b + i < blocks; i++) to[i] = part[i];
            }
        }
    }
}

/* Walks rows first..end-1: sentence and position of each. */
struct walk { const struct sk_rows *rows; int sentence; };
SK_INLINE int walk_to(struct walk *w, int row)
{
    while (row >= w->rows->offset[w->sentence + 1]) w->sentence++;
    return row - w->rows->offset[w->sentence];
}
SK_INLINE void factors_of(const struct sk_row_op *o, struct walk *w, int row, float *factor)
{
    int position = walk_to(w, row);
    SK_ISA_NAME(sk_dropout_factors)(factor, o->n, o->drop, o->rows.ordinal[w->sentence], position);
}

/* Loops over the values of a row: FULL for 16 at e, then the last part. */
#define EACH16(n, BODY)                                                              \
    do {                                                                             \
        int e = 0;                                                                   \
        for (; e + 16 <= (n); e += 16) {                                             \
            const int part = 16;                                                     \
            BODY                                                                     \
        }                                                                            \
        if (e < (n)) {                                                               \
            const int part = (n) - e;                                                \
            BODY                                                                     \
        }                                                                            \
    } while (0)
SK_INLINE sk_v16 get(const float *p, int part)
{
    return part == 16 ? sk_load16(p) : sk_load_part16(p, part, 0);
}
SK_INLINE void put(float *p, int part, sk_v16 v)
{
    if (part == 16) sk_store16(p, v);
    else sk_store_part16(p, part, v);
}

/* out = [b +] a * factor */
void SK_ISA_NAME(sk_row_dropout_add)(const struct sk_row_op *o, int first, int end, float *factor)
{
    struct walk w = {&o->rows, o->drop.p > 0 ? sk_sentence_of(&o->rows, first) : 0};
    size_t n = (size_t)o->n;
    for (int t = first; t < end; t++) {
        const float *a = o->a + (size_t)t * n, *b = o->b ? o->b + (size_t)t * n : NULL;
        float *out = o->out + (size_t)t * n;
        if (o->drop.p > 0) {
            factors_of(o, &w, t, factor);
            EACH16(o->n, {
                sk_v16 v = sk_mul16(get(a + e, part), get(factor + e, part));
                put(out + e, part, b ? sk_add16(get(b + e, part), v) : v);
            });
        } else {
            EACH16(o->n, {
                sk_v16 v = get(a + e, part);
                put(out + e, part, b ? sk_add16(get(b + e, part), v) : v);
            });
        }
    }
}

/* --- activations --------------------------------------------------------------- */

#define GELU_C 0.7978845608028654f   /* sqrt(2 / pi) */
#define GELU_A 0.044715f

SK_INLINE sk_v16 act(sk_v16 x, enum sk_activation kind)
{
    if (kind == SK_RELU) return sk_larger16(sk_zero16(), x);    /* NaN stays NaN */
    if (kind == SK_SWISH1) return sk_mul16(x, sk_sigmoid16(x));
    sk_v16 x3 = sk_mul16(sk_mul16(x, x), x);
    sk_v16 t = sk_tanh16(sk_mul16(sk_set16(GELU_C), sk_fma16(sk_set16(GELU_A), x3, x)));
    return sk_mul16(sk_mul16(sk_set16(0.5f), x), sk_add16(sk_set16(1), t));
}

SK_INLINE sk_v16 act_slope(sk_v16 x, enum sk_activation kind)
{
    const sk_v16 one = sk_set16(1), half = sk_set16(0.5f);
    if (kind == SK_SWISH1) {
        sk_v16 s = sk_sigmoid16(x);
        return sk_mul16(s, sk_fma16(x, sk_sub16(one, s), one));
    }
    sk_v16 x2 = sk_mul16(x, x);
    sk_v16 t = sk_tanh16(sk_mul16(sk_set16(GELU_C), sk_fma16(sk_set16(GELU_A), sk_mul16(x2, x), x)));
    sk_v16 inner = sk_mul16(sk_set16(GELU_C), sk_fma16(sk_set16(3 * GELU_A), x2, one));
    sk_v16 tail = sk_mul16(sk_mul16(half, x), sk_mul16(sk_sub16(one, sk_mul16(t, t)), inner));
    return sk_fma16(half, sk_add16(one, t), tail);
}

/* out = act(a) * factor */
void SK_ISA_NAME(sk_row_activation)(const struct sk_row_op *o, int first, int end, float *factor)
{
    struct walk w = {&o->rows, o->drop.p > 0 ? sk_sentence_of(&o->rows, first) : 0};
    size_t n = (size_t)o->n;
    for (int t = first; t < end; t++) {
        const float *a = o->a + (size_t)t * n;
        float *out = o->out + (size_t)t * n;
        if (o->drop.p > 0) factors_of(o, &w, t, factor);
        EACH16(o->n, {
            sk_v16 v = act(get(a + e, part), o->act);
            put(out + e, part, o->drop.p > 0 ? sk_mul16(v, get(factor + e, part)) : v);
        });
    }
}

/* out = act'(a) * (b * factor) */
void SK_ISA_NAME(sk_row_activation_gradient)(const struct sk_row_op *o, int first, int end, float *factor)
{
    struct walk w = {&o->rows, o->drop.p > 0 ? sk_sentence_of(&o->rows, first) : 0};
    size_t n = (size_t)o->n;
    for (int t = first; t < end; t++) {
        const float *a = o->a + (size_t)t * n, *b = o->b + (size_t)t * n;
        float *out = o->out + (size_t)t * n;
        if (o->drop.p > 0) factors_of(o, &w, t, factor);
        EACH16(o->n, {
            sk_v16 g = get(b + e, part);
            if (o->drop.p > 0) g = sk_mul16(g, get(factor + e, part));
            put(out + e, part, sk_mul16(g, act_slope(get(a + e, part), o->act)));
        });
    }
}

/* out = b * scale where a, the result of the forward pass, is positive; else 0 */
void SK_ISA_NAME(sk_row_relu_gradient)(const struct sk_row_op *o, int first, int end, float *factor)
{
    size_t n = (size_t)o->n;
    const sk_v16 scale = sk_set16(o->scale);
    (void)factor;
    for (int t = first; t < end; t++) {
        const float *a = o->a + (size_t)t * n, *b = o->b + (size_t)t * n;
        float *out = o->out + (size_t)t * n;
        EACH16(o->n, {
            sk_m16 passed = sk_lt16(sk_zero16(), get(a + e, part));
            put(out + e, part, sk_select16(passed, sk_mul16(get(b + e, part), scale), sk_zero16()));
        });
    }
}

/* --- embeddings ------------------------------------------------------------------- */

/* out = (a[id] * scale [+ b[position]]) * factor; at: positions */
void SK_ISA_NAME(sk_row_embed)(const struct sk_row_op *o, int first, int end, float *factor)
{
    struct walk w = {&o->rows, sk_sentence_of(&o->rows, first)};
    size_t n = (size_t)o->n;
    const sk_v16 scale = sk_set16(o->scale);
    for (int t = first; t < end; t++) {
        int position = o->at ? o->at[t] : walk_to(&w, t);
        const float *a = o->a + (size_t)o->id[t] * n, *b = o->b ? o->b + (size_t)position * n : NULL;
        float *out = o->out + (size_t)t * n;
        if (o->drop.p > 0) factors_of(o, &w, t, factor);
        EACH16(o->n, {
            sk_v16 v = sk_mul16(get(a + e, part), scale);
            if (b) v = sk_add16(v, get(b + e, part));
            if (o->drop.p > 0) v = sk_mul16(v, get(factor + e, part));
            put(out + e, part, v);
        });
    }
}

/* --- layer norm ---------------------------------------------------------------------- */

/* out = gamma * (a - mean) / sqrt(variance + 1e-6) + beta */
void SK_ISA_NAME(sk_row_norm)(const struct sk_row_op *o, int first, int end, float *factor)
{
    (void)factor;
    size_t n = (size_t)o->n;
    for (int t = first; t < end; t++) {
        const float *a = o->a + (size_t)t * n;
        float *out = o->out + (size_t)t * n;
        sk_v16 s = sk_zero16();
        EACH16(o->n, { s = sk_add16(s, get(a + e, part)); });
        float mean = sk_sum16(s) / (float)o->n;
        const sk_v16 m = sk_set16(mean);
        s = sk_zero16();
        EACH16(o->n, {
            sk_v16 c = part == 16 ? sk_sub16(sk_load16(a + e), m) : sk_sub16(sk_load_part16(a + e, part, mean), m);
            s = sk_fma16(c, c, s);
        });
        float inverse = 1.0f / sqrtf(sk_sum16(s) / (float)o->n + 1e-6f);
        const sk_v16 r = sk_set16(inverse);
        EACH16(o->n, {
            sk_v16 c = sk_mul16(sk_sub16(get(a + e, part), m), r);
            put(out + e, part, sk_fma16(c, get(o->gamma + e, part), get(o->beta + e, part)));
        });
        o->stat[2 * (size_t)t] = mean;
        o->stat[2 * (size_t)t + 1] = inverse;
    }
}

/* With g = gamma dy and c = (x - mean) r: dx = r (g - mean(g) - c mean(g c)).
 * a: x, b: dy; add: onto out. */
void SK_ISA_NAME(sk_row_norm_gradient)(const struct sk_row_op *o, int first, int end, float *factor)
{
    (void)factor;
    size_t n = (size_t)o->n;
    for (int t = first; t < end; t++) {
        const float *x = o->a + (size_t)t * n, *dy = o->b + (size_t)t * n;
        float *out = o->out + (size_t)t * n;
        const sk_v16 m = sk_set16(o->stat[2 * (size_t)t]), r = sk_set16(o->stat[2 * (size_t)t + 1]);
        sk_v16 sg = sk_zero16(), sgc = sk_zero16();
        EACH16(o->n, {
            sk_v16 g = sk_mul16(get(dy + e, part), get(o->gamma + e, part));
            sk_v16 c = sk_mul16(sk_sub16(get(x + e, part), m), r);
            sg = sk_add16(sg, g);
            sgc = sk_fma16(g, c, sgc);      /* g is 0 beyond the row */
        });
        const sk_v16 mg = sk_set16(sk_sum16(sg) / (float)o->n), mgc = sk_set16(sk_sum16(sgc) / (float)o->n);
        const sk_v16 minus = sk_sub16(sk_zero16(), mgc);
        EACH16(o->n, {
            sk_v16 g = sk_mul16(get(dy + e, part), get(o->gamma + e, part));
            sk_v16 c = sk_mul16(sk_sub16(get(x + e, part), m), r);
            sk_v16 d = sk_mul16(r, sk_fma16(c, minus, sk_sub16(g, mg)));
            put(out + e, part, o->add ? sk_add16(get(out + e, part), d) : d);
        });
    }
}
