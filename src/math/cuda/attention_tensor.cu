/* attention_tensor.cu - attention of whole sentences with tensor cores, of rows in
 * bfloat16 and heads of 16, 32, 48 or 64 values. A warp does a tile of one head on its own:
 * 16 queries (forward, and gradients of queries) or 16 keys (gradients of keys and
 * values) against 32 of the others at a time. What it multiplies stands in shared memory;
 * fragments are only loaded, multiplied and stored, so their layout does not matter. Two
 * lanes share a row of 16 x 32 scores, which are float32, as are softmax and all sums;
 * probabilities and their gradients are rounded to bfloat16 for the second product.
 *
 * SK_CUDA_ATTENTION=plain: attention.cu does it all. */
#include <stdlib.h>
#include "math/cuda/attention.h"
#ifdef __CUDACC__
#include <mma.h>
#else
#include <wmma_host.h>
#endif

namespace wmma = nvcuda::wmma;

constexpr int OWN = 16, OTHERS = 32, HEAD = 64, SLICES = HEAD / 16, WARPS = 2;
constexpr int LD = HEAD + 8, LS = OTHERS + 4, LP = OTHERS + 8;       /* row strides: of values, of scores, of what is rounded */

typedef wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;

struct tile { int32_t sentence, first; };

struct job {
    const struct tile *tile;
    int tiles;
    const struct sk_sentence *sentence;
    uint16_t *context, *dq, *dk, *dv;
    const uint16_t *q, *k, *v, *dcontext;
    float *kept, *mean;                  /* (H, Tq, 2), (H, Tq) */
    int ldq, ldk, H, d, Tq, causal;
    float scale, keep;
    const uint8_t *mask;
};

/* `rows` rows of d values into shared memory, then zeros up to ALL. */
template <int ALL> __device__ static inline void stage(uint16_t *to, const uint16_t *from, size_t ld, int rows, int d)
{
    for (int i = sk_lane(); i < ALL * d / 8; i += SK_WARP) {
        const int r = i / (d / 8), c = i % (d / 8) * 8;
        uint4 v = {0, 0, 0, 0};
        if (r < rows)
            v = *(const uint4 *)(from + (size_t)r * ld + c);
        *(uint4 *)(to + r * LD + c) = v;
    }
}

/* s (16, 32) = a (16, d) b (32, d)^T */
__device__ static inline void scores(float *s, const uint16_t *a, const uint16_t *b, int d)
{
    for (int n = 0; n < OTHERS; n += 16) {
        sums c;
        wmma::fill_fragment(c, 0.0f);
        for (int k = 0; k < d; k += 16) {
            wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major> x;
            wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::col_major> y;
            wmma::load_matrix_sync(x, (const __nv_bfloat16 *)a + k, LD);
            wmma::load_matrix_sync(y, (const __nv_bfloat16 *)b + n * LD + k, LD);
            wmma::mma_sync(c, x, y, c);
        }
        wmma::store_matrix_sync(s + n, c, LS, wmma::mem_row_major);
    }
}

/* sum[i] += p (16, 32) b (32, columns 16 i..) */
__device__ static inline void accumulate(sums *sum, const uint16_t *p, const uint16_t *b, int d)
{
#pragma unroll
    for (int i = 0; i < SLICES; i++)
        for (int k = 0; k < OTHERS && 16 * i < d; k += 16) {
            wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major> x;
            wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::row_major> y;
            wmma::load_matrix_sync(x, (const __nv_bfloat16 *)p + k, LP);
            wmma::load_matrix_sync(y, (const __nv_bfloat16 *)b + k * LD + 16 * i, LD);
            wmma::mma_sync(sum[i], x, y, sum[i]);
        }
}

