/* sums.cu - sums over rows, by leaves: see sums.h. */
#include <stdlib.h>
#include <string.h>
#include "math/cuda/kernel.h"
#include "math/cuda/sums.h"

enum { DEPTH = 11 };                     /* of the tree: at most 1024 leaves */

/* --- columns ----------------------------------------------------------------------- */

/* What is summed over rows r of a column: dy, and, of a norm, dy (x - mean) r. */
template <class R> struct columns {
    const R *dy, *x;
    const float *stat;
    int N;
};

/* A lane does W columns of a leaf, a block 32 W: warp w takes rows w, w + 8, ..., then
 * the warps' sums are added in order. parts (leaves, N) of dy; norm (leaves, N) of the norm. */
template <bool NORM, int W, class R>
__global__ void __launch_bounds__(SK_THREADS) columns_kernel(struct columns<R> c, const int32_t *row, float *parts,
                                                             float *norm, int add)
{
    SK_SHARED(float, sums, 4 * SK_THREADS);
    const int column = W * ((int)blockIdx.x * SK_WARP + sk_lane()), leaf = (int)blockIdx.y, N = c.N;
    float sum[2] = {0, 0}, sum_c[2] = {0, 0};
    if (column < N) {
#pragma unroll 4
        for (int r = row[leaf] + sk_warp(); r < row[leaf + 1]; r += SK_WARPS) {
            const size_t at = (size_t)r * N + column;
            struct sk_two g = {0, 0}, x = {0, 0};
            if (W == 2)
                g = sk_get2(c.dy + at);
            else
                g.x = sk_get(c.dy + at);
            sum[0] += g.x;
            if (W == 2)
                sum[1] += g.y;
            if (!NORM)
                continue;
            const float mean = c.stat[2 * (size_t)r], inverse = c.stat[2 * (size_t)r + 1];
            if (W == 2)
                x = sk_get2(c.x + at);
            else
                x.x = sk_get(c.x + at);
            sum_c[0] = fmaf(g.x, (x.x - mean) * inverse, sum_c[0]);
            if (W == 2)
                sum_c[1] = fmaf(g.y, (x.y - mean) * inverse, sum_c[1]);
        }
    }
    for (int i = 0; i < W; i++) {
        sums[2 * i * SK_THREADS + threadIdx.x] = sum[i];
        sums[(2 * i + 1) * SK_THREADS + threadIdx.x] = sum_c[i];
    }
    __syncthreads();
    if (sk_warp() > 0 || column >= N)
        return;
    for (int i = 0; i < W; i++) {
        for (int w = 1; w < SK_WARPS; w++) {
            sum[i] += sums[2 * i * SK_THREADS + w * SK_WARP + sk_lane()];
            sum_c[i] += sums[(2 * i + 1) * SK_THREADS + w * SK_WARP + sk_lane()];
        }
        const size_t to = (size_t)leaf * N + column + i;
        parts[to] = add ? parts[to] + sum[i] : sum[i];
        if (NORM)
            norm[to] = sum_c[i];
    }
}

/* parts, norm: (leaves, N) as above. */
template <bool NORM, class R>
static void sum_columns(struct sk_device *dev, float *parts, float *norm, const void *dy, const void *x,
                        const float *stat, int N, const int32_t *row, int leaves, int add)
{
    struct columns<R> c = {(const R *)dy, (const R *)x, stat, N};
    if (sk_by_two(N, dy, x, NULL))
        sk_launch(dev, columns_kernel<NORM, 2, R>, dim3(sk_count((size_t)N, 2 * SK_WARP), (unsigned)leaves), SK_THREADS,
                  c, row, parts, norm, add);
    else
        sk_launch(dev, columns_kernel<NORM, 1, R>, dim3(sk_count((size_t)N, SK_WARP), (unsigned)leaves), SK_THREADS, c,
                  row, parts, norm, add);
}

/* ((0 + 1) + (2 + 3)) + ...: a binary counter. Level k of the stack holds 2^k leaves
 * where bit k of the number of leaves so far is set. Returns what leaf's sum s
 * completes: after the last of a power of two, all. Indices are constants, so that
 * the stack stays in registers. */
