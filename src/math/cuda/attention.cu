/* attention.cu - attention of whole sentences. Forward: attention.h. Backward, the
 * probabilities are made again from the maxima and sums that were kept: first, a
 * warp for each query, the gradient of q (and the mean that softmax's gradient
 * needs), then, a warp for each key, those of k and v: no two warps add to one
 * value.
 *
 * Dropout's bits are drawn beforehand, since one counter serves 8 values that
 * stand far apart: byte b of a query's row has, in bit l, value l * blocks + b.
 */
#include <stdlib.h>
#include "math/cuda/attention.h"

size_t sk_cuda_attention_size(int H, struct sk_rows query, struct sk_rows key)
{
    (void)key;
    return 3 * (size_t)H * (size_t)query.rows;       /* maximum, 1 / sum; mean of gradients */
}

/* --- tiles ------------------------------------------------------------------------------ */

struct tiles {
    const struct sk_sentence *sentence;  /* (sentences), on the device as all here */
    const struct sk_tile *query;         /* tiles of SK_WARPS queries */
    const int32_t *key;                  /* (keys, 2): sentence and first of SK_WARPS keys */
    int queries, keys;
    int64_t bytes;                       /* of the mask */
};

static void *reserved(size_t n, size_t size)
{
    void *p = malloc((n + 1) * size);
    if (!p)
        sk_cuda_die(1, "no memory for a batch's lists");
    return p;
}

static struct sk_sentence *sentences(struct sk_rows query, struct sk_rows key, int H, int64_t *bytes)
{
    struct sk_sentence *list = (struct sk_sentence *)reserved((size_t)query.sentences, sizeof *list);
    *bytes = 0;
    for (int s = 0; s < query.sentences; s++) {
        struct sk_sentence *e = &list[s];
        *e = (struct sk_sentence){query.offset[s], query.offset[s + 1] - query.offset[s], key.offset[s],
                                  key.offset[s + 1] - key.offset[s], *bytes};
        *bytes += (H * e->nk + 7) / 8 * (int64_t)e->nq;
    }
    return list;
}

const struct sk_sentence *sk_attention_sentences(struct sk_device *dev, struct sk_rows query, struct sk_rows key, int H,
                                                 int64_t *bytes)
{
    struct sk_sentence *list = sentences(query, key, H, bytes);
    const void *there = sk_stage(dev, list, (size_t)query.sentences * sizeof *list);
    free(list);
    return (const struct sk_sentence *)there;
}

static struct tiles tiles_of(struct sk_device *dev, const struct sk_attention_rows *a)
{
    struct tiles t = {};
    size_t S = (size_t)a->query.sentences;
    struct sk_sentence *list = sentences(a->query, a->key, a->H, &t.bytes);
    struct sk_tile *query = (struct sk_tile *)reserved(S + (size_t)a->query.rows / SK_WARPS, sizeof *query);
    int32_t *key = (int32_t *)reserved(2 * (S + (size_t)a->key.rows / SK_WARPS), sizeof *key);
    for (int s = 0; s < a->query.sentences; s++) {
        const struct sk_sentence *e = &list[s];
        int64_t row = (a->H * e->nk + 7) / 8;
        for (int i = 0; i < e->nq; i += SK_WARPS)
            query[t.queries++] = (struct sk_tile){e->q0 + i, e->nq - i < SK_WARPS ? e->nq - i : SK_WARPS, e->nk,
                                                  a->causal ? i : -1, e->k0, e->mask + i * row};
        for (int j = 0; j < e->nk; j += SK_WARPS) {
            key[2 * t.keys] = s;
            key[2 * t.keys++ + 1] = j;
        }
    }
    t.sentence = (const struct sk_sentence *)sk_stage(dev, list, S * sizeof *list);
    t.query = (const struct sk_tile *)sk_stage(dev, query, (size_t)t.queries * sizeof *query);
    t.key = sk_stage_ints(dev, key, 2 * (size_t)t.keys);
    free(list);
    free(query);
    free(key);
    return t;
}

/* --- dropout -------------------------------------------------------------------------------- */