/* sums to (16, d) of floats, row stride LD, and back. */
__device__ static inline void spill(float *to, const sums *sum, int d)
{
#pragma unroll
    for (int i = 0; i < SLICES; i++)
        if (16 * i < d)
            wmma::store_matrix_sync(to + 16 * i, sum[i], LD, wmma::mem_row_major);
}
__device__ static inline void unspill(sums *sum, const float *from, int d)
{
#pragma unroll
    for (int i = 0; i < SLICES; i++)
        if (16 * i < d)
            wmma::load_matrix_sync(sum[i], from + 16 * i, LD, wmma::mem_row_major);
}

/* `rows` rows of floats to bfloat16, row r times factor: its two lanes' own. */
__device__ static inline void store_rows(uint16_t *to, size_t ld, const float *from, int rows, int d, float factor)
{
    const int r = sk_lane() / 2;
    if (r < rows)
        for (int e = sk_lane() % 2 * (d / 2); e < (sk_lane() % 2 + 1) * (d / 2); e += 2)
            sk_put2(to + (size_t)r * ld + e, {from[r * LD + e] * factor, from[r * LD + e + 1] * factor});
}

/* Walks over dropout's factors of one query's keys: from key j on. */
struct walk { const uint8_t *bits; int blocks, b, l; float keep; };
__device__ static inline struct walk walk_from(const struct job &g, const struct sk_sentence &t, int query, int h, int j)
{
    struct walk w = {NULL, 1, 0, 0, g.keep};
    if (!g.mask)
        return w;
    w.blocks = (g.H * t.nk + 7) / 8;
    w.bits = g.mask + t.mask + (int64_t)query * w.blocks;
    w.l = (h * t.nk + j) / w.blocks;
    w.b = h * t.nk + j - w.l * w.blocks;
    return w;
}
__device__ static inline float next_factor(struct walk *w)
{
    if (!w->bits)
        return 1;
    const float f = w->bits[w->b] >> w->l & 1 ? w->keep : 0;
    if (++w->b == w->blocks)
        w->b = 0, w->l++;
    return f;
}

/* --- forward -------------------------------------------------------------------------- */

