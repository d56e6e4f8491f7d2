/* top_isa.c - the best words of a row of the vocabulary, and means of rows. */
#include <math.h>
#include "math/cpu/decode.h"
#include "math/cpu/row_inline.h"

enum { LANES = 64 };                     /* maxima that the first pass keeps apart */

/* A value that at least k values of x (V) reach, k > 0: the k-th of the
 * maxima of 64 interleaved parts (of what follows their last NaN). -inf if there
 * are not as many. */
static float threshold(const float *x, int V, int k)
{
    sk_v16 m[4];
    float best[LANES], lane[LANES];
    int v = 0, n = 0;
    if (k > LANES || V < LANES)
        return -INFINITY;
    for (int i = 0; i < 4; i++)
        m[i] = sk_set16(-INFINITY);
    for (; v + LANES <= V; v += LANES)
        for (int i = 0; i < 4; i++)
            m[i] = sk_larger16(m[i], sk_load16(x + v + 16 * i));
    for (int i = 0; i < 4; i++)
        sk_store16(lane + 16 * i, m[i]);
    for (int i = 0; i < LANES; i++) {
        if (isnan(lane[i]) || (n == k && !(lane[i] > best[n - 1])))
            continue;
        int at = n < k ? n++ : n - 1;
        for (; at > 0 && lane[i] > best[at - 1]; at--)
            best[at] = best[at - 1];
        best[at] = lane[i];
    }
    return n < k ? -INFINITY : best[k - 1];
}

/* Words in ascending order, so that of equals the lower one stays. */
SK_INLINE int offer(float *value, int32_t *id, int n, int k, float x, int32_t v)
{
    if (n == k && !(x > value[n - 1]))
        return n;
    int at = n < k ? n++ : n - 1;
    for (; at > 0 && x > value[at - 1]; at--) {
        value[at] = value[at - 1];
        id[at] = id[at - 1];
    }
    value[at] = x;
    id[at] = v;
    return n;
}

/* The k largest of x, best first. Returns how many there are: no NaN, no -inf. */
static int largest(float *value, int32_t *id, int k, const float *x, int V)
{
    int n = 0, v = 0;
    float least = threshold(x, V, k);
    for (; v + 64 <= V; v += 64) {
        unsigned long long hits = 0;
        sk_v16 l = sk_set16(least);
        for (int i = 0; i < 4; i++) {
            sk_v16 a = sk_load16(x + v + 16 * i);
            hits |= (unsigned long long)(sk_bits16(sk_lt16(l, a)) | sk_bits16(sk_eq16(l, a))) << 16 * i;
        }
        for (; hits; hits &= hits - 1) {
            int at = v + __builtin_ctzll(hits);
            if (x[at] > -INFINITY)
                n = offer(value, id, n, k, x[at], at);
        }
        if (n == k && value[n - 1] > least)
            least = value[n - 1];
    }
    for (; v < V; v++)
        if (x[v] > -INFINITY)
            n = offer(value, id, n, k, x[v], v);
    return n;
}

void SK_ISA_NAME(sk_top_row)(const struct sk_top *t, int r, float *x, int V, int normal)
{
    float max = 0, log_sum = 0;
    if (!normal) {
        max = row_max(x, V);
        log_sum = sk_first16(sk_log16(sk_set16(row_exp(x, V, max, 0))));
    }
    if (t->label) {
        int first = t->label_first ? t->label_first[r] : r, end = t->label_first ? t->label_first[r + 1] : r + 1;
        for (int i = first; i < end; i++)
            t->label_logp[i] = x[t->label[i]] - max - log_sum;
    }
    if (t->k == 0)
        return;
    for (int i = 0; i < t->nevers; i++)
        if (t->never[i] < V)
            x[t->never[i]] = -INFINITY;
    for (int i = t->ban_first ? t->ban_first[r] : 0; t->ban_first && i < t->ban_first[r + 1]; i++)
        x[t->ban[i]] = -INFINITY;
    float *logp = t->logp + (size_t)r * (size_t)t->k;
    int32_t *id = t->id + (size_t)r * (size_t)t->k;
    int n = largest(logp, id, t->k, x, V);
    for (int i = 0; i < n; i++)
        logp[i] = logp[i] - max - log_sum;
    for (int i = n; i < t->k; i++) {
        logp[i] = -INFINITY;
        id[i] = -1;
    }
}

/* log of the mean of e^x as m + log mean e^(x - m), m the largest: the mean of
 * equal distributions is each of them, bit for bit. */
void SK_ISA_NAME(sk_mean_row)(float *const *logp, int n, int log_linear, int V)
{
    const sk_v16 all = sk_set16((float)n);
    for (int v = 0; v < V; v += 16) {
        int part = V - v < 16 ? V - v : 16;
        sk_v16 first = sk_load_part16(logp[0] + v, part, 0), y;
        if (log_linear) {
            y = first;
            for (int i = 1; i < n; i++)
                y = sk_add16(y, sk_load_part16(logp[i] + v, part, 0));
            y = sk_div16(y, all);
        } else {
            sk_v16 m = first, s = sk_zero16();
            for (int i = 1; i < n; i++)
                m = sk_larger16(m, sk_load_part16(logp[i] + v, part, 0));
            for (int i = 0; i < n; i++)
                s = sk_add16(s, sk_exp16(sk_sub16(sk_load_part16(logp[i] + v, part, 0), m)));
            y = sk_add16(m, sk_log16(sk_div16(s, all)));
        }
        sk_store_part16(logp[0] + v, part, y);
    }
}
