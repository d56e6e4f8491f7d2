/* sk-train: takes GPUs, and trains on them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "train/children.h"
#include "train/devices.h"
#include "train/options.h"
#include "train/run.h"
#include "train/trainer.h"

/* The trainer's options come first: its rows are also ours. */
struct options {
    struct sk_train_options train;
    struct sk_device_options devices;
};
#define FIELD(f) offsetof(struct options, devices.f)

static const struct sk_opt own[] = {
    {.name = "", .type = SK_OPT_FLAG, .help = "GPUs"},
    {.name = "device-ids", .type = SK_OPT_LIST, .offset = FIELD(ids), .value = "ID...",
     .help = "GPUs to train on: N is the Nth of those that this process sees, from 0, or a name; -N are any N besides. "
     "Default: 0, the first."},
    {.name = "num-devices", .letter = 'n', .type = SK_OPT_INT, .offset = FIELD(any), .min = 1, .max = 1024, .value = "N",
     .help = "Any N GPUs, as --device-ids -N."},
    {.name = "disable-device-locking", .type = SK_OPT_FLAG, .offset = FIELD(no_locks),
     .help = "Take GPUs whoever has them: those named and, for -N, the first others."},
    {.name = "lock-dir", .type = SK_OPT_STRING, .offset = FIELD(lock_dir), .value = "DIR",
     .help = "Folder of the lock files (default: SK_LOCK_DIR, else /run/lock); all on the host must use the same."},
    {0}};

/* The trainer's rows and then ours. */
static const struct sk_opt *table(void)
{
    size_t n = 0, ours = sizeof own / sizeof *own;
    while (sk_train_program.options[n].name)
        n++;
    struct sk_opt *all = sk_xcalloc(n + ours, sizeof *all);
    memcpy(all, sk_train_program.options, n * sizeof *all);
    memcpy(all + n, own, ours * sizeof *all);
    return all;
}

struct job {
    struct sk_devices devices;
    char **command;
    const struct sk_train_options *o;
    const struct sk_train_plan *p;
    const struct sk_train_data *d;
};

static int shard(void *ctx, int k)
{
    const struct job *job = ctx;
    (void)k;
    int result = sk_train(job->o, job->p, job->d);
    return result < 0 ? sk_die() : result;
}

/* All is prepared: now the devices, then a process for each. */
static int with_devices(void *ctx, const struct sk_train_options *o, const struct sk_train_plan *p,
                        const struct sk_train_data *d)
{
    struct job *job = ctx;
    job->o = o;
    job->p = p;
    job->d = d;
    if (!o->use_cpu && sk_devices_take(&job->devices, job->command) < 0)
        return -1;
    return sk_children_run(o->num_shards, "shard", shard, job);
}

int main(int argc, char **argv)
{
    static struct options options;
    static struct sk_train_plan plan;
    struct job job = {.command = argv};
    const struct sk_program program = {
        .synopsis = sk_train_program.synopsis, .options = table(),
        .summary = "Trains a translation model on GPUs of its own, or resumes the training that MODEL_DIR holds.",
        .epilogue = "Pairs are source:target or encoder:decoder; one value stands for both. CUDA_VISIBLE_DEVICES "
                    "restricts the choice of GPUs; a Slurm job's are taken as given. SK_GPUS=name,name pretends GPUs.\n"
                    "SIGTERM, SIGINT and SIGUSR1: the state is saved, exit 75; the same command goes on from there."};
    sk_train_options_parse(&program, &options.train, &plan, argc, argv);
    int n = sk_devices_count(&options.devices);
    if (n > 1)
        sk_opt_misuse("%d devices: this version trains with one process on one device", n);
    if (!options.train.use_cpu && !options.train.dry_run && sk_devices_find(&job.devices, &options.devices) < 0)
        return sk_die();
    int result = sk_train_run(&options.train, &plan, with_devices, &job);
    sk_devices_release(&job.devices);
    return result;
}
