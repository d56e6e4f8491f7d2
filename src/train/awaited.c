#include "train/awaited.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "modeldir/claim.h"
#include "modeldir/scan.h"

int sk_awaited_mark(const struct sk_checkpoints *c, int last, unsigned char *kept)
{
    struct sk_scan s;
    int busy = c->evaluated ? 1 : sk_claim_any(c->dir);
    if (busy < 0 || sk_scan_read(&s, c->dir) < 0)
        return -1;
    for (int i = 0; i < s.params.n; i++) {
        int number = s.params.v[i];
        if (number <= last && ((busy && !sk_numbers_have(&s.scored, number)) ||
                               (c->commanded && !sk_numbers_have(&s.values, number))))
            kept[number] = 1;
    }
    sk_scan_free(&s);
    return 0;
}

int sk_awaited_known(const struct sk_checkpoints *c, const struct sk_metrics *t, int last)
{
    double value;
    int known = 0;
    if (!c->evaluated || strcmp(c->cache_metric, "perplexity") == 0 || strcmp(c->cache_metric, "accuracy") == 0)
        return last;
    char *name = sk_xprintf("%s-val", c->cache_metric);
    while (known < last && sk_metrics_get(t, known + 1, name, &value))
        known++;
    free(name);
    return known;
}
