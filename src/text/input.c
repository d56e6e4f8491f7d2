#include "text/input.h"
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

enum { BUFFER = 1 << 18 };           /* bytes read at once */

struct sk_input {
    char *path;
    int fd, gz, between;             /* between: at the end of a gzip member */
    z_stream z;
    unsigned char *raw;              /* bytes of the file not yet used: [at, have) */
    size_t at, have;
    uint64_t consumed, unpacked, size;
    struct sk_hash *hash;
};

static ssize_t read_some(struct sk_input *in, void *out, size_t n)
{
    ssize_t r;
    do r = read(in->fd, out, n);
    while (r < 0 && errno == EINTR);
    if (r < 0) return sk_fail_errno("%s: cannot read", in->path);
    in->consumed += (uint64_t)r;
    if (in->hash) sk_hash_add(in->hash, out, (size_t)r);
    return r;
}

static int corrupt(const struct sk_input *in, const char *what, const char *why)
{
    return sk_fail(SK_EXIT_DATA, "%s: the gzip file is %s (after %llu bytes of text)%s%s", in->path, what,
                   (unsigned long long)in->unpacked, why ? ": " : "", why ? why : "");
}

static ssize_t inflate_some(struct sk_input *in, char *out, size_t n)
{
    in->z.next_out = (Bytef *)out;
    in->z.avail_out = (uInt)n;
    while (in->z.avail_out == n) {
        if (!in->z.avail_in) {
            ssize_t r = read_some(in, in->raw, BUFFER);
            if (r < 0) return -1;
            if (r == 0) return in->between ? 0 : corrupt(in, "cut short", NULL);
            in->z.next_in = in->raw;
            in->z.avail_in = (uInt)r;
        }
        if (in->between) {           /* one more member, or zeros that pad */
            while (in->z.avail_in && !*in->z.next_in) {
                in->z.next_in++;
                in->z.avail_in--;
            }
            if (!in->z.avail_in) continue;
            inflateReset(&in->z);
            in->between = 0;
        }
        int r = inflate(&in->z, Z_NO_FLUSH);
        if (r == Z_STREAM_END) in->between = 1;
        else if (r != Z_OK && r != Z_BUF_ERROR) return corrupt(in, "corrupt", in->z.msg ? in->z.msg : "unexpected end");
    }
    in->unpacked += n - in->z.avail_out;
    return (ssize_t)(n - in->z.avail_out);
}

ssize_t sk_input_read(struct sk_input *in, char *out, size_t n)
{
    if (n > 1 << 30) n = 1 << 30;    /* zlib counts in 32 bits */
    if (in->gz) return inflate_some(in, out, n);
    if (in->at == in->have) return read_some(in, out, n);
    if (n > in->have - in->at) n = in->have - in->at;
    memcpy(out, in->raw + in->at, n);
    in->at += n;
    return (ssize_t)n;
}

/* The first bytes say whether it is gzip; somebody who sends an empty line
 * need not send more for that. */
static int look(struct sk_input *in)
{
    ssize_t r = 1;
    while (r > 0 && (in->have == 0 || (in->have == 1 && in->raw[0] == 0x1f)))
        if ((r = read_some(in, in->raw + in->have, BUFFER - in->have)) > 0) in->have += (size_t)r;
    if (r < 0) return -1;
    size_t n = strlen(in->path);
    in->gz = in->have >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b;
    if (!in->gz && n > 3 && !strcmp(in->path + n - 3, ".gz"))
        return sk_fail(SK_EXIT_DATA, "%s: named .gz, but not a gzip file", in->path);
    if (!in->gz) return 0;
    if (inflateInit2(&in->z, 15 + 16) != Z_OK) SK_BUG("inflateInit2");
    in->z.next_in = in->raw;
    in->z.avail_in = (uInt)in->have;
    return 0;
}

struct sk_input *sk_input_open(const char *path, int hash)
{
    struct sk_input *in = sk_xcalloc(1, sizeof *in);
    struct stat st;
    int is_stdin = !strcmp(path, "-");
    in->path = sk_xstrdup(is_stdin ? "standard input" : path);
    in->raw = sk_xmalloc(BUFFER);
    in->hash = hash ? sk_hash_new() : NULL;
    in->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0) {
        sk_fail_errno("%s", in->path);
    } else {
        if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode)) in->size = (uint64_t)st.st_size;
        if (look(in) == 0) return in;
    }
    sk_input_close(in);
    return NULL;
}

void sk_input_hash(struct sk_input *in, char hex[SK_HASH_HEX])
{
    SK_ENSURE(in->hash);
    sk_hash_end(in->hash, hex);
    in->hash = NULL;
}

void sk_input_progress(const struct sk_input *in, uint64_t *done, uint64_t *total)
{
    *done = in->consumed;
    *total = in->size;
}

const char *sk_input_path(const struct sk_input *in) { return in->path; }

int sk_input_ready(const struct sk_input *in)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    return in->at < in->have || poll(&p, 1, 0) != 0;   /* bytes, the end, or an error */
}

void sk_input_close(struct sk_input *in)
{
    char hex[SK_HASH_HEX];
    if (!in) return;
    if (in->fd >= 0) close(in->fd);
    if (in->gz) inflateEnd(&in->z);
    if (in->hash) sk_hash_end(in->hash, hex);
    free(in->raw);
    free(in->path);
    free(in);
}
