/* group.h - which shards train together: generations (README.md here tells the protocol).
 *
 * A generation is a set of shards that go from one update to the next in step.
 * When one of them is lost, or another one waits to take part, all leave and
 * form the next generation. Who holds the model directory's `lock` leads: it opens
 * generations and writes checkpoints.
 */
#ifndef SK_TRAIN_GROUP_H
#define SK_TRAIN_GROUP_H
#include <stdint.h>
#include "modeldir/shards.h"
#include "train/exchange/channel.h"

/* What a shard holds, as the training loop knows it. */
struct sk_group_calls {
    void *ctx;
    /* Update held and the hash of the bits that the next one depends on. 0 or -1. */
    int (*standing)(void *ctx, int64_t *update, char hash[SK_HASH_HEX]);
    int (*save)(void *ctx, const char *path);        /* all of it, published by link: 0, 1 (there already) or -1 */
    int (*load)(void *ctx, const char *path);        /* 0 or -1 */
    int (*stop)(void *ctx);                          /* a signal came */
};
struct sk_group_options {
    const char *dir, *version;           /* version: all must have the same, */
    const char *run;                     /* and this: checksum of options and data, "" until sk_group_enter came back */
    int shard, shards, leaves;           /* this one, of how many; most that can take part */
    double silent;                       /* seconds after which who shows no life is given up */
    int wake;                            /* descriptor that can be read when stop() has begun to hold; -1 */
    struct sk_group_calls calls;
};
struct sk_group;

/* Takes the place of this shard: NULL (sk_fail, SK_EXIT_TEMP) if it is taken. */
struct sk_group *sk_group_open(const struct sk_group_options *o);
void sk_group_close(struct sk_group *g);
/* Waits until this shard is the leader (1, the lock is taken), or another one is
 * and has prepared the directory (0). -2: stop() said so, -1: sk_fail: of shards that
 * train already with another number of shards or version, too (SK_EXIT_CONFIG). */
int sk_group_enter(struct sk_group *g);
int sk_group_leads(const struct sk_group *g);        /* the directory's lock is ours */
int sk_group_found(const struct sk_group *g);        /* others who live trained already when it entered */
/* The next generation that this shard is a member of, its state loaded if it was
 * behind: 0; -2: stop() said so; -1: sk_fail. The channel is connected to all. Who
 * reaches no other, time after time, is told to end. */
int sk_group_form(struct sk_group *g, struct sk_channel **channel);
const struct sk_members *sk_group_members(const struct sk_group *g);
int sk_group_me(const struct sk_group *g);           /* index among them */
int sk_group_leader(const struct sk_group *g);       /* the leader's */
/* While waiting for the others, about once a second: -1 (sk_fail, SK_EXIT_TEMP): the
 * generation is over, a higher one is there or a member is dead or silent. For sk_channel_wait. */
int sk_group_watch(void *group);
/* Takes the lock if it is free: who leads has ended. 0, whoever has it; -1. */
int sk_group_take_over(struct sk_group *g);
/* Is a higher generation there? Asked before each publication. 1, 0, -1. */
int sk_group_over(const struct sk_group *g);
/* Has somebody waited long enough to take part? For the leader; looks once a second. */
int sk_group_waited_for(struct sk_group *g);

#endif
