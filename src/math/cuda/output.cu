/* output.cu - the output layer: product with the vocabulary, softmax, loss, the best
 * words. A block of threads does a row. Logits are float32, whatever rows are.
 *
 * Logits and their gradients live for one piece of a leaf only: as many rows as
 * PIECE bytes hold, a number that depends on the vocabulary alone, since it
 * decides where a leaf's sums are cut.
 */
#include <stdlib.h>
#include <string.h>
#include "math/cuda/kernel.h"
#include "math/cuda/product.h"
#include "math/cuda/sums.h"

enum { PIECE = 512 << 20 };
static int piece_rows(int V)
{
    int rows = PIECE / (int)sizeof(float) / V;
    return rows > 4096 ? 4096 : rows < 64 ? 64 : rows;
}

/* Largest value of a row, and sum of e^(x - largest): in one pass (Milakov and
 * Gimelshein 2018, "Online normalizer calculation for softmax"). */
struct row { float max, sum; };
__device__ static inline struct row measure(const float *x, int V, float *shared)
{
    struct row r;
    float max = -INFINITY, sum = 0;
#pragma unroll 4
    for (int i = (int)threadIdx.x; i < V; i += SK_THREADS) {
        const float v = x[i];
        if (v > max) {
            sum *= expf(max - v);
            max = v;
        }
        sum += v == max ? 1 : expf(v - max);     /* also where both are -inf */
    }
    r.max = sk_block_max(max, shared);
    r.sum = sk_block_sum(max == r.max ? sum : sum * expf(max - r.max), shared);
    return r;
}

/* --- loss ------------------------------------------------------------------------------ */

template <class G> struct loss_job {
    const float *logits;                 /* (rows, V) */
    G *grad;                             /* the same, or NULL; of floats it may be logits */
    int V;
    const int32_t *label;
    float smoothing, scale;
    float *nll, *correct;                /* (rows) */
};

template <class G> __global__ void __launch_bounds__(SK_THREADS) loss_kernel(struct loss_job<G> j)
{
    SK_SHARED(float, shared, SK_WARPS);
    const float *x = j.logits + (size_t)blockIdx.x * j.V;
    G *grad = j.grad ? j.grad + (size_t)blockIdx.x * j.V : NULL;
    const int label = j.label[blockIdx.x], V = j.V;
    const float own = x[label];
    struct row r = measure(x, V, shared);
    float earlier = 0;                   /* words before the label that are as likely */
    if (own == r.max)
        for (int i = (int)threadIdx.x; i < label; i += SK_THREADS)
            earlier += x[i] == r.max;
    earlier = sk_block_sum(earlier, shared);
    const float inverse = 1.0f / r.sum, p = expf(own - r.max) * inverse;
    if (threadIdx.x == 0) {
        j.nll[blockIdx.x] = -logf(p < 1e-10f ? 1e-10f : p);
        j.correct[blockIdx.x] = own == r.max && earlier == 0;
    }
    if (!grad)
        return;
    const float other = V > 1 ? j.smoothing / (float)(V - 1) : 0;
    for (int i = (int)threadIdx.x; i < V; i += SK_THREADS)
        sk_put(grad + i, i == label ? (p - (1.0f - j.smoothing)) * j.scale
                                    : (expf(x[i] - r.max) * inverse - other) * j.scale);
}

/* Losses of n rows; returns what their gradient is (NULL: none is wanted), in the number type of products. */
static const void *lose(struct sk_device *dev, float *logits, int n, int grad, struct loss_job<float> j)
{
    const size_t all = (size_t)n * (size_t)j.V;
    j.logits = logits;
    j.grad = grad ? logits : NULL;
    if (!grad || dev->dtype == SK_FLOAT32) {
        sk_launch(dev, loss_kernel<float>, dim3((unsigned)n), SK_THREADS, j);
        return j.grad;
    }
    uint16_t *to = (uint16_t *)sk_scratch(dev, SK_SLOT_A, all * sizeof *to);
    struct loss_job<uint16_t> narrow = {logits, to, j.V, j.label, j.smoothing, j.scale, j.nll, j.correct};
    sk_launch(dev, loss_kernel<uint16_t>, dim3((unsigned)n), SK_THREADS, narrow);
    return to;
}

