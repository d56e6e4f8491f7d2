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

enum { BUFFER = 1 << 18, LONGEST = 1 << 28 };   /* bytes read at once; of a line */

struct sk_lines {
    char *path;
    int fd, gz, replace, newline_only;
    int end, warned_crlf, warned_invalid;
    z_stream z;
    int z_open, z_between;           /* z_between: at the end of a gzip member */
    unsigned char *packed;           /* gz: bytes of the file */
    char *text;                      /* bytes not yet given out: [at, have) */
    size_t at, have, cap;
    size_t newline;                  /* the first \n behind at, or how far there is none */
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
        l->newline -= l->at;
        l->at = 0;
    }
    if (l->have > LONGEST)
        return sk_fail(SK_EXIT_DATA, "%s:%llu: a line longer than %d MiB: is this text?", l->path,
                       (unsigned long long)l->number + 1, LONGEST >> 20);
    if (l->cap - l->have < BUFFER + 1) {
        l->cap = l->cap * 2 + BUFFER + 1;
        l->text = sk_xrealloc(l->text, l->cap, 1);
    }
    size_t want = l->cap - l->have - 1;
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
        l->at = 3;
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

/* Bytes at the start that are valid text. NUL bytes come from UTF-16 and
 * binary files, and would end a line early for all who read it as a string;
 * for scoring they are text. */
static size_t valid_prefix(const struct sk_lines *l, const char *text, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        /* eight bytes of ASCII, none of them NUL */
        while (n - i >= 8 && (memcpy(&eight, text + i, 8), !(((eight - ones) | eight) & high))) i += 8;
        for (size_t stop = n - i > 8 ? i + 8 : n; i < stop;) {
            size_t k = utf8_length((const unsigned char *)text + i, n - i);
            if (!k || (!text[i] && !l->newline_only)) return i;
            i += k;
        }
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
    size_t good = valid_prefix(l, *line, *n);
    if (good == *n) return 1;
    if (!l->replace) {
        const char *what = (*line)[good] ? "invalid UTF-8" : "a NUL byte (UTF-16, or no text)";
        return sk_fail(SK_EXIT_DATA, "%s:%llu: %s at byte %zu of the line; convert the file to UTF-8%s", l->path,
                       (unsigned long long)l->number, what, good + 1,
                       l->newline_only ? "" : ", or give --replace-invalid");
    }
    if (!l->warned_invalid++)
        sk_warn("%s:%llu: invalid UTF-8 is replaced by U+FFFD, here and from here on", l->path,
                (unsigned long long)l->number);
    sk_str_clear(&l->fixed);
    for (size_t i = 0; i < *n;) {
        size_t k = valid_prefix(l, *line + i, *n - i);
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
    if (skip && *end == '\r' && !l->warned_crlf++)
        sk_warn("%s:%llu: lines end in carriage returns; they are taken as line ends", l->path,
                (unsigned long long)l->number);
    *end = 0;
    return check(l, line, n);
}

int sk_lines_ready(struct sk_lines *l)
{
    const char *from = l->text + l->at;
    size_t left = l->have - l->at;
    if (l->end || memchr(from, '\n', left)) return 1;
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

/* What a byte can start: 0 a character of a word, 1 nothing else than white
 * space, 2 white space outside ASCII, 3 the end. */
static const unsigned char starts[256] = {
    [0] = 3, [9] = 1, [10] = 1, [11] = 1, [12] = 1, [13] = 1, [28] = 1, [29] = 1, [30] = 1, [31] = 1, [32] = 1,
    [0xc2] = 2, [0xe1] = 2, [0xe2] = 2, [0xe3] = 2};

/* Bytes of the white space character at p, 0: none. The characters are those
 * of Python's str.split(). The terminator keeps this from reading too far. */
static size_t wide_space(const unsigned char *p)
{
    switch (p[0]) {
    case 0xc2: return p[1] == 0x85 || p[1] == 0xa0 ? 2 : 0;
    case 0xe1: return p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;                 /* U+1680 */
    case 0xe3: return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;                 /* U+3000 */
    default:
        if (p[1] == 0x81) return p[2] == 0x9f ? 3 : 0;                      /* U+205F */
        if (p[1] != 0x80) return 0;
        return (p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf ? 3 : 0;
    }
}

const char *sk_token_next(const char **p, size_t *n)
{
    const unsigned char *s = (const unsigned char *)*p;
    for (size_t k;;) {
        if (starts[*s] == 1) s++;
        else if (starts[*s] == 2 && (k = wide_space(s)) > 0) s += k;
        else break;
    }
    const unsigned char *start = s;
    for (;;) {
        while (!starts[*s]) s++;
        if (starts[*s] != 2 || wide_space(s)) break;
        s++;
    }
    *p = (const char *)s;
    *n = (size_t)(s - start);
    return *n ? (const char *)start : NULL;
}