/* A warp draws a query's row. */
__global__ void __launch_bounds__(SK_THREADS) mask_kernel(uint8_t *mask, struct sk_device_rows rows,
                                                          const struct sk_sentence *sentence, struct sk_drop drop, int H)
{
    int row = sk_row_of_warp();
    if (row >= rows.rows)
        return;
    int s = sk_sentence_of(rows.offset, rows.sentences, row), blocks = (H * sentence[s].nk + 7) / 8;
    int position = row - rows.offset[s];
    uint8_t *to = mask + sentence[s].mask + (int64_t)position * blocks;
    for (int b = sk_lane(); b < blocks; b += SK_WARP)
        to[b] = (uint8_t)sk_drop_bits(drop, rows.ordinal[s], position, b);
}

const uint8_t *sk_attention_mask(struct sk_device *dev, int64_t bytes, const struct sk_sentence *sentence,
                                 struct sk_rows query, int H, struct sk_dropout drop)
{
    if (!(drop.p > 0))
        return NULL;
    uint8_t *mask = (uint8_t *)sk_scratch(dev, SK_SLOT_MASK, (size_t)bytes + 1);
    sk_launch(dev, mask_kernel, dim3(sk_count((size_t)query.rows, SK_WARPS)), SK_THREADS, mask,
              sk_stage_rows(dev, query), sentence, sk_drop_of(drop), H);
    return mask;
}

/* --- forward ---------------------------------------------------------------------------------- */

template <class R> static void forward(struct sk_device *dev, void *context, const struct sk_attention_rows *p)
{
    const int H = p->H, d = p->D / H;
    const struct tiles t = tiles_of(dev, p);
    struct sk_attention_job<R> a = {};
    a.tile = t.query, a.context = (R *)context, a.kept = p->kept;
    a.q = (const R *)p->q, a.k = (const R *)p->k, a.v = (const R *)p->v, a.ldq = p->ldq, a.ldk = p->ldk;
    a.H = H, a.d = d, a.Tq = p->query.rows, a.scale = 1.0f / sqrtf((float)d);
    a.mask = sk_attention_mask(dev, t.bytes, t.sentence, p->query, H, p->drop);
    a.keep = 1.0f / (1.0f - p->drop.p);
    dim3 grid((unsigned)t.queries, (unsigned)H);
#define RUN(values) sk_launch(dev, sk_attend_kernel<values, SK_WARPS, false, R>, grid, SK_THREADS, a)
    SK_FOR_HEAD(d, RUN);
#undef RUN
}

