/* Event files: checksums by their published value, what was written is read,
 * damage anywhere ends reading. */
#include <stdlib.h>
#include <string.h>

#include "modeldir/tfrecord.h"
#include "tests/tap.h"

/* Scalars that can be read of n bytes, in memory of just that size. */
static int scalars(const char *bytes, size_t n, int *ends)
{
    char *copy = malloc(n ? n : 1), tag[SK_TAG];
    const char *data;
    size_t at = 0, size;
    long long step;
    float value;
    int count = 0;
    memcpy(copy, bytes, n);
    while ((*ends = sk_tfrecord_next(copy, n, &at, &data, &size)) > 0)
        count += sk_tfrecord_read_scalar(data, size, &step, tag, &value);
    free(copy);
    return count;
}

int main(void)
{
    struct sk_str file = {0};
    char tag[SK_TAG];
    const char *data;
    size_t at = 0, n;
    long long step;
    float value;
    int ends, bad = 0;
    ok(sk_crc32c("123456789", 9) == 0xe3069283u, "CRC-32C of the check string (RFC 3720, B.4 has others)");
    unsigned char zeros[32] = {0};
    ok(sk_crc32c(zeros, 32) == 0x8a9136aau, "and of 32 zeros, as RFC 3720 gives it");

    sk_tfrecord_version(&file, 1.5);
    sk_tfrecord_start(&file, 1.5, 1);
    size_t head = file.len;
    sk_tfrecord_scalar(&file, 1.5, 300, "perplexity-val", 12.25f);
    ok(sk_tfrecord_next(file.text, file.len, &at, &data, &n) == 1, "a record is read");
    ok(!sk_tfrecord_read_scalar(data, n, &step, tag, &value), "a version is no scalar");
    ok(sk_tfrecord_next(file.text, file.len, &at, &data, &n) == 1 && at == head, "the next");
    ok(!sk_tfrecord_read_scalar(data, n, &step, tag, &value), "a start is none");
    ok(sk_tfrecord_next(file.text, file.len, &at, &data, &n) == 1, "the last");
    ok(sk_tfrecord_read_scalar(data, n, &step, tag, &value), "is one");
    ok(step == 300 && value == 12.25f && !strcmp(tag, "perplexity-val"), "with what was written");
    ok(sk_tfrecord_next(file.text, file.len, &at, &data, &n) == 0, "then it ends");

    for (size_t i = 0; i < file.len; i++) {
        if (scalars(file.text, i, &ends) != 0 || ends > 0) bad++;
        file.text[i] ^= 1;
        if (scalars(file.text, file.len, &ends) != 0 || ends != -1) bad++;
        file.text[i] ^= 1;
    }
    ok(bad == 0, "torn anywhere, or any byte changed: no scalar (%d)", bad);

    /* Good checksums, bad messages: any bytes at all. */
    unsigned seed = 7;
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        size_t size = (size_t)i % 64;
        for (size_t k = 0; k < size; k++) {
            seed = seed * 1103515245u + 12345u;
            bytes[k] = (char)(seed >> 16 & (i & 1 ? 0x2f : 0xff));
        }
        char *exact = malloc(size ? size : 1);
        memcpy(exact, bytes, size);
        if (sk_tfrecord_read_scalar(exact, size, &step, tag, &value) && strlen(tag) >= size) bad++;
        free(exact);
    }
    ok(bad == 0, "random messages are read within their bounds");
    sk_str_free(&file);
    return done_testing();
}
