/* shortlist.c - tables of lexical probabilities to lists of likely words, and
 * their files. */
#include "search/shortlist.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"

/* --- making --------------------------------------------------------------------- */

struct entry { int32_t source, target; double p; int64_t line; };

/* By source; then by target, and the last line first. */
static int by_words(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->target != y->target)
        return x->target < y->target ? -1 : 1;
    return x->line > y->line ? -1 : x->line < y->line;
}

static int by_probability(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

/* One entry for each pair: how many. */
static size_t merge(struct entry *e, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(e, n, sizeof *e, by_words);
    for (size_t i = 0; i < n; i++) {
        struct entry *last = kept ? &e[kept - 1] : NULL;
        if (!last || last->source != e[i].source || last->target != e[i].target)
            e[kept++] = e[i];
        else if (e[i].target == SK_UNK)
            last->p += e[i].p;
    }
    return kept;
}

/* The entry of a line: 1; 0: it is of no use; -1: sk_fail. */
static int read_line(struct entry *e, const struct sk_lines *in, const char *line, const struct sk_vocab *source,
                     const struct sk_vocab *target)
{
    const char *word[3], *at = line;
    char number[64], *end;
    size_t n[3], more;
    int fields = 0;
    while (fields < 3 && (word[fields] = sk_token_next(&at, &n[fields])) != NULL)
        fields++;
    if (fields == 3 && !sk_token_next(&at, &more) && n[2] < sizeof number) {
        memcpy(number, word[2], n[2]);
        number[n[2]] = 0;
        double p = exp(strtod(number, &end));
        if (*end == 0 && p >= 0 && p < INFINITY) {
            *e = (struct entry){sk_vocab_id(source, word[0], n[0]), sk_vocab_id(target, word[1], n[1]), p,
                                (int64_t)sk_lines_number(in)};
            return e->source != SK_UNK;
        }
    }
    return sk_fail(SK_EXIT_DATA, "%s: line %llu is not 'source target log-probability'", sk_lines_path(in),
                   (unsigned long long)sk_lines_number(in));
}

int sk_shortlist_make(struct sk_shortlist *s, const char *path, const struct sk_vocab *source,
                      const struct sk_vocab *target, int k, long long *used, long long *lines)
{
    struct sk_lines *in = sk_lines_open(path, 0);
    struct entry *e = NULL;
    size_t n = 0, cap = 0, length;
    char *line;
    int got = in ? 1 : -1;
    *s = (struct sk_shortlist){0};
    while (got > 0 && (got = sk_lines_next(in, &line, &length)) > 0) {
        if (n == cap)
            e = sk_xrealloc(e, cap = cap ? 2 * cap : 1024, sizeof *e);
        int useful = read_line(&e[n], in, line, source, target);
        got = useful < 0 ? -1 : 1;
        n += useful > 0;
    }
    *used = (long long)n;
    *lines = in ? (long long)sk_lines_number(in) : 0;
    if (in)
        sk_lines_close(in);
    if (got == 0) {
        *s = (struct sk_shortlist){sk_vocab_size(source), k, NULL};
        s->word = sk_xcalloc((size_t)s->sources * (size_t)k, sizeof *s->word);
        n = merge(e, n);
        if (n > 1)
            qsort(e, n, sizeof *e, by_probability);
        for (size_t i = 0, rank = 0; i < n; i++) {
            rank = i > 0 && e[i].source == e[i - 1].source ? rank + 1 : 0;
            if (rank < (size_t)k)
                s->word[(size_t)e[i].source * (size_t)k + rank] = e[i].target;
        }
    }
    free(e);
    return got;
}

void sk_shortlist_free(struct sk_shortlist *s)
{
    free(s->word);
    *s = (struct sk_shortlist){0};
}

/* --- files ------------------------------------------------------------------------ */

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, ALIGNED = 64 };

