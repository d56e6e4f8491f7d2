/* watch.h - scores every checkpoint of a model directory once, as it appears:
 * started before the directory exists, during training or after it, once or
 * ten times, on any host that sees it.
 *
 * Watchers share the checkpoints by their claims (claim.h). Each evaluation is
 * a process of its own, which dies with its watcher: so memory that is not
 * there, or a crash, costs one attempt. A checkpoint that cannot be evaluated is
 * tried again, later and later, and meanwhile left to others; when training has
 * finished, three times in all.
 */
#ifndef SK_MODELDIR_WATCH_H
#define SK_MODELDIR_WATCH_H

struct sk_watch_options {
    double poll, idle;               /* seconds: between two looks; without a checkpoint until it ends, 0: never */
    int once;                        /* what is there, then end */
    int stop_on_failure;
    /* Evaluates and merges, in its own process, with the claim held: 0 or -1
     * (sk_fail). first: it is this watcher's first one. */
    int (*evaluate)(void *ctx, const char *dir, int checkpoint, int claim, int first);
    void *ctx;
};
/* Ends when training has finished and all is scored and in `metrics`: 0. The
 * exit code of the last failure, if it left checkpoints that it could not
 * evaluate. -1 (sk_fail). */
int sk_watch(const char *dir, const struct sk_watch_options *o);
#endif
