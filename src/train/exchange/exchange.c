#include "train/exchange/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"

/* One aligned range of leaves, of any member. */
struct range {
    struct sk_leaf_range leaves;
    int owner;
    float *kept[SK_REGIONS_MAX];         /* mine, but the last: a copy of the regions */
    float *slice[SK_REGIONS_MAX];        /* my slice of it: received, or in the place where the range is mine */
    struct sk_loss loss;
};

struct sk_exchange {
    struct sk_exchange_options o;
    struct sk_model_region region[SK_REGIONS_MAX];
    int ranges, first, mine;             /* of all; mine are first..first + mine - 1 */
    struct range *range;                 /* by leaves, ascending */
    struct sk_leaf_range own[SK_RANGES_MAX];
    uint64_t sequence;                   /* numbers of messages that were given out before this sum */
    /* The sum that is under way: */
    int computed, ready;                 /* a range of mine; so many of its regions are finished */
    int summed;                          /* so many regions are added up and on their way to all */
    int awaited[SK_REGIONS_MAX];         /* slices of the region that are not here yet */
};

/* --- who owns what ---------------------------------------------------------------- */

int sk_leaf_ranges(int leaves, int members, int member, struct sk_leaf_range range[SK_RANGES_MAX])
{
    int at = (int)((long)leaves * member / members), end = (int)((long)leaves * (member + 1) / members), n = 0;
    while (at < end) {
        int width = 1;
        while (at % (2 * width) == 0 && at + 2 * width <= end) width *= 2;
        range[n++] = (struct sk_leaf_range){at, width};
        at += width;
    }
    return n;
}

/* Where member i's slice of n values begins: multiples of a cache line. */
static size_t slice_at(const struct sk_exchange *x, size_t n, int i)
{
    return i == x->o.members ? n : n / 16 * (size_t)i / (size_t)x->o.members * 16;
}

struct sk_exchange *sk_exchange_new(const struct sk_exchange_options *o)
{
    struct sk_exchange *x = sk_xcalloc(1, sizeof *x);
    SK_ENSURE(o->regions >= 1 && o->regions <= SK_REGIONS_MAX && o->members >= 1 && o->members <= o->leaves);
    x->o = *o;
    memcpy(x->region, o->region, (size_t)o->regions * sizeof *x->region);
    for (int i = 0; i < o->members; i++) {
        struct sk_leaf_range range[SK_RANGES_MAX];
        int n = sk_leaf_ranges(o->leaves, o->members, i, range);
        x->range = sk_xrealloc(x->range, (size_t)(x->ranges + n), sizeof *x->range);
        if (i == o->me) {
            x->first = x->ranges;
            x->mine = n;
            memcpy(x->own, range, sizeof range);
        }
        for (int k = 0; k < n; k++) x->range[x->ranges++] = (struct range){.leaves = range[k], .owner = i};
    }
    for (int i = 0; i < x->ranges; i++) {
        struct range *g = &x->range[i];
        for (int r = 0; r < o->regions; r++) {
            size_t n = o->region[r].n, at = slice_at(x, n, o->me), size = slice_at(x, n, o->me + 1) - at;
            if (g->owner != o->me) {
                g->slice[r] = size ? o->ops->alloc(o->dev, size * sizeof(float)) : NULL;
            } else if (i + 1 < x->first + x->mine) {
                g->kept[r] = o->ops->alloc(o->dev, n * sizeof(float));
                g->slice[r] = g->kept[r] + at;
            } else {
                g->slice[r] = o->region[r].data + at;
            }
        }
    }
    return x;
}

void sk_exchange_free(struct sk_exchange *x)
{
    if (!x) return;
    for (int i = 0; i < x->ranges; i++)
        for (int r = 0; r < x->o.regions; r++) {
            struct range *g = &x->range[i];
            float *own = g->owner == x->o.me ? g->kept[r] : g->slice[r];
            if (own) x->o.ops->free(x->o.dev, own);
        }
    free(x->range);
    free(x);
}

