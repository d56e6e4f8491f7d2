/* shards.h - the files by which shards find each other: shards/ in the model directory.
 *
 *   shards/K.alive            kernel lock, held by shard K as long as it lives
 *   shards/K.beat             "UUID COUNT w": who that is, a number that grows every second, and whether it
 *                             waits to take part (w) or not (-)
 *   shards/GGGGG/             a generation, opened by mkdir: who takes part from some update on
 *   shards/GGGGG/join.UUID    who wants to take part, and what it holds
 *   shards/GGGGG/members      who does: published once, by link
 *   shards/GGGGG/state        what those who are behind load (as `interrupted`)
 *
 * src/train/exchange/README.md tells the protocol. Readers treat them as hostile.
 * A name that was looked up in vain stays absent for half a minute over NFS,
 * except to who lists its folder: so that is what waiting does.
 */
#ifndef SK_MODELDIR_SHARDS_H
#define SK_MODELDIR_SHARDS_H
#include <stddef.h>
#include <stdint.h>
#include "base/hash.h"

enum { SK_SHARDS_MAX = 1024, SK_UUID_TEXT = 37, SK_ADDRESS_MAX = 65536 };

struct sk_join {
    char uuid[SK_UUID_TEXT], host[128], version[64];
    char run[SK_HASH_HEX];               /* options and data */
    int shard, shards;                   /* of how many */
    long pid;
    int64_t update;                      /* held */
    char hash[SK_HASH_HEX];              /* of the parameters and moments at that update */
    void *address;                       /* malloced */
    size_t bytes;
};
struct sk_member { int shard; char uuid[SK_UUID_TEXT], host[128]; };
struct sk_members {
    int generation, n, leader, source;   /* shards: who writes the directory, whose state counts */
    char version[64], run[SK_HASH_HEX];  /* that all have */
    int shards;                          /* likewise: of how many they are */
    int64_t update;                      /* where it begins, */
    char hash[SK_HASH_HEX];              /* from these bits */
    int behind;                          /* some have to load them */
    uint64_t secret;
    struct sk_member member[SK_SHARDS_MAX];   /* in the order of their leaves */
};

char *sk_shards_path(const char *dir, int generation, const char *name);   /* generation 0: shards/NAME */
/* Highest generation, 0: none; -1. */
int sk_shards_generation(const char *dir);
/* Is that file in the generation's folder? 1, 0, -1. */
int sk_shards_has(const char *dir, int generation, const char *name);
/* 1 opened, 0 it is there already, -1. */
int sk_shards_open(const char *dir, int generation);
/* Removes generations before this one. */
int sk_shards_sweep(const char *dir, int before);

int sk_join_write(const char *dir, int generation, const struct sk_join *j);
/* All that wrote one there: how many, or -1; *join is malloced, sk_joins_free frees. */
int sk_joins_read(const char *dir, int generation, struct sk_join **join);
void sk_joins_free(struct sk_join *join, int n);
/* 0; 1: others were published before; -1. */
int sk_members_write(const char *dir, const struct sk_members *m);
/* 1; 0: none yet; -1. */
int sk_members_read(const char *dir, int generation, struct sk_members *m);

/* Shards that ever lived here, ascending: how many, or -1; *shard is malloced. */
int sk_shards_list(const char *dir, int **shard);
/* Is shard K alive (its lock is held)? 1, 0, -1. */
int sk_shard_alive(const char *dir, int shard);
/* Its beat: 1; 0 if it has none yet or half of one. */
int sk_beat_read(const char *dir, int shard, char uuid[SK_UUID_TEXT], int64_t *count, int *waits);
int sk_beat_write(const char *dir, int shard, const char *uuid, int64_t count, int waits);   /* 0 or -1, without sk_fail */

#endif
