/* exchange.h - sums over the leaves of an update that several processes compute.
 *
 * N members own contiguous leaves of the V (first: V i / N), each as the fewest
 * aligned ranges, a power of two wide each. A member computes the sums of each of
 * its ranges alone. What it holds is cut into N slices; slice j of every range
 * goes to member j, who adds the ranges by the tree of math/ops.h, and what comes
 * out goes back to all. So the sums have the bits that one process gets, and a
 * member sends and receives about two times what it holds, however many there
 * are (reduce-scatter and all-gather; Thakur, Rabenseifner, Gropp 2005).
 *
 * What is summed stands in regions, which the backward pass finishes one after
 * the other: a finished one travels, and comes back summed, while the next ones
 * are computed.
 */
#ifndef SK_TRAIN_EXCHANGE_H
#define SK_TRAIN_EXCHANGE_H
#include "math/ops.h"
#include "model/model.h"
#include "train/exchange/channel.h"

enum { SK_RANGES_MAX = 20 };             /* of one member, V = 1024 */
struct sk_leaf_range { int first, n; };  /* leaves first..first + n - 1 */
/* Ranges of one of N members (N <= V): how many. */
int sk_leaf_ranges(int leaves, int members, int member, struct sk_leaf_range range[SK_RANGES_MAX]);

struct sk_exchange_options {
    const struct sk_ops *ops;
    struct sk_device *dev;
    struct sk_channel *channel;          /* connected: members are its peers */
    int leaves, members, me;
    uint64_t secret;                     /* of the generation: makes the tags */
    int (*watch)(void *ctx);             /* as sk_channel_wait asks it */
    void *ctx;
    const struct sk_model_region *region;
    int regions;                         /* what is summed, at most SK_REGIONS_MAX */
};
struct sk_exchange;
struct sk_exchange *sk_exchange_new(const struct sk_exchange_options *o);
void sk_exchange_free(struct sk_exchange *x);
/* Floats that an exchange of n floats keeps besides them, at most, with up to so many members. */
size_t sk_exchange_size(int leaves, int members, size_t n);
/* What my ranges are, in order. */
int sk_exchange_ranges(const struct sk_exchange *x, const struct sk_leaf_range **range);
/* One sum: begun before the first range is computed. Then, of one range after the
 * other, the first n regions hold what they will; n grows, at the end to all. The next
 * range may be computed in the same place. Of the last range a finished region is the
 * exchange's until the end. */
void sk_exchange_begin(struct sk_exchange *x);
void sk_exchange_ready(struct sk_exchange *x, int k, int n);
/* The regions hold the sums over all leaves afterwards, the losses too (loss[k]:
 * of range k; total). 0; -1: a member was lost, what the regions hold is no sum. */
int sk_exchange_sum(struct sk_exchange *x, const struct sk_loss *loss, struct sk_loss *total);
/* all (N, bytes): what each has in mine. 0 or -1. */
int sk_exchange_gather(struct sk_exchange *x, const void *mine, size_t bytes, void *all);

#endif
