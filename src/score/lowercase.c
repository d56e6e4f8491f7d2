/* lowercase.c - Unicode lower case. */
#include "score/lowercase.h"
#include "score/unicode.h"
#include "score/unicode_tables.h"

static int in_ranges(const struct sk_char_range *r, size_t n, uint32_t c)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > r[mid].last)
            low = mid + 1;
        else if (c < r[mid].first)
            high = mid;
        else
            return 1;
    }
    return 0;
}

static uint32_t lower_one(uint32_t c)
{
    size_t low = 0, high = sk_lower_mappings_n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct sk_lower_mapping *m = &sk_lower_mappings[mid];
        if (c > m->last)
            low = mid + 1;
        else if (c < m->first)
            high = mid;
        else
            return (c - m->first) % (uint32_t)m->step == 0 ? (uint32_t)((int32_t)c + m->delta) : c;
    }
    return c;
}

/* A sigma is final if a cased character precedes and none follows, ignorable
 * ones in between not counted (The Unicode Standard, table 3-17). */
static int sigma_is_final(const char *text, size_t n, size_t at)
{
    size_t length;
    uint32_t c = 0;
    for (size_t i = at; i > 0;) {
        do
            i--;
        while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80);
        c = sk_utf8_decode(text + i, text + n, &length);
        if (!in_ranges(sk_case_ignorable, sk_case_ignorable_n, c))
            break;
    }
    if (!in_ranges(sk_cased, sk_cased_n, c))
        return 0;
    for (size_t i = at + 2; i < n; i += length) {
        c = sk_utf8_decode(text + i, text + n, &length);
        if (!in_ranges(sk_case_ignorable, sk_case_ignorable_n, c))
            return !in_ranges(sk_cased, sk_cased_n, c);
    }
    return 1;
}

void sk_lowercase(const char *text, size_t n, struct sk_str *out)
{
    size_t i = 0;
    sk_str_add(out, "", 0);          /* terminated even if there is nothing */
    while (i < n) {
        size_t ascii = i;            /* runs of ASCII are copied at once */
        while (ascii < n && (unsigned char)text[ascii] < 0x80)
            ascii++;
        if (ascii > i) {
            size_t from = out->len;
            sk_str_add(out, text + i, ascii - i);
            for (char *c = out->text + from; c < out->text + out->len; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
            i = ascii;
            continue;
        }
        size_t length;
        uint32_t c = sk_utf8_decode(text + i, text + n, &length), lower = lower_one(c);
        if (c == 0x3A3)
            sk_utf8_add(out, sigma_is_final(text, n, i) ? 0x3C2 : 0x3C3);
        else if (c == 0x130)
            sk_str_add(out, "i\xCC\x87", 3);
        else if (lower == c)
            sk_str_add(out, text + i, length);
        else
            sk_utf8_add(out, lower);
        i += length;
    }
}
