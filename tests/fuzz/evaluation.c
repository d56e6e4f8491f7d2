/* evaluation.c - what evaluators and a user's command leave of a checkpoint; the first
 * byte says which. */
#include <stdlib.h>

#include "base/mem.h"
#include "modeldir/evaluation.h"
#include "modeldir/values.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    struct sk_metrics t = {0};
    if (n == 0)
        return;
    if (bytes[0] & 1) {
        fuzz_file("eval/00001.json", bytes + 1, n - 1);
        struct sk_evaluation e;
        if (sk_evaluation_load(&e, fuzz_dir, 1) > 0)
            sk_evaluation_free(&e);
        sk_evaluation_merge_line(fuzz_dir, &t, 1);
    } else {
        struct sk_str lines = {0};
        sk_values_read((const char *)bytes + 1, n - 1, 1, &lines);
        sk_str_free(&lines);
        fuzz_file("eval/00001.values", bytes + 1, n - 1);
        sk_values_merge(fuzz_dir, &t, 1);
    }
    sk_metrics_free(&t);
}
const struct fuzz_target fuzz_evaluation = {"evaluation", run};