void sk_cuda_attention_forward(struct sk_device *dev, float *context, float *prob, const float *q, int ldq,
                               const float *k, const float *v, int ldk, int H, int D, struct sk_rows query,
                               struct sk_rows key, int causal, struct sk_dropout drop)
{
    const struct sk_attention_rows a = {q, k, v, ldq, ldk, H, D, causal, query, key, drop, prob};
    const void *const pointer[] = {context};
    if (sk_attention_tensor_fits(dev, &a, pointer, 1)) {
        sk_attention_tensor_forward(dev, context, &a);
        return;
    }
#define RUN(R) forward<R>(dev, context, &a)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}

/* --- backward ---------------------------------------------------------------------------------- */

template <class R> struct gradient_job {
    const struct sk_tile *tile;
    const struct sk_sentence *sentence;
    const int32_t *key_tile;
    R *dq, *dk, *dv;
    const R *dcontext, *q, *k, *v;
    float *kept, *mean;                  /* (H, Tq, 2), (H, Tq) */
    int ldq, ldk, H, d, Tq, causal;
    float scale, keep;
    const uint8_t *mask;
};

/* Lane's key: its score, and the gradient of its dropped probability. All of the block. */
template <class R>
__device__ static inline void scores(const struct gradient_job<R> &g, const struct sk_tile &t, int row, int h, int j0,
                                     int here, float *ks, float *vs, float *qs, float *cs, float *s, float *dp)
{
    const int lane = sk_lane(), warp = sk_warp(), at = h * g.d, D = g.H * g.d;
    *s = *dp = 0;
    for (int c = 0; c < g.d; c += SK_CHUNK) {
        const int dims = g.d - c < SK_CHUNK ? g.d - c : SK_CHUNK;
        __syncthreads();
        sk_stage_chunk<SK_WARPS>(ks, here, dims, [&](int r) { return g.k + (size_t)(t.key + j0 + r) * g.ldk + at + c; });
        sk_stage_chunk<SK_WARPS>(vs, here, dims, [&](int r) { return g.v + (size_t)(t.key + j0 + r) * g.ldk + at + c; });
        for (int e = lane; e < dims; e += SK_WARP) {
            qs[warp * (SK_CHUNK + 1) + e] = sk_get(g.q + (size_t)row * g.ldq + at + c + e) * g.scale;
            cs[warp * (SK_CHUNK + 1) + e] = sk_get(g.dcontext + (size_t)row * D + at + c + e);
        }
        __syncthreads();
        if (lane < here)
            for (int e = 0; e < dims; e++) {
                *s = fmaf(qs[warp * (SK_CHUNK + 1) + e], ks[lane * (SK_CHUNK + 1) + e], *s);
                *dp = fmaf(cs[warp * (SK_CHUNK + 1) + e], vs[lane * (SK_CHUNK + 1) + e], *dp);
            }
    }
}

/* dq of a tile of queries; the means. */
template <int VALUES, class R> __global__ void __launch_bounds__(SK_THREADS, 2) query_kernel(struct gradient_job<R> g)
{
    SK_SHARED(float, ks, SK_KEYS * (SK_CHUNK + 1));
    SK_SHARED(float, vs, SK_KEYS * (SK_CHUNK + 1));
    SK_SHARED(float, qs, SK_WARPS * (SK_CHUNK + 1));
    SK_SHARED(float, cs, SK_WARPS * (SK_CHUNK + 1));
    SK_SHARED(float, of_key, SK_WARPS * SK_KEYS);
    const struct sk_tile t = g.tile[blockIdx.x];
    const int h = (int)blockIdx.y, warp = sk_warp(), lane = sk_lane(), d = g.d, at = h * d;
    const bool mine = warp < t.queries;
    const int row = t.query + (mine ? warp : 0);
    const int last = t.causal_from < 0 ? t.keys : t.causal_from + t.queries;
    const int n = t.causal_from < 0 ? t.keys : t.causal_from + warp + 1;
    const float *kept = g.kept + 2 * ((size_t)h * g.Tq + row);
    const float max = kept[0], inverse = kept[1];
    float mean = 0, out[VALUES];
    for (int i = 0; i < VALUES; i++)
        out[i] = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int j0 = 0; j0 < last; j0 += SK_KEYS) {
            const int here = last - j0 < SK_KEYS ? last - j0 : SK_KEYS, j = j0 + lane;
            float s, dp;
            scores(g, t, row, h, j0, here, ks, vs, qs, cs, &s, &dp);
            const bool seen = mine && lane < here && j < n;
            const float p = seen ? expf(s - max) * inverse : 0;
            if (!seen)
                dp = 0;
            else if (g.mask)
                dp *= sk_mask_factor(g.mask, t.mask, warp, g.H, h, t.keys, j, g.keep);
            if (pass == 0) {
                mean += sk_warp_sum(p * dp);
                continue;
            }
            of_key[warp * SK_KEYS + lane] = seen ? p * (dp - mean) * g.scale : 0;
            __syncwarp();
#pragma unroll
            for (int i = 0; i < VALUES; i += 2) {
                const int c = i / 2 * SK_CHUNK, dims = d - c < SK_CHUNK ? d - c : SK_CHUNK;
                if (c >= d)
                    break;
                if (d > SK_CHUNK) {      /* else they still stand there */
                    __syncthreads();
                    sk_stage_chunk<SK_WARPS>(ks, here, dims, [&](int r) {
                        return g.k + (size_t)(t.key + j0 + r) * g.ldk + at + c;
                    });
                    __syncthreads();
                }
                for (int k = 0; k < here; k++) {
                    const float w = of_key[warp * SK_KEYS + k];
                    if (j0 + k < n) {
                        if (lane < dims)
                            out[i] = fmaf(w, ks[k * (SK_CHUNK + 1) + lane], out[i]);
                        if (i + 1 < VALUES && lane + SK_WARP < dims)
                            out[i + 1] = fmaf(w, ks[k * (SK_CHUNK + 1) + lane + SK_WARP], out[i + 1]);
                    }
                }
            }
        }
    if (!mine)
        return;
#pragma unroll
    for (int i = 0; i < VALUES; i++) {
        const int e = i / 2 * SK_CHUNK + i % 2 * SK_WARP + lane;
        if (e < d)
            sk_put(g.dq + (size_t)row * g.ldq + at + e, out[i]);
    }
    if (lane == 0)
        g.mean[(size_t)h * g.Tq + row] = mean;
}

