/* group_private.h - what group.c and group_form.c share; private to this folder. */
#ifndef SK_TRAIN_GROUP_PRIVATE_H
#define SK_TRAIN_GROUP_PRIVATE_H
#include <pthread.h>
#include "train/exchange/group.h"

/* Who beat within so many seconds, by this process's own clock, takes part in what is formed. */
#define SK_GROUP_FRESH 3.0

/* What this process saw of a shard. */
struct sk_group_seen { char uuid[SK_UUID_TEXT]; int64_t count; double changed; int alive, waits; };

struct sk_group {
    struct sk_group_options o;
    char uuid[SK_UUID_TEXT], host[128];
    int lock, alive, found;
    pthread_t beat;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int64_t count;                       /* of beats; under the mutex, as what follows */
    int ending, waits;
    struct sk_members members;
    int me;                              /* index; -1: not a member */
    double formed, looked, seen_at, fenced;
    int vain;                            /* generations, one after the other, in which no other could be reached */
    double began;                        /* the first of them */
    struct sk_group_seen *seen;
};

/* Takes locks back that were lost while this host was cut off from the file server.
 * -1: sk_fail, another process has taken this shard's place. */
int sk_group_fence(struct sk_group *g);
/* Something failed in the folder of a generation: 1, since a higher one is there and
 * that folder may have been swept away; 0 for another reason (sk_fail as it was). */
int sk_group_overtaken(const struct sk_group *g, int generation);
void sk_group_rest(void);                /* between two looks at the folder */
int sk_group_stopped(const struct sk_group *g);      /* a signal came */
/* Looks at the beats and locks of all other shards, not more than ten times a second. 0 or -1. */
int sk_group_look(struct sk_group *g);
/* Is that request of a shard that lives, and of this version? */
int sk_group_counts(const struct sk_group *g, const struct sk_join *j);
/* Has that shard ended, another one taken its place, or has it shown no life for long? */
int sk_group_lost(struct sk_group *g, int shard, const char *uuid);
int sk_group_all_lost(struct sk_group *g, const struct sk_members *m);
/* Are those of this shard's kind: as many, of its version, options and data? 0; -1: sk_fail (SK_EXIT_CONFIG). */
int sk_group_check_kind(const struct sk_group *g, const struct sk_members *m);
/* Tells the others whether this shard waits to take part, at once. */
void sk_group_waits(struct sk_group *g, int waits);
#endif
