/* decode.cu - translating: attention of single new rows, by the kernel of
 * attention.h. Source keys and values stay as they are, row by row. */
#include <stdlib.h>
#include <string.h>
#include "math/cuda/attention.h"

static void *reserved(size_t n, size_t size)
{
    void *p = malloc((n + 1) * size);
    if (!p)
        sk_cuda_die(1, "no memory for the lists of hypotheses");
    return p;
}

/* --- attention to the source --------------------------------------------------- */

__global__ void __launch_bounds__(SK_THREADS) keep_kernel(float *keys, float *values, const float *k, const float *v,
                                                          int D, int W, struct sk_device_rows rows, const int32_t *slot)
{
    int row = sk_row_of_warp();
    if (row >= rows.rows)
        return;
    int s = sk_sentence_of(rows.offset, rows.sentences, row);
    size_t to = ((size_t)slot[s] * W + (size_t)(row - rows.offset[s])) * D, from = (size_t)row * D;
    for (int e = sk_lane(); e < D; e += SK_WARP) {
        keys[to + e] = k[from + e];
        values[to + e] = v[from + e];
    }
}

void sk_cuda_attention_keep(struct sk_device *dev, float *keys, float *values, int W, const float *k, const float *v,
                            int D, struct sk_rows rows, const int32_t *slot)
{
    sk_launch(dev, keep_kernel, dim3(sk_count((size_t)rows.rows, SK_WARPS)), SK_THREADS, keys, values, k, v, D, W,
              sk_stage_rows(dev, rows), sk_stage_ints(dev, slot, (size_t)rows.sentences));
}

void sk_cuda_attention_cross(struct sk_device *dev, float *context, const float *q, const float *keys,
                             const float *values, int W, int H, int D, int G, const int32_t *first,
                             const int32_t *slot, const int32_t *n)
{
    struct sk_tile *tile = (struct sk_tile *)reserved((size_t)(first[G] + G), sizeof *tile);
    int tiles = 0;
    for (int g = 0; g < G; g++)
        for (int r = first[g]; r < first[g + 1]; r += SK_WARPS)
            tile[tiles++] = (struct sk_tile){r, first[g + 1] - r < SK_WARPS ? first[g + 1] - r : SK_WARPS, n[g], -1,
                                             (int64_t)slot[g] * W, 0};
    struct sk_attention_job<float> a = {};
    a.tile = (const struct sk_tile *)sk_stage(dev, tile, (size_t)tiles * sizeof *tile);
    a.context = context, a.q = q, a.k = keys, a.v = values, a.ldq = a.ldk = D, a.H = H, a.d = D / H;
    a.scale = 1.0f / sqrtf((float)(D / H));
    dim3 grid((unsigned)tiles, (unsigned)H);
#define RUN(size) sk_launch(dev, sk_attend_kernel<size, SK_WARPS, false, float>, grid, SK_THREADS, a)
    SK_FOR_HEAD(D / H, RUN);
#undef RUN
    free(tile);
}

/* --- attention to the words before ------------------------------------------------ */

/* A row's own key and value go into the last of its cells. */
__global__ void __launch_bounds__(SK_THREADS) own_kernel(struct sk_attention_job<float> a, int R, int D)
{
    int r = sk_row_of_warp();
    if (r >= R)
        return;
    int c = a.index[a.tile[r].key + a.tile[r].keys - 1];
    float *cell = a.cells[c / a.cell_rows] + (size_t)(c % a.cell_rows) * 2 * D;
    for (int e = sk_lane(); e < 2 * D; e += SK_WARP)
        cell[e] = a.q[(size_t)r * 3 * D + D + e];
}

void sk_cuda_attention_self(struct sk_device *dev, float *context, const float *qkv, float *const *cells, int rows,
                            int H, int D, int R, const int32_t *const *index, const int32_t *n)
{
    size_t all = 0, most = 0;
    struct sk_tile *tile = (struct sk_tile *)reserved((size_t)R, sizeof *tile);
    for (int r = 0; r < R; r++) {
        tile[r] = (struct sk_tile){r, 1, n[r], -1, (int64_t)all, 0};
        all += (size_t)n[r];
    }
    int32_t *list = (int32_t *)reserved(all, sizeof *list);
    for (int r = 0; r < R; r++)
        for (int i = 0; i < n[r]; i++) {
            int32_t c = list[tile[r].key + i] = index[r][i];
            most = (size_t)(c / rows) > most ? (size_t)(c / rows) : most;
        }
    struct sk_attention_job<float> a = {};
    a.tile = (const struct sk_tile *)sk_stage(dev, tile, (size_t)R * sizeof *tile);
    a.index = sk_stage_ints(dev, list, all);
    a.cells = (float *const *)sk_stage(dev, cells, (most + 1) * sizeof *cells);
    a.cell_rows = rows, a.context = context, a.q = qkv, a.ldq = 3 * D, a.ldk = D, a.H = H, a.d = D / H;
    a.scale = 1.0f / sqrtf((float)(D / H));
    sk_launch(dev, own_kernel, dim3(sk_count((size_t)R, SK_WARPS)), SK_THREADS, a, R, D);
    dim3 grid((unsigned)R, (unsigned)H);
#define RUN(size) sk_launch(dev, sk_attend_kernel<size, 1, true, float>, grid, SK_WARP, a)
    SK_FOR_HEAD(D / H, RUN);
#undef RUN
    free(tile);
    free(list);
}