void sk_cuda_output_loss(struct sk_device *dev, float *dx, float *dw, float *dbias, float *nll, uint8_t *correct,
                         const float *x, const struct sk_weight *w, const float *bias, const int32_t *label,
                         float smoothing, float loss_scale, int V, int D, struct sk_leaves leaves)
{
    const int first = leaves.row[0], end = leaves.row[leaves.n], most = piece_rows(V);
    const size_t rows = (size_t)(end - first), d = (size_t)D, v = (size_t)V;
    int longest = 1;
    for (int l = 0; l < leaves.n; l++)
        if (leaves.row[l + 1] - leaves.row[l] > longest)
            longest = leaves.row[l + 1] - leaves.row[l];
    float *logits = sk_floats(dev, SK_SLOT_LOGITS, (size_t)(longest < most ? longest : most) * v);
    float *result = sk_floats(dev, SK_SLOT_RESULT, 2 * rows + 1), *parts = NULL;
    const int32_t *labels = rows ? sk_stage_ints(dev, label + first, rows) : NULL;
    struct sk_weight_sum sum = {};
    if (dx) {
        sum = sk_weight_sum_begin(dev, dw, V, D, leaves.n);
        parts = sk_floats(dev, SK_SLOT_PARTS, (size_t)leaves.n * v);
    }
    for (int l = 0; l < leaves.n; l++) {
        int row = leaves.row[l], last = leaves.row[l + 1];
        do {
            const int next = last - row < most ? last : row + most, n = next - row;
            const void *in = n ? sk_operand(dev, SK_SLOT_B, sk_value(dev, x, (size_t)row * d), (size_t)n * d) : NULL;
            const void *g = NULL;
            if (n) {
                sk_product_forward(dev, logits, SK_FLOAT32, in, w, bias, n);
                struct loss_job<float> j = {NULL, NULL, V, labels + (row - first), smoothing, loss_scale,
                                            result + (row - first), result + rows + (size_t)(row - first)};
                g = lose(dev, logits, n, dx != NULL, j);
            }
            if (dx && n)
                sk_product_data(dev, (float *)sk_value(dev, dx, (size_t)row * d), sk_rows_type(dev), g, w, n, 0);
            if (dx) {
                sk_weight_sum_leaf(&sum, g, in, n, row == leaves.row[l], next == last);
                sk_sum_leaf(dev, parts + (size_t)l * v, g, dev->dtype, V, n, row > leaves.row[l]);
            }
            row = next;
        } while (row < last);
    }
    if (dx)
        sk_sum_tree(dev, dbias, parts, leaves.n, v);
    if (!rows || (!nll && !correct))
        return;
    float *host = (float *)malloc(2 * rows * sizeof *host);
    if (!host)
        sk_cuda_die(1, "no memory for a batch's losses");
    sk_fetch(dev, host, result, 2 * rows * sizeof *host);
    for (size_t i = 0; i < rows; i++) {
        if (nll)
            nll[(size_t)first + i] = host[i];
        if (correct)
            correct[(size_t)first + i] = host[rows + i] != 0;
    }
    free(host);
}

/* --- probabilities ---------------------------------------------------------------------------- */

__global__ void __launch_bounds__(SK_THREADS) logprob_kernel(float *logits, int V)
{
    SK_SHARED(float, shared, SK_WARPS);
    float *x = logits + (size_t)blockIdx.x * V;
    struct row r = measure(x, V, shared);
    const float log_sum = logf(r.sum);
    for (int i = (int)threadIdx.x; i < V; i += SK_THREADS)
        x[i] = x[i] - r.max - log_sum;
}

void sk_cuda_output_logprob(struct sk_device *dev, float *logp, const float *x, const struct sk_weight *w,
                            const float *bias, int V, int R)
{
    sk_cuda_linear_forward(dev, logp, x, w, bias, R);
    sk_launch(dev, logprob_kernel, dim3((unsigned)R), SK_THREADS, logp, V);
}

