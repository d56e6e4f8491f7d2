#include "text/lines.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "text/input.h"
#include "text/scan.h"
#include "text/utf8.h"

enum { BUFFER = 1 << 18 };           /* room for bytes read at once */

struct sk_lines {
    struct sk_input *in;
    int replace, newline_only, end, warned_crlf, warned_invalid;
    char *text;                      /* bytes not yet given out: [at, have) */
    size_t at, have, cap;
    size_t newline;                  /* the first \n behind at, or how far there is none */
    struct sk_str fixed;             /* a line with replacements */
    uint64_t number;
};

/* More bytes behind [at, have): 1, 0 at the end, -1. */
static int fill(struct sk_lines *l)
{
    if (l->end) return 0;
    if (l->at > 0) {
        memmove(l->text, l->text + l->at, l->have - l->at);
        l->have -= l->at;
        l->newline -= l->at;
        l->at = 0;
    }
    if (l->have > SK_LINES_LONGEST)
        return sk_fail(SK_EXIT_DATA, "%s:%llu: a line longer than %d MiB: is this text?", sk_lines_path(l),
                       (unsigned long long)l->number + 1, SK_LINES_LONGEST >> 20);
    if (l->cap - l->have < BUFFER + 1) {
        l->cap = l->cap * 2 + BUFFER + 1;
        l->text = sk_xrealloc(l->text, l->cap, 1);
    }
    ssize_t r = sk_input_read(l->in, l->text + l->have, l->cap - l->have - 1);
    if (r < 0) return -1;
    l->have += (size_t)r;
    l->end = r == 0;
    return r > 0;
}

struct sk_lines *sk_lines_open(const char *path, unsigned flags)
{
    struct sk_lines *l = sk_xcalloc(1, sizeof *l);
    int more = 1;
    l->replace = (flags & SK_LINES_REPLACE_INVALID) != 0;
    l->newline_only = (flags & SK_LINES_NEWLINE_ONLY) != 0;
    l->warned_crlf = l->warned_invalid = (flags & SK_LINES_NO_WARNINGS) != 0;
    l->in = sk_input_open(path, 0);
    if (!l->in) more = -1;
    while (more > 0 && l->have < 3 && (!l->have || !memcmp(l->text, "\xef\xbb\xbf", l->have))) more = fill(l);
    if (more < 0) {
        sk_lines_close(l);
        return NULL;
    }
    if (!l->newline_only && l->have >= 3 && !memcmp(l->text, "\xef\xbb\xbf", 3)) {
        if (!(flags & SK_LINES_NO_WARNINGS))
            sk_warn("%s: a byte order mark at the start is dropped", sk_lines_path(l));
        l->at = 3;
    }
    return l;
}

void sk_lines_close(struct sk_lines *l)
{
    if (!l) return;
    sk_input_close(l->in);
    free(l->text);
    sk_str_free(&l->fixed);
    free(l);
}

static int check(struct sk_lines *l, char **line, size_t *n)
{
    size_t good = sk_utf8_valid(*line, *n, l->newline_only);
    if (good == *n) return 1;
    if (!l->replace)
        return sk_lines_invalid(sk_lines_path(l), l->number, good + 1, !(*line)[good], l->newline_only);
    if (!l->warned_invalid++) sk_lines_warn_invalid(sk_lines_path(l), l->number);
    sk_str_clear(&l->fixed);
    sk_utf8_repair(&l->fixed, *line, *n, l->newline_only);
    *line = l->fixed.text;
    *n = l->fixed.len;
    return 1;
}

/* Is there a newline behind at? Remembers how far it has looked. */
static int find_newline(struct sk_lines *l)
{
    if (l->newline < l->at) l->newline = l->at;
    if (l->newline < l->have && l->text[l->newline] == '\n') return 1;
    const char *found = memchr(l->text + l->newline, '\n', l->have - l->newline);
    l->newline = found ? (size_t)(found - l->text) : l->have;
    return found != NULL;
}

