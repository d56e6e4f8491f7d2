/* corpus_files.c - reading side by side. */
#include <stdlib.h>
#include <string.h>
#include "base/msg.h"
#include "score/corpus_files.h"
#include "score/unicode.h"
#include "text/lines.h"

enum { BLOCK_LINES = 512, BLOCK_BYTES = 1 << 21 };

struct reader {
    const struct sk_score_files *f;
    struct sk_lines **file;          /* references, then hypotheses */
    int files;
    long long lines;                 /* read of each */
    struct sk_str text;              /* of the block */
    size_t *start;                   /* (BLOCK_LINES, files + 1): where the lines begin in it */
    struct sk_line *line;            /* (BLOCK_LINES, references + hypotheses) */
    struct sk_segment segment[BLOCK_LINES];
};

static int open_files(struct reader *r)
{
    const struct sk_score_files *f = r->f;
    size_t wide = (size_t)(f->references + f->hypotheses), most = (size_t)(f->references * f->fields + f->hypotheses);
    r->file = sk_xcalloc(wide, sizeof *r->file);
    r->start = sk_xcalloc((wide + 1) * BLOCK_LINES, sizeof *r->start);
    r->line = sk_xcalloc(most * BLOCK_LINES, sizeof *r->line);
    for (; r->files < f->references + f->hypotheses; r->files++) {
        const char *path = r->files < f->references ? f->reference[r->files] : f->hypothesis[r->files - f->references];
        if (!(r->file[r->files] = sk_lines_open(path, SK_LINES_NEWLINE_ONLY)))
            return -1;
    }
    return 0;
}

static void close_files(struct reader *r)
{
    for (int i = 0; i < r->files; i++)
        sk_lines_close(r->file[i]);
    free(r->file);
    free(r->start);
    free(r->line);
    sk_str_free(&r->text);
}

/* Lines that follow in a file; -1 if one cannot be read. */
static long long count_rest(struct sk_lines *l)
{
    char *line;
    size_t n;
    int got;
    long long rest = 0;
    while ((got = sk_lines_next(l, &line, &n)) > 0)
        rest++;
    return got < 0 ? -1 : rest;
}

/* File `shorter` has ended where `longer` goes on. */
static int fail_lengths(struct reader *r, int shorter, int longer)
{
    long long rest = count_rest(r->file[longer]);
    if (rest < 0)
        return -1;
    long long n[2] = {r->lines, r->lines + 1 + rest};
    int first = longer >= r->f->references && shorter < r->f->references;        /* hypotheses are named first */
    return sk_fail(SK_EXIT_DATA, "%s has %lld lines, but %s has %lld: line by line they must correspond",
                   sk_lines_path(r->file[first ? longer : shorter]), n[first],
                   sk_lines_path(r->file[first ? shorter : longer]), n[!first]);
}

/* The next line of each file, behind the block's text: 1, 0 at the end, -1. */
static int read_line(struct reader *r, size_t *start)
{
    int got = 0, ended = -1, goes_on = -1;
    for (int i = 0; i < r->files; i++) {
        char *line;
        size_t n;
        start[i] = r->text.len;
        got = sk_lines_next(r->file[i], &line, &n);
        if (got < 0)
            return -1;
        if (got == 0) {
            ended = i;
            continue;
        }
        goes_on = i;
        if (n > SK_SCORE_LONGEST)
            return sk_fail(SK_EXIT_DATA, "%s:%llu: a line of %zu bytes: at most %d can be scored, which is much for a "
                           "sentence", sk_lines_path(r->file[i]), (unsigned long long)sk_lines_number(r->file[i]), n,
                           SK_SCORE_LONGEST);
        sk_str_add(&r->text, line, n);
    }
    start[r->files] = r->text.len;
    if (ended >= 0 && goes_on >= 0 && !r->f->not_strict)
        return fail_lengths(r, ended, goes_on);
    r->lines += ended < 0;
    return ended < 0;
}

/* Fields of a line separated by tabs, the last one up to its end. */
static int split_fields(struct reader *r, struct sk_line line, int fields, struct sk_line *out)
{
    int n = 0;
    for (; n < fields; n++) {
        const char *tab = n + 1 < fields ? memchr(line.text, '\t', line.n) : NULL;
        size_t length = tab ? (size_t)(tab - line.text) : line.n;
        out[n] = (struct sk_line){line.text, length};
        if (!tab)
            break;
        line = (struct sk_line){tab + 1, line.n - length - 1};
    }
    if (++n < fields && !r->f->variable)
        return sk_fail(SK_EXIT_DATA, "%s:%lld: %d fields, but %d references are wanted; tabs separate them",
                       sk_lines_path(r->file[0]), r->lines, n, fields);
    return n;
}

/* The segment of one line of each file, in `line`; returns how many lines it
 * took there, or -1. */
static int make_segment(struct reader *r, const size_t *start, struct sk_line *line, struct sk_segment *g)
{
    const struct sk_score_files *f = r->f;
    int n = 0;
    for (int i = 0; i < f->references; i++) {
        struct sk_line whole = {r->text.text + start[i], start[i + 1] - start[i]};
        int fields = 1;
        if (f->fields > 1 && (fields = split_fields(r, whole, f->fields, line)) < 0)
            return -1;
        if (f->fields == 1)
            line[n] = whole;
        n += fields;
    }
    int references = f->variable ? 0 : n;
    for (int i = 0; f->variable && i < n; i++)
        if (sk_trim_end(line[i].text, line[i].n) > 0)
            line[references++] = line[i];
    if (references == 0)
        return sk_fail(SK_EXIT_DATA, "%s:%lld: none of the references has anything", sk_lines_path(r->file[0]), r->lines);
    for (int i = 0; i < f->hypotheses; i++) {
        size_t at = start[f->references + i];
        line[references + i] = (struct sk_line){r->text.text + at, start[f->references + i + 1] - at};
    }
    *g = (struct sk_segment){line, references, line + references};
    return references + f->hypotheses;
}

/* Reads and scores one block: 1, 0 if there are no more lines, -1. */
static int add_block(struct sk_scoring *s, struct reader *r)
{
    const struct sk_score_files *f = r->f;
    size_t wide = (size_t)r->files + 1;
    int n = 0, got = 1, used = 0;
    long long before = r->lines;
    sk_str_clear(&r->text);
    sk_str_add(&r->text, "", 0);
    while (n < BLOCK_LINES && r->text.len < BLOCK_BYTES && (got = read_line(r, r->start + (size_t)n * wide)) > 0)
        n++;
    if (got < 0)
        return -1;
    for (int i = 0; i < n; i++) {    /* now the text stays where it is */
        r->lines = before + i + 1;
        int lines = make_segment(r, r->start + (size_t)i * wide, r->line + used, &r->segment[i]);
        if (lines < 0)
            return -1;
        used += lines;
    }
    if (n == 0)
        return 0;
    const double *stats = sk_scoring_add(s, r->segment, n);
    return f->block && f->block(f->ctx, s, stats, n) ? -1 : 1;
}

int sk_score_files(struct sk_scoring *s, const struct sk_score_files *f)
{
    struct reader r = {.f = f};
    int result = open_files(&r);
    while (result == 0) {
        int got = add_block(s, &r);
        if (got <= 0) {
            result = got;
            break;
        }
    }
    if (result == 0 && s->lines == 0)
        result = sk_fail(SK_EXIT_DATA, "%s and %s have no lines: nothing to score",
                         sk_lines_path(r.file[f->references]), sk_lines_path(r.file[0]));
    close_files(&r);
    return result;
}