/* dk and dv of a tile of keys, a warp each; a lane is a query. */
template <int VALUES, class R> __global__ void __launch_bounds__(SK_THREADS, 2) key_kernel(struct gradient_job<R> g)
{
    SK_SHARED(float, qs, SK_KEYS * (SK_CHUNK + 1));
    SK_SHARED(float, cs, SK_KEYS * (SK_CHUNK + 1));
    SK_SHARED(float, ks, SK_WARPS * (SK_CHUNK + 1));
    SK_SHARED(float, vs, SK_WARPS * (SK_CHUNK + 1));
    SK_SHARED(float, of_query, 2 * SK_WARPS * SK_KEYS);
    const struct sk_sentence t = g.sentence[g.key_tile[2 * blockIdx.x]];
    const int first = g.key_tile[2 * blockIdx.x + 1], j = first + sk_warp(), h = (int)blockIdx.y;
    const int warp = sk_warp(), lane = sk_lane(), d = g.d, at = h * d, D = g.H * d;
    const bool mine = j < t.nk;
    const size_t row = (size_t)t.k0 + (size_t)(mine ? j : first);
    float dk[VALUES], dv[VALUES];
    for (int i = 0; i < VALUES; i++)
        dk[i] = dv[i] = 0;
    for (int i0 = g.causal ? first / SK_KEYS * SK_KEYS : 0; i0 < t.nq; i0 += SK_KEYS) {
        const int here = t.nq - i0 < SK_KEYS ? t.nq - i0 : SK_KEYS, i = i0 + lane;
        float s = 0, dp = 0;
        auto stage = [&](int c, int dims) {
            sk_stage_chunk<SK_WARPS>(qs, here, dims, [&](int r) { return g.q + (size_t)(t.q0 + i0 + r) * g.ldq + at + c; });
            sk_stage_chunk<SK_WARPS>(cs, here, dims, [&](int r) { return g.dcontext + (size_t)(t.q0 + i0 + r) * D + at + c; });
        };
        for (int c = 0; c < d; c += SK_CHUNK) {
            const int dims = d - c < SK_CHUNK ? d - c : SK_CHUNK;
            __syncthreads();
            stage(c, dims);
            for (int e = lane; e < dims; e += SK_WARP) {
                ks[warp * (SK_CHUNK + 1) + e] = sk_get(g.k + row * g.ldk + at + c + e);
                vs[warp * (SK_CHUNK + 1) + e] = sk_get(g.v + row * g.ldk + at + c + e);
            }
            __syncthreads();
            if (lane < here)
                for (int e = 0; e < dims; e++) {
                    s = fmaf(qs[lane * (SK_CHUNK + 1) + e] * g.scale, ks[warp * (SK_CHUNK + 1) + e], s);
                    dp = fmaf(cs[lane * (SK_CHUNK + 1) + e], vs[warp * (SK_CHUNK + 1) + e], dp);
                }
        }
        const bool sees = mine && lane < here && (!g.causal || i >= j);
        float p = 0, ds = 0;
        if (sees) {
            const size_t of = (size_t)h * g.Tq + (size_t)(t.q0 + i);
            p = expf(s - g.kept[2 * of]) * g.kept[2 * of + 1];
            float factor = g.mask ? sk_mask_factor(g.mask, t.mask, i, g.H, h, t.nk, j, g.keep) : 1;
            ds = p * (dp * factor - g.mean[of]) * g.scale;
            p *= factor;
        }
        of_query[2 * (warp * SK_KEYS + lane)] = ds;
        of_query[2 * (warp * SK_KEYS + lane) + 1] = p;
        __syncwarp();
#pragma unroll
        for (int x = 0; x < VALUES; x += 2) {
            const int c = x / 2 * SK_CHUNK, dims = d - c < SK_CHUNK ? d - c : SK_CHUNK;
            if (c >= d)
                break;
            if (d > SK_CHUNK) {
                __syncthreads();
                stage(c, dims);
                __syncthreads();
            }
            for (int k = 0; k < here; k++) {
                const float w = of_query[2 * (warp * SK_KEYS + k)], u = of_query[2 * (warp * SK_KEYS + k) + 1];
                if (g.causal && i0 + k < j)
                    continue;
                if (lane < dims) {
                    dk[x] = fmaf(w, qs[k * (SK_CHUNK + 1) + lane], dk[x]);
                    dv[x] = fmaf(u, cs[k * (SK_CHUNK + 1) + lane], dv[x]);
                }
                if (x + 1 < VALUES && lane + SK_WARP < dims) {
                    dk[x + 1] = fmaf(w, qs[k * (SK_CHUNK + 1) + lane + SK_WARP], dk[x + 1]);
                    dv[x + 1] = fmaf(u, cs[k * (SK_CHUNK + 1) + lane + SK_WARP], dv[x + 1]);
                }
            }
        }
    }
    if (!mine)
        return;
#pragma unroll
    for (int x = 0; x < VALUES; x++) {
        const int e = x / 2 * SK_CHUNK + x % 2 * SK_WARP + lane;
        if (e < d) {
            sk_put(g.dk + row * g.ldk + at + e, dk[x]);
            sk_put(g.dv + row * g.ldk + at + e, dv[x]);
        }
    }
}