__device__ static inline float push(float *stack, int leaf, float s)
{
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        if (!(leaf >> k & 1)) {
            stack[k] = s;
            break;
        }
        s = stack[k] + s;
    }
    return s;
}

__global__ void __launch_bounds__(SK_THREADS) tree_kernel(float *out, const float *parts, int leaves, size_t N)
{
    size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x;
    float stack[DEPTH], s = 0;
    if (i >= N)
        return;
    for (int l = 0; l < leaves; l++)
        s = push(stack, l, parts[(size_t)l * N + i]);
    out[i] = s;
}

void sk_sum_tree(struct sk_device *dev, float *out, const float *parts, int leaves, size_t N)
{
    sk_launch(dev, tree_kernel, dim3(sk_count(N, SK_THREADS)), SK_THREADS, out, parts, leaves, N);
}

void sk_sum_columns(struct sk_device *dev, float *db, const float *dy, int N, struct sk_leaves leaves)
{
    float *parts = sk_floats(dev, SK_SLOT_PARTS, (size_t)leaves.n * (size_t)N);
    const int32_t *row = sk_stage_ints(dev, leaves.row, (size_t)leaves.n + 1);
#define RUN(R) sum_columns<false, R>(dev, parts, NULL, dy, NULL, NULL, N, row, leaves.n, 0)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
    sk_sum_tree(dev, db, parts, leaves.n, (size_t)N);
}

void sk_sum_leaf(struct sk_device *dev, float *part, const void *dy, enum sk_dtype dtype, int N, int rows, int add)
{
    const int32_t ends[2] = {0, rows}, *row = sk_stage_ints(dev, ends, 2);
    if (dtype == SK_FLOAT32)
        sum_columns<false, float>(dev, part, NULL, dy, NULL, NULL, N, row, 1, add);
    else
        sum_columns<false, uint16_t>(dev, part, NULL, dy, NULL, NULL, N, row, 1, add);
}

void sk_norm_columns(struct sk_device *dev, float *dgamma, float *dbeta, const float *dy, const float *x,
                     const float *stat, int D, struct sk_leaves leaves)
{
    size_t n = (size_t)leaves.n * (size_t)D;
    float *parts = sk_floats(dev, SK_SLOT_PARTS, 2 * n);
    const int32_t *row = sk_stage_ints(dev, leaves.row, (size_t)leaves.n + 1);
#define RUN(R) sum_columns<true, R>(dev, parts, parts + n, dy, x, stat, D, row, leaves.n, 0)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
    sk_sum_tree(dev, dbeta, parts, leaves.n, (size_t)D);
    sk_sum_tree(dev, dgamma, parts + n, leaves.n, (size_t)D);
}

/* --- rows of tables: embeddings and positions ------------------------------------------ */

enum { STREAMS = 2 };
struct entry { int32_t row; int16_t stream, leaf; };

template <class R> struct table {
    float *out;
    int D, leaves;
    const int32_t *first;                /* (rows of out + 1) first entry of each */
    const struct entry *entry;
    const R *dx[STREAMS];
    float scale[STREAMS];
};

/* A block does 256 columns of one row of the table, entry after entry. */
template <class R> __global__ void __launch_bounds__(SK_THREADS) table_kernel(struct table<R> t)
{
    int e = (int)blockIdx.y * SK_THREADS + (int)threadIdx.x;
    float stack[DEPTH], all = 0;
    if (e >= t.D)
        return;
    int i = t.first[blockIdx.x], end = t.first[blockIdx.x + 1];
    float *out = t.out + (size_t)blockIdx.x * t.D + e;
    if (i == end) {
        *out = 0;
        return;
    }
    for (int l = 0; l < t.leaves; l++) {
        float s = 0;
        for (; i < end && t.entry[i].leaf == l; i++) {
            struct entry a = t.entry[i];
            const R *dx = (a.stream ? t.dx[1] : t.dx[0]) + (size_t)a.row * t.D + e;
            s = fmaf(a.stream ? t.scale[1] : t.scale[0], sk_get(dx), s);
        }
        all = push(stack, l, s);
    }
    *out = all;
}

