/* attention.h - the forward pass of attention, for whole sentences and for single rows:
 * one kernel, so both have the same bits.
 *
 * A block does one head of a tile: up to WARPS queries that attend to the same
 * keys, a warp each. Keys come 32 at a time, a lane each: a score is one chain of
 * fma over the head's dimensions. Softmax is made as keys come (Milakov and
 * Gimelshein 2018, "Online normalizer calculation for softmax"): maximum,
 * sum and result are brought up to date after each 32. Nothing of the size
 * queries times keys is stored but one bit of dropout for each.
 */
#ifndef SK_MATH_CUDA_ATTENTION_H
#define SK_MATH_CUDA_ATTENTION_H
#include "math/cuda/kernel.h"

constexpr int SK_KEYS = 32, SK_CHUNK = 64, SK_HEAD_MOST = 1024;        /* dimensions in shared memory at a time; of a head */

struct sk_tile { int32_t query, queries, keys, causal_from; int64_t key, mask; };
/* query: first row of q; key: first row of k and v; keys: how many; causal_from: -1, or
 * the position of the first query: query i sees keys 0..i; mask: its first byte. */

template <class R> struct sk_attention_job {
    const struct sk_tile *tile;
    R *context;                          /* (., D) */
    float *kept;                         /* (H, Tq, 2) maximum and 1 / sum, or NULL */
    const R *q, *k, *v;
    int ldq, ldk, H, d, Tq;
    float scale;
    const uint8_t *mask;                 /* bits of dropout, or NULL: see attention.cu */
    float keep;
    /* Keys of their own for each query (decode.cu): cells index[tile.key ..]. */
    R *const *cells;
    const int32_t *index;
    int cell_rows;
};

/* Fills up to 32 rows of a chunk of dimensions; row r comes from row(r). */
template <int WARPS, class F>
__device__ static inline void sk_stage_chunk(float *to, int rows, int dims, F row)
{
    for (int i = (int)threadIdx.x; i < rows * SK_CHUNK; i += WARPS * SK_WARP) {
        int r = i / SK_CHUNK, e = i % SK_CHUNK;
        if (e < dims)
            to[r * (SK_CHUNK + 1) + e] = sk_get(row(r) + e);
    }
}

/* Is key j of query row i, head h, kept? */
__device__ static inline float sk_mask_factor(const uint8_t *mask, int64_t at, int row, int H, int h, int nk, int j,
                                              float keep)
{
    int blocks = (H * nk + 7) / 8, e = h * nk + j;
    return mask[at + (int64_t)row * blocks + e % blocks] >> e / blocks & 1 ? keep : 0;
}