__global__ void __launch_bounds__(WARPS * SK_WARP, 4) tensor_forward_kernel(struct job g)
{
    SK_SHARED(uint16_t, all_q, WARPS * OWN * LD);
    SK_SHARED(uint16_t, all_k, WARPS * OTHERS * LD);
    SK_SHARED(uint16_t, all_v, WARPS * OTHERS * LD);
    SK_SHARED(uint16_t, all_p, WARPS * OWN * LP);
    SK_SHARED(float, all_s, WARPS * OWN * LS);
    const int warp = sk_warp(), lane = sk_lane(), h = (int)blockIdx.y, d = g.d, at = h * d;
    uint16_t *qs = all_q + warp * OWN * LD, *ks = all_k + warp * OTHERS * LD, *vs = all_v + warp * OTHERS * LD;
    uint16_t *ps = all_p + warp * OWN * LP;
    float *s = all_s + warp * OWN * LS, *out = (float *)ks;      /* when there are scores, keys are needed no more */
    static_assert(OWN * LD * sizeof(float) <= OTHERS * LD * sizeof(uint16_t), "the sums' place");
    if ((int)blockIdx.x * WARPS + warp >= g.tiles)
        return;
    const struct tile tile = g.tile[(int)blockIdx.x * WARPS + warp];
    const struct sk_sentence t = g.sentence[tile.sentence];
    const int rows = t.nq - tile.first < OWN ? t.nq - tile.first : OWN, r = lane / 2, half = lane % 2 * (OTHERS / 2);
    const int keys = g.causal ? tile.first + rows : t.nk, mine = g.causal ? tile.first + r + 1 : t.nk;
    const size_t row = (size_t)t.q0 + (size_t)tile.first, D = (size_t)g.H * (size_t)d;
    float max = -INFINITY, sum = 0;
    sums o[SLICES];
    for (int i = 0; i < SLICES; i++)
        wmma::fill_fragment(o[i], 0.0f);
    stage<OWN>(qs, g.q + row * (size_t)g.ldq + at, (size_t)g.ldq, rows, d);
    for (int j0 = 0; j0 < keys; j0 += OTHERS) {
        const int here = keys - j0 < OTHERS ? keys - j0 : OTHERS;
        const size_t key = ((size_t)t.k0 + (size_t)j0) * (size_t)g.ldk + at;
        __syncwarp();
        stage<OTHERS>(ks, g.k + key, (size_t)g.ldk, here, d);
        stage<OTHERS>(vs, g.v + key, (size_t)g.ldk, here, d);
        __syncwarp();
        scores(s, qs, ks, d);
        __syncwarp();
        const int seen = mine - j0 - half;       /* of this lane's 16 keys, if positive */
        float top = -INFINITY, all = 0;
        for (int j = 0; j < OTHERS / 2; j++)
            if (j < seen)
                top = fmaxf(top, s[r * LS + half + j] * g.scale);
        top = fmaxf(top, __shfl_xor_sync(SK_ALL, top, 1));
        const float before = max;
        max = fmaxf(max, top);
        struct walk w = walk_from(g, t, tile.first + (r < rows ? r : 0), h, j0 + half);
        for (int j = 0; j < OTHERS / 2; j++) {
            float p = 0;
            if (j < seen && r < rows) {
                p = expf(s[r * LS + half + j] * g.scale - max);
                all += p;
                p *= next_factor(&w);
            }
            ps[r * LP + half + j] = sk_narrow(p);
        }
        all += __shfl_xor_sync(SK_ALL, all, 1);
        const float shrink = j0 == 0 || before == max ? 1 : expf(before - max);
        sum = fmaf(sum, shrink, all);
        if (j0 > 0) {                            /* longer sentences only */
            spill(out, o, d);
            __syncwarp();
            for (int e = lane % 2 * (d / 2); e < (lane % 2 + 1) * (d / 2); e++)
                out[r * LD + e] *= shrink;
            __syncwarp();
            unspill(o, out, d);
        }
        __syncwarp();
        accumulate(o, ps, vs, d);
    }
    __syncwarp();
    spill(out, o, d);
    __syncwarp();
    const float inverse = 1.0f / sum;
    store_rows(g.context + row * D + at, D, out, rows, d, inverse);
    if (g.kept && r < rows && lane % 2 == 0) {
        float *kept = g.kept + 2 * ((size_t)h * g.Tq + row + r);
        kept[0] = max;
        kept[1] = inverse;
    }
}

/* --- backward --------------------------------------------------------------------------- */

