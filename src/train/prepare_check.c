/* prepare_check.c - what a first start needs besides good text is looked at
 * before anything is made or removed. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/plugin.h"
#include "base/pool.h"
#include "model/params_file.h"
#include "modeldir/paths.h"
#include "modeldir/protect.h"
#include "train/memory.h"
#include "train/prepare_start.h"

static int not_removed(const char *option, const char *path)
{
    return sk_fail(SK_EXIT_USAGE, "--%s %s belongs to the run that --overwrite-output would remove: copy it to another "
                   "folder first", option, path);
}

int sk_start_check_places(const struct sk_start *s)
{
    const struct sk_train_options *o = s->o;
    const struct { const char *option, *path; } given[] = {
        {"source", o->source}, {"target", o->target}, {"prepared-data", o->prepared_data},
        {"validation-source", o->validation_source}, {"validation-target", o->validation_target},
        {"source-vocab", o->source_vocab}, {"target-vocab", o->target_vocab}, {"params", o->params}};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].path && sk_md_owns(s->dir, given[i].path))
            return not_removed(given[i].option, given[i].path);
    for (int k = 0; k < o->factor_vocabs.n; k++)
        if (sk_md_owns(s->dir, o->factor_vocabs.v[k]))
            return not_removed("source-factor-vocabs", o->factor_vocabs.v[k]);
    for (int i = 0; i < 2 * s->inputs.all; i++)
        if (sk_md_owns(s->dir, s->inputs.text[i / 2].given->path[i % 2]))
            return not_removed(i / 2 < s->inputs.training ? "data" : i / 2 < s->inputs.texts ? "monitor-set" : "source-factors",
                               s->inputs.text[i / 2].given->path[i % 2]);
    return 0;
}

/* Whether --params can be loaded. */
static int check_params(const struct sk_train_options *o, const struct sk_model_config *model)
{
    struct sk_params table = {0};
    if (!o->params || !*o->params)
        return 0;
    sk_model_table(model, &table);
    float *values = sk_xcalloc(table.total, sizeof *values);
    int missing = sk_params_load(&table, o->params, values, o->allow_missing_params ? SK_PARAMS_ALLOW_MISSING : 0,
                                 NULL);
    free(values);
    sk_params_free(&table);
    return missing < 0 ? -1 : 0;
}

/* Rows of tables are known by their numbers alone: with other words they fit, and are
 * wrong. Whose they were is known where the vocabulary lies beside the parameters. */
static void compare_vocab(const char *params, const char *name, const char *option, const struct sk_vocab *ours)
{
    char *folder = sk_path_dir(params), *path = sk_path_join(folder, name);
    struct sk_vocab *theirs = sk_file_exists(path) > 0 ? sk_vocab_load(path) : NULL;
    if (theirs && !sk_vocab_equal(theirs, ours))
        sk_warn("--params %s: its words are those of %s, and this training numbers its words in another way; to adapt that "
                "model give --%s %s", params, path, option, path);
    sk_vocab_free(theirs);
    free(folder);
    free(path);
}

static void compare_vocabs(const struct sk_start *s)
{
    const char *params = s->o->params;
    if (!params || !*params)
        return;
    compare_vocab(params, SK_MD_VOCAB_SOURCE, "source-vocab", s->vocab[0]);
    compare_vocab(params, SK_MD_VOCAB_TARGET, "target-vocab", s->vocab[1]);
    for (int k = 0; k < SK_FACTORS_MAX && s->d->factor[k]; k++)
        compare_vocab(params, sk_md_vocab_factors[k], "source-factor-vocabs", s->d->factor[k]);
}

static int check_memory(const struct sk_start *s, const struct sk_model_config *model)
{
    const struct sk_corpus_stats *train = s->prepared ? sk_corpus_stats(s->prepared) : &s->inputs.size[0];
    const struct sk_corpus_stats *val = &s->inputs.size[1];
    struct sk_batch_limits limits;
    const char *why = "";
    char *plugin = s->o->use_cpu ? NULL : sk_plugin_find("cuda");
    free(plugin);
    if (plugin)                          /* maybe a GPU's memory: asked when it is taken */
        return 0;
    if (sk_train_limits(&limits, s->o, s->p, train, val) < 0)
        return -1;
    /* Not sk_device_open, whose remark would come twice. */
    struct sk_device *dev = sk_ops_cpu.open(s->o->threads ? s->o->threads : sk_cpu_count(), &why);
    if (!dev)
        return sk_fail(SK_EXIT_NO, "the CPU cannot be used: %s", why);
    sk_ops_cpu.set_dtype(dev, sk_dtype_named(s->o->dtype));
    size_t on_device, bytes = sk_memory_predict(s->o, s->p, model, train, val, &limits, &sk_ops_cpu, dev, &on_device);
    sk_ops_cpu.close(dev);
    int result = sk_memory_check(bytes, "training");
    if (result < 0 && s->o->dry_run)             /* asks for the number; another machine may have it */
        sk_warn("%s", sk_fail_message());
    return s->o->dry_run ? 0 : result;
}

int sk_start_check(struct sk_start *s)
{
    struct sk_model_config model = s->p->model;
    if (sk_data_build_vocabs(s->vocab, &s->data, &s->inputs, &s->counts) < 0)
        return -1;
    for (int side = 0; side < 2; side++)
        model.vocab[side] = sk_vocab_size(s->vocab[side]);
    if (sk_start_factor_vocabs(s) < 0)
        return -1;
    for (int k = 0; k < model.factors.n; k++)
        model.factors.vocab[k] = sk_vocab_size(s->d->factor[k]);
    if (sk_model_check(&model) < 0 || check_memory(s, &model) < 0 || check_params(s->o, &model) < 0)
        return -1;
    compare_vocabs(s);
    return 0;
}
