/* workspace.c - how much memory the cpu backend takes, said beforehand. Keep it
 * true to sk_cpu_scratch, sk_cpu_shared and the packing of weights: a test
 * compares it with what a training takes.
 */
#include "math/cpu/layer.h"
#include "math/cpu/product.h"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Huge pages are asked for (device.c), but the last one of a block is taken in
 * small ones. */
size_t sk_cpu_alloc_size(const struct sk_device *dev, size_t bytes)
{
    const size_t page = 4096;
    (void)dev;
    return bytes < page ? bytes : (bytes + page - 1) / page * page;
}

size_t sk_cpu_memory(const struct sk_device *dev)
{
    (void)dev;
    return 0;
}

size_t sk_cpu_weight_size(const struct sk_device *dev, int N, int K, int backward)
{
    const struct sk_kernels *k = sk_weight_kernels(dev, K, backward);
    size_t forward = sk_cpu_alloc_size(dev, sk_panels_size(dev, N, sk_elements(k, K)) * sizeof(float));
    if (k->quantise)
        forward += 2 * sk_cpu_alloc_size(dev, (size_t)sk_round_up(N, sk_width(dev)) * sizeof(float));
    return forward + (backward ? sk_cpu_alloc_size(dev, sk_panels_size(dev, K, sk_elements(k, N)) * sizeof(float)) : 0);
}

size_t sk_cpu_workspace(const struct sk_device *dev, const struct sk_work *w)
{
    const struct sk_kernels *k = sk_kernels(dev);
    int rows = w->source_rows > w->target_rows ? w->source_rows : w->target_rows;
    int whole = 0, leaf = (w->target_rows + w->leaves - 1) / w->leaves;     /* as in output.c */
    while (2 << whole <= w->leaves && leaf << (whole + 1) <= SK_OUTPUT_MOST)
        whole++;
    int chunk = leaf <= SK_OUTPUT_MOST ? leaf << whole : SK_OUTPUT_ROWS;
    size_t panels = 0, packed = 0, thread = sk_attention_scratch(w->H, w->D, w->longest, w->longest);
    for (int i = 0; i < w->weights; i++) {
        int N = w->weight[i][0], K = w->weight[i][1], T = N == w->V ? chunk : rows;
        panels = larger(panels, sk_panels_size(dev, K, sk_elements(k, T) + w->leaves));
        if (k->rows && (size_t)N * (size_t)sk_elements(k, K) > SK_PANELS)    /* those of x; of dy for dx */
            packed = larger(packed, (size_t)T * (size_t)sk_elements(k, K));
        if (k->rows && (size_t)K * (size_t)sk_elements(k, N) > SK_PANELS)
            packed = larger(packed, (size_t)T * (size_t)sk_elements(k, N));
        thread = larger(thread, sk_cpu_weight_sum_scratch(dev, N, K, w->leaves));
    }
    size_t logits = (size_t)sk_round_up(w->V, 16) * (size_t)chunk;
    size_t tree = w->target_rows > chunk ? sk_cpu_weight_sum_size(dev, w->V, w->D, w->leaves, whole) : 0;
    /* embeddings: rows listed by entry; attention: where sentences begin */
    size_t lists = ((size_t)w->V + 2) * sizeof(int32_t) + (size_t)w->sentences * sizeof(size_t) +
        (size_t)(w->source_rows + w->target_rows) * sizeof(struct sk_sum_entry);
    return sk_cpu_alloc_size(dev, panels * sizeof(float)) + sk_cpu_alloc_size(dev, packed * sizeof(float)) +
        sk_cpu_alloc_size(dev, logits * sizeof(float)) +
        sk_cpu_alloc_size(dev, tree * sizeof(float)) + lists +
        (size_t)dev->threads * sk_cpu_alloc_size(dev, thread * sizeof(float));
}
