#include "text/lines.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base/mem.h"
#include "base/msg.h"

enum { BUFFER = 1 << 18 };

struct sk_lines {
    char *path;
    int fd, gz, replace, newline_only;
    int end, warned_crlf, warned_invalid;
    z_stream z;
    int z_open, z_between;           /* z_between: at the end of a gzip member */
    unsigned char *packed;           /* gz: bytes of the file */
    char *text;                      /* bytes not yet given out: [at, have) */
    size_t at, have, cap, scanned;
    char cut;                        /* byte replaced by the line's terminator */
    int has_cut;
    struct sk_str fixed;             /* a line with replacements */
    uint64_t number, consumed, size;
};

static ssize_t read_some(const struct sk_lines *l, void *out, size_t n)
{
    ssize_t r;
    do r = read(l->fd, out, n);
    while (r < 0 && errno == EINTR);
    return r;
}

static int fail_read(const struct sk_lines *l) { return sk_fail_errno("%s: cannot read", l->path); }

/* Decompresses into text; 0: end of the file, else bytes or -1. */
static ssize_t inflate_some(struct sk_lines *l, char *out, size_t n)
{
    l->z.next_out = (Bytef *)out;
    l->z.avail_out = (uInt)n;
    while (l->z.avail_out == n) {
        if (!l->z.avail_in) {
            ssize_t r = read_some(l, l->packed, BUFFER);
            if (r < 0) return fail_read(l);
            if (r == 0) {
                if (l->z_between) return 0;
                return sk_fail(SK_EXIT_DATA, "%s: the gzip file is cut short (after line %llu)", l->path,
                               (unsigned long long)l->number);
            }
            l->consumed += (uint64_t)r;
            l->z.next_in = l->packed;
            l->z.avail_in = (uInt)r;
        }
        if (l->z_between) {          /* one more member, or zeros that pad */
            while (l->z.avail_in && !*l->z.next_in) {
                l->z.next_in++;
                l->z.avail_in--;
            }
            if (!l->z.avail_in) continue;
            inflateReset(&l->z);
            l->z_between = 0;
        }
        int r = inflate(&l->z, Z_NO_FLUSH);
        if (r == Z_STREAM_END) l->z_between = 1;
        else if (r != Z_OK && r != Z_BUF_ERROR)
            return sk_fail(SK_EXIT_DATA, "%s: the gzip file is corrupt (after line %llu): %s", l->path,
                           (unsigned long long)l->number, l->z.msg ? l->z.msg : "unexpected end");
    }
    return (ssize_t)(n - l->z.avail_out);
}

/* More bytes behind [at, have): 1, 0 at the end, -1. */
static int fill(struct sk_lines *l)
{
    if (l->end) return 0;
    if (l->at > 0) {
        memmove(l->text, l->text + l->at, l->have - l->at);
        l->have -= l->at;
        l->scanned -= l->at;
        l->at = 0;
    }
    if (l->cap - l->have < BUFFER + 1) {
        l->cap = l->cap * 2 + BUFFER + 1;
        l->text = sk_xrealloc(l->text, l->cap, 1);
    }
    size_t want = l->cap - l->have - 1;
    if (want > 1 << 30) want = 1 << 30;
    ssize_t r = l->gz ? inflate_some(l, l->text + l->have, want) : read_some(l, l->text + l->have, want);
    if (r < 0) return l->gz ? -1 : fail_read(l);
    if (!l->gz) l->consumed += (uint64_t)r;
    l->have += (size_t)r;
    l->end = r == 0;
    return r > 0;
}

