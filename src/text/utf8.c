#include "text/utf8.h"
#include <stdint.h>
#include <string.h>

/* Of a character that starts with c: its length, and what its second byte may be. */
static size_t shape(unsigned char c, unsigned char *low, unsigned char *high)
{
    if (c < 0xc2 || c > 0xf4) return 0;
    *low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    *high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Bytes at s (n are there) that begin a character well, up to its end; *whole: all of it is there. */
static size_t begun(const unsigned char *s, size_t n, int *whole)
{
    unsigned char low, high;
    *whole = s[0] < 0x80;
    if (*whole) return 1;
    size_t need = shape(s[0], &low, &high), k = 1;
    if (!need) return 1;
    while (k < need && k < n && s[k] >= (k == 1 ? low : 0x80) && s[k] <= (k == 1 ? high : 0xbf)) k++;
    *whole = k == need;
    return k;
}

size_t sk_utf8_valid(const char *text, size_t n, int nul)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    size_t i = 0;
    int whole;
    while (i < n) {
        uint64_t eight;
        /* eight bytes of ASCII, none of them NUL */
        while (n - i >= 8 && (memcpy(&eight, text + i, 8), !(((eight - ones) | eight) & high))) i += 8;
        for (size_t stop = n - i > 8 ? i + 8 : n; i < stop;) {
            size_t k = begun((const unsigned char *)text + i, n - i, &whole);
            if (!whole || (!text[i] && !nul)) return i;
            i += k;
        }
    }
    return i;
}

void sk_utf8_repair(struct sk_str *to, const char *text, size_t n, int nul)
{
    int whole;
    for (size_t i = 0; i < n;) {
        size_t k = sk_utf8_valid(text + i, n - i, nul);
        sk_str_add(to, text + i, k);
        i += k;
        if (i >= n) break;
        sk_str_add(to, "\xef\xbf\xbd", 3);
        i += begun((const unsigned char *)text + i, n - i, &whole);
    }
}
