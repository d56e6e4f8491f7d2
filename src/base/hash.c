#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

enum { CHUNK = 1 << 18 };

struct sk_hash { XXH3_state_t *state; };

/* The order of xxhsum -H2. */
static void to_hex(XXH128_hash_t h, char hex[SK_HASH_HEX])
{
    snprintf(hex, SK_HASH_HEX, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

struct sk_hash *sk_hash_new(void)
{
    struct sk_hash *h = sk_xmalloc(sizeof *h);
    h->state = XXH3_createState();
    if (!h->state)
        sk_out_of_memory(1024);
    XXH3_128bits_reset(h->state);
    return h;
}

void sk_hash_add(struct sk_hash *h, const void *bytes, size_t n)
{
    if (n > 0)
        XXH3_128bits_update(h->state, bytes, n);
}

void sk_hash_end(struct sk_hash *h, char hex[SK_HASH_HEX])
{
    to_hex(XXH3_128bits_digest(h->state), hex);
    XXH3_freeState(h->state);
    free(h);
}

void sk_hash_bytes(const void *bytes, size_t n, char hex[SK_HASH_HEX])
{
    to_hex(XXH3_128bits(bytes, n), hex);
}

int sk_hash_file(const char *path, char hex[SK_HASH_HEX])
{
    int fd = sk_file_open(path);
    if (fd < 0)
        return -1;
    char *chunk = sk_xmalloc(CHUNK);
    struct sk_hash *h = sk_hash_new();
    ssize_t n;
    while ((n = read(fd, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            sk_hash_add(h, chunk, (size_t)n);
    int failed = n < 0 ? sk_fail_errno("cannot read %s", path) : 0;
    sk_hash_end(h, hex);
    free(chunk);
    close(fd);
    return failed;
}