struct sk_lines *sk_lines_open(const char *path, unsigned flags)
{
    struct sk_lines *l = sk_xcalloc(1, sizeof *l);
    struct stat st;
    int is_stdin = !strcmp(path, "-");
    l->path = sk_xstrdup(is_stdin ? "standard input" : path);
    l->replace = (flags & SK_LINES_REPLACE_INVALID) != 0;
    l->newline_only = (flags & SK_LINES_NEWLINE_ONLY) != 0;
    l->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) {
        sk_fail_errno("%s", l->path);
        goto failed;
    }
    if (fstat(l->fd, &st) == 0 && S_ISREG(st.st_mode)) l->size = (uint64_t)st.st_size;
    /* The first bytes say whether it is gzip; somebody who sends an empty
     * line need not send more for that. */
    while (!l->end && (l->have == 0 || (l->have == 1 && l->text[0] == 0x1f)))
        if (fill(l) < 0) goto failed;
    size_t n = strlen(path);
    int magic = l->have >= 2 && (unsigned char)l->text[0] == 0x1f && (unsigned char)l->text[1] == 0x8b;
    if (!magic && n > 3 && !strcmp(path + n - 3, ".gz")) {
        sk_fail(SK_EXIT_DATA, "%s: named .gz, but not a gzip file", path);
        goto failed;
    }
    if (magic) {
        if (inflateInit2(&l->z, 15 + 16) != Z_OK) SK_BUG("inflateInit2");
        l->gz = l->z_open = 1;
        l->packed = sk_xmalloc(l->have > BUFFER ? l->have : BUFFER);
        memcpy(l->packed, l->text, l->have);
        l->z.next_in = l->packed;
        l->z.avail_in = (uInt)l->have;
        l->have = 0;
        l->end = 0;
        while (l->have < 3 && !l->end)
            if (fill(l) < 0) goto failed;
    }
    while (l->have < 3 && !l->end && !memcmp(l->text, "\xef\xbb\xbf", l->have))
        if (fill(l) < 0) goto failed;
    if (!l->newline_only && l->have >= 3 && !memcmp(l->text, "\xef\xbb\xbf", 3)) {
        sk_warn("%s: a byte order mark at the start is dropped", l->path);
        l->at = l->scanned = 3;
    }
    return l;
failed:
    sk_lines_close(l);
    return NULL;
}

void sk_lines_close(struct sk_lines *l)
{
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    if (l->z_open) inflateEnd(&l->z);
    free(l->packed);
    free(l->text);
    free(l->path);
    sk_str_free(&l->fixed);
    free(l);
}

/* Length of the valid UTF-8 character at s (n bytes are there); 0: invalid. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    unsigned char c = s[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    size_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n < need) return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < need; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return need;
}

/* Bytes at the start that are valid; NUL counts as valid text. */
static size_t valid_prefix(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        while (n - i >= 8 && (memcpy(&eight, text + i, 8), !(eight & 0x8080808080808080u))) i += 8;
        if (i >= n) break;
        size_t k = utf8_length((const unsigned char *)text + i, n - i);
        if (!k) return i;
        i += k;
    }
    return i;
}

/* The Unicode standard's "maximal subpart": one U+FFFD for each. */
static size_t bad_length(const unsigned char *s, size_t n)
{
    size_t k = 1;
    unsigned char c = s[0];
    if (c < 0xc2 || c > 0xf4) return 1;
    size_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    while (k < need && k < n && s[k] >= (k == 1 ? low : 0x80) && s[k] <= (k == 1 ? high : 0xbf)) k++;
    return k;
}

static int check(struct sk_lines *l, char **line, size_t *n)
{
    size_t good = valid_prefix(*line, *n);
    if (good == *n) return 1;
    if (!l->replace)
        return sk_fail(SK_EXIT_DATA, "%s:%llu: invalid UTF-8 at byte %zu of the line", l->path,
                       (unsigned long long)l->number, good + 1);
    if (!l->warned_invalid++)
        sk_warn("%s:%llu: invalid UTF-8 is replaced by U+FFFD, here and from here on", l->path,
                (unsigned long long)l->number);
    sk_str_clear(&l->fixed);
    for (size_t i = 0; i < *n;) {
        size_t k = valid_prefix(*line + i, *n - i);
        sk_str_add(&l->fixed, *line + i, k);
        i += k;
        if (i >= *n) break;
        sk_str_add(&l->fixed, "\xef\xbf\xbd", 3);
        i += bad_length((const unsigned char *)*line + i, *n - i);
    }
    *line = l->fixed.text;
    *n = l->fixed.len;
    return 1;
}

