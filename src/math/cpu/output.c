/* output.c - the output layer: product with the vocabulary, softmax, loss.
 *
 * Logits and their gradients live for one chunk of rows only. Chunks are as
 * many whole leaves as are not too long: what of the weight's gradient is not
 * finished inside a chunk, as large as the weight, is written and read again.
 * Where leaves themselves are too long, these are cut.
 */
#include "math/cpu/product.h"

/* Has any group of 2^whole leaves too many rows? */
static int too_long(struct sk_leaves leaves, int whole)
{
    for (int i = 0; i < leaves.n; i += 1 << whole)
        if (leaves.row[i + (1 << whole)] - leaves.row[i] > SK_OUTPUT_MOST)
            return 1;
    return 0;
}

int sk_cpu_output_whole(struct sk_leaves leaves)
{
    int whole = 0;
    while (2 << whole <= leaves.n && !too_long(leaves, whole + 1))
        whole++;
    return whole;
}

/* End of the chunk that begins at `row`, in a leaf that ends at `end`: whole
 * blocks of the leaf, but for the last. */
static int piece_end(int row, int end)
{
    int left = end - row, pieces = (left + SK_OUTPUT_ROWS - 1) / SK_OUTPUT_ROWS;
    return left <= SK_OUTPUT_MOST ? end : row + sk_round_up((left + pieces - 1) / pieces, SK_BLOCK);
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
    struct sk_weight_sum sum = { V, D, dw, dbias, leaves, NULL, sk_cpu_output_whole(leaves) };
    int first = leaves.row[0], end = leaves.row[leaves.n], group = 1 << sum.whole;
    size_t ld = (size_t)sk_round_up(V, 16), d = (size_t)D;
    int most = end - first < SK_OUTPUT_MOST ? end - first : SK_OUTPUT_MOST;
    float *logits = sk_cpu_shared(dev, SK_SLOT_LOGITS, ld * (size_t)most * sizeof *logits);
    if (dx && end - first > most)
        sum.kept = sk_cpu_shared(dev, SK_SLOT_TREE,
                                 sk_cpu_weight_sum_size(dev, V, D, leaves.n, sum.whole) * sizeof *sum.kept);
    for (int leaf = 0; leaf < leaves.n; leaf += group) {
        int row = leaves.row[leaf], last = leaves.row[leaf + group];
        do {
            int next = piece_end(row, last);
            const float *xr = x + (size_t)row * d;
            sk_cpu_forward(dev, logits, ld, xr, w, next - row, bias);
            struct row_job j = { dev, logits, ld, next - row, V, 1, label + row, smoothing, loss_scale, dx != NULL,
                                 nll ? nll + row : NULL, correct ? correct + row : NULL };
            run_rows(&j);
            if (dx) {
                sk_cpu_backward(dev, dx + (size_t)row * d, logits, ld, w, next - row, 0);
                sk_cpu_weight_sum(dev, &sum, logits, ld, xr, row, next, leaf, leaf + group);
            }
            row = next;
        } while (row < last);
    }
}

void sk_cpu_output_logprob(struct sk_device *dev, float *logp, const float *x, const struct sk_weight *w,
                           const float *bias, int V, int R)
{
    struct row_job j = { .dev = dev, .logits = logp, .ld = (size_t)V, .rows = R, .V = V };
    sk_cpu_forward(dev, logp, (size_t)V, x, w, R, bias);
    run_rows(&j);
}
