/* devices.h - the GPUs that sk-train takes for its shards, one each.
 *
 * --device-ids means what it does in Sockeye: an index (or the name, or its
 * beginning) is that GPU, -N any N besides those named: `-2 5` are three. All are
 * taken through the locks of lockd, or none; --disable-device-locking takes those
 * named and, for -N, the first others.
 *
 * THE RULE about what computes. GPUs are taken only if this build has a backend
 * for them (sk-train --version); otherwise a start without --use-cpu is refused.
 * Pretended GPUs (SK_GPUS) are taken by any build, and a warning says that the
 * CPU computes.
 */
#ifndef SK_TRAIN_DEVICES_H
#define SK_TRAIN_DEVICES_H
#include "base/opt.h"
#include "lockd/acquire.h"

struct sk_device_options {
    struct sk_opt_list ids;          /* none given: the first GPU */
    int any;                         /* -n: so many, whichever; 0: not given */
    int no_locks;
    const char *lock_dir;
};
struct sk_devices { struct sk_gpus gpus; struct sk_gpu_request request; struct sk_grant grant; };

/* How many are wanted; misuse (64) if the list says nothing sensible. Looks at no
 * device. */
int sk_devices_count(const struct sk_device_options *o);
/* Finds those that may be taken, and says so if that cannot be: exit code 1, no
 * GPU, too few, or none that this build can use; 64, no such. 0 or -1 (sk_fail). */
int sk_devices_find(struct sk_devices *d, const struct sk_device_options *o);
/* Waits for them, says which, and keeps their locks through exec. `command`: for the note in the lock files. 0 or -1 (sk_fail). */
int sk_devices_take(struct sk_devices *d, char *const *command);
/* In the process of shard k: CUDA_VISIBLE_DEVICES names its own alone. */
void sk_devices_give(const struct sk_devices *d, int k);
void sk_devices_release(struct sk_devices *d);
#endif