int sk_lines_next(struct sk_lines *l, char **line, size_t *n)
{
    if (l->has_cut) {                /* the terminator we put over a byte that belongs to the next line */
        l->text[l->at] = l->cut;
        l->has_cut = 0;
    }
    char *end;
    size_t skip;
    l->scanned = l->at;
    for (;;) {
        char *from = l->text + l->scanned, *newline = NULL, *limit = l->text + l->have;
        size_t left = (size_t)(limit - from);
        newline = left ? memchr(from, '\n', left) : NULL;
        char *cr = left && !l->newline_only ? memchr(from, '\r', newline ? (size_t)(newline - from) : left) : NULL;
        if (cr && cr + 1 < limit) {
            end = cr;
            skip = cr[1] == '\n' ? 2 : 1;
            break;
        }
        if (!cr && newline) {
            end = newline;
            skip = 1;
            break;
        }
        l->scanned = (size_t)((cr ? cr : limit) - l->text);
        int more = fill(l);
        if (more < 0) return -1;
        if (more) continue;
        if (l->at == l->have) return 0;
        end = l->text + l->have;
        skip = 0;
        if (end[-1] == '\r' && !l->newline_only) {       /* the last byte of the file */
            end--;
            skip = 1;
        }
        break;
    }
    l->number++;
    *line = l->text + l->at;
    *n = (size_t)(end - *line);
    l->at += *n + skip;
    if (skip && *end == '\r' && !l->warned_crlf++)
        sk_warn("%s:%llu: lines end in carriage returns; they are taken as line ends", l->path,
                (unsigned long long)l->number);
    if (end == l->text + l->at) {    /* no line end to overwrite */
        l->cut = *end;
        l->has_cut = l->at < l->have;
    }
    *end = 0;
    return check(l, line, n);
}

int sk_lines_ready(struct sk_lines *l)
{
    const char *from = l->text + l->at;
    size_t left = l->have - l->at;
    if (l->end || memchr(from, '\n', left) || (l->gz && l->z.avail_in)) return 1;
    const char *cr = l->newline_only ? NULL : memchr(from, '\r', left);
    if (cr && cr + 1 < from + left) return 1;
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    return poll(&p, 1, 0) != 0;      /* bytes, the end, or an error: read(2) does not wait */
}

uint64_t sk_lines_number(const struct sk_lines *l) { return l->number; }
const char *sk_lines_path(const struct sk_lines *l) { return l->path; }

void sk_lines_progress(const struct sk_lines *l, uint64_t *done, uint64_t *total)
{
    *done = l->consumed;
    *total = l->size;
}

/* Bytes of the white space character at p (before end); 0: none. The
 * characters are those of Python's str.split(). */
static size_t space_length(const unsigned char *p)
{
    unsigned char c = p[0];
    if (c <= 0x20) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
    if (c < 0xc2) return 0;
    if (c == 0xc2) return p[1] == 0x85 || p[1] == 0xa0 ? 2 : 0;
    if (c == 0xe1) return p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;             /* U+1680 */
    if (c == 0xe3) return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;             /* U+3000 */
    if (c != 0xe2) return 0;
    if (p[1] == 0x81) return p[2] == 0x9f ? 3 : 0;                          /* U+205F */
    if (p[1] != 0x80) return 0;
    return (p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf ? 3 : 0;
}

const char *sk_token_next(const char **p, size_t *n)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t k;
    while ((k = space_length(s)) > 0) s += k;
    if (!*s) {
        *p = (const char *)s;
        return NULL;
    }
    const unsigned char *start = s;
    while (*s) {
        if (*s > 0x20 && *s < 0xc2) s++;
        else if (space_length(s)) break;
        else s++;
    }
    *p = (const char *)s;
    *n = (size_t)(s - start);
    return (const char *)start;
}
