/* tensors.c - parameters from a stranger. */
#include <math.h>
#include <stdlib.h>

#include "model/params_file.h"
#include "model/tensors.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    const char *path = fuzz_file("params", bytes, n);
    struct sk_tensors *f = sk_tensors_open(path);
    char hex[SK_HASH_HEX];
    float some[64], sum = 0;
    if (!f)
        return;
    for (int i = 0; i < sk_tensors_count(f); i++) {
        const struct sk_tensor *t = sk_tensors_at(f, i);
        size_t first = t->size > 64 ? t->size - 64 : 0, count = t->size - first;
        if (sk_tensors_find(f, t->name) != t)
            abort();
        if (sk_tensors_read(f, t, first, count, some) == 0)
            for (size_t k = 0; k < count; k++)
                sum += some[k];
    }
    sk_tensors_meta(f, "state");
    sk_tensors_verify(f);
    sk_tensors_checksum(f, hex);
    sk_tensors_close(f);
    (void)sum;
}
const struct fuzz_target fuzz_tensors = {"tensors", run};