template <int VALUES, int WARPS, bool CELLS, class R>
__global__ void __launch_bounds__(WARPS * SK_WARP, 2) sk_attend_kernel(struct sk_attention_job<R> a)
{
    SK_SHARED(float, kv, SK_KEYS * (SK_CHUNK + 1));
    SK_SHARED(float, qs, WARPS * (SK_CHUNK + 1));
    SK_SHARED(float, ps, WARPS * SK_KEYS);
    const struct sk_tile t = a.tile[blockIdx.x];
    const int h = (int)blockIdx.y, warp = sk_warp(), lane = sk_lane(), d = a.d, at = h * d;
    const bool mine = warp < t.queries;
    const int row = t.query + (mine ? warp : 0);
    const int last = t.causal_from < 0 ? t.keys : t.causal_from + t.queries;      /* keys that any query sees */
    const int n = t.causal_from < 0 ? t.keys : t.causal_from + warp + 1;
    const int32_t *index = CELLS ? a.index + t.key : NULL;
    auto cell = [&](int j) { return a.cells[index[j] / a.cell_rows] + (size_t)(index[j] % a.cell_rows) * 2 * a.ldk + at; };
    float max = -INFINITY, sum = 0, out[VALUES];
    for (int i = 0; i < VALUES; i++)
        out[i] = 0;
    for (int j0 = 0; j0 < last; j0 += SK_KEYS) {
        const int here = last - j0 < SK_KEYS ? last - j0 : SK_KEYS, j = j0 + lane;
        float s = 0;
        for (int c = 0; c < d; c += SK_CHUNK) {
            const int dims = d - c < SK_CHUNK ? d - c : SK_CHUNK;
            __syncthreads();
            sk_stage_chunk<WARPS>(kv, here, dims, [&](int r) {
                return CELLS ? (const R *)cell(j0 + r) + c : a.k + (size_t)(t.key + j0 + r) * a.ldk + at + c;
            });
            for (int e = lane; e < dims; e += SK_WARP)
                qs[warp * (SK_CHUNK + 1) + e] = sk_get(a.q + (size_t)row * a.ldq + at + c + e) * a.scale;
            __syncthreads();
            if (lane < here)
                for (int e = 0; e < dims; e++)
                    s = fmaf(qs[warp * (SK_CHUNK + 1) + e], kv[lane * (SK_CHUNK + 1) + e], s);
        }
        const bool seen = j < n && lane < here;
        const float before = max;
        max = fmaxf(max, sk_warp_max(seen ? s : -INFINITY));
        float p = seen ? expf(s - max) : 0;
        const float shrink = j0 < n && j0 > 0 ? expf(before - max) : 1;
        sum = fmaf(sum, shrink, sk_warp_sum(p));
        if (a.mask && seen && mine)
            p *= sk_mask_factor(a.mask, t.mask, warp, a.H, h, t.keys, j, a.keep);
        ps[warp * SK_KEYS + lane] = p;   /* read after the next barrier */
#pragma unroll
        for (int i = 0; i < VALUES; i += 2) {
            const int c = i / 2 * SK_CHUNK, dims = d - c < SK_CHUNK ? d - c : SK_CHUNK;
            if (c >= d)
                break;
            __syncthreads();
            sk_stage_chunk<WARPS>(kv, here, dims, [&](int r) {
                return CELLS ? (const R *)cell(j0 + r) + a.ldk + c : a.v + (size_t)(t.key + j0 + r) * a.ldk + at + c;
            });
            __syncthreads();
            float x = out[i] * shrink, y = i + 1 < VALUES ? out[i + 1] * shrink : 0;
            for (int k = 0; k < here; k++) {
                const float w = ps[warp * SK_KEYS + k];
                if (j0 + k < n) {        /* what is not seen may be no number */
                    if (lane < dims)
                        x = fmaf(w, kv[k * (SK_CHUNK + 1) + lane], x);
                    if (lane + SK_WARP < dims)
                        y = fmaf(w, kv[k * (SK_CHUNK + 1) + lane + SK_WARP], y);
                }
            }
            out[i] = x;
            if (i + 1 < VALUES)
                out[i + 1] = y;
        }
    }
    if (!mine)
        return;
    const float inverse = 1.0f / sum;
#pragma unroll
    for (int i = 0; i < VALUES; i++) {
        const int e = i / 2 * SK_CHUNK + i % 2 * SK_WARP + lane;
        if (e < d)
            sk_put(a.context + (size_t)row * a.H * d + at + e, out[i] * inverse);
    }
    if (a.kept && lane == 0) {
        float *kept = a.kept + 2 * ((size_t)h * a.Tq + row);
        kept[0] = max;
        kept[1] = inverse;
    }
}

/* --- whole sentences ------------------------------------------------------------------ */

/* What is known of a sentence on the device; mask: its first byte. */
struct sk_sentence { int32_t q0, nq, k0, nk; int64_t mask; };

/* What attends to what; rows are of whatever type they are (ops.h). */
struct sk_attention_rows {
    const void *q, *k, *v;
    int ldq, ldk, H, D, causal;
    struct sk_rows query, key;
    struct sk_dropout drop;
    float *kept;                         /* (H, Tq, 2) maximum and 1 / sum; (H, Tq) mean of gradients */
};

/* attention.cu: the sentences, staged, and how many bytes their masks take; the masks, or NULL without
 * dropout: the same bits forward and backward. */
const struct sk_sentence *sk_attention_sentences(struct sk_device *dev, struct sk_rows query, struct sk_rows key, int H,
                                                 int64_t *bytes);
const uint8_t *sk_attention_mask(struct sk_device *dev, int64_t bytes, const struct sk_sentence *sentence,
                                 struct sk_rows query, int H, struct sk_dropout drop);

/* attention_tensor.cu: whether it can do these, with so many pointers besides those of a; and does. */
bool sk_attention_tensor_fits(const struct sk_device *dev, const struct sk_attention_rows *a, const void *const *pointer,
                              int pointers);
void sk_attention_tensor_forward(struct sk_device *dev, void *context, const struct sk_attention_rows *a);
void sk_attention_tensor_backward(struct sk_device *dev, void *dq, void *dk, void *dv, const void *dcontext,
                                  const struct sk_attention_rows *a);

/* Runs a kernel for the head's size: VALUES, of 32, that a lane has. */
#define SK_FOR_HEAD(d, run)                                            \
    do {                                                               \
        if ((d) <= 64) run(2);                                         \
        else if ((d) <= 128) run(4);                                   \
        else if ((d) <= 256) run(8);                                   \
        else if ((d) <= SK_HEAD_MOST) run(32);                         \
        else sk_cuda_die(64, "attention heads of more than 1024 values are not possible on a GPU"); \
    } while (0)
#endif
