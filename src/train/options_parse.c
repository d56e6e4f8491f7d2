/* options_parse.c - the command line of the trainer: what the options that name data
 * and shards mean, and which of them go together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/shards.h"
#include "train/inputs.h"
#include "train/options.h"
#include "train/prepared.h"

/* The files of source factors, and what they go with. */
static void read_factors(struct sk_train_options *o)
{
    const int n = o->factors.n;
    if (n > SK_FACTORS_MAX)
        sk_opt_misuse("--source-factors: %d are too many, %d are possible", n, SK_FACTORS_MAX);
    if (o->validation_factors.n != n)
        sk_opt_misuse("--source-factors has %d files, --validation-source-factors %d: each factor needs both", n,
                      o->validation_factors.n);
    if (o->factor_vocabs.n && o->factor_vocabs.n != n)
        sk_opt_misuse("--source-factor-vocabs has %d files for %d factors", o->factor_vocabs.n, n);
    if (n && o->prepared_data)
        sk_opt_misuse("--source-factors is not for --prepared-data, which has none: give its text by --source and --target");
    if (n && (o->texts.n || o->monitors.n))
        sk_opt_misuse("--source-factors is not for --data and --monitor-set, whose texts have none: give one text by "
                      "--source and --target");
    o->factor_texts.v = n ? sk_xcalloc((size_t)n, sizeof *o->factor_texts.v) : NULL;
    for (int k = 0; k < n; k++) {
        struct sk_named_text *t = &o->factor_texts.v[o->factor_texts.n++];
        snprintf(t->name, sizeof t->name, "%d", k + 1);
        t->path[0] = o->factors.v[k];
        t->path[1] = o->validation_factors.v[k];
    }
}

/* Text, or what was made of it. */
static void check_training_data(struct sk_train_options *o)
{
    const char **empty[] = {&o->source, &o->target, &o->prepared_data, &o->source_vocab, &o->target_vocab};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        if (*empty[i] && !**empty[i])
            *empty[i] = NULL;
    if (!*o->validation_source || !*o->validation_target)
        sk_opt_misuse("--validation-source and --validation-target are required: their names are empty");
    sk_texts_read(&o->texts, "data", &o->data, 1);
    sk_texts_read(&o->monitors, "monitor-set", &o->monitor_sets, 0);
    if (o->texts.n && o->prepared_data)
        sk_opt_misuse("--data takes text, not --prepared-data: give the text that %s was made of as one of its texts",
                      o->prepared_data);
    if (o->texts.n && (o->source || o->target))
        sk_opt_misuse("--data stands for --source and --target: give their files as one of its texts, with a weight");
    if (!o->prepared_data && !o->texts.n && (!o->source || !o->target))
        sk_opt_misuse("--source and --target are required, or --prepared-data, or --data");
    if (o->prepared_data && (o->source || o->target))
        sk_opt_misuse("--prepared-data stands for --source and --target: give one or the other");
    if (o->prepared_data && (o->source_vocab || o->target_vocab))
        sk_opt_misuse("--prepared-data has its vocabularies: --source-vocab and --target-vocab go to sk-prepare-data");
    read_factors(o);
    struct sk_inputs in;
    sk_inputs_name(&in, o);
    sk_inputs_check_names(&in);
    if (o->prepared_data && sk_prepared_adopt(o) < 0)
        exit(sk_die());
}

/* A number that Slurm gave, or -1. */
static int of_slurm(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long n = text && *text ? strtol(text, &end, 10) : -1;
    return n < 0 || *end || n > 1 << 20 ? -1 : (int)n;
}

/* --num-shards slurm: an element of an array counts from the array's first by its
 * step; a task of a step has its rank. */
static void read_slurm(struct sk_train_options *o)
{
    int id = of_slurm("SLURM_ARRAY_TASK_ID"), first = of_slurm("SLURM_ARRAY_TASK_MIN");
    int step = of_slurm("SLURM_ARRAY_TASK_STEP"), last = of_slurm("SLURM_ARRAY_TASK_MAX");
    if (id >= 0 && first >= 0 && last >= first && step > 0) {
        o->num_shards = (last - first) / step + 1;
        o->shard = (id - first) / step;
    } else {
        o->num_shards = of_slurm("SLURM_NTASKS");
        o->shard = of_slurm("SLURM_PROCID");
        if (o->num_shards < 1 || o->shard < 0)
            sk_opt_misuse("--num-shards slurm: neither SLURM_ARRAY_TASK_ID with its MIN, MAX and STEP nor SLURM_NTASKS with "
                          "SLURM_PROCID is set: this is no element of a job array and no task of a step");
    }
}

static void read_shards(struct sk_train_options *o)
{
    char *end;
    if (strcmp(o->shards, "slurm") == 0) {
        read_slurm(o);
    } else {
        long n = strtol(o->shards, &end, 10);
        o->num_shards = end == o->shards || *end || n < 1 || n > SK_SHARDS_MAX ? 0 : (int)n;
    }
    if (o->num_shards < 1 || o->num_shards > SK_SHARDS_MAX)
        sk_opt_misuse("--num-shards '%s': give a number from 1 to %d, or slurm", o->shards, SK_SHARDS_MAX);
    if (o->shard >= o->num_shards)
        sk_opt_misuse("--shard %d: shards count from 0, of %d (--num-shards) the last is %d", o->shard, o->num_shards,
                      o->num_shards - 1);
    if (o->num_shards > 1 && o->overwrite_output)
        sk_opt_misuse("--overwrite-output is not for several shards, which start one after the other: remove %s before",
                      o->output);
}

void sk_train_options_parse(const struct sk_program *program, struct sk_train_options *o, struct sk_train_plan *p,
                            int argc, char **argv)
{
    static const char *both[] = {"perplexity", "accuracy"};
    memset(o, 0, sizeof *o);
    o->command = sk_opt_command(argc, argv);
    sk_opt_parse(program, o, argc, argv);
    sk_quiet(o->quiet);
    sk_debug_wanted(strcmp(o->loglevel, "DEBUG") == 0);
    read_shards(o);
    if (o->metrics.n == 0)
        o->metrics = (struct sk_opt_list){2, both};
    check_training_data(o);
    sk_train_plan_make(p, o);
}
