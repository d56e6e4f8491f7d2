/* sums.cu - sums over rows, by leaves: see sums.h. */
#include <stdlib.h>
#include <string.h>
#include "math/cuda/kernel.h"
#include "math/cuda/sums.h"

enum { DEPTH = 11 };                     /* of the tree: at most 1024 leaves */

/* --- columns ----------------------------------------------------------------------- */

/* What is summed over rows r of a column: dy, and, of a norm, dy (x - mean) r. */
struct columns {
    const float *dy, *x, *stat;
    int N;
};

/* A block does 32 columns of a leaf: warp w takes rows w, w + 8, ..., then the warps'
 * sums are added in order. parts (leaves, N) of dy; norm (leaves, N) of the norm. */
template <bool NORM>
__global__ void __launch_bounds__(SK_THREADS) columns_kernel(struct columns c, const int32_t *row, float *parts,
                                                             float *norm, int add)
{
    SK_SHARED(float, sums, 2 * SK_THREADS);
    int column = (int)blockIdx.x * SK_WARP + sk_lane(), leaf = (int)blockIdx.y, N = c.N;
    float sum = 0, sum_c = 0;
    if (column < N)
        for (int r = row[leaf] + sk_warp(); r < row[leaf + 1]; r += SK_WARPS) {
            size_t at = (size_t)r * N + column;
            float g = c.dy[at];
            sum += g;
            if (NORM)
                sum_c = fmaf(g, (c.x[at] - c.stat[2 * (size_t)r]) * c.stat[2 * (size_t)r + 1], sum_c);
        }
    sums[threadIdx.x] = sum;
    sums[SK_THREADS + threadIdx.x] = sum_c;
    __syncthreads();
    if (sk_warp() > 0 || column >= N)
        return;
    for (int w = 1; w < SK_WARPS; w++) {
        sum += sums[w * SK_WARP + sk_lane()];
        sum_c += sums[SK_THREADS + w * SK_WARP + sk_lane()];
    }
    size_t to = (size_t)leaf * N + column;
    parts[to] = add ? parts[to] + sum : sum;
    if (NORM)
        norm[to] = sum_c;
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
    struct columns c = {dy, NULL, NULL, N};
    sk_launch(dev, columns_kernel<false>, dim3(sk_count((size_t)N, SK_WARP), (unsigned)leaves.n), SK_THREADS, c, row,
              parts, (float *)NULL, 0);
    sk_sum_tree(dev, db, parts, leaves.n, (size_t)N);
}

void sk_sum_leaf(struct sk_device *dev, float *part, const float *dy, int N, int row0, int row1, int add)
{
    const int32_t ends[2] = {row0, row1};
    struct columns c = {dy, NULL, NULL, N};
    sk_launch(dev, columns_kernel<false>, dim3(sk_count((size_t)N, SK_WARP)), SK_THREADS, c,
              sk_stage_ints(dev, ends, 2), part, (float *)NULL, add);
}

void sk_norm_columns(struct sk_device *dev, float *dgamma, float *dbeta, const float *dy, const float *x,
                     const float *stat, int D, struct sk_leaves leaves)
{
    size_t n = (size_t)leaves.n * (size_t)D;
    float *parts = sk_floats(dev, SK_SLOT_PARTS, 2 * n);
    const int32_t *row = sk_stage_ints(dev, leaves.row, (size_t)leaves.n + 1);
    struct columns c = {dy, x, stat, D};
    sk_launch(dev, columns_kernel<true>, dim3(sk_count((size_t)D, SK_WARP), (unsigned)leaves.n), SK_THREADS, c, row,
              parts, parts + n, 0);
    sk_sum_tree(dev, dbeta, parts, leaves.n, (size_t)D);
    sk_sum_tree(dev, dgamma, parts + n, leaves.n, (size_t)D);
}

/* --- rows of tables: embeddings and positions ------------------------------------------ */

enum { STREAMS = 2 };
struct entry { int32_t row; int16_t stream, leaf; };

struct table {
    float *out;
    int D, leaves;
    const int32_t *first;                /* (rows of out + 1) first entry of each */
    const struct entry *entry;
    const float *dx[STREAMS];
    float scale[STREAMS];
};

/* A block does 256 columns of one row of the table, entry after entry. */
__global__ void __launch_bounds__(SK_THREADS) table_kernel(struct table t)
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
            s = fmaf(a.stream ? t.scale[1] : t.scale[0], (a.stream ? t.dx[1] : t.dx[0])[(size_t)a.row * t.D + e], s);
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

static void finish(struct sk_device *dev, struct sorter *s, struct table t)
{
    t.first = sk_stage_ints(dev, s->first, (size_t)s->N + 1);
    t.entry = (const struct entry *)sk_stage(dev, s->entry, (size_t)s->first[s->N] * sizeof *s->entry);
    sk_launch(dev, table_kernel, dim3((unsigned)s->N, sk_count((size_t)t.D, SK_THREADS)), SK_THREADS, t);
    free(s->first);
    free(s->entry);
}

void sk_cuda_embed_backward(struct sk_device *dev, float *dtable, int V, int D, int streams, const int32_t *const *id,
                            const float *const *dx, const float *scale, const struct sk_leaves *leaves)
{
    int total = 0, n = leaves[0].n;
    struct table t = {dtable, D, n, NULL, NULL, {NULL, NULL}, {0, 0}};
    if (streams > STREAMS)
        sk_cuda_die(70, "embed_backward: more than two streams");
    for (int s = 0; s < streams; s++) {
        total += leaves[s].row[n];
        t.dx[s] = dx[s];
        t.scale[s] = scale[s];
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
    finish(dev, &o, t);
}

void sk_cuda_position_backward(struct sk_device *dev, float *dposition, int P, int D, const float *dx,
                               struct sk_rows rows, struct sk_leaves leaves)
{
    struct table t = {dposition, D, leaves.n, NULL, NULL, {dx, NULL}, {1, 0}};
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
    finish(dev, &o, t);
}
