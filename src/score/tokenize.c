/* tokenize.c - tokenisers.
 *
 * sacreBLEU applies regular expressions one after the other, each over the
 * whole line, its matches not overlapping. Those of 13a and Tercom have only
 * classes that are sets of ASCII characters or the complement of one, so that
 * bytes can be matched instead of characters: the byte next to a '.' is the
 * last or first of its character, and a blank put beside it stands outside. */
#include <stdlib.h>
#include <string.h>
#include "score/tokenize.h"
#include "score/unicode.h"

/* Replaces each `what` by one byte, or by nothing (with 0), in place. */
static void replace(struct sk_str *s, const char *what, char with)
{
    size_t n = strlen(what), to = 0;
    char *hit, *from = s->text, *end = s->text + s->len;
    while ((hit = memmem(from, (size_t)(end - from), what, n)) != NULL) {
        memmove(s->text + to, from, (size_t)(hit - from));
        to += (size_t)(hit - from);
        if (with)
            s->text[to++] = with;
        from = hit + n;
    }
    if (from == s->text)
        return;
    memmove(s->text + to, from, (size_t)(end - from));
    s->len = to + (size_t)(end - from);
    s->text[s->len] = 0;
}

/* Room for n bytes and a final 0 in an empty string. */
static char *room(struct sk_str *s, size_t n)
{
    s->len = 0;
    if (s->cap <= n) {
        s->cap = n + n / 2 + 64;
        s->text = sk_xrealloc(s->text, s->cap, 1);
    }
    return s->text;
}

static void finish(struct sk_str *s, char *end)
{
    *end = 0;
    s->len = (size_t)(end - s->text);
}

static void swap(struct sk_str *a, struct sk_str *b)
{
    struct sk_str t = *a;
    *a = *b;
    *b = t;
}

/* --- 13a and Tercom ------------------------------------------------------------ */

enum { DIGIT = 1, STOP = 2, SYMBOL = 4 };

/* Symbols: ASCII punctuation, blank included, but for ' , - . */
static const unsigned char kind[256] = {
    ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT, ['5'] = DIGIT, ['6'] = DIGIT,
    ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT, ['.'] = STOP, [','] = STOP,
    [' '] = SYMBOL, ['!'] = SYMBOL, ['"'] = SYMBOL, ['#'] = SYMBOL, ['$'] = SYMBOL, ['%'] = SYMBOL, ['&'] = SYMBOL,
    ['('] = SYMBOL, [')'] = SYMBOL, ['*'] = SYMBOL, ['+'] = SYMBOL, ['/'] = SYMBOL, [':'] = SYMBOL, [';'] = SYMBOL,
    ['<'] = SYMBOL, ['='] = SYMBOL, ['>'] = SYMBOL, ['?'] = SYMBOL, ['@'] = SYMBOL, ['['] = SYMBOL, ['\\'] = SYMBOL,
    [']'] = SYMBOL, ['^'] = SYMBOL, ['_'] = SYMBOL, ['`'] = SYMBOL, ['{'] = SYMBOL, ['|'] = SYMBOL, ['}'] = SYMBOL,
    ['~'] = SYMBOL};

static unsigned kind_of(char c) { return kind[(unsigned char)c]; }

/* A symbol gets blanks on both sides; the line too, for the other rules. */
static void split_symbols(const struct sk_str *in, struct sk_str *out)
{
    char *to = room(out, 3 * in->len + 6);
    *to++ = ' ';
    *to++ = ' ';
    *to++ = ' ';
    for (size_t i = 0; i < in->len; i++) {
        if (kind_of(in->text[i]) & SYMBOL) {
            *to++ = ' ';
            *to++ = in->text[i];
            *to++ = ' ';
        } else {
            *to++ = in->text[i];
        }
    }
    *to++ = ' ';
    *to++ = ' ';
    *to++ = ' ';
    finish(out, to);
}

/* What the other rules have in common: two bytes of given kinds become the
 * same two with blanks, and matching goes on behind them. */
