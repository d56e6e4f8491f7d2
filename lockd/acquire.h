/* acquire.h - taking GPUs: all that are wanted, or none.
 *
 * Requests are served in order of arrival: who waits for a GPU gets it when
 * all who came before and could use it are served. A request for several
 * keeps those that become free until it has all, so that small requests do
 * not starve it; since everybody's turn is the same everywhere, nobody waits
 * in a circle. README.md here describes the protocol on the lock files.
 *
 * What is taken is a lock on an open file description: it passes to children
 * and through exec, and ends with the last process that has it, however that
 * ends. The environment of such a process should say what it has:
 * sk_grant_export.
 */
#ifndef SK_LOCKD_ACQUIRE_H
#define SK_LOCKD_ACQUIRE_H
#include "lockd/devices.h"

struct sk_gpu_request {
    const unsigned char *named;      /* (g->n): 1 if this one must be among them; NULL: none */
    int any;                         /* so many besides, whichever */
    double timeout;                  /* seconds; < 0: for ever; 0: at once or not at all */
    int ignore_busy;                 /* take also GPUs on which somebody computes without a lock */
    int no_locks;                    /* take the named and the first others, whoever has them */
    const char *lock_dir;            /* NULL: the usual one */
    char *const *command;            /* for the note in the lock files */
    /* Called once if it has to wait; may be NULL. */
    void (*waiting)(void *ctx, int ahead /* requests before this one */);
    void *ctx;
};
struct sk_grant {
    int n, *gpu /* (n) indices, ascending */, *fd /* (n); -1: given by Slurm or a parent, or taken without lock */;
    int no_locks;
};

/* g: utilisation and processes are asked for again while it waits.
 * 0, or -1 (sk_fail): SK_EXIT_TEMP after the timeout, SK_EXIT_NO if there are
 * not so many, others as files.h. GPUs that Slurm gave to this job, or that a
 * parent process holds for this one (SK_LOCKED), are had at once. */
int sk_gpus_acquire(struct sk_gpus *g, const struct sk_gpu_request *r, struct sk_grant *grant);
/* Keeps the locks through exec and sets CUDA_VISIBLE_DEVICES (for pretended
 * GPUs SK_GPUS too) and, if there are locks, SK_LOCKED. */
void sk_grant_export(const struct sk_gpus *g, const struct sk_grant *grant);
void sk_grant_release(struct sk_grant *grant);

/* How a GPU stands: for sk-lock --list. */
enum sk_gpu_state { SK_GPU_FREE, SK_GPU_LOCKED, SK_GPU_BUSY /* somebody computes there, without a lock */ };
struct sk_lock_note;
/* note (of who holds it) is filled if it is locked and signed; waiting: how
 * many want it. 0, -1. */
int sk_gpu_look(const struct sk_gpu *gpu, const char *lock_dir, enum sk_gpu_state *state, struct sk_lock_note *note,
                int *waiting);
#endif
