/* gradient.c - gradients of weights: sums over rows, by leaves.
 *
 * The gradient is cut into tiles; one part of the job makes all leaves of
 * one tile and combines them at once, as a binary counter does: after leaf
 * i, the sums that end with it are added up (level l holds 2^l leaves), so
 * log2(leaves) tiles in a thread's scratch are enough. Only when the rows
 * come in several calls do whole levels stand in memory between them.
 */
#include <string.h>
#include "math/cpu/product.h"

/* What one part computes: `rows` x `columns` of dw and, in the parts of
 * column 0, `rows` of db behind them. */
struct geometry { int rows, columns, down, across; size_t floats; };

struct sum_job {
    struct sk_device *dev;
    const struct sk_weight_sum *sum;
    struct geometry g;
    const struct sk_kernels *kernels;
    const float *dy, *panels;
    size_t ldy;
    int row0, row1, leaf0, leaf1;
    int depth;                           /* elements of a panel: each leaf's own */
    int done;                            /* leaves complete after this call */
};

static int count(int n, int size) { return (n + size - 1) / size; }
static int least(int a, int b) { return a < b ? a : b; }
static int most(int a, int b) { return a > b ? a : b; }

/* Depends on the sizes and the device alone: the same in all calls of a sum. */
static struct geometry geometry(const struct sk_device *dev, int N, int K)
{
    struct geometry g;
    int tile = sk_tile(dev), width = sk_width(dev), wide = sk_round_up(K, width);
    /* dy is packed again for each column of parts: few of them, unless
     * there are too few rows to keep all threads busy */
    g.across = count(wide, 512);
    int tiles = count(N, tile);
    while (g.across * count(tiles, 2) < 4 * dev->threads && g.across * width < wide)
        g.across++;
    g.columns = sk_round_up(count(wide, g.across), width);
    g.across = count(wide, g.columns);
    int deep = count(tiles * g.across, 8 * dev->threads);
    g.rows = tile * (dev->threads == 1 ? 8 : most(2, least(8, deep)));
    g.down = count(N, g.rows);
    g.floats = (size_t)g.rows * (size_t)g.columns + (size_t)sk_round_up(g.rows, 16);
    return g;
}

static int levels(int leaves)
{
    int n = 0;
    while (1 << n < leaves)
        n++;
    return n;
}

size_t sk_cpu_weight_sum_size(const struct sk_device *dev, int N, int K, int leaves)
{
    struct geometry g = geometry(dev, N, K);
    return (size_t)(1 + levels(leaves)) * (size_t)g.down * (size_t)g.across * g.floats;
}

/* What a thread needs: tiles of all levels, and rows of dy in another order. */
static size_t scratch_size(const struct geometry *g, int depth)
{
    return (size_t)(1 + depth) * g->floats + (size_t)SK_DEPTH * (size_t)g->rows;
}

size_t sk_cpu_weight_sum_scratch(const struct sk_device *dev, int N, int K, int leaves)
{
    struct geometry g = geometry(dev, N, K);
    return scratch_size(&g, levels(leaves));
}

/* Between calls: slot 0 is an unfinished leaf, slot 1 + l is level l. */
static float *kept(const struct sum_job *j, int part, int slot)
{
    size_t parts = (size_t)j->g.down * (size_t)j->g.across;
    return j->sum->kept + ((size_t)slot * parts + (size_t)part) * j->g.floats;
}

/* When `n` leaves are complete, level l (bit l of n) was by this call. */
static int fresh(const struct sum_job *j, int n, int level)
{
    return (n >> level << level) - 1 >= j->leaf0;
}

static void store(const struct sum_job *j, const float *tile, int n, int k, int rows)
{
    const struct sk_weight_sum *s = j->sum;
    int columns = least(j->g.columns, s->K - k);
    for (int r = 0; r < rows; r++)
        memcpy(s->dw + (size_t)(n + r) * (size_t)s->K + k, tile + (size_t)r * (size_t)j->g.columns,
               (size_t)columns * sizeof *tile);
    if (s->db && k == 0)
        memcpy(s->db + n, tile + (size_t)j->g.rows * (size_t)j->g.columns, (size_t)rows * sizeof *tile);
}

