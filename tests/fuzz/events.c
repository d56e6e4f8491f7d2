/* events.c - event files. */
#include <stdlib.h>

#include "base/mem.h"
#include "modeldir/tfrecord.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    const char *text = (const char *)bytes, *data;
    char tag[SK_TAG];
    size_t at = 0, size;
    long long step;
    float value;
    while (sk_tfrecord_next(text, n, &at, &data, &size) > 0)
        sk_tfrecord_read_scalar(data, size, &step, tag, &value);
    /* A record whose checksums are right. */
    sk_tfrecord_read_scalar(text, n, &step, tag, &value);
}
const struct fuzz_target fuzz_events = {"events", run};
