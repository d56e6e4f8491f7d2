/* output.c - the output layer: product with the vocabulary, softmax, loss.
 *
 * Logits and their gradients live for one chunk of rows only. Chunks are whole
 * leaves if these are not too long: where one is cut, the sums of the weight's
 * gradient, as large as the weight, rest in memory.
 */
#include "math/cpu/product.h"

/* End of the chunk that begins at `row`. */
static int chunk_end(struct sk_leaves leaves, int row)
{
    int end = row, i = 0;
    while (i <= leaves.n && leaves.row[i] <= row + SK_OUTPUT_MOST)
        end = leaves.row[i++];
    if (end > row || i > leaves.n)
        return end;
    int left = leaves.row[i] - row, pieces = (left + SK_OUTPUT_ROWS - 1) / SK_OUTPUT_ROWS;
    return row + (left + pieces - 1) / pieces;
}

struct row_job {
    struct sk_device *dev;
    float *logits;
    size_t ld;
    int rows, V, at_once;
    const int32_t *label;                /* NULL: log probabilities are wanted */
    float smoothing, scale;
    int grad;
    float *nll;
    uint8_t *correct;
};

static void row_part(void *ctx, int part, int thread)
{
    const struct row_job *j = ctx;
    int r0 = part * j->at_once, r1 = r0 + j->at_once < j->rows ? r0 + j->at_once : j->rows;
    (void)thread;
    for (int r = r0; r < r1; r++) {
        float *row = j->logits + (size_t)r * j->ld;
        if (j->label)
            SK_ISA_PICK(j->dev, sk_loss_row)(row, j->V, j->label[r], j->smoothing, j->scale, j->grad,
                                             j->nll ? j->nll + r : NULL, j->correct ? j->correct + r : NULL);
        else
            SK_ISA_PICK(j->dev, sk_logprob_row)(row, j->V);
    }
}

static void run_rows(struct row_job *j)
{
    j->at_once = j->rows > 32 * j->dev->threads ? 4 : 1;
    sk_pool_run(j->dev->pool, (j->rows + j->at_once - 1) / j->at_once, row_part, j);
}

void sk_cpu_output_loss(struct sk_device *dev, float *dx, float *dw, float *dbias, float *nll, uint8_t *correct,
                        const float *x, const struct sk_weight *w, const float *bias, const int32_t *label,
                        float smoothing, float loss_scale, int V, int D, struct sk_leaves leaves)
{
    struct sk_weight_sum sum = { V, D, dw, dbias, leaves, NULL };
    int row = leaves.row[0], end = leaves.row[leaves.n], leaf = 0;
    size_t ld = (size_t)sk_round_up(V, 16), d = (size_t)D;
    int most = end - row < SK_OUTPUT_MOST ? end - row : SK_OUTPUT_MOST;
    float *logits = sk_cpu_shared(dev, SK_SLOT_LOGITS, ld * (size_t)most * sizeof *logits);
    if (dx && chunk_end(leaves, row) < end)
        sum.kept = sk_cpu_shared(dev, SK_SLOT_TREE, sk_cpu_weight_sum_size(dev, V, D, leaves.n) * sizeof *sum.kept);
    do {
        int next = chunk_end(leaves, row), after = leaf;
        while (after < leaves.n && (leaves.row[after] < next || next == end))
            after++;
        const float *xr = x + (size_t)row * d;
        sk_cpu_forward(dev, logits, ld, xr, w, next - row, bias);
        struct row_job j = { dev, logits, ld, next - row, V, 1, label + row, smoothing, loss_scale, dx != NULL,
                             nll ? nll + row : NULL, correct ? correct + row : NULL };
        run_rows(&j);
        if (dx) {
            sk_cpu_backward(dev, dx + (size_t)row * d, logits, ld, w, next - row, 0);
            sk_cpu_weight_sum(dev, &sum, logits, ld, xr, row, next, leaf, after);
        }
        leaf = after > leaf && leaves.row[after] > next ? after - 1 : after;
        row = next;
    } while (row < end);
}

void sk_cpu_output_logprob(struct sk_device *dev, float *logp, const float *x, const struct sk_weight *w,
                           const float *bias, int V, int R)
{
    struct row_job j = { .dev = dev, .logits = logp, .ld = (size_t)V, .rows = R, .V = V };
    sk_cpu_forward(dev, logp, (size_t)V, x, w, R, bias);
    run_rows(&j);
}