static void sum_part(void *ctx, int part, int thread)
{
    const struct sum_job *j = ctx;
    const struct sk_weight_sum *s = j->sum;
    const struct geometry *g = &j->g;
    const int32_t *first = s->leaves.row;
    int depth = levels(s->leaves.n), width = sk_width(j->dev), at = 0;
    int n = part / g->across * g->rows, k = part % g->across * g->columns;
    int rows = least(g->rows, s->N - n);
    int columns = least(g->columns, sk_round_up(s->K, width) - k);
    size_t bytes = g->floats * sizeof(float), panel = (size_t)j->depth * (size_t)width;

    float *tiles = sk_cpu_scratch(j->dev, thread, scratch_size(g, depth) * sizeof *tiles);
    float *a = tiles + (size_t)(1 + depth) * g->floats, *now = tiles, *level_tile[32];
    for (int l = 0; l < depth; l++)
        level_tile[l] = tiles + (size_t)(1 + l) * g->floats;

    for (int leaf = j->leaf0; leaf < j->leaf1; leaf++) {
        int r0 = most(first[leaf], j->row0), r1 = least(first[leaf + 1], j->row1);
        int begun = first[leaf] < j->row0, cut = first[leaf + 1] > j->row1;
        if (begun)
            memcpy(now, kept(j, part, 0), bytes);
        else
            memset(now, 0, bytes);
        float *db = s->db && k == 0 ? now + (size_t)g->rows * (size_t)g->columns : NULL;
        if (r1 > r0) {
            unsigned mode = sk_flush_begin(j->kernels);
            j->kernels->leaf_tile(now, db, j->dy + (size_t)(r0 - j->row0) * j->ldy + n, j->ldy,
                                  j->panels + (size_t)(k / width) * panel + (size_t)at * (size_t)width,
                                  panel, rows, columns, (size_t)g->columns, r1 - r0, begun, a);
            sk_flush_end(mode);
            at += sk_elements(j->kernels, r1 - r0);
        }
        if (cut) {
            memcpy(kept(j, part, 0), now, bytes);
            break;
        }
        int level = 0;
        for (; leaf >> level & 1; level++)
            SK_ISA_PICK(j->dev, sk_add_to)(now, fresh(j, leaf, level) ? level_tile[level] :
                                           kept(j, part, 1 + level), g->floats);
        if (leaf + 1 == s->leaves.n) {
            store(j, now, n, k, rows);
        } else {
            float *other = level_tile[level];
            level_tile[level] = now;
            now = other;
        }
    }
    for (int l = 0; j->done < s->leaves.n && l < depth; l++)
        if ((j->done >> l & 1) && fresh(j, j->done, l))
            memcpy(kept(j, part, 1 + l), level_tile[l], bytes);
}

/* Packing x: at most PACK_ROWS rows of one leaf a part. */
enum { PACK_ROWS = 64 };

struct pack_job { const struct sum_job *sum; float *panels; const float *x; int K, width; };

/* Rows of a leaf that this call has. */
static int rows_of(const struct sum_job *j, int leaf, int *r0)
{
    const int32_t *first = j->sum->leaves.row;
    *r0 = most(first[leaf], j->row0);
    int r1 = least(first[leaf + 1], j->row1);
    return r1 > *r0 ? r1 - *r0 : 0;
}

static void pack_part(void *ctx, int part, int thread)
{
    const struct pack_job *p = ctx;
    const struct sum_job *j = p->sum;
    int leaf = j->leaf0, at = 0, r0, rows = rows_of(j, leaf, &r0);
    (void)thread;
    for (; part >= count(rows, PACK_ROWS); rows = rows_of(j, ++leaf, &r0)) {
        part -= count(rows, PACK_ROWS);
        at += sk_elements(j->kernels, rows);
    }
    int skip = part * PACK_ROWS;
    at += skip / j->kernels->values;
    j->kernels->pack(p->panels + (size_t)at * (size_t)p->width, (size_t)j->depth * (size_t)p->width,
                     p->x + (size_t)(r0 - j->row0 + skip) * (size_t)p->K, (size_t)p->K, p->K,
                     least(PACK_ROWS, rows - skip));
}

void sk_cpu_weight_sum(struct sk_device *dev, const struct sk_weight_sum *sum, const float *dy, size_t ldy,
                       const float *x, int row0, int row1, int leaf0, int leaf1)
{
    struct sum_job j = { .dev = dev, .sum = sum, .g = geometry(dev, sum->N, sum->K), .kernels = sk_kernels(dev),
                         .dy = dy, .ldy = ldy, .row0 = row0, .row1 = row1, .leaf0 = leaf0, .leaf1 = leaf1,
                         .done = leaf1 };
    int parts = 0, r0;
    for (int l = leaf0; l < leaf1; l++) {
        int rows = rows_of(&j, l, &r0);
        parts += count(rows, PACK_ROWS);
        j.depth += sk_elements(j.kernels, rows);
    }
    struct pack_job pack = { &j, NULL, x, sum->K, sk_width(dev) };
    pack.panels = sk_cpu_shared(dev, SK_SLOT_PANELS, sk_panels_size(dev, sum->K, j.depth) * sizeof(float));
    sk_pool_run(dev->pool, parts, pack_part, &pack);

    j.panels = pack.panels;
    if (sum->leaves.row[leaf1] > row1)
        j.done--;
    sk_pool_run(dev->pool, j.g.down * j.g.across, sum_part, &j);
}

void sk_cpu_linear_backward_weight(struct sk_device *dev, float *dw, float *db, const float *dy,
                                   const float *x, int N, int K, struct sk_leaves leaves)
{
    struct sk_weight_sum sum = { N, K, dw, db, leaves, NULL };
    int row0 = leaves.row[0], row1 = leaves.row[leaves.n];
    sk_cpu_weight_sum(dev, &sum, dy + (size_t)row0 * (size_t)N, (size_t)N, x + (size_t)row0 * (size_t)K,
                      row0, row1, 0, leaves.n);
}
