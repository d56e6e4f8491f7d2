/* pass.h - one pass over one or two texts by several threads, private to this
 * folder.
 *
 * Blocks go through three stages, at the same time for different rounds of
 * blocks: they are read (one thread for each file), worked on (each alone, any
 * thread), and gathered (round after round, in the order of the files; a
 * round's parts are gathered at the same time). Memory does not grow with the
 * files; of two files neither is read much further, in lines, than the other.
 */
#ifndef SK_TEXT_PASS_H
#define SK_TEXT_PASS_H
#include "base/hash.h"
#include "base/pool.h"
#include "text/blocks.h"

struct sk_round {
    struct sk_block *block[2];       /* (n) of each file, clean */
    int n[2];
    uint64_t line[2];                /* number of the first block's first line, from 0 */
    int last[2];                     /* the file ends with this round, or ended before */
};
struct sk_pass {
    const char *path[2];
    int files;                       /* 1 or 2 */
    unsigned lines_flags;
    int hash;
    const char *doing;               /* for progress: "counting words" */
    struct sk_pool *pool;            /* NULL: one thread */
    int (*stop)(void);               /* non-zero: end with SK_EXIT_TEMP; may be NULL */
    void *ctx;
    void (*work)(void *ctx, struct sk_block *block);
    void (*release)(void *own);      /* frees block->own */
    int parts;
    int (*gather)(void *ctx, int part, const struct sk_round *round);   /* 0 or -1 */
    /* results */
    uint64_t lines[2];
    char file[2][SK_HASH_HEX], content[2][SK_HASH_HEX];   /* if hash */
};
/* 0 or -1. Of several failures it is the first in the file that is reported,
 * whatever the number of threads. */
int sk_pass_run(struct sk_pass *p);
#endif