template <class R>
static void backward(struct sk_device *dev, void *dq, void *dk, void *dv, const void *dcontext,
                     const struct sk_attention_rows *p)
{
    const struct tiles t = tiles_of(dev, p);
    struct gradient_job<R> g = {};
    g.sentence = t.sentence, g.tile = t.query, g.key_tile = t.key;
    g.dq = (R *)dq, g.dk = (R *)dk, g.dv = (R *)dv, g.dcontext = (const R *)dcontext;
    g.q = (const R *)p->q, g.k = (const R *)p->k, g.v = (const R *)p->v;
    g.kept = p->kept;                    /* the means are kept behind the sums */
    g.mean = g.kept + 2 * (size_t)p->H * (size_t)p->query.rows;
    g.ldq = p->ldq, g.ldk = p->ldk, g.H = p->H, g.d = p->D / p->H, g.Tq = p->query.rows, g.causal = p->causal;
    g.scale = 1.0f / sqrtf((float)g.d);
    g.keep = 1.0f / (1.0f - p->drop.p);
    g.mask = sk_attention_mask(dev, t.bytes, t.sentence, p->query, p->H, p->drop);
    dim3 queries((unsigned)t.queries, (unsigned)p->H), keys((unsigned)t.keys, (unsigned)p->H);
#define RUN(values)                                                              \
    do {                                                                         \
        sk_launch(dev, query_kernel<values, R>, queries, SK_THREADS, g);         \
        sk_launch(dev, key_kernel<values, R>, keys, SK_THREADS, g);              \
    } while (0)
    SK_FOR_HEAD(g.d, RUN);
#undef RUN
}

void sk_cuda_attention_backward(struct sk_device *dev, float *dq, float *dk, float *dv, const float *dcontext,
                                const float *prob, const float *q, int ldq, const float *k, const float *v, int ldk,
                                int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                                struct sk_dropout drop)
{
    const struct sk_attention_rows a = {q, k, v, ldq, ldk, H, D, causal, query, key, drop, (float *)prob};
    const void *const pointer[] = {dq, dk, dv, dcontext};
    if (sk_attention_tensor_fits(dev, &a, pointer, 4)) {
        sk_attention_tensor_backward(dev, dq, dk, dv, dcontext, &a);
        return;
    }
#define RUN(R) backward<R>(dev, dq, dk, dv, dcontext, &a)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}