size_t sk_exchange_size(int leaves, int members, size_t n)
{
    struct sk_leaf_range range[SK_RANGES_MAX];
    size_t most = 0;
    for (int m = 2; m <= members && m <= leaves; m++) {
        size_t all = 0, own = 0;
        for (int i = 0; i < m; i++) {
            size_t ranges = (size_t)sk_leaf_ranges(leaves, m, i, range);
            all += ranges;
            own = ranges > own ? ranges : own;
        }
        /* A slice of each range of others; copies of all of one's own but the last. */
        size_t size = (all - own) * (n / (size_t)m) + (own - 1) * n;
        most = size > most ? size : most;
    }
    return most;
}

int sk_exchange_ranges(const struct sk_exchange *x, const struct sk_leaf_range **range)
{
    *range = x->own;
    return x->mine;
}

/* --- messages ----------------------------------------------------------------------- */

/* All count alike, so both ends of a message know its tag. */
static uint64_t tag(const struct sk_exchange *x, int from, int to, int k)
{
    uint64_t n = x->sequence + (uint64_t)k;
    struct sk_rng r = sk_philox(x->o.secret, (uint32_t)from, (uint32_t)to, (uint32_t)n, (uint32_t)(n >> 32));
    return (uint64_t)r.v[0] << 32 | r.v[1];
}

static void send_to(struct sk_exchange *x, int to, int k, const void *data, size_t bytes)
{
    if (bytes) sk_channel_send(x->o.channel, to, tag(x, x->o.me, to, k), data, bytes);
}

static void receive_from(struct sk_exchange *x, int from, int k, void *data, size_t bytes, int *awaited)
{
    if (bytes) sk_channel_receive(x->o.channel, from, tag(x, from, x->o.me, k), data, bytes, awaited);
}

/* Member me + step: so that not all begin with the same one. */
static int other(const struct sk_exchange *x, int step)
{
    return (x->o.me + step) % x->o.members;
}

int sk_exchange_gather(struct sk_exchange *x, const void *mine, size_t bytes, void *all)
{
    char *at = all;
    int n = x->o.members;
    memcpy(at + (size_t)x->o.me * bytes, mine, bytes);
    for (int s = 1; s < n; s++) receive_from(x, other(x, s), 0, at + (size_t)other(x, s) * bytes, bytes, NULL);
    for (int s = 1; s < n; s++) send_to(x, other(x, s), 0, mine, bytes);
    x->sequence++;
    return n > 1 ? sk_channel_wait(x->o.channel, NULL, x->o.watch, x->o.ctx) : 0;
}

/* --- sums ----------------------------------------------------------------------------- */

/* A member's messages of a sum to another one: of each of its ranges (k) its regions
 * (r), then its losses; then its slices of the sums. The places below the tag's. */
static int of_region(const struct sk_exchange *x, int k, int r) { return k * (x->o.regions + 1) + r; }
static int of_loss(const struct sk_exchange *x, int k) { return of_region(x, k, x->o.regions); }
static int of_sum(const struct sk_exchange *x, int ranges, int r) { return of_region(x, ranges, r); }

/* Floats of member i's slice of region r. */
static size_t slice(const struct sk_exchange *x, int r, int i)
{
    return slice_at(x, x->region[r].n, i + 1) - slice_at(x, x->region[r].n, i);
}

/* Waits for all that will come. A slice of the sum comes from who has had mine, so its
 * place, out of which mine is sent, is free by then. */
void sk_exchange_begin(struct sk_exchange *x)
{
    const struct sk_exchange_options *o = &x->o;
    x->computed = x->ready = x->summed = 0;
    memset(x->awaited, 0, sizeof x->awaited);
    for (int i = 0, k = 0; i < x->ranges; i++) {
        struct range *g = &x->range[i];
        k = i && x->range[i - 1].owner == g->owner ? k + 1 : 0;
        if (g->owner == o->me) continue;
        for (int r = 0; r < o->regions; r++)
            receive_from(x, g->owner, of_region(x, k, r), g->slice[r], slice(x, r, o->me) * sizeof(float), &x->awaited[r]);
        receive_from(x, g->owner, of_loss(x, k), &g->loss, sizeof g->loss, NULL);
        if (i + 1 < x->ranges && x->range[i + 1].owner == g->owner) continue;
        for (int r = 0; r < o->regions; r++)
            receive_from(x, g->owner, of_sum(x, k + 1, r), x->region[r].data + slice_at(x, x->region[r].n, g->owner),
                         slice(x, r, g->owner) * sizeof(float), NULL);
    }
}

