/* math_inline.h - 16 lanes of float and the functions over them, with the
 * same bits on both instruction sets. For *_isa.c files only.
 *
 * sk_v16 is one 512-bit register with AVX-512, two 256-bit ones otherwise;
 * sk_m16 is a mask of 16 lanes. Every operation is one IEEE operation per
 * lane, fma included; so results differ nowhere. Polynomials are evaluated
 * by Horner's rule in fma. NaN passes through all functions.
 */
#ifndef SK_MATH_CPU_MATH_INLINE_H
#define SK_MATH_CPU_MATH_INLINE_H
#include <immintrin.h>
#include <stdint.h>

#define SK_INLINE static inline __attribute__((always_inline, unused))

#ifdef __AVX512F__

typedef __m512 sk_v16;
typedef __mmask16 sk_m16;
SK_INLINE sk_v16 sk_load16(const float *p) { return _mm512_loadu_ps(p); }
SK_INLINE void sk_store16(float *p, sk_v16 a) { _mm512_storeu_ps(p, a); }
SK_INLINE sk_v16 sk_set16(float x) { return _mm512_set1_ps(x); }
SK_INLINE sk_v16 sk_add16(sk_v16 a, sk_v16 b) { return _mm512_add_ps(a, b); }
SK_INLINE sk_v16 sk_sub16(sk_v16 a, sk_v16 b) { return _mm512_sub_ps(a, b); }
SK_INLINE sk_v16 sk_mul16(sk_v16 a, sk_v16 b) { return _mm512_mul_ps(a, b); }
SK_INLINE sk_v16 sk_div16(sk_v16 a, sk_v16 b) { return _mm512_div_ps(a, b); }
SK_INLINE sk_v16 sk_sqrt16(sk_v16 a) { return _mm512_sqrt_ps(a); }
/* a * b + c, rounded once */
SK_INLINE sk_v16 sk_fma16(sk_v16 a, sk_v16 b, sk_v16 c) { return _mm512_fmadd_ps(a, b, c); }
/* the second operand if either is NaN */
SK_INLINE sk_v16 sk_larger16(sk_v16 a, sk_v16 b) { return _mm512_max_ps(a, b); }
SK_INLINE sk_v16 sk_smaller16(sk_v16 a, sk_v16 b) { return _mm512_min_ps(a, b); }
SK_INLINE sk_v16 sk_round16(sk_v16 a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
SK_INLINE sk_v16 sk_abs16(sk_v16 a) { return _mm512_abs_ps(a); }
/* magnitude of a, sign of s */
SK_INLINE sk_v16 sk_copysign16(sk_v16 a, sk_v16 s) {
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    return _mm512_castsi512_ps(_mm512_or_epi32(_mm512_andnot_epi32(sign, _mm512_castps_si512(a)),
                                               _mm512_and_epi32(sign, _mm512_castps_si512(s))));
}
SK_INLINE sk_m16 sk_lt16(sk_v16 a, sk_v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
SK_INLINE sk_m16 sk_eq16(sk_v16 a, sk_v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
/* m ? a : b */
SK_INLINE sk_v16 sk_select16(sk_m16 m, sk_v16 a, sk_v16 b) { return _mm512_mask_blend_ps(m, b, a); }
/* bit i of the result: lane i of m */
SK_INLINE unsigned sk_bits16(sk_m16 m) { return m; }
SK_INLINE sk_m16 sk_mask16(unsigned bits) { return (sk_m16)bits; }
/* The first n lanes (1..16) of p; `fill` in the others. */
SK_INLINE sk_v16 sk_load_part16(const float *p, int n, float fill) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << n) - 1), p);
}
SK_INLINE void sk_store_part16(float *p, int n, sk_v16 a) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}
/* x = m * 2^e, 0.75 <= m < 1.5, for finite normal x > 0 */
SK_INLINE sk_v16 sk_split16(sk_v16 x, sk_v16 *e) {
    __m512i i = _mm512_castps_si512(x);
    __m512i n = _mm512_srai_epi32(_mm512_sub_epi32(i, _mm512_set1_epi32(0x3f400000)), 23);
    *e = _mm512_cvtepi32_ps(n);
    return _mm512_castsi512_ps(_mm512_sub_epi32(i, _mm512_slli_epi32(n, 23)));
}
/* Nearest bfloat16, ties to even; subnormals become zeros, NaN quiet. */
SK_INLINE sk_v16 sk_narrow16(sk_v16 a) {
    const __m512i low = _mm512_set1_epi32(0xffff), one = _mm512_set1_epi32(1);
    __m512i i = _mm512_castps_si512(a), size = _mm512_and_epi32(i, _mm512_set1_epi32(0x7fffffff));
    __m512i odd = _mm512_and_epi32(_mm512_srli_epi32(i, 16), one);
    __m512i near = _mm512_add_epi32(_mm512_add_epi32(i, _mm512_set1_epi32(0x7fff)), odd);
    __mmask16 nan = _mm512_cmpgt_epi32_mask(size, _mm512_set1_epi32(0x7f800000));
    __mmask16 tiny = _mm512_cmplt_epi32_mask(size, _mm512_set1_epi32(0x00800000));
    near = _mm512_mask_or_epi32(near, nan, i, _mm512_set1_epi32(0x00400000));
    near = _mm512_mask_and_epi32(near, tiny, i, _mm512_set1_epi32(INT32_MIN));
    return _mm512_castsi512_ps(_mm512_andnot_epi32(low, near));
}
/* Lane j of r[i] becomes lane i of r[j]. */
SK_INLINE void sk_turn16(sk_v16 r[16])
{
    sk_v16 t[16], u[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
        __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
        u[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        u[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        u[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        u[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    /* u[4 i + c]: quarter l holds column 4 l + c of rows 4 i .. 4 i + 3 */
    for (int c = 0; c < 4; c++) {
        sk_v16 even0 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88), odd0 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);
        sk_v16 even1 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
        sk_v16 odd1 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);
        r[c] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        r[4 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        r[8 + c] = _mm512_shuffle_f32x4(even0, even1, 0xdd);
        r[12 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);
    }
}
SK_INLINE __m256 sk_low8(sk_v16 a) { return _mm512_castps512_ps256(a); }
SK_INLINE __m256 sk_high8(sk_v16 a) {
    return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));
}

#else

typedef struct { __m256 lo, hi; } sk_v16;
typedef struct { __m256 lo, hi; } sk_m16;
#define SK_PAIR(type, l, h) ((type){ (l), (h) })
SK_INLINE sk_v16 sk_load16(const float *p) { return SK_PAIR(sk_v16, _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
SK_INLINE void sk_store16(float *p, sk_v16 a) { _mm256_storeu_ps(p, a.lo); _mm256_storeu_ps(p + 8, a.hi); }
SK_INLINE sk_v16 sk_set16(float x) { __m256 v = _mm256_set1_ps(x); return SK_PAIR(sk_v16, v, v); }
SK_INLINE sk_v16 sk_add16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi));
}
SK_INLINE sk_v16 sk_sub16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi));
}
SK_INLINE sk_v16 sk_mul16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi));
}
SK_INLINE sk_v16 sk_div16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi));
}
SK_INLINE sk_v16 sk_sqrt16(sk_v16 a) { return SK_PAIR(sk_v16, _mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)); }
/* a * b + c, rounded once */
SK_INLINE sk_v16 sk_fma16(sk_v16 a, sk_v16 b, sk_v16 c) {
    return SK_PAIR(sk_v16, _mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}
/* the second operand if either is NaN */
SK_INLINE sk_v16 sk_larger16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi));
}
SK_INLINE sk_v16 sk_smaller16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi));
}
SK_INLINE sk_v16 sk_round16(sk_v16 a) {
    return SK_PAIR(sk_v16, _mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                   _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
SK_INLINE sk_v16 sk_abs16(sk_v16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return SK_PAIR(sk_v16, _mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi));
}
/* magnitude of a, sign of s */
SK_INLINE sk_v16 sk_copysign16(sk_v16 a, sk_v16 s) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return SK_PAIR(sk_v16, _mm256_or_ps(_mm256_andnot_ps(sign, a.lo), _mm256_and_ps(sign, s.lo)),
                   _mm256_or_ps(_mm256_andnot_ps(sign, a.hi), _mm256_and_ps(sign, s.hi)));
}
SK_INLINE sk_m16 sk_lt16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_m16, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ));
}
SK_INLINE sk_m16 sk_eq16(sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_m16, _mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ));
}
/* m ? a : b */
SK_INLINE sk_v16 sk_select16(sk_m16 m, sk_v16 a, sk_v16 b) {
    return SK_PAIR(sk_v16, _mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi));
}
/* bit i of the result: lane i of m */
SK_INLINE unsigned sk_bits16(sk_m16 m) {
    return (unsigned)_mm256_movemask_ps(m.lo) | (unsigned)_mm256_movemask_ps(m.hi) << 8;
}
SK_INLINE sk_m16 sk_mask16(unsigned bits) {
    const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i high = _mm256_slli_epi32(low, 8);
    __m256i b = _mm256_set1_epi32((int)bits);
    return SK_PAIR(sk_m16, _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(b, low), low)),
                   _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(b, high), high)));
}
/* The first n lanes (1..16) of p; `fill` in the others. */
SK_INLINE sk_v16 sk_load_part16(const float *p, int n, float fill) {
    sk_m16 m = sk_mask16((1u << n) - 1);
    __m256i lo = _mm256_castps_si256(m.lo), hi = _mm256_castps_si256(m.hi);
    sk_v16 v = SK_PAIR(sk_v16, _mm256_maskload_ps(p, lo), _mm256_maskload_ps(p + 8, hi));
    return sk_select16(m, v, sk_set16(fill));
}
SK_INLINE void sk_store_part16(float *p, int n, sk_v16 a) {
    sk_m16 m = sk_mask16((1u << n) - 1);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.lo), a.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.hi), a.hi);
}
SK_INLINE __m256 sk_pow2_8(__m256 n) {
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}
/* 2^n for lanes n that hold integers in -126..127 */
SK_INLINE sk_v16 sk_pow2_16(sk_v16 n) { return SK_PAIR(sk_v16, sk_pow2_8(n.lo), sk_pow2_8(n.hi)); }
SK_INLINE __m256 sk_split8(__m256 x, __m256 *e) {
    __m256i i = _mm256_castps_si256(x);
    __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(i, _mm256_set1_epi32(0x3f400000)), 23);
    *e = _mm256_cvtepi32_ps(n);
    return _mm256_castsi256_ps(_mm256_sub_epi32(i, _mm256_slli_epi32(n, 23)));
}
/* x = m * 2^e, 0.75 <= m < 1.5, for finite normal x > 0 */
SK_INLINE sk_v16 sk_split16(sk_v16 x, sk_v16 *e) {
    return SK_PAIR(sk_v16, sk_split8(x.lo, &e->lo), sk_split8(x.hi, &e->hi));
}
SK_INLINE __m256 sk_narrow8(__m256 a) {
    const __m256i low = _mm256_set1_epi32(0xffff), one = _mm256_set1_epi32(1);
    __m256i i = _mm256_castps_si256(a), size = _mm256_and_si256(i, _mm256_set1_epi32(0x7fffffff));
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(i, 16), one);
    __m256i near = _mm256_add_epi32(_mm256_add_epi32(i, _mm256_set1_epi32(0x7fff)), odd);
    __m256i nan = _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x7f800000));
    __m256i tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), size);
    near = _mm256_blendv_epi8(near, _mm256_or_si256(i, _mm256_set1_epi32(0x00400000)), nan);
    near = _mm256_blendv_epi8(near, _mm256_and_si256(i, _mm256_set1_epi32(INT32_MIN)), tiny);
    return _mm256_castsi256_ps(_mm256_andnot_si256(low, near));
}
/* Nearest bfloat16, ties to even; subnormals become zeros, NaN quiet. */
SK_INLINE sk_v16 sk_narrow16(sk_v16 a) { return SK_PAIR(sk_v16, sk_narrow8(a.lo), sk_narrow8(a.hi)); }
SK_INLINE void sk_turn8(__m256 r[8])
{
    __m256 t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int c = 0; c < 4; c++) {
        r[c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
        r[4 + c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
    }
}

/* Lane j of r[i] becomes lane i of r[j]. */
SK_INLINE void sk_turn16(sk_v16 r[16])
{
    __m256 a[8], b[8], c[8], d[8];
    for (int i = 0; i < 8; i++) {
        a[i] = r[i].lo;
        b[i] = r[i].hi;
        c[i] = r[8 + i].lo;
        d[i] = r[8 + i].hi;
    }
    sk_turn8(a);
    sk_turn8(b);
    sk_turn8(c);
    sk_turn8(d);
    for (int i = 0; i < 8; i++) {
        r[i] = (sk_v16){a[i], c[i]};
        r[8 + i] = (sk_v16){b[i], d[i]};
    }
}
SK_INLINE __m256 sk_low8(sk_v16 a) { return a.lo; }
SK_INLINE __m256 sk_high8(sk_v16 a) { return a.hi; }

#endif

SK_INLINE sk_v16 sk_zero16(void) { return sk_set16(0.0f); }

/* to[e * ldto + i] = from[i * ldfrom + e], i < 16, e < n <= 16; reads 16 x 16. */
SK_INLINE void sk_turn(float *to, size_t ldto, const float *from, size_t ldfrom, int n) {
    sk_v16 r[16];
    for (int i = 0; i < 16; i++) r[i] = sk_load16(from + (size_t)i * ldfrom);
    sk_turn16(r);
    for (int e = 0; e < 16; e++)
        if (e < n) sk_store16(to + (size_t)e * ldto, r[e]);
}

/* Sum of the lanes by a fixed tree: i with i + 8, then 4, 2, 1 apart. */
SK_INLINE float sk_sum16(sk_v16 a) {
    __m256 b = _mm256_add_ps(sk_low8(a), sk_high8(a));
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
}

/* Largest lane, by the same tree. */
SK_INLINE float sk_max16(sk_v16 a) {
    __m256 b = _mm256_max_ps(sk_low8(a), sk_high8(a));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
}

/* The first lane. */
SK_INLINE float sk_first16(sk_v16 a) { return _mm_cvtss_f32(_mm256_castps256_ps128(sk_low8(a))); }

/* p * 2^n, rounded once, for p near 1 and integers n from -151 to 129. Without
 * an instruction for it, two factors make results near the ends of the range
 * (subnormal, infinite) right as well. */
#ifdef __AVX512F__
SK_INLINE sk_v16 sk_scale16(sk_v16 p, sk_v16 n) { return _mm512_scalef_ps(p, n); }
#else
SK_INLINE sk_v16 sk_scale16(sk_v16 p, sk_v16 n) {
    sk_v16 half = sk_round16(sk_mul16(n, sk_set16(0.5f)));
    return sk_mul16(sk_mul16(p, sk_pow2_16(half)), sk_pow2_16(sk_sub16(n, half)));
}
#endif

/* e^x: 2^n e^r, |r| <= ln 2 / 2. */
SK_INLINE sk_v16 sk_exp16(sk_v16 x) {
    x = sk_smaller16(sk_set16(89.0f), sk_larger16(sk_set16(-104.0f), x));
    sk_v16 n = sk_round16(sk_mul16(x, sk_set16(1.44269504088896341f)));
    sk_v16 r = sk_fma16(n, sk_set16(-0.693145751953125f), x);
    r = sk_fma16(n, sk_set16(-1.42860682030941723e-6f), r);
    sk_v16 p = sk_set16(1.0f / 5040);
    p = sk_fma16(p, r, sk_set16(1.0f / 720));
    p = sk_fma16(p, r, sk_set16(1.0f / 120));
    p = sk_fma16(p, r, sk_set16(1.0f / 24));
    p = sk_fma16(p, r, sk_set16(1.0f / 6));
    p = sk_fma16(p, r, sk_set16(0.5f));
    p = sk_fma16(p, r, sk_set16(1.0f));
    p = sk_fma16(p, r, sk_set16(1.0f));
    return sk_scale16(p, n);
}

/* Natural logarithm; -inf at 0, NaN below. With s = (m - 1) / (m + 1),
 * log m = 2 (s + s^3 / 3 + s^5 / 5 ...), and |s| <= 1/5. */
SK_INLINE sk_v16 sk_log16(sk_v16 x) {
    sk_m16 tiny = sk_lt16(x, sk_set16(1.17549435e-38f));
    sk_v16 e, m = sk_split16(sk_select16(tiny, sk_mul16(x, sk_set16(8388608.0f)), x), &e);
    e = sk_sub16(e, sk_select16(tiny, sk_set16(23.0f), sk_zero16()));
    sk_v16 f = sk_sub16(m, sk_set16(1.0f));
    sk_v16 s = sk_div16(f, sk_add16(m, sk_set16(1.0f)));
    sk_v16 z = sk_mul16(s, s);
    sk_v16 p = sk_set16(2.0f / 11);
    p = sk_fma16(p, z, sk_set16(2.0f / 9));
    p = sk_fma16(p, z, sk_set16(2.0f / 7));
    p = sk_fma16(p, z, sk_set16(2.0f / 5));
    p = sk_fma16(p, z, sk_set16(2.0f / 3));
    /* 2 s = f - s f exactly, which keeps f's own precision */
    sk_v16 tail = sk_fma16(e, sk_set16(1.42860682030941723e-6f),
                           sk_mul16(s, sk_sub16(sk_mul16(p, z), f)));
    sk_v16 y = sk_fma16(e, sk_set16(0.693145751953125f), sk_add16(f, tail));
    y = sk_select16(sk_eq16(x, sk_zero16()), sk_set16(-__builtin_inff()), y);
    y = sk_select16(sk_lt16(x, sk_zero16()), sk_set16(__builtin_nanf("")), y);
    /* inf stays inf, NaN stays NaN */
    return sk_select16(sk_lt16(x, sk_set16(__builtin_inff())), y, sk_add16(x, x));
}

/* tanh x: an odd polynomial near 0, 1 - 2 / (e^2|x| + 1) elsewhere. */
SK_INLINE sk_v16 sk_tanh16(sk_v16 x) {
    sk_v16 a = sk_abs16(x), z = sk_mul16(x, x);
    sk_v16 p = sk_set16(-5.70498872745e-3f);
    p = sk_fma16(p, z, sk_set16(2.06390887954e-2f));
    p = sk_fma16(p, z, sk_set16(-5.37397155531e-2f));
    p = sk_fma16(p, z, sk_set16(1.33314422036e-1f));
    p = sk_fma16(p, z, sk_set16(-3.33332819422e-1f));
    sk_v16 near = sk_fma16(sk_mul16(p, z), x, x);
    sk_v16 one = sk_set16(1.0f);
    sk_v16 far = sk_sub16(one, sk_div16(sk_set16(2.0f), sk_add16(sk_exp16(sk_add16(a, a)), one)));
    return sk_select16(sk_lt16(a, sk_set16(0.625f)), near, sk_copysign16(far, x));
}

/* 1 / (1 + e^-x) */
SK_INLINE sk_v16 sk_sigmoid16(sk_v16 x) {
    sk_v16 one = sk_set16(1.0f);
    return sk_div16(one, sk_add16(one, sk_exp16(sk_sub16(sk_zero16(), x))));
}
#endif
