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
    uint64_t *sequence;                  /* (N, N) messages from i to j so far */
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
    x->sequence = sk_xcalloc((size_t)o->members * (size_t)o->members, sizeof *x->sequence);
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
    free(x->sequence);
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

void sk_exchange_keep(struct sk_exchange *x, int k)
{
    struct range *g = &x->range[x->first + k];
    for (int r = 0; r < x->o.regions && g->kept[r]; r++)
        x->o.ops->copy(x->o.dev, g->kept[r], x->region[r].data, x->region[r].n * sizeof(float));
}

/* --- messages ----------------------------------------------------------------------- */

/* Both ends count the messages of a pair, so both know the tag. */
static uint64_t next_tag(struct sk_exchange *x, int from, int to)
{
    uint64_t n = x->sequence[(size_t)from * (size_t)x->o.members + (size_t)to]++;
    struct sk_rng r = sk_philox(x->o.secret, (uint32_t)from, (uint32_t)to, (uint32_t)n, (uint32_t)(n >> 32));
    return (uint64_t)r.v[0] << 32 | r.v[1];
}

static void send_to(struct sk_exchange *x, int to, const void *data, size_t bytes)
{
    if (bytes) sk_channel_send(x->o.channel, to, next_tag(x, x->o.me, to), data, bytes);
}

static void receive_from(struct sk_exchange *x, int from, void *data, size_t bytes)
{
    if (bytes) sk_channel_receive(x->o.channel, from, next_tag(x, from, x->o.me), data, bytes);
}

static int wait_all(struct sk_exchange *x)
{
    return sk_channel_wait(x->o.channel, x->o.watch, x->o.ctx);
}

/* Member me + step: so that not all begin with the same one. */
static int other(const struct sk_exchange *x, int step)
{
    return (x->o.me + step) % x->o.members;
}

int sk_exchange_gather(struct sk_exchange *x, const void *mine, size_t bytes, void *all)
{
    char *at = all;
    memcpy(at + (size_t)x->o.me * bytes, mine, bytes);
    for (int s = 1; s < x->o.members; s++) receive_from(x, other(x, s), at + (size_t)other(x, s) * bytes, bytes);
    for (int s = 1; s < x->o.members; s++) send_to(x, other(x, s), mine, bytes);
    return x->o.members > 1 ? wait_all(x) : 0;
}

/* --- sums ----------------------------------------------------------------------------- */

/* Every range's slice j to member j, ranges and regions in the same order at both ends. */
static int scatter(struct sk_exchange *x)
{
    const struct sk_exchange_options *o = &x->o;
    for (int i = 0; i < x->ranges; i++) {
        struct range *g = &x->range[i];
        for (int r = 0; r < o->regions && g->owner != o->me; r++) {
            size_t n = x->region[r].n, at = slice_at(x, n, o->me);
            receive_from(x, g->owner, g->slice[r], (slice_at(x, n, o->me + 1) - at) * sizeof(float));
        }
        if (g->owner != o->me) receive_from(x, g->owner, &g->loss, sizeof g->loss);
    }
    for (int s = 1; s < o->members; s++)
        for (int k = 0, to = other(x, s); k < x->mine; k++) {
            struct range *g = &x->range[x->first + k];
            for (int r = 0; r < o->regions; r++) {
                size_t n = x->region[r].n, at = slice_at(x, n, to);
                const float *whole = g->kept[r] ? g->kept[r] : x->region[r].data;
                send_to(x, to, whole + at, (slice_at(x, n, to + 1) - at) * sizeof(float));
            }
            send_to(x, to, &g->loss, sizeof g->loss);
        }
    return wait_all(x);
}

/* Sums the ranges of leaves first..first + n - 1 into the first of them, which is
 * number *at; steps over them. */
static int add_up(struct sk_exchange *x, int n, int *at)
{
    int left = *at;
    if (x->range[left].leaves.n >= n) {
        ++*at;
        return left;
    }
    add_up(x, n / 2, at);
    struct range *a = &x->range[left], *b = &x->range[add_up(x, n / 2, at)];
    for (int r = 0; r < x->o.regions; r++) {
        size_t all = x->region[r].n, size = slice_at(x, all, x->o.me + 1) - slice_at(x, all, x->o.me);
        if (size) x->o.ops->add(x->o.dev, a->slice[r], b->slice[r], size);
    }
    a->loss.nll += b->loss.nll;
    a->loss.correct += b->loss.correct;
    a->loss.labels += b->loss.labels;
    return left;
}

/* My slice of the sum to all, theirs into the regions. */
static int gather_slices(struct sk_exchange *x)
{
    const struct sk_exchange_options *o = &x->o;
    for (int r = 0; r < o->regions; r++) {
        size_t n = x->region[r].n, at = slice_at(x, n, o->me), size = slice_at(x, n, o->me + 1) - at;
        float *place = x->region[r].data + at;
        if (size && x->range[0].slice[r] != place) o->ops->copy(o->dev, place, x->range[0].slice[r], size * sizeof(float));
        for (int s = 1; s < o->members; s++) {
            size_t from = slice_at(x, n, other(x, s));
            receive_from(x, other(x, s), x->region[r].data + from,
                         (slice_at(x, n, other(x, s) + 1) - from) * sizeof(float));
        }
        for (int s = 1; s < o->members; s++) send_to(x, other(x, s), place, size * sizeof(float));
    }
    return wait_all(x);
}

int sk_exchange_sum(struct sk_exchange *x, const struct sk_loss *loss, struct sk_loss *total)
{
    int at = 0;
    for (int k = 0; k < x->mine; k++) x->range[x->first + k].loss = loss[k];
    if (x->o.members > 1 && scatter(x)) return -1;
    add_up(x, x->o.leaves, &at);
    SK_ENSURE(at == x->ranges);
    *total = x->range[0].loss;
    return x->o.members > 1 ? gather_slices(x) : 0;
}
