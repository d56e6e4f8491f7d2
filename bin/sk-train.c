/* sk-train: takes GPUs, and trains on them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/pool.h"
#include "math/backend.h"
#include "train/children.h"
#include "train/devices.h"
#include "train/prepare.h"
#include "train/run.h"
#include "train/signals.h"

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
     .help = "Any N GPUs, as --device-ids -N; with --use-cpu, N processes."},
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
    struct options *options;
    struct sk_train_plan *plan;
    struct sk_devices devices;
    int shards;
};

/* In a process of its own. */
static int shard(void *ctx, int k)
{
    struct job *job = ctx;
    struct sk_train_options *o = &job->options->train;
    o->overwrite_output = 0;         /* that is done */
    o->shard = k;
    if (!o->use_cpu)
        sk_devices_give(&job->devices, k);
    return sk_train_run(o, job->plan);
}

/* All is checked and prepared before devices are taken. The directory stays
 * locked until they are ours, so that no other start waits for some as well. */
static int prepare_and_take(struct job *job, char *const *command)
{
    const struct sk_train_options *o = &job->options->train;
    struct sk_train_data data;
    int result = sk_train_prepare(&data, o, job->plan, SK_ALONE);
    if (result == 0 && !o->use_cpu)
        result = sk_devices_take(&job->devices, command);
    sk_train_data_free(&data);
    return result;
}

/* What the options of both tables mean together. */
static void settle(struct job *job)
{
    struct sk_train_options *o = &job->options->train;
    int any = job->options->devices.any, devices = sk_devices_count(&job->options->devices);
    job->shards = !o->use_cpu ? devices : any ? any : 1;
    if (o->num_shards != 1 || o->shard != 0)
        sk_opt_misuse("--num-shards and --shard belong to sk-train-shard: sk-train starts a shard for each device "
                      "(--num-devices)");
    o->num_shards = job->shards;
    if (o->threads == 0 && job->shards > 1)      /* they share the processor */
        o->threads = sk_cpu_count() > job->shards ? sk_cpu_count() / job->shards : 1;
}

int main(int argc, char **argv)
{
    static struct options options;
    static struct sk_train_plan plan;
    struct job job = {.options = &options, .plan = &plan};
    const struct sk_program program = {
        .synopsis = sk_train_program.synopsis, .options = table(),
        .summary = "Trains a translation model on GPUs of its own, or resumes the training that MODEL_DIR holds.",
        .epilogue = "Pairs are source:target or encoder:decoder; one value stands for both. CUDA_VISIBLE_DEVICES "
                    "restricts the choice of GPUs; a Slurm job's are taken as given. SK_GPUS=name,name pretends GPUs.\n"
                    "SIGTERM, SIGINT and SIGUSR1: the state is saved, exit 75; the same command goes on from there."};
    sk_train_options_parse(&program, &options.train, &plan, argc, argv);
    settle(&job);
    /* Devices are for the processes that are started: none is looked at here. */
    if (sk_train_settle_numbers(&options.train, sk_backend_wants_gpu(options.train.use_cpu)) < 0)
        return sk_die();
    if (options.train.dry_run)
        return sk_train_run(&options.train, &plan);
    if (!options.train.use_cpu && sk_devices_find(&job.devices, &options.devices) < 0)
        return sk_die();
    sk_train_say_start(&options.train);
    sk_signals_catch();
    int result = prepare_and_take(&job, argv) < 0 ? sk_die() : sk_children_run(job.shards, "shard", shard, &job);
    sk_devices_release(&job.devices);
    return result;
}
