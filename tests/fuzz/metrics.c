/* metrics.c - the table `metrics`; what is taken is written as it was read. */
#include <stdlib.h>
#include <string.h>

#include "modeldir/metrics.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    struct sk_metrics t = {0}, again = {0};
    char *text = fuzz_text_of(bytes, n);
    if (sk_metrics_parse(&t, text, "metrics") == 0) {
        char *first = sk_metrics_text(&t);
        if (sk_metrics_parse(&again, first, "again") < 0)
            abort();
        char *second = sk_metrics_text(&again);
        double value;
        if (strcmp(first, second) != 0)
            abort();
        for (int i = 0; i < t.n; i++)
            sk_metrics_get(&t, t.line[i].checkpoint, "perplexity-val", &value);
        sk_metrics_set_number(&t, 3, "bleu-val", 0.5);
        sk_metrics_truncate(&t, 2);
        free(first);
        free(second);
    }
    sk_metrics_free(&t);
    sk_metrics_free(&again);
    free(text);
}
const struct fuzz_target fuzz_metrics = {"metrics", run};