/* log of the mean of e^x as m + log mean e^(x - m), m the largest. */
struct means { float *const *logp; int n, log_linear; size_t values; };
__global__ void __launch_bounds__(SK_THREADS) mean_kernel(struct means m)
{
    size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x;
    if (i >= m.values)
        return;
    float y = m.logp[0][i], all = (float)m.n;
    if (m.log_linear) {
        for (int k = 1; k < m.n; k++)
            y += m.logp[k][i];
        y /= all;
    } else {
        float most = y, s = 0;
        for (int k = 1; k < m.n; k++)
            most = fmaxf(most, m.logp[k][i]);
        for (int k = 0; k < m.n; k++)
            s += expf(m.logp[k][i] - most);
        y = most + logf(s / all);
    }
    m.logp[0][i] = y;
}

void sk_cuda_logprob_mean(struct sk_device *dev, float *const *logp, int n, int log_linear, int V, int R)
{
    struct means m = {(float *const *)sk_stage(dev, logp, (size_t)n * sizeof *logp), n, log_linear,
                      (size_t)R * (size_t)V};
    sk_launch(dev, mean_kernel, dim3(sk_count(m.values, SK_THREADS)), SK_THREADS, m);
    if (log_linear)
        sk_launch(dev, logprob_kernel, dim3((unsigned)R), SK_THREADS, logp[0], V);
}

/* --- the best words ------------------------------------------------------------------------------ */

struct top_job {
    const float *x;                      /* (rows, V) logits, or log probabilities if normal */
    int V, k, normal;
    const int32_t *never;
    int nevers;
    const int32_t *ban, *ban_first;      /* of the rows from 0 on; or NULL */
    const int32_t *label, *label_first;  /* or NULL */
    int32_t *id;                         /* (rows, k) */
    float *logp, *label_logp;
};

/* Is (x, i) better than (y, k)? Of equals the lower word; -1 is none. */
__device__ static inline bool better(float x, int i, float y, int k)
{
    return i >= 0 && (k < 0 || x > y || (x == y && i < k));
}

/* The next best word is the best of those that are worse than the last one found. */
__global__ void __launch_bounds__(SK_THREADS) top_kernel(struct top_job j)
{
    SK_SHARED(float, shared, SK_WARPS);
    SK_SHARED(float, value, SK_WARPS);
    SK_SHARED(int, word, SK_WARPS);
    const float *x = j.x + (size_t)blockIdx.x * j.V;
    float max = 0, log_sum = 0, before = INFINITY;
    int before_id = -1;
    if (!j.normal) {
        struct row r = measure(x, j.V, shared);
        max = r.max;
        log_sum = logf(r.sum);
    }
    if (j.label)
        for (int i = j.label_first[blockIdx.x] + (int)threadIdx.x; i < j.label_first[blockIdx.x + 1]; i += SK_THREADS)
            j.label_logp[i] = x[j.label[i]] - max - log_sum;
    const int ban = j.ban_first ? j.ban_first[blockIdx.x] : 0, bans = j.ban_first ? j.ban_first[blockIdx.x + 1] : 0;
    for (int n = 0; n < j.k; n++) {
        float best = -INFINITY;
        int id = -1;
        for (int i = (int)threadIdx.x; i < j.V; i += SK_THREADS) {
            const float v = x[i];
            if (!(v > -INFINITY) || !(before_id < 0 || v < before || (v == before && i > before_id)) ||
                !better(v, i, best, id))
                continue;
            bool never = false;
            for (int e = 0; e < j.nevers; e++)
                never = never || j.never[e] == i;
            for (int e = ban; e < bans && !never; e++)
                never = j.ban[e] == i;
            if (!never)
                best = v, id = i;
        }
        for (int step = SK_WARP / 2; step; step /= 2) {
            const float v = __shfl_xor_sync(SK_ALL, best, step);
            const int i = __shfl_xor_sync(SK_ALL, id, step);
            if (better(v, i, best, id))
                best = v, id = i;
        }
        __syncthreads();
        if (sk_lane() == 0)
            value[sk_warp()] = best, word[sk_warp()] = id;
        __syncthreads();
        best = value[0], id = word[0];
        for (int w = 1; w < SK_WARPS; w++)
            if (better(value[w], word[w], best, id))
                best = value[w], id = word[w];
        if (threadIdx.x == 0) {
            j.id[(size_t)blockIdx.x * j.k + n] = id;
            j.logp[(size_t)blockIdx.x * j.k + n] = id < 0 ? -INFINITY : best - max - log_sum;
        }
        if (id < 0) {                    /* nor are there any after it */
            for (int e = n + 1 + (int)threadIdx.x; e < j.k; e += SK_THREADS) {
                j.id[(size_t)blockIdx.x * j.k + e] = -1;
                j.logp[(size_t)blockIdx.x * j.k + e] = -INFINITY;
            }
            return;
        }
        before = best, before_id = id;
    }
}

