#include "text/factored.h"
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/msg.h"
#include "text/lines.h"

static const char bar = '|';

char *sk_factored_join(struct sk_str *out, const char *line, const char *const *factor, int n)
{
    const char *rest[SK_FACTORS_MAX], *word, *other;
    size_t length, m;
    long words = 0, have = 0;
    int short_one = -1;
    for (int k = 0; k < n; k++) rest[k] = factor[k];
    sk_str_add(out, "", 0);
    while ((word = sk_token_next(&line, &length)) != NULL) {
        sk_str_printf(out, "%s%.*s", words++ ? " " : "", (int)length, word);
        for (int k = 0; k < n; k++) {
            if ((other = sk_token_next(&rest[k], &m)) == NULL) {
                if (short_one < 0) short_one = k, have = words - 1;
                continue;
            }
            if (memchr(other, bar, m))
                return sk_xprintf("factor '%.*s' has a bar (|), which divides words from factors", (int)m, other);
            sk_str_printf(out, "%c%.*s", bar, (int)m, other);
        }
    }
    if (short_one >= 0)
        return sk_xprintf("%ld words, but %ld of factor %d", words, have, short_one + 1);
    for (int k = 0; k < n; k++) {
        long more = 0;
        while (sk_token_next(&rest[k], &m)) more++;
        if (more) return sk_xprintf("%ld words, but %ld of factor %d", words, words + more, k + 1);
    }
    return NULL;
}

/* Where a token's word and factors begin and how long they are: 1, or 0. */
static int split(const char *token, size_t length, int n, const char **part, size_t *size)
{
    for (int k = n; k > 0; k--) {
        const char *at = memrchr(token, bar, length);
        if (!at || at == token) return 0;
        part[k] = at + 1;
        size[k] = (size_t)(token + length - at) - 1;
        if (size[k] == 0) return 0;
        length = (size_t)(at - token);
    }
    part[0] = token;
    size[0] = length;
    return length > 0;
}

char *sk_factored_check(const char *line, int n)
{
    const char *word, *part[1 + SK_FACTORS_MAX];
    size_t length, size[1 + SK_FACTORS_MAX];
    for (long i = 1; (word = sk_token_next(&line, &length)) != NULL; i++)
        if (!split(word, length, n, part, size))
            return sk_xprintf("word %ld, '%.*s', has not the %d source factor%s of the model (word%s)", i, (int)length, word,
                              n, n > 1 ? "s" : "", n > 1 ? "|factor|factor..." : "|factor");
    return NULL;
}

/* The next lines of all files into `out`: 1, 0 at their end, -1. */
static int zip_line(struct sk_lines *const *in, int n, struct sk_str *out)
{
    char *line[1 + SK_FACTORS_MAX];
    const char *factor[SK_FACTORS_MAX];
    size_t length;
    int got[1 + SK_FACTORS_MAX] = {0};
    for (int k = 0; k <= n; k++) {
        if ((got[k] = sk_lines_next(in[k], &line[k], &length)) < 0) return -1;
        if (got[k] != got[0])
            return sk_fail(SK_EXIT_DATA, "%s has only %llu lines, %s has more: they must correspond line by line",
                           sk_lines_path(in[got[0] ? k : 0]), (unsigned long long)sk_lines_number(in[got[0] ? k : 0]),
                           sk_lines_path(in[got[0] ? 0 : k]));
        if (k) factor[k - 1] = line[k];
    }
    if (!got[0]) return 0;
    char *why = sk_factored_join(out, line[0], factor, n);
    sk_str_add(out, "\n", 1);
    if (why)
        sk_fail(SK_EXIT_DATA, "%s: line %llu: %s (%s and what follows it)", sk_lines_path(in[0]),
                (unsigned long long)sk_lines_number(in[0]), why, sk_lines_path(in[1]));
    int failed = why != NULL;
    free(why);
    return failed ? -1 : 1;
}

int sk_factored_zip(const char *to, const char *source, const char *const *factor, int n, unsigned lines_flags)
{
    struct sk_lines *in[1 + SK_FACTORS_MAX] = {NULL};
    struct sk_str out = {0};
    struct sk_file f;
    int got = 1, made = 0;
    for (int k = 0; k <= n && got > 0; k++)
        if (!(in[k] = sk_lines_open(k ? factor[k - 1] : source, lines_flags))) got = -1;
    if (got > 0 && to) {
        made = sk_file_create(&f, to) == 0;
        got = made ? 1 : -1;
    }
    while (got > 0) {
        got = zip_line(in, n, &out);
        if (made && got >= 0 && (got == 0 || out.len > 1 << 20) && sk_file_write(&f, out.text ? out.text : "", out.len)) got = -1;
        if (!made || out.len > 1 << 20) sk_str_clear(&out);
    }
    if (made && got < 0) sk_file_abandon(&f);
    else if (made) got = sk_file_commit(&f, SK_REPLACE) < 0 ? -1 : 0;
    for (int k = 0; k <= n; k++) sk_lines_close(in[k]);
    sk_str_free(&out);
    return got;
}

static int32_t *row(struct sk_factored *f)
{
    size_t width = (size_t)(1 + f->n);
    if (f->used == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 1024;
        f->rows = sk_xrealloc(f->rows, f->cap * width, sizeof *f->rows);
    }
    return f->rows + f->used++ * width;
}

void sk_factored_start(struct sk_factored *f)
{
    f->used = 0;
    for (int32_t id = 0; id < SK_SPECIALS; id++) {
        int32_t *to = row(f);
        for (int k = 0; k <= f->n; k++) to[k] = id;
    }
}

int32_t sk_factored_add(struct sk_factored *f, const char *token, size_t length)
{
    const char *part[1 + SK_FACTORS_MAX];
    size_t size[1 + SK_FACTORS_MAX];
    int whole = split(token, length, f->n, part, size);
    int32_t *to = row(f);
    for (int k = 0; k <= f->n; k++)
        to[k] = whole ? sk_vocab_id(k ? f->factor[k - 1] : f->word, part[k], size[k]) : SK_UNK;
    return (int32_t)(f->used - 1);
}