int sk_lines_next(struct sk_lines *l, char **line, size_t *n)
{
    size_t searched = 0;             /* behind at: no \r */
    char *end;
    size_t skip;
    for (;;) {
        int newline = find_newline(l);
        char *limit = l->text + l->newline, *from = l->text + l->at + searched;
        char *cr = l->newline_only ? NULL : memchr(from, '\r', (size_t)(limit - from));
        if (cr && cr + 1 < l->text + l->have) {
            end = cr;
            skip = cr[1] == '\n' ? 2 : 1;
            break;
        }
        if (newline) {
            end = limit;
            skip = 1;
            break;
        }
        /* A \r that is the last byte may have its \n in what follows. */
        searched = (size_t)((cr ? cr : limit) - (l->text + l->at));
        int more = fill(l);
        if (more < 0) return -1;
        if (more) continue;
        if (l->at == l->have) return 0;
        end = l->text + l->have;
        skip = 0;
        if (end[-1] == '\r' && !l->newline_only) {
            end--;
            skip = 1;
        }
        break;
    }
    l->number++;
    *line = l->text + l->at;
    *n = (size_t)(end - *line);
    l->at += *n + skip;
    if (skip && *end == '\r' && !l->warned_crlf++) sk_lines_warn_crlf(sk_lines_path(l), l->number);
    *end = 0;
    return check(l, line, n);
}

int sk_lines_ready(struct sk_lines *l)
{
    const char *from = l->text + l->at;
    size_t left = l->have - l->at;
    if (l->end || memchr(from, '\n', left)) return 1;
    const char *cr = l->newline_only ? NULL : memchr(from, '\r', left);
    return (cr && cr + 1 < from + left) || sk_input_ready(l->in);
}

uint64_t sk_lines_number(const struct sk_lines *l) { return l->number; }
const char *sk_lines_path(const struct sk_lines *l) { return sk_input_path(l->in); }

void sk_lines_progress(const struct sk_lines *l, uint64_t *done, uint64_t *total)
{
    sk_input_progress(l->in, done, total);
}

int sk_lines_invalid(const char *path, uint64_t line, size_t byte, int nul, int fixed)
{
    return sk_fail(SK_EXIT_DATA, "%s:%llu: %s at byte %zu of the line; convert the file to UTF-8%s", path,
                   (unsigned long long)line, nul ? "a NUL byte (UTF-16, or no text)" : "invalid UTF-8", byte,
                   fixed ? "" : ", or give --replace-invalid");
}

void sk_lines_warn_invalid(const char *path, uint64_t line)
{
    sk_warn("%s:%llu: invalid UTF-8 is replaced by U+FFFD, here and from here on", path, (unsigned long long)line);
}

void sk_lines_warn_crlf(const char *path, uint64_t line)
{
    sk_warn("%s:%llu: lines end in carriage returns; they are taken as line ends", path, (unsigned long long)line);
}

/* What a byte can start: 0 a character of a word, 1 nothing else than white
 * space, 2 white space outside ASCII, 3 the end. */
static const unsigned char starts[256] = {
    [0] = 3, [9] = 1, [10] = 1, [11] = 1, [12] = 1, [13] = 1, [28] = 1, [29] = 1, [30] = 1, [31] = 1, [32] = 1,
    [0xc2] = 2, [0xe1] = 2, [0xe2] = 2, [0xe3] = 2};

const char *sk_token_next(const char **p, size_t *n)
{
    const unsigned char *s = (const unsigned char *)*p;
    for (size_t k;;) {
        if (starts[*s] == 1) s++;
        else if (starts[*s] == 2 && (k = sk_wide_space(s)) > 0) s += k;
        else break;
    }
    const unsigned char *start = s;
    for (;;) {
        while (!starts[*s]) s++;
        if (starts[*s] != 2 || sk_wide_space(s)) break;
        s++;
    }
    *p = (const char *)s;
    *n = (size_t)(s - start);
    return *n ? (const char *)start : NULL;
}