/* KEYS: gradients of 16 keys and values, from all queries; else of 16 queries, from all keys. */
template <bool KEYS> __global__ void __launch_bounds__(WARPS * SK_WARP, 4) tensor_gradient_kernel(struct job g)
{
    SK_SHARED(uint16_t, all_own, WARPS * 2 * OWN * LD);
    SK_SHARED(uint16_t, all_other, WARPS * 2 * OTHERS * LD);
    SK_SHARED(uint16_t, all_p, WARPS * 2 * OWN * LP);
    SK_SHARED(float, all_s, WARPS * 2 * OWN * LS);
    const int warp = sk_warp(), lane = sk_lane(), h = (int)blockIdx.y, d = g.d, at = h * d;
    uint16_t *own = all_own + warp * 2 * OWN * LD, *own2 = own + OWN * LD;
    uint16_t *other = all_other + warp * 2 * OTHERS * LD, *other2 = other + OTHERS * LD;
    uint16_t *ds = all_p + warp * 2 * OWN * LP, *ps = ds + OWN * LP;
    float *s = all_s + warp * 2 * OWN * LS, *dp = s + OWN * LS;
    float *out = (float *)other;                 /* at the end; as large */
    static_assert(OWN * LD * sizeof(float) <= OTHERS * LD * sizeof(uint16_t), "the sums' place");
    if ((int)blockIdx.x * WARPS + warp >= g.tiles)
        return;
    const struct tile tile = g.tile[(int)blockIdx.x * WARPS + warp];
    const struct sk_sentence t = g.sentence[tile.sentence];
    const size_t D = (size_t)g.H * (size_t)d, ldq = (size_t)g.ldq, ldk = (size_t)g.ldk;
    const int n = KEYS ? t.nk : t.nq, r = lane / 2, half = lane % 2 * (OTHERS / 2);
    const int rows = n - tile.first < OWN ? n - tile.first : OWN;
    const int first = KEYS && g.causal ? tile.first / OTHERS * OTHERS : 0;       /* queries before see no such key */
    const int last = KEYS ? t.nq : g.causal ? tile.first + rows : t.nk;
    const size_t row = (size_t)(KEYS ? t.k0 : t.q0) + (size_t)tile.first;
    stage<OWN>(own, KEYS ? g.k + row * ldk + at : g.q + row * ldq + at, KEYS ? ldk : ldq, rows, d);
    stage<OWN>(own2, KEYS ? g.v + row * ldk + at : g.dcontext + row * D + at, KEYS ? ldk : D, rows, d);
    sums sum[SLICES], sum2[KEYS ? SLICES : 1];
    for (int i = 0; i < SLICES; i++)
        wmma::fill_fragment(sum[i], 0.0f);
    for (int i = 0; i < (KEYS ? SLICES : 1); i++)
        wmma::fill_fragment(sum2[i], 0.0f);
    float mean = 0;
    /* Of queries: first their means, over all keys, then the rest. */
    for (int pass = KEYS ? 1 : 0; pass < 2; pass++)
        for (int j0 = first; j0 < last; j0 += OTHERS) {
            const int here = last - j0 < OTHERS ? last - j0 : OTHERS;
            if (pass == 0 || KEYS || last > OTHERS) {     /* else they still stand there */
                const size_t o = (size_t)(KEYS ? t.q0 : t.k0) + (size_t)j0;
                __syncwarp();
                stage<OTHERS>(other, KEYS ? g.q + o * ldq + at : g.k + o * ldk + at, KEYS ? ldq : ldk, here, d);
                stage<OTHERS>(other2, KEYS ? g.dcontext + o * D + at : g.v + o * ldk + at, KEYS ? D : ldk, here, d);
                __syncwarp();
                scores(s, own, other, d);
                scores(dp, own2, other2, d);
                __syncwarp();
            }
            float part = 0;
            struct walk w = {NULL, 1, 0, 0, 1};
            if (!KEYS && r < rows)
                w = walk_from(g, t, tile.first + r, h, j0 + half);
            for (int j = 0; j < OTHERS / 2; j++) {
                const int i = j0 + half + j;     /* the other */
                const int query = KEYS ? i : tile.first + r, key = KEYS ? tile.first + r : i;
                float p = 0, x = 0, factor = 1;
                if (r < rows && i < last && (!g.causal || key <= query)) {
                    const size_t of = (size_t)h * g.Tq + (size_t)t.q0 + (size_t)query;
                    if (KEYS)
                        w = walk_from(g, t, query, h, key);
                    factor = next_factor(&w);
                    p = expf(s[r * LS + half + j] * g.scale - g.kept[2 * of]) * g.kept[2 * of + 1];
                    x = dp[r * LS + half + j] * factor;
                    part = fmaf(p, x, part);
                    x = p * (x - (KEYS ? g.mean[of] : mean)) * g.scale;
                }
                if (pass == 1)
                    ds[r * LP + half + j] = sk_narrow(x);
                if (KEYS)
                    ps[r * LP + half + j] = sk_narrow(p * factor);
            }
            if (pass == 0) {
                mean += part + __shfl_xor_sync(SK_ALL, part, 1);
                continue;
            }
            __syncwarp();
            accumulate(sum, ds, other, d);
            if constexpr (KEYS)
                accumulate(sum2, ps, other2, d);
        }
    __syncwarp();
    spill(out, sum, d);
    __syncwarp();
    store_rows(KEYS ? g.dk + row * ldk + at : g.dq + row * ldq + at, KEYS ? ldk : ldq, out, rows, d, 1);
    if constexpr (KEYS) {
        __syncwarp();
        spill(out, sum2, d);
        __syncwarp();
        store_rows(g.dv + row * ldk + at, ldk, out, rows, d, 1);
    } else if (r < rows && lane % 2 == 0) {
        g.mean[(size_t)h * g.Tq + row + r] = mean;
    }
}