/* The bounds of the lists of rows row0.., from 0 on; staged. first NULL: one for each. */
static const int32_t *stage_bounds(struct sk_device *dev, const int32_t *first, int row0, int rows)
{
    int32_t *from = (int32_t *)malloc(((size_t)rows + 1) * sizeof *from);
    if (!from)
        sk_cuda_die(1, "no memory for the best words");
    for (int r = 0; r <= rows; r++)
        from[r] = first ? first[row0 + r] - first[row0] : r;
    const int32_t *staged = sk_stage_ints(dev, from, (size_t)rows + 1);
    free(from);
    return staged;
}

/* Rows row0.. of what is asked for, from x (rows, V). */
static void top_rows(struct sk_device *dev, const struct sk_top *t, const float *x, int V, int row0, int rows, int normal)
{
    const int32_t *label = t->label ? t->label + (t->label_first ? t->label_first[row0] : row0) : NULL;
    const size_t n = (size_t)rows * (size_t)t->k;
    const size_t labels = !label ? 0 : t->label_first ? (size_t)(t->label_first[row0 + rows] - t->label_first[row0]) : (size_t)rows;
    const size_t all = 2 * n + labels;
    float *result = sk_floats(dev, SK_SLOT_RESULT, all + 1), *host = (float *)malloc((all + 1) * sizeof *host);
    if (!host)
        sk_cuda_die(1, "no memory for the best words");
    struct top_job j = {x, V, t->k, normal, NULL, t->nevers, NULL, NULL, NULL, NULL, (int32_t *)result, result + n,
                        result + 2 * n};
    /* The longest list first: the others find room behind it. */
    if (t->ban_first && t->ban_first[row0 + rows] > t->ban_first[row0]) {
        j.ban = sk_stage_ints(dev, t->ban + t->ban_first[row0], (size_t)(t->ban_first[row0 + rows] - t->ban_first[row0]));
        j.ban_first = stage_bounds(dev, t->ban_first, row0, rows);
    }
    if (labels > 0) {
        j.label = sk_stage_ints(dev, label, labels);
        j.label_first = stage_bounds(dev, t->label_first, row0, rows);
    }
    j.never = sk_stage_ints(dev, t->never, (size_t)t->nevers);
    sk_launch(dev, top_kernel, dim3((unsigned)rows), SK_THREADS, j);
    sk_fetch(dev, host, result, all * sizeof *host);
    if (n) {
        memcpy(t->id + (size_t)row0 * (size_t)t->k, host, n * sizeof *host);
        memcpy(t->logp + (size_t)row0 * (size_t)t->k, host + n, n * sizeof *host);
    }
    if (labels > 0)
        memcpy(t->label_logp + (label - t->label), host + 2 * n, labels * sizeof *host);
    free(host);
}

void sk_cuda_output_top(struct sk_device *dev, const struct sk_top *top, const float *x, const struct sk_weight *w,
                        const float *bias, int V, int R)
{
    const int most = piece_rows(V);
    float *logits = sk_floats(dev, SK_SLOT_LOGITS, (size_t)(R < most ? R : most) * (size_t)V + 1);
    for (int r = 0; r < R; r += most) {
        int n = R - r < most ? R - r : most;
        sk_cuda_linear_forward(dev, logits, x + (size_t)r * (size_t)w->K, w, bias, n);
        top_rows(dev, top, logits, V, r, n, 0);
    }
}

void sk_cuda_logprob_top(struct sk_device *dev, const struct sk_top *top, float *logp, int V, int R)
{
    if (R > 0)
        top_rows(dev, top, logp, V, 0, R, 1);
}
