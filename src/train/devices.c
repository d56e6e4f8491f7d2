#include "train/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/plugin.h"

static const char *const the_first[] = {"0"};

static struct sk_opt_list ids_of(const struct sk_device_options *o)
{
    return o->ids.n || o->any ? o->ids : (struct sk_opt_list){1, (const char **)the_first};
}

/* -N: so many; 0: it names one. */
static int any_of(const char *id)
{
    char *end;
    if (id[0] != '-')
        return 0;
    long n = strtol(id + 1, &end, 10);
    if (id[1] < '1' || id[1] > '9' || *end || n > 1024)
        sk_opt_misuse("--device-ids: '%s' is neither a GPU nor -N (any N, from 1 to 1024)", id);
    return (int)n;
}

int sk_devices_count(const struct sk_device_options *o)
{
    const struct sk_opt_list ids = ids_of(o);
    int n = o->any;
    if (o->any && o->ids.n)
        sk_opt_misuse("--num-devices %d says the same as --device-ids -%d: give one of them", o->any, o->any);
    for (int i = 0; i < ids.n; i++) {
        int any = any_of(ids.v[i]);
        n += any ? any : 1;
    }
    return n;
}

/* --- which there are --------------------------------------------------------------- */

static int usable(const struct sk_devices *d)
{
    return d->gpus.pretended || strstr(sk_plugin_backends(), "cuda") != NULL;
}

static int name_them(struct sk_devices *d, const struct sk_device_options *o)
{
    const struct sk_opt_list ids = ids_of(o);
    unsigned char *named = sk_xcalloc((size_t)d->gpus.n + 1, 1);
    d->request = (struct sk_gpu_request){.named = named, .any = o->any, .timeout = -1, .no_locks = o->no_locks,
                                         .lock_dir = o->lock_dir};
    for (int i = 0; i < ids.n; i++) {
        int any = any_of(ids.v[i]), gpu = any ? -1 : sk_gpus_index(&d->gpus, ids.v[i]);
        d->request.any += any;
        if (!any && gpu < 0)
            return sk_fail_prefix("--device-ids: ");
        if (!any && named[gpu])
            return sk_fail(SK_EXIT_USAGE, "--device-ids names GPU %s twice", d->gpus.gpu[gpu].name);
        if (!any)
            named[gpu] = 1;
    }
    int wanted = sk_devices_count(o);
    if (wanted > d->gpus.n)
        return sk_fail(SK_EXIT_NO, "%d GPUs are wanted, this process sees %d (CUDA_VISIBLE_DEVICES may hide some)", wanted,
                       d->gpus.n);
    return 0;
}

int sk_devices_find(struct sk_devices *d, const struct sk_device_options *o)
{
    *d = (struct sk_devices){0};
    if (sk_gpus_find(&d->gpus) < 0)
        return -1;
    if (d->gpus.n == 0)
        return sk_fail(SK_EXIT_NO, "this process sees no GPU (no NVIDIA driver, or CUDA_VISIBLE_DEVICES hides them): "
                       "--use-cpu trains on the CPU");
    if (!usable(d))
        return sk_fail(SK_EXIT_NO, "this build cannot compute on GPUs (its backends: %s), so it takes none: "
                       "--use-cpu trains on the CPU", sk_plugin_backends());
    return name_them(d, o);
}

/* --- taking ------------------------------------------------------------------------- */

static void say_waiting(void *ctx, int ahead)
{
    (void)ctx;
    sk_info("Waiting for GPUs, %d request%s before this one; sk-lock --list shows who has them", ahead,
            ahead == 1 ? "" : "s");
}

int sk_devices_take(struct sk_devices *d, char *const *command)
{
    d->request.command = command;
    d->request.waiting = say_waiting;
    if (sk_gpus_acquire(&d->gpus, &d->request, &d->grant) < 0)
        return -1;
    for (int i = 0; i < d->grant.n; i++) {
        const struct sk_gpu *gpu = &d->gpus.gpu[d->grant.gpu[i]];
        sk_info("GPU %d: %s%s%s%s", d->grant.gpu[i], gpu->name, *gpu->model ? ", " : "", gpu->model,
                d->grant.no_locks ? ", not locked" : d->gpus.scheduled ? ", given by Slurm" : "");
    }
    if (d->gpus.pretended)
        sk_warn("these GPUs are pretended (SK_GPUS): the CPU computes");
    sk_grant_export(&d->gpus, &d->grant);
    return 0;
}

void sk_devices_give(const struct sk_devices *d, int k)
{
    const char *name = d->gpus.gpu[d->grant.gpu[k]].name;
    setenv("CUDA_VISIBLE_DEVICES", name, 1);
    if (d->gpus.pretended)
        setenv("SK_GPUS", name, 1);
    else
        setenv("SK_GPU_NEEDED", "1", 1);     /* for math/backend.h: no falling back to the CPU */
}

void sk_devices_release(struct sk_devices *d)
{
    free((void *)d->request.named);
    sk_grant_release(&d->grant);
    sk_gpus_free(&d->gpus);
}
