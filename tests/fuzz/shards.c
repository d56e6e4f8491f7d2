/* shards.c - the files by which shards find each other; the first byte says which. The
 * checksum of a request is made right, or nothing behind it would ever be read. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "modeldir/shards.h"
#include "tests/fuzz/fuzz.h"

static void join(const unsigned char *bytes, size_t n)
{
    struct sk_str text = {0};
    struct sk_join *found;
    char hex[SK_HASH_HEX];
    sk_hash_bytes(bytes, n, hex);
    sk_str_add(&text, (const char *)bytes, n);
    sk_str_printf(&text, "check\t%s\n", hex);
    fuzz_file("shards/00001/join.one", (const unsigned char *)text.text, text.len);
    int count = sk_joins_read(fuzz_dir, 1, &found);
    for (int i = 0, sum = 0; i < count; i++)
        for (size_t k = 0; k < found[i].bytes; k++)
            sum += ((const unsigned char *)found[i].address)[k];
    if (count >= 0)
        sk_joins_free(found, count);
    sk_str_free(&text);
}

static void run(const unsigned char *bytes, size_t n)
{
    char uuid[SK_UUID_TEXT];
    int64_t count;
    int waits;
    if (n == 0)
        return;
    switch (bytes[0] % 3) {
    case 0: join(bytes + 1, n - 1); break;
    case 1: {
        struct sk_members *m = sk_xmalloc(sizeof *m);
        fuzz_file("shards/00002/members", bytes + 1, n - 1);
        if (sk_members_read(fuzz_dir, 2, m) > 0 && (m->n < 1 || m->n > SK_SHARDS_MAX))
            abort();
        free(m);
        break;
    }
    default:
        fuzz_file("shards/3.beat", bytes + 1, n - 1);
        sk_beat_read(fuzz_dir, 3, uuid, &count, &waits);
    }
}
const struct fuzz_target fuzz_shards = {"shards", run};