enum rule { STOP_AFTER_OTHERS, STOP_BEFORE_OTHERS, DASH_AFTER_DIGIT };

static void split_pairs(const struct sk_str *in, struct sk_str *out, enum rule rule)
{
    const char *from = in->text, *end = in->text + in->len;
    char *to = room(out, 2 * in->len);
    while (from < end) {
        unsigned a = kind_of(from[0]), b = kind_of(from[1]);         /* at the end: the final 0 */
        int match = rule == STOP_AFTER_OTHERS    ? (b & STOP) && !(a & DIGIT)
                    : rule == STOP_BEFORE_OTHERS ? (a & STOP) && !(b & DIGIT) && from + 1 < end
                                                 : (a & DIGIT) && from[1] == '-';
        if (!match) {
            *to++ = *from++;
            continue;
        }
        if (rule == STOP_BEFORE_OTHERS)
            *to++ = ' ';
        *to++ = *from++;
        *to++ = ' ';
        *to++ = *from++;
        if (rule != STOP_BEFORE_OTHERS)
            *to++ = ' ';
    }
    finish(out, to);
}

static void split_all_pairs(struct sk_str *line, struct sk_str *spare)
{
    for (enum rule rule = STOP_AFTER_OTHERS; rule <= DASH_AFTER_DIGIT; rule++) {
        if (rule == DASH_AFTER_DIGIT && !memchr(line->text, '-', line->len))
            break;
        split_pairs(line, spare, rule);
        swap(line, spare);
    }
}

static void unescape(struct sk_str *line)
{
    if (memchr(line->text, '&', line->len)) {
        replace(line, "&quot;", '"');
        replace(line, "&amp;", '&');
        replace(line, "&lt;", '<');
        replace(line, "&gt;", '>');
    }
}

void sk_tokenize_13a(struct sk_str *line, struct sk_str *spare)
{
    if (line->len == 0)
        return;
    if (memchr(line->text, '<', line->len))
        replace(line, "<skipped>", 0);
    if (memchr(line->text, '\n', line->len)) {
        replace(line, "-\n", 0);
        replace(line, "\n", ' ');
    }
    unescape(line);
    split_symbols(line, spare);
    swap(line, spare);
    split_all_pairs(line, spare);
}

/* 's and a blank get another blank before them. */
static void split_possessives(struct sk_str *line, struct sk_str *spare)
{
    const char *from = line->text, *end = line->text + line->len, *hit;
    if (!memmem(from, line->len, "'s ", 3))
        return;
    char *to = room(spare, 2 * line->len);
    while ((hit = memmem(from, (size_t)(end - from), "'s ", 3)) != NULL) {
        memcpy(to, from, (size_t)(hit - from));
        to += hit - from;
        memcpy(to, " 's ", 4);
        to += 4;
        from = hit + 3;
    }
    memcpy(to, from, (size_t)(end - from));
    finish(spare, to + (end - from));
    swap(line, spare);
}

static int is_ideographic(uint32_t c)
{
    return (c >= 0x2E80 && c <= 0x2EFF) || (c >= 0x31C0 && c <= 0x31EF) || (c >= 0x3200 && c <= 0x4DBF) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE4F);
}

static int is_asian_punctuation(uint32_t c)
{
    return c == 0x3001 || c == 0x3002 || (c >= 0x3008 && c <= 0x3011) || (c >= 0x3014 && c <= 0x301F) ||
           (c >= 0xFF61 && c <= 0xFF65) || c == 0x30FB || c == 0xFF0E || c == 0xFF0C || c == 0xFF1F ||
           c == 0xFF1A || c == 0xFF1B || c == 0xFF01 || c == 0xFF02 || c == 0xFF08 || c == 0xFF09;
}

/* Characters get blanks on both sides, and, with `remove`, punctuation goes.
 * (Tercom's rules for runs of kana at the start of a line never apply: the
 * line has a blank there.) */