/* --- from the host ------------------------------------------------------------------------- */

bool sk_attention_tensor_fits(const struct sk_device *dev, const struct sk_attention_rows *a, const void *const *pointer,
                              int pointers)
{
    uintptr_t bits = (uintptr_t)(a->ldq | a->ldk | a->D) * sizeof(uint16_t) | (uintptr_t)a->q | (uintptr_t)a->k;
    bits |= (uintptr_t)a->v;
    for (int i = 0; i < pointers; i++)
        bits |= (uintptr_t)pointer[i];
    const int d = a->D / a->H;
    return dev->narrow && !dev->plain_attention && d % 16 == 0 && d <= HEAD && bits % 16 == 0;
}

/* Tiles of 16 of rows given by offsets, on the device. */
static const struct tile *tiles_of(struct sk_device *dev, struct sk_rows rows, int *n)
{
    struct tile *t = (struct tile *)malloc(((size_t)rows.rows / OWN + (size_t)rows.sentences + 1) * sizeof *t);
    if (!t)
        sk_cuda_die(1, "no memory for a batch's lists");
    *n = 0;
    for (int s = 0; s < rows.sentences; s++)
        for (int i = 0; i < rows.offset[s + 1] - rows.offset[s]; i += OWN)
            t[(*n)++] = (struct tile){s, i};
    const struct tile *there = (const struct tile *)sk_stage(dev, t, (size_t)*n * sizeof *t);
    free(t);
    return there;
}

static struct job job_of(struct sk_device *dev, const struct sk_attention_rows *a)
{
    struct job g = {};
    int64_t bytes = 0;
    g.sentence = sk_attention_sentences(dev, a->query, a->key, a->H, &bytes);
    g.q = (const uint16_t *)a->q, g.k = (const uint16_t *)a->k, g.v = (const uint16_t *)a->v, g.ldq = a->ldq, g.ldk = a->ldk;
    g.kept = a->kept, g.mean = a->kept + 2 * (size_t)a->H * (size_t)a->query.rows;
    g.H = a->H, g.d = a->D / a->H, g.Tq = a->query.rows, g.causal = a->causal;
    g.scale = 1.0f / sqrtf((float)g.d);
    g.keep = 1.0f / (1.0f - a->drop.p);
    g.mask = sk_attention_mask(dev, bytes, g.sentence, a->query, a->H, a->drop);
    return g;
}

static dim3 grid_of(const struct job &g) { return dim3(sk_count((size_t)g.tiles, WARPS), (unsigned)g.H); }

void sk_attention_tensor_forward(struct sk_device *dev, void *context, const struct sk_attention_rows *a)
{
    struct job g = job_of(dev, a);
    g.context = (uint16_t *)context;
    g.tile = tiles_of(dev, a->query, &g.tiles);
    sk_launch(dev, tensor_forward_kernel, grid_of(g), WARPS * SK_WARP, g);
}

void sk_attention_tensor_backward(struct sk_device *dev, void *dq, void *dk, void *dv, const void *dcontext,
                                  const struct sk_attention_rows *a)
{
    struct job g = job_of(dev, a);
    g.dq = (uint16_t *)dq, g.dk = (uint16_t *)dk, g.dv = (uint16_t *)dv, g.dcontext = (const uint16_t *)dcontext;
    g.tile = tiles_of(dev, a->query, &g.tiles);
    sk_launch(dev, tensor_gradient_kernel<false>, grid_of(g), WARPS * SK_WARP, g);
    g.tile = tiles_of(dev, a->key, &g.tiles);
    sk_launch(dev, tensor_gradient_kernel<true>, grid_of(g), WARPS * SK_WARP, g);
}
