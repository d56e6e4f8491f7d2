/* scan.h - the words and lines of a clean block (blocks.h), private to this
 * folder: what sk_token_next finds, 64 bytes at a time and with few branches
 * that processors guess wrong.
 *
 * Each bit of a mask stands for a byte: whether it is white space, then where
 * that changes. Words are what lies between one change and the next.
 */
#ifndef SK_TEXT_SCAN_H
#define SK_TEXT_SCAN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes of the white space character outside ASCII at p, 0: none. The
 * characters are those of Python's str.split(). Text ends with a 0, which
 * keeps this from reading too far. */
static inline size_t sk_wide_space(const unsigned char *p)
{
    switch (p[0]) {
    case 0xc2: return p[1] == 0x85 || p[1] == 0xa0 ? 2 : 0;
    case 0xe1: return p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;                 /* U+1680 */
    case 0xe3: return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;                 /* U+3000 */
    case 0xe2:
        if (p[1] == 0x81) return p[2] == 0x9f ? 3 : 0;                      /* U+205F */
        if (p[1] != 0x80) return 0;
        return (p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf ? 3 : 0;
    default: return 0;
    }
}

/* Which of 64 bytes are white space of ASCII, may begin other white space, are line ends. */
static inline void sk_scan_classes(const char *p, uint64_t *space, uint64_t *wide, uint64_t *newline)
{
    *space = *wide = *newline = 0;
#ifdef __SSE2__
    for (int i = 0; i < 64; i += 16) {
        const __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        /* unsigned x - low <= range: min(x - low, range) == x - low */
#define SK_IN(low, range) \
    _mm_cmpeq_epi8(_mm_min_epu8(_mm_sub_epi8(c, _mm_set1_epi8((char)(low))), _mm_set1_epi8(range)), \
                   _mm_sub_epi8(c, _mm_set1_epi8((char)(low))))
        __m128i s = _mm_or_si128(SK_IN(9, 4), SK_IN(28, 4));
        __m128i w = _mm_or_si128(SK_IN(0xe1, 2), _mm_cmpeq_epi8(c, _mm_set1_epi8((char)0xc2)));
#undef SK_IN
        *space |= (uint64_t)(unsigned)_mm_movemask_epi8(s) << i;
        *wide |= (uint64_t)(unsigned)_mm_movemask_epi8(w) << i;
        *newline |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(c, _mm_set1_epi8('\n'))) << i;
    }
#else
    for (int i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)p[i];
        *space |= (uint64_t)((c >= 9 && c <= 13) || (c >= 28 && c <= 32)) << i;
        *wide |= (uint64_t)(c == 0xc2 || (c >= 0xe1 && c <= 0xe3)) << i;
        *newline |= (uint64_t)(c == '\n') << i;
    }
#endif
}

struct sk_scan {
    const char *text;
    size_t n, base, next;            /* the masks are of bytes from base on */
    uint64_t changes, newlines;      /* not seen yet */
    unsigned pending;                /* bytes at the next base that belong to white space before it */
    int last_space, in_word;
    size_t start;                    /* of the word */
};
enum { SK_SCAN_END, SK_SCAN_WORD, SK_SCAN_LINE };

static inline void sk_scan_begin(struct sk_scan *s, const char *text, size_t n)
{
    *s = (struct sk_scan){.text = text, .n = n, .last_space = 1};
}

static inline void sk_scan_load(struct sk_scan *s)
{
    uint64_t space, wide;
    s->base = s->next;
    s->next += 64;
    sk_scan_classes(s->text + s->base, &space, &wide, &s->newlines);
    if (s->next > s->n) {            /* what lies behind the text is white space */
        uint64_t inside = (UINT64_C(1) << (s->n - s->base)) - 1;
        space |= ~inside;
        wide &= inside;
        s->newlines &= inside;
    }
    space |= (UINT64_C(1) << s->pending) - 1;
    s->pending = 0;
    for (; wide; wide &= wide - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(wide);
        unsigned bytes = (unsigned)sk_wide_space((const unsigned char *)s->text + s->base + bit);
        space |= ((UINT64_C(1) << bytes) - 1) << bit;
        if (bit + bytes > 64) s->pending = bit + bytes - 64;
    }
    s->changes = space ^ (space << 1 | (uint64_t)s->last_space);
    s->last_space = (int)(space >> 63);
}

/* What comes next: a word of *n bytes at *at, the end of a line, the end of
 * the text. */
static inline int sk_scan_next(struct sk_scan *s, uint32_t *at, uint32_t *n)
{
    for (;;) {
        uint64_t events = s->changes | s->newlines, bit = events & -events;
        if (!events) {
            if (s->next >= s->n) return SK_SCAN_END;
            sk_scan_load(s);
            continue;
        }
        if (!(s->changes & bit)) {
            s->newlines ^= bit;
            return SK_SCAN_LINE;
        }
        size_t here = s->base + (size_t)__builtin_ctzll(events);
        s->changes ^= bit;
        s->in_word ^= 1;
        if (!s->in_word) {
            *at = (uint32_t)s->start;
            *n = (uint32_t)(here - s->start);
            return SK_SCAN_WORD;
        }
        s->start = here;
    }
}
#endif