int sk_shortlist_save(const struct sk_shortlist *s, const char *path)
{
    struct sk_str out = {0};
    char header[256];
    int n = snprintf(header, sizeof header, "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), }", s->sources, s->k);
    /* Blanks and a newline fill the header up to a multiple of 64 bytes. */
    int size = (MAGIC + 4 + n + 1 + ALIGNED - 1) / ALIGNED * ALIGNED - MAGIC - 4;
    const unsigned char start[4] = {1, 0, (unsigned char)(size & 255), (unsigned char)(size >> 8)};
    sk_str_add(&out, magic, MAGIC);
    sk_str_add(&out, start, sizeof start);
    sk_str_printf(&out, "%-*s\n", size - 1, header);
    sk_str_add(&out, s->word, (size_t)s->sources * (size_t)s->k * sizeof *s->word);
    int result = sk_file_save(path, out.text, out.len, SK_REPLACE);
    sk_str_free(&out);
    return result < 0 ? -1 : 0;
}

/* What a header says: where the numbers begin, their size, and the shape. */
struct header { size_t start; int bytes; long long rows, columns; };

static int read_header(struct header *h, const char *file, size_t n)
{
    size_t fixed = MAGIC + 4, length;
    char text[1024];
    if (n < MAGIC + 6 || memcmp(file, magic, MAGIC) != 0 || file[MAGIC] < 1 || file[MAGIC] > 3)
        return -1;
    const unsigned char *u = (const unsigned char *)file + MAGIC + 2;
    length = u[0] | (size_t)u[1] << 8;
    if (file[MAGIC] > 1) {
        length |= (size_t)u[2] << 16 | (size_t)u[3] << 24;
        fixed += 2;
    }
    if (length >= sizeof text || fixed + length > n)
        return -1;
    memcpy(text, file + fixed, length);
    text[length] = 0;
    const char *shape = strstr(text, "'shape'");
    h->start = fixed + length;
    h->bytes = strstr(text, "'<i4'") ? 4 : strstr(text, "'<i8'") ? 8 : 0;
    if (!h->bytes || !strstr(text, "'fortran_order': False") || !shape ||
        sscanf(shape, "'shape' : (%lld , %lld", &h->rows, &h->columns) != 2 || h->rows < 1 || h->columns < 1 ||
        h->rows > INT32_MAX || h->columns > INT32_MAX)
        return -1;
    size_t numbers = (n - h->start) / (size_t)h->bytes;
    return numbers / (size_t)h->rows == (size_t)h->columns && numbers % (size_t)h->rows == 0 &&
           (n - h->start) % (size_t)h->bytes == 0 ? 0 : -1;
}

static long long number_at(const char *p, int bytes)
{
    int32_t small;
    int64_t large;
    memcpy(&small, p, sizeof small);
    if (bytes == 4)
        return small;
    memcpy(&large, p, sizeof large);
    return large;
}

int sk_shortlist_load(struct sk_shortlist *s, const char *path, int sources, int targets, int topk)
{
    size_t n;
    struct header h;
    char *file = sk_file_load(path, SIZE_MAX / 2, &n);
    *s = (struct sk_shortlist){0};
    if (!file)
        return -1;
    int result = 0;
    if (read_header(&h, file, n))
        result = sk_fail(SK_EXIT_DATA, "%s is no shortlist: sk-lexicon makes one", path);
    else if (h.rows != sources)
        result = sk_fail(SK_EXIT_DATA, "%s is of another model: it has %lld source words, the model has %d", path, h.rows,
                         sources);
    if (result == 0) {
        int k = topk > 0 && topk < h.columns ? topk : (int)h.columns;
        *s = (struct sk_shortlist){sources, k, sk_xcalloc((size_t)sources * (size_t)k, sizeof *s->word)};
        for (size_t i = 0; i < (size_t)sources * (size_t)k && result == 0; i++) {
            size_t at = i / (size_t)k * (size_t)h.columns + i % (size_t)k;
            long long word = number_at(file + h.start + at * (size_t)h.bytes, h.bytes);
            if (word < 0 || word >= targets)
                result = sk_fail(SK_EXIT_DATA, "%s is of another model: it has target word %lld, the model has %d words",
                                 path, word, targets);
            s->word[i] = (int32_t)word;
        }
    }
    free(file);
    if (result)
        sk_shortlist_free(s);
    return result;
}