/* Sums the ranges of leaves first..first + n - 1 into the first of them, which is
 * number *at, my slice of region r; steps over them. */
static int add_up(struct sk_exchange *x, int r, int n, int *at)
{
    int left = *at;
    if (x->range[left].leaves.n >= n) {
        ++*at;
        return left;
    }
    add_up(x, r, n / 2, at);
    int right = add_up(x, r, n / 2, at);
    size_t size = slice(x, r, x->o.me);
    if (size) x->o.ops->add(x->o.dev, x->range[left].slice[r], x->range[right].slice[r], size);
    return left;
}

/* Regions that have come from all are added up, mine of the sum sent to all. */
static void sum_what_came(struct sk_exchange *x)
{
    const struct sk_exchange_options *o = &x->o;
    if (x->computed < x->mine - 1) return;
    for (int r; (r = x->summed) < x->ready && !x->awaited[r]; x->summed++) {
        float *place = x->region[r].data + slice_at(x, x->region[r].n, o->me);
        size_t bytes = slice(x, r, o->me) * sizeof(float);
        int at = 0;
        add_up(x, r, o->leaves, &at);
        SK_ENSURE(at == x->ranges);
        if (bytes && x->range[0].slice[r] != place) o->ops->copy(o->dev, place, x->range[0].slice[r], bytes);
        for (int s = 1; s < o->members; s++) send_to(x, other(x, s), of_sum(x, x->mine, r), place, bytes);
    }
}

void sk_exchange_ready(struct sk_exchange *x, int k, int n)
{
    const struct sk_exchange_options *o = &x->o;
    struct range *g = &x->range[x->first + k];
    if (k != x->computed) x->ready = 0;
    x->computed = k;
    for (int r; (r = x->ready) < n; x->ready++) {
        const struct sk_model_region *region = &x->region[r];
        if (g->kept[r]) o->ops->copy(o->dev, g->kept[r], region->data, region->n * sizeof(float));
        const float *whole = g->kept[r] ? g->kept[r] : region->data;
        for (int s = 1; s < o->members; s++)
            send_to(x, other(x, s), of_region(x, k, r), whole + slice_at(x, region->n, other(x, s)),
                    slice(x, r, other(x, s)) * sizeof(float));
    }
    if (o->members > 1) sk_channel_progress(o->channel);
    sum_what_came(x);
}

/* The losses of the ranges that are leaves first..first + n - 1, as add_up has it. */
static struct sk_loss add_losses(const struct sk_exchange *x, int n, int *at)
{
    if (x->range[*at].leaves.n >= n) return x->range[(*at)++].loss;
    struct sk_loss a = add_losses(x, n / 2, at), b = add_losses(x, n / 2, at);
    return (struct sk_loss){a.nll + b.nll, a.correct + b.correct, a.labels + b.labels};
}

int sk_exchange_sum(struct sk_exchange *x, const struct sk_loss *loss, struct sk_loss *total)
{
    const struct sk_exchange_options *o = &x->o;
    int at = 0;
    SK_ENSURE(x->computed == x->mine - 1 && x->ready == o->regions);
    for (int k = 0; k < x->mine; k++) {
        struct range *g = &x->range[x->first + k];
        g->loss = loss[k];
        for (int s = 1; s < o->members; s++) send_to(x, other(x, s), of_loss(x, k), &g->loss, sizeof g->loss);
    }
    while (x->summed < o->regions) {
        if (sk_channel_wait(o->channel, &x->awaited[x->summed], o->watch, o->ctx)) return -1;
        sum_what_came(x);
    }
    if (o->members > 1 && sk_channel_wait(o->channel, NULL, o->watch, o->ctx)) return -1;
    x->sequence += (uint64_t)of_sum(x, x->ranges, o->regions);
    *total = add_losses(x, o->leaves, &at);
    return 0;
}