static void split_asian(struct sk_str *line, struct sk_str *spare, int separate, int remove)
{
    const char *from = line->text, *end = line->text + line->len;
    size_t length;
    char *to = room(spare, 3 * line->len);       /* what gets blanks has three bytes */
    for (; from < end; from += length) {
        uint32_t c = sk_utf8_decode(from, end, &length);
        int punctuation = is_asian_punctuation(c), alone = separate && (punctuation || is_ideographic(c));
        if (alone)
            *to++ = ' ';
        if (!(remove && punctuation)) {
            memcpy(to, from, length);
            to += length;
        }
        if (alone)
            *to++ = ' ';
    }
    finish(spare, to);
    swap(line, spare);
}

static void remove_punctuation(struct sk_str *line)
{
    char *to = line->text;
    for (size_t i = 0; i < line->len; i++)
        if (line->text[i] == 0 || !strchr(".,?:;!\"()", line->text[i]))
            *to++ = line->text[i];
    finish(line, to);
}

void sk_tokenize_tercom(unsigned how, struct sk_str *line, struct sk_str *spare)
{
    if (line->len == 0)
        return;
    if (how & SK_TERCOM_NORMALIZED) {
        replace(line, "\n-", 0);
        replace(line, "\n", ' ');
        unescape(line);
        split_symbols(line, spare);
        swap(line, spare);
        split_possessives(line, spare);
        split_all_pairs(line, spare);
    }
    if (how & SK_TERCOM_NO_PUNCT)
        remove_punctuation(line);
    if (how & SK_TERCOM_ASIAN)
        split_asian(line, spare, how & SK_TERCOM_NORMALIZED, how & SK_TERCOM_NO_PUNCT);
}

/* --- international, characters --------------------------------------------------- */

/* A character and, above it, its class. */
enum { CLASS_SHIFT = 24, CHARACTER = (1 << CLASS_SHIFT) - 1 };

static int has(uint32_t c, unsigned class) { return (c >> CLASS_SHIFT & class) != 0; }

/* Two neighbours that match become the same with blanks, as above. */
static size_t split_classes(const uint32_t *in, size_t n, uint32_t *out, int before)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        int match = i + 1 < n && (before ? !has(in[i], SK_NUMBER) && has(in[i + 1], SK_PUNCTUATION)
                                         : has(in[i], SK_PUNCTUATION) && !has(in[i + 1], SK_NUMBER));
        if (!match) {
            out[to++] = in[i];
            continue;
        }
        if (!before)
            out[to++] = ' ';
        out[to++] = in[i++];
        out[to++] = ' ';
        out[to++] = in[i];
        if (before)
            out[to++] = ' ';
    }
    return to;
}

void sk_tokenize_intl(struct sk_str *line, struct sk_str *spare)
{
    /* Each of two passes at most doubles the characters. */
    uint32_t *a = sk_xmalloc((6 * line->len + 1) * sizeof *a), *b = a + 4 * line->len;
    const char *from = line->text, *end = line->text + line->len;
    size_t n = 0, length;
    for (; from < end; from += length) {
        uint32_t c = sk_utf8_decode(from, end, &length);
        a[n++] = c | (uint32_t)sk_char_class(c) << CLASS_SHIFT;
    }
    n = split_classes(a, n, b, 1);
    n = split_classes(b, n, a, 0);
    sk_str_clear(spare);
    for (size_t i = 0; i < n; i++) {
        if (has(a[i], SK_SYMBOL))
            sk_str_add(spare, " ", 1);
        sk_utf8_add(spare, a[i] & CHARACTER);
        if (has(a[i], SK_SYMBOL))
            sk_str_add(spare, " ", 1);
    }
    free(a);
    swap(line, spare);
}

void sk_tokenize_char(struct sk_str *line, struct sk_str *spare)
{
    const char *from = line->text, *end = line->text + line->len;
    size_t length;
    char *to = room(spare, 2 * line->len);
    for (; from < end; from += length) {
        sk_utf8_decode(from, end, &length);
        memcpy(to, from, length);
        to += length;
        *to++ = ' ';
    }
    finish(spare, to);
    swap(line, spare);
}
