/* gradient.c - gradients of weights: sums over rows, by leaves.
 *
 * The gradient is cut into tiles; one part of the job makes all leaves of
 * one tile and combines them at once, as a binary counter does: level l holds
 * 2^l leaves, and a leaf whose number ends in t ones is made in the place of
 * level t, where the levels below are added to it; the last one in dw itself.
 * So log2(leaves) tiles in a thread's scratch are enough. Only when the rows
 * come in several calls do whole levels stand in memory between them: those
 * that a call does not finish.
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

/* A part whose last tiles reach over the end of dw is made in a tile, too. */
static int reaches_over(const struct sk_device *dev, const struct geometry *g, int N, int K, int part)
{
    int n = part / g->across * g->rows, k = part % g->across * g->columns;
    return least(g->rows, N - n) % sk_tile(dev) != 0 || least(g->columns, sk_round_up(K - k, sk_width(dev))) > K - k;
}

/* Tiles of results: of all parts, or of the lowest ones, as may be needed. */
static int last_tiles(const struct sk_device *dev, const struct geometry *g, int K)
{
    return K % sk_width(dev) ? g->down * g->across : g->across;
}

size_t sk_cpu_weight_sum_size(const struct sk_device *dev, int N, int K, int leaves, int whole)
{
    struct geometry g = geometry(dev, N, K);
    size_t tiles = (size_t)(levels(leaves) - whole) * (size_t)g.down * (size_t)g.across;
    return (tiles + (size_t)last_tiles(dev, &g, K)) * g.floats;
}

/* What a thread needs: tiles of all levels and the result, and rows of dy in
 * another order. */
static size_t scratch_size(const struct geometry *g, int depth)
{
    return (size_t)(depth + 1) * g->floats + (size_t)SK_DEPTH * (size_t)g->rows;
}

size_t sk_cpu_weight_sum_scratch(const struct sk_device *dev, int N, int K, int leaves)
{
    struct geometry g = geometry(dev, N, K);
    return scratch_size(&g, levels(leaves));
}

/* Tile of a level; level `depth` is the result. */
static float *tile_of(const struct sum_job *j, float *scratch, int depth, int level, int part)
{
    const struct geometry *g = &j->g;
    size_t parts = (size_t)g->down * (size_t)g->across, at = (size_t)part;
    if (!j->sum->kept || level < j->sum->whole)
        return scratch + (size_t)level * g->floats;
    if (level == depth)
        at %= (size_t)last_tiles(j->dev, g, j->sum->K);
    return j->sum->kept + ((size_t)(level - j->sum->whole) * parts + at) * g->floats;
}

static void zero_tile(struct sk_leaf_tile *t)
{
    for (int m = 0; m < t->M; m++)
        memset(t->c + (size_t)m * t->ldc, 0, (size_t)t->columns * sizeof *t->c);
}

static void sum_part(void *ctx, int part, int thread)
{
    const struct sum_job *j = ctx;
    const struct sk_weight_sum *s = j->sum;
    const struct geometry *g = &j->g;
    const int32_t *first = s->leaves.row;
    int depth = levels(s->leaves.n), width = sk_width(j->dev), at = 0;
    int n = part / g->across * g->rows, k = part % g->across * g->columns;
    size_t K = (size_t)s->K, panel = (size_t)j->depth * (size_t)width, db_at = (size_t)g->rows * (size_t)g->columns;
    int direct = !reaches_over(j->dev, g, s->N, s->K, part), with_db = s->db && k == 0;
    float *scratch = sk_cpu_scratch(j->dev, thread, scratch_size(g, depth) * sizeof *scratch);
    struct sk_leaf_tile t = {.ldy = j->ldy, .step = panel, .M = least(g->rows, s->N - n),
                             .columns = least(g->columns, sk_round_up(s->K, width) - k),
                             .a = scratch + (size_t)(depth + 1) * g->floats, .ldp = (size_t)g->columns};
    unsigned mode = sk_flush_begin(j->kernels);
    for (int leaf = j->leaf0; leaf < j->leaf1; leaf++) {
        int r0 = most(first[leaf], j->row0), r1 = least(first[leaf + 1], j->row1);
        int begun = first[leaf] < j->row0, cut = first[leaf + 1] > j->row1, level = 0;
        for (t.pluses = 0; leaf >> level & 1; level++) {
            float *below = tile_of(j, scratch, depth, level, part);
            t.plus[level] = below;
            t.plus_db[level] = below + db_at;
        }
        t.pluses = cut ? 0 : level;
        int last = leaf + 1 == s->leaves.n;
        float *tile = tile_of(j, scratch, depth, last ? depth : level, part);
        t.c = last && direct ? s->dw + (size_t)n * K + k : tile;
        t.ldc = last && direct ? K : t.ldp;
        t.db = !with_db ? NULL : last && direct ? s->db + n : tile + db_at;
        t.dy = j->dy + (size_t)(r0 - j->row0) * j->ldy + n;
        t.x = j->panels + (size_t)(k / width) * panel + (size_t)at * (size_t)width;
        t.rows = r1 - r0;
        t.add = begun;
        if (!begun && t.db)
            memset(t.db, 0, (size_t)t.M * sizeof *t.db);
        if (!begun && t.rows <= 0) {
            zero_tile(&t);
            t.add = 1;
        }
        j->kernels->leaf_tile(&t);
        at += r1 > r0 ? sk_elements(j->kernels, r1 - r0) : 0;
        if (!cut && last && !direct) {
            int columns = least(g->columns, s->K - k);
            for (int r = 0; r < t.M; r++)
                memcpy(s->dw + (size_t)(n + r) * K + k, tile + (size_t)r * t.ldp, (size_t)columns * sizeof *tile);
            if (with_db)
                memcpy(s->db + n, tile + db_at, (size_t)t.M * sizeof *tile);
        }
    }
    sk_flush_end(mode);
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
                         .dy = dy, .ldy = ldy, .row0 = row0, .row1 = row1, .leaf0 = leaf0, .leaf1 = leaf1 };
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
    sk_pool_run(dev->pool, j.g.down * j.g.across, sum_part, &j);
}

void sk_cpu_linear_backward_weight(struct sk_device *dev, float *dw, float *db, const float *dy,
                                   const float *x, int N, int K, struct sk_leaves leaves)
{
    struct sk_weight_sum sum = { N, K, dw, db, leaves, NULL, 0 };
    int row0 = leaves.row[0], row1 = leaves.row[leaves.n];
    sk_cpu_weight_sum(dev, &sum, dy + (size_t)row0 * (size_t)N, (size_t)N, x + (size_t)row0 * (size_t)K,
                      row0, row1, 0, leaves.n);
}
