/* output_isa.c - softmax over one row of the vocabulary. */
#include "math/cpu/product.h"
#include "math/cpu/row_inline.h"

/* Is x[label] the largest value, and the first such? */
static uint8_t is_first_max(const float *x, int label, float max)
{
    if (x[label] != max)
        return 0;
    for (int i = 0; i < label; i++)
        if (x[i] == max)
            return 0;
    return 1;
}

void SK_ISA_NAME(sk_loss_row)(float *logits, int V, int label, float smoothing, float scale, int grad,
                              float *nll, uint8_t *correct)
{
    float max = row_max(logits, V), own = logits[label];
    if (correct)
        *correct = is_first_max(logits, label, max);
    float sum = row_exp(logits, V, max, grad), inverse = 1.0f / sum;
    float p = sk_first16(sk_exp16(sk_set16(own - max))) * inverse;
    if (nll)
        *nll = -sk_first16(sk_log16(sk_set16(p < 1e-10f ? 1e-10f : p)));
    if (!grad)
        return;
    float other = V > 1 ? smoothing / (float)(V - 1) : 0.0f;
    sk_v16 f = sk_set16(inverse), q = sk_set16(other), w = sk_set16(scale);
    int i = 0;
    for (; i + 16 <= V; i += 16)
        sk_store16(logits + i, sk_mul16(sk_sub16(sk_mul16(sk_load16(logits + i), f), q), w));
    if (i < V)
        sk_store_part16(logits + i, V - i,
                        sk_mul16(sk_sub16(sk_mul16(sk_load_part16(logits + i, V - i, 0.0f), f), q), w));
    logits[label] = (p - (1.0f - smoothing)) * scale;
}

void SK_ISA_NAME(sk_logprob_row)(float *logits, int V)
{
    float max = row_max(logits, V);
    float log_sum = sk_first16(sk_log16(sk_set16(row_exp(logits, V, max, 0))));
    sk_v16 m = sk_set16(max), l = sk_set16(log_sum);
    int i = 0;
    for (; i + 16 <= V; i += 16)
        sk_store16(logits + i, sk_sub16(sk_sub16(sk_load16(logits + i), m), l));
    if (i < V)
        sk_store_part16(logits + i, V - i, sk_sub16(sk_sub16(sk_load_part16(logits + i, V - i, 0.0f), m), l));
}
