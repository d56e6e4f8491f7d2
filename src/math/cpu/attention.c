/* attention.c - attention, shared out by sentences. */
#include <stdlib.h>
#include "base/msg.h"
#include "math/cpu/layer.h"

/* Keys or values as columns; two matrices of queries and keys of one head; that
 * head's queries; factors of dropout. */
size_t sk_attention_scratch(int H, int D, int nq, int nk)
{
    size_t width = ((size_t)nk + 15) / 16 * 16, q = (size_t)nq;
    return (size_t)D * width + 2 * q * width + q * ((size_t)(D / H) + 15) + q * (size_t)H * (size_t)nk + SK_FACTOR_PAD;
}

size_t sk_cpu_attention_size(int H, struct sk_rows query, struct sk_rows key)
{
    size_t n = 0;
    for (int s = 0; s < query.sentences; s++)
        n += (size_t)(query.offset[s + 1] - query.offset[s]) * (size_t)(key.offset[s + 1] - key.offset[s]);
    return n * (size_t)H;
}

struct attention_job {
    struct sk_device *dev;
    struct sk_attention a;           /* pointers of the whole streams */
    int D, backward;
    struct sk_rows query, key;
    const size_t *prob_at;           /* (sentences) */
};

static void attention_part(void *ctx, int s, int thread)
{
    const struct attention_job *j = ctx;
    struct sk_attention a = j->a;
    size_t q0 = (size_t)j->query.offset[s], k0 = (size_t)j->key.offset[s], D = (size_t)j->D;
    a.nq = j->query.offset[s + 1] - j->query.offset[s];
    a.nk = j->key.offset[s + 1] - j->key.offset[s];
    a.q += q0 * (size_t)a.ldq;
    a.k += k0 * (size_t)a.ldk;
    a.v += k0 * (size_t)a.ldk;
    a.prob += j->prob_at[s];
    a.ordinal = j->query.ordinal[s];
    float *scratch = sk_cpu_scratch(j->dev, thread, sk_attention_scratch(a.H, j->D, a.nq, a.nk) * sizeof *scratch);
    if (!j->backward) {
        a.context += q0 * D;
        SK_ISA_PICK(j->dev, sk_attend)(&a, scratch);
        return;
    }
    a.dcontext += q0 * D;
    a.dq += q0 * (size_t)a.ldq;
    a.dk += k0 * (size_t)a.ldk;
    a.dv += k0 * (size_t)a.ldk;
    SK_ISA_PICK(j->dev, sk_attend_gradient)(&a, scratch);
}

static void run(struct sk_device *dev, struct attention_job *j)
{
    size_t *at = sk_cpu_shared(dev, SK_SLOT_LAYER3, ((size_t)j->query.sentences + 1) * sizeof *at), sum = 0;
    SK_ENSURE(j->query.sentences == j->key.sentences);
    for (int s = 0; s < j->query.sentences; s++) {
        at[s] = sum;
        sum += (size_t)j->a.H * (size_t)(j->query.offset[s + 1] - j->query.offset[s]) *
               (size_t)(j->key.offset[s + 1] - j->key.offset[s]);
    }
    j->prob_at = at;
    sk_pool_run(dev->pool, j->query.sentences, attention_part, j);
}

void sk_cpu_attention_forward(struct sk_device *dev, float *context, float *prob,
                              const float *q, int ldq, const float *k, const float *v, int ldk,
                              int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                              struct sk_dropout drop)
{
    struct attention_job j = {.dev = dev, .D = D, .query = query, .key = key,
                              .a = {.H = H, .d = D / H, .causal = causal, .q = q, .k = k, .v = v, .ldq = ldq,
                                    .ldk = ldk, .prob = prob, .drop = drop, .context = context}};
    run(dev, &j);
}

void sk_cpu_attention_backward(struct sk_device *dev, float *dq, float *dk, float *dv, const float *dcontext,
                               const float *prob, const float *q, int ldq, const float *k, const float *v,
                               int ldk, int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                               struct sk_dropout drop)
{
    struct attention_job j = {.dev = dev, .D = D, .backward = 1, .query = query, .key = key,
                              .a = {.H = H, .d = D / H, .causal = causal, .q = q, .k = k, .v = v, .ldq = ldq,
                                    .ldk = ldk, .prob = (float *)prob, .drop = drop, .dcontext = dcontext,
                                    .dq = dq, .dk = dk, .dv = dv}};
    run(dev, &j);
}
