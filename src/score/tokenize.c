/* tokenize.c - tokenisation 13a.
 *
 * sacreBLEU applies four regular expressions one after the other, each over
 * the whole line, its matches not overlapping. Every class of theirs is a
 * set of ASCII characters or the complement of one, so that bytes can be
 * matched instead of characters: the byte next to a '.' is the last or first
 * of its character, and a blank put beside it stands outside of it. */
#include <string.h>
#include "score/tokenize.h"

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

/* Makes room for n bytes more and the final 0. */
static void reserve(struct sk_str *s, size_t n)
{
    if (s->cap - s->len <= n) {
        size_t cap = (s->len + n + 1) * 2;
        s->text = sk_xrealloc(s->text, cap, 1);
        s->cap = cap;
    }
}

static void put(struct sk_str *s, char c)
{
    s->text[s->len++] = c;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_stop(char c) { return c == '.' || c == ','; }

/* ASCII punctuation, blank included, without ' , - . and digits, letters. */
static int is_symbol(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

/* A symbol gets blanks on both sides. */
static void split_symbols(const struct sk_str *in, struct sk_str *out)
{
    for (size_t i = 0; i < in->len; i++) {
        char c = in->text[i];
        reserve(out, 3);
        if (is_symbol(c)) {
            put(out, ' ');
            put(out, c);
            put(out, ' ');
        } else {
            put(out, c);
        }
    }
}

/* What the other three rules have in common: two bytes of given kinds become
 * the same two with blanks, and matching goes on behind them. */
static void split_pairs(const struct sk_str *in, struct sk_str *out, int rule)
{
    for (size_t i = 0; i < in->len; i++) {
        char a = in->text[i], b = i + 1 < in->len ? in->text[i + 1] : 0;
        int match = i + 1 < in->len && (rule == 2   ? !is_digit(a) && is_stop(b)
                                        : rule == 3 ? is_stop(a) && !is_digit(b)
                                                    : is_digit(a) && b == '-');
        reserve(out, 4);
        if (!match) {
            put(out, a);
            continue;
        }
        if (rule == 3)
            put(out, ' ');
        put(out, a);
        put(out, ' ');
        put(out, b);
        if (rule != 3)
            put(out, ' ');
        i++;
    }
}

void sk_tokenize_13a(struct sk_str *line, struct sk_str *spare)
{
    if (line->len == 0)
        return;
    replace(line, "<skipped>", 0);
    replace(line, "-\n", 0);
    replace(line, "\n", ' ');
    if (memchr(line->text, '&', line->len)) {
        replace(line, "&quot;", '"');
        replace(line, "&amp;", '&');
        replace(line, "&lt;", '<');
        replace(line, "&gt;", '>');
    }
    /* The rules see a blank on either side of the line. */
    sk_str_clear(spare);
    sk_str_add(spare, " ", 1);
    sk_str_add(spare, line->text, line->len);
    sk_str_add(spare, " ", 1);
    sk_str_clear(line);
    split_symbols(spare, line);
    for (int rule = 2; rule <= 4; rule++) {
        sk_str_clear(spare);
        split_pairs(line, spare, rule);
        struct sk_str swap = *line;
        *line = *spare;
        *spare = swap;
    }
    reserve(line, 0);
    line->text[line->len] = 0;
}