/* Entries sorted by key, those of a key as they come. */
struct sorter { int N; int32_t *first; struct entry *entry; };

static struct sorter sorter_for(int N, int total)
{
    struct sorter s = {N, (int32_t *)calloc((size_t)N + 2, sizeof *s.first),
                       (struct entry *)malloc(((size_t)total + 1) * sizeof *s.entry)};
    if (!s.first || !s.entry)
        sk_cuda_die(1, "no memory for the list of a batch's words");
    return s;
}

/* first[key + 2] counts; then first[key + 1] runs up to the key's end. */
static void begin(struct sorter *s)
{
    for (int i = 2; i <= s->N + 1; i++)
        s->first[i] += s->first[i - 1];
}

/* What is to be summed: dx of up to two streams. */
struct streams { const float *dx[STREAMS]; float scale[STREAMS]; };

template <class R>
static void sum_table(struct sk_device *dev, const struct sorter *s, float *out, int D, int leaves,
                      const struct streams &from)
{
    struct table<R> t = {out, D, leaves, NULL, NULL, {(const R *)from.dx[0], (const R *)from.dx[1]},
                         {from.scale[0], from.scale[1]}};
    /* The longer list first: it may move the others. */
    t.entry = (const struct entry *)sk_stage(dev, s->entry, (size_t)s->first[s->N] * sizeof *s->entry);
    t.first = sk_stage_ints(dev, s->first, (size_t)s->N + 1);
    sk_launch(dev, table_kernel<R>, dim3((unsigned)s->N, sk_count((size_t)D, SK_THREADS)), SK_THREADS, t);
}

static void finish(struct sk_device *dev, struct sorter *s, float *out, int D, int leaves, const struct streams &from)
{
#define RUN(R) sum_table<R>(dev, s, out, D, leaves, from)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
    free(s->first);
    free(s->entry);
}

void sk_cuda_embed_backward(struct sk_device *dev, float *dtable, int V, int D, int streams, const int32_t *const *id,
                            const float *const *dx, const float *scale, const struct sk_leaves *leaves)
{
    int total = 0, n = leaves[0].n;
    struct streams from = {{NULL, NULL}, {0, 0}};
    if (streams > STREAMS)
        sk_cuda_die(70, "embed_backward: more than two streams");
    for (int s = 0; s < streams; s++) {
        total += leaves[s].row[n];
        from.dx[s] = dx[s];
        from.scale[s] = scale[s];
    }
    struct sorter o = sorter_for(V, total);
    for (int s = 0; s < streams; s++)
        for (int r = leaves[s].row[0]; r < leaves[s].row[n]; r++)
            o.first[id[s][r] + 2]++;
    begin(&o);
    for (int l = 0; l < n; l++)
        for (int s = 0; s < streams; s++)
            for (int r = leaves[s].row[l]; r < leaves[s].row[l + 1]; r++)
                o.entry[o.first[id[s][r] + 1]++] = (struct entry){r, (int16_t)s, (int16_t)l};
    finish(dev, &o, dtable, D, n, from);
}

void sk_cuda_position_backward(struct sk_device *dev, float *dposition, int P, int D, const float *dx,
                               struct sk_rows rows, struct sk_leaves leaves)
{
    struct sorter o = sorter_for(P, rows.rows);
    int leaf = 0;
    for (int s = 0; s < rows.sentences; s++)
        for (int r = rows.offset[s]; r < rows.offset[s + 1]; r++)
            o.first[r - rows.offset[s] + 2]++;
    begin(&o);
    for (int s = 0; s < rows.sentences; s++)
        for (int r = rows.offset[s]; r < rows.offset[s + 1]; r++) {
            while (r >= leaves.row[leaf + 1])
                leaf++;
            o.entry[o.first[r - rows.offset[s] + 1]++] = (struct entry){r, 0, (int16_t)leaf};
        }
    finish(dev, &o, dposition, D, leaves.n, {{dx, NULL}, {1, 0}});
}
