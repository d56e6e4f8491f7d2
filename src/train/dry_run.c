#include "train/dry_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "math/backend.h"
#include "model/params_file.h"
#include "train/memory.h"
#include "train/prepare.h"
#include "train/report.h"
#include "train/scratch.h"

/* --- in the child: as far as training would go before its first update ------------- */

static int count_batches(const struct sk_train_options *o, const struct sk_train_data *d,
                         const struct sk_batch_limits *l, int64_t *batches)
{
    struct sk_reader *r = sk_reader_new(d->train, o->seed);
    struct sk_batch b;
    int got;
    sk_batch_init(&b, l);
    *batches = 0;
    while ((got = sk_batch_fill(&b, l, r)) > 0)
        ++*batches;
    sk_batch_free(&b);
    sk_reader_free(r);
    return got;
}

/* Whether --params fits the model, without reading its values. */
static int check_params(const struct sk_train_options *o, const struct sk_params *table)
{
    struct sk_tensors *f = o->params && *o->params ? sk_tensors_open(o->params) : NULL;
    if (!f)
        return o->params && *o->params ? -1 : 0;
    int missing = sk_params_check(table, f, o->allow_missing_params ? SK_PARAMS_ALLOW_MISSING : 0);
    sk_tensors_close(f);
    return missing < 0 ? -1 : 0;
}

/* -1 if --params or the fixed parameters do not fit the model. */
static int64_t count_params(const struct sk_train_options *o, const struct sk_train_data *d, int64_t *learned)
{
    struct sk_params table = {0};
    sk_model_table(&d->config.model, &table);
    unsigned char *fixed = sk_xcalloc((size_t)table.n, 1);
    int64_t n = (int64_t)table.count, kept = sk_train_fixed(o, &table, fixed);
    if (kept >= 0)
        sk_report_params(&table, kept);
    if (kept >= 0 && check_params(o, &table) < 0)
        kept = -1;
    *learned = n - kept;
    free(fixed);
    sk_params_free(&table);
    return kept < 0 ? -1 : n;
}

static double covered(int64_t unknown, int64_t tokens)
{
    return 100.0 * (double)(tokens - unknown) / (double)tokens;
}

static int describe(const struct sk_train_options *o, const struct sk_train_plan *p, const struct sk_train_data *d)
{
    const struct sk_corpus_stats *s = sk_corpus_stats(d->train);
    struct sk_batch_limits limits;
    int64_t batches, learned, params = count_params(o, d, &learned);
    if (params < 0 || sk_train_limits(&limits, o, p, s, &d->held_out) < 0)
        return -1;
    const struct sk_ops *ops = sk_backend(o->use_cpu);
    struct sk_device *dev = ops ? sk_device_open(ops, o->threads, o->dtype) : NULL;
    if (!dev)
        return -1;
    size_t on_device;
    size_t memory = sk_memory_predict(o, p, &d->config.model, s, &d->held_out, &limits, ops, dev, &on_device);
    ops->close(dev);
    if (count_batches(o, d, &limits, &batches) < 0)
        return -1;
    struct sk_str text = {0};
    sk_str_printf(&text, "parameters\t%lld\nlearned-parameters\t%lld\nmemory\t%zu\n", (long long)params,
                  (long long)learned, memory);
    if (on_device)
        sk_str_printf(&text, "gpu-memory\t%zu\n", on_device);
    sk_str_printf(&text, "pairs\t%lld\nsource-tokens\t%lld\ntarget-tokens\t%lld\n", (long long)s->pairs,
                  (long long)s->source_tokens, (long long)s->target_tokens);
    sk_str_printf(&text, "source-coverage\t%.2f\ntarget-coverage\t%.2f\n",
                  covered(s->source_unknown, s->source_tokens), covered(s->target_unknown, s->target_tokens));
    sk_str_printf(&text, "batches-per-epoch\t%lld\nupdates-per-epoch\t%.6g\n", (long long)batches,
                  (double)batches / o->update_interval);
    int result = sk_write_all(STDOUT_FILENO, text.text, text.len);
    sk_str_free(&text);
    return result;
}

struct run { const struct sk_train_options *o; const struct sk_train_plan *p; };

static int in_child(void *ctx, const char *folder)
{
    const struct run *run = ctx;
    const struct sk_train_options *o = run->o;
    const struct sk_train_plan *p = run->p;
    struct sk_train_options elsewhere = *o;
    struct sk_train_data d;
    if (sk_train_settle_numbers(&elsewhere, -1) < 0)
        return sk_die();
    elsewhere.output = folder;
    elsewhere.overwrite_output = 0;
    elsewhere.no_logfile = 1;
    int result = sk_train_prepare(&d, &elsewhere, p, SK_ALONE);
    if (result == 0)
        result = describe(&elsewhere, p, &d);
    sk_train_data_free(&d);
    return result < 0 ? sk_die() : SK_EXIT_OK;
}

int sk_dry_run(const struct sk_train_options *o, const struct sk_train_plan *p)
{
    struct run run = {o, p};
    return sk_in_scratch("sk-dry-run", "the dry run", in_child, &run);
}
