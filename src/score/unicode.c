/* unicode.c - characters, their classes, white space. */
#include <string.h>
#include "score/unicode.h"
#include "score/unicode_tables.h"

uint32_t sk_utf8_decode(const char *s, const char *end, size_t *length)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = (size_t)(end - s);
    uint32_t stray = 0xDC00u + u[0];         /* no character of valid text */
    *length = 1;
    if (u[0] < 0x80)
        return u[0];
    size_t want = u[0] < 0xC2 ? 0 : u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : u[0] < 0xF5 ? 4 : 0;
    if (want == 0 || want > n)
        return stray;
    uint32_t c = u[0] & (0x7Fu >> want);
    for (size_t i = 1; i < want; i++) {
        if ((u[i] & 0xC0) != 0x80)
            return stray;
        c = c << 6 | (u[i] & 0x3F);
    }
    *length = want;
    return c;
}

void sk_utf8_add(struct sk_str *out, uint32_t c)
{
    char b[4];
    if (c < 0x80) {
        b[0] = (char)c;
        sk_str_add(out, b, 1);
    } else if (c < 0x800) {
        b[0] = (char)(0xC0 | c >> 6);
        b[1] = (char)(0x80 | (c & 0x3F));
        sk_str_add(out, b, 2);
    } else if (c < 0x10000) {
        b[0] = (char)(0xE0 | c >> 12);
        b[1] = (char)(0x80 | (c >> 6 & 0x3F));
        b[2] = (char)(0x80 | (c & 0x3F));
        sk_str_add(out, b, 3);
    } else {
        b[0] = (char)(0xF0 | c >> 18);
        b[1] = (char)(0x80 | (c >> 12 & 0x3F));
        b[2] = (char)(0x80 | (c >> 6 & 0x3F));
        b[3] = (char)(0x80 | (c & 0x3F));
        sk_str_add(out, b, 4);
    }
}

unsigned sk_char_class(uint32_t c)
{
    size_t low = 0, high = sk_char_classes_n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > sk_char_classes[mid].last)
            low = mid + 1;
        else if (c < sk_char_classes[mid].first)
            high = mid;
        else
            return sk_char_classes[mid].class;
    }
    return 0;
}

/* What a byte can start: 0 a character of a word, 1 nothing else than white
 * space, 2 white space outside ASCII. */
static const unsigned char starts[256] = {
    [9] = 1, [10] = 1, [11] = 1, [12] = 1, [13] = 1, [28] = 1, [29] = 1, [30] = 1, [31] = 1, [32] = 1,
    [0xC2] = 2, [0xE1] = 2, [0xE2] = 2, [0xE3] = 2};

static size_t wide_space(const char *s, const char *end)
{
    size_t length;
    uint32_t c = sk_utf8_decode(s, end, &length);
    int space = c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
                c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
    return space ? length : 0;
}

size_t sk_space_at(const char *s, const char *end)
{
    unsigned kind = starts[(unsigned char)*s];
    return kind == 2 ? wide_space(s, end) : kind;
}

const char *sk_word_next(const char **s, const char *end, size_t *length)
{
    const char *p = *s, *start;
    size_t n;
    while (p < end && (n = sk_space_at(p, end)) > 0)
        p += n;
    start = p;
    while (p < end && (!starts[(unsigned char)*p] || !sk_space_at(p, end)))
        p++;
    *s = p;
    *length = (size_t)(p - start);
    return p > start ? start : NULL;
}

size_t sk_trim_end(const char *text, size_t n)
{
    while (n > 0) {
        size_t last = n - 1;                 /* where the last character starts */
        while (last > 0 && n - last < 4 && ((unsigned char)text[last] & 0xC0) == 0x80)
            last--;
        size_t length = sk_space_at(text + last, text + n);
        if (length != n - last)
            break;
        n = last;
    }
    return n;
}

size_t sk_trim_start(const char *text, size_t n)
{
    size_t at = 0, length;
    while (at < n && (length = sk_space_at(text + at, text + n)) > 0)
        at += length;
    return at;
}
