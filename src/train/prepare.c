#include "train/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/claim.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "train/prepare_start.h"

/* --- the directory -------------------------------------------------------- */

/* Removes what a run writes, args first: what is left of a wipe that was
 * killed is then no run. The lock stays: it is held; the log of a run that
 * trained nothing stays too. */
static int wipe(const struct sk_start *s)
{
    static const char *const kinds[] = {"params", "state"};
    int failed = 0;
    for (int i = 0; sk_md_files[i] && !failed; i++) {
        const char *name = sk_md_files[i];
        if (strcmp(name, SK_MD_LOCK) == 0 || (strcmp(name, SK_MD_LOG) == 0 && !s->o->overwrite_output))
            continue;
        char *path = sk_start_path(s, name);
        failed = sk_file_remove(path) < 0;
        free(path);
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !failed; k++) {
        int *numbers = NULL, n = sk_md_list(s->dir, kinds[k], &numbers);
        failed = n < 0;
        for (int i = 0; i < n && !failed; i++) {
            char *path = sk_md_checkpoint(s->dir, kinds[k], numbers[i]);
            failed = sk_file_remove(path) < 0;
            free(path);
        }
        free(numbers);
    }
    for (int i = 0; sk_md_folders[i] && !failed; i++) {
        if (strcmp(sk_md_folders[i], SK_MD_SHARDS) == 0 && s->as != SK_ALONE)
            continue;                    /* where those who wait for us are */
        char *path = sk_start_path(s, sk_md_folders[i]);
        failed = sk_start_has(s, sk_md_folders[i]) > 0 && sk_remove_tree(path) < 0;
        free(path);
    }
    return failed ? -1 : 0;
}

/* A pipe under the name of a file would make us wait for ever. */
static int check_plain(const struct sk_start *s)
{
    int failed = 0;
    for (int i = 0; sk_md_files[i] && !failed; i++) {
        char *path = sk_start_path(s, sk_md_files[i]);
        failed = sk_file_check_plain(path);
        free(path);
    }
    return failed;
}

/* A directory without args must not hold the results of a run. */
static int check_no_results(const struct sk_start *s)
{
    int *numbers = NULL, n = sk_md_list(s->dir, "params", &numbers);
    free(numbers);
    if (n < 0)
        return -1;
    if (n > 0 || sk_start_has(s, SK_MD_INTERRUPTED) > 0)
        return sk_fail(SK_EXIT_DATA, "%s holds checkpoints but no file " SK_MD_ARGS ": it is not known what they were "
                       "trained with. Give another --output, or --overwrite-output to remove them", s->dir);
    return 0;
}

static int lock_directory(struct sk_start *s)
{
    if (s->as == SK_LEADS || s->as == SK_LEADS_ON)
        return 0;
    s->d->lock = sk_claim_trainer(s->dir, 0.5);
    if (s->d->lock < 0 && sk_fail_code() == SK_EXIT_TEMP)
        sk_fail_prefix("another trainer works on %s: ", s->dir);
    return s->d->lock < 0 ? -1 : 0;
}

/* --- the options against the record ---------------------------------------- */

static void option_differs(void *ctx, const char *name, const char *before, const char *now)
{
    sk_str_printf(ctx, "\n  --%s: was '%s', now '%s'", name, before ? before : "", now ? now : "");
}

static void input_differs(void *ctx, const char *name, const char *how)
{
    sk_str_printf(ctx, "\n  --%s: %s", name, how ? how : "not the same content");
}

/* Has any update been saved? */
static int has_trained(const struct sk_start *s)
{
    int *numbers = NULL, n = sk_md_list(s->dir, "params", &numbers);
    free(numbers);
    return n != 0 || sk_start_has(s, SK_MD_INTERRUPTED) != 0;
}

/* 0 the same, 1 others (sk_fail names them), -1. */
static int compare_with_record(struct sk_start *s)
{
    char *path = sk_start_path(s, SK_MD_ARGS), *sums = sk_start_path(s, SK_MD_CHECKSUMS);
    struct sk_str found = {0};
    size_t n;
    int result = -1;
    char *record = sk_file_load(path, 1 << 20, &n);
    if (!record)
        goto out;
    int differ = sk_opt_compare(sk_train_program.options, s->o, record, option_differs, &found);
    s->recorded = differ < 0 ? -1 : sk_inputs_load(&s->record, sums);
    if (s->recorded < 0)
        goto out;
    if (s->recorded) {
        /* Prepared data that is not there any more cannot be compared; what it gave is here. */
        for (enum sk_input i = 0; i < SK_INPUTS && s->gone; i++)
            if (sk_prepared_is_input(i)) {
                s->inputs.known[i] = 1;
                memcpy(s->inputs.content[i], s->record.content[i], SK_HASH_HEX);
            }
        int files = s->as == SK_REPLAYS ? 0 : sk_inputs_compare(&s->inputs, &s->record, s->p->lines_flags, has_trained(s), input_differs, &found);
        if (files < 0)
            goto out;
        differ += files;
    }
    result = differ > 0;
    if (differ > 0)
        sk_fail(SK_EXIT_CONFIG, "%s was trained with other options:%s\nGive them as they were, or another --output, "
                "or --overwrite-output to begin anew", s->dir, found.text);
out:
    free(path);
    free(sums);
    free(record);
    sk_str_free(&found);
    return result;
}

/* What prepared data says it was made of; a run that has its corpus does
 * without the folder. */
static int read_prepared(struct sk_start *s, int begun)
{
    char *record = sk_prepared_record(s->o->prepared_data);
    int result = record ? sk_prepared_inputs(s->o->prepared_data, &s->inputs) : -1;
    if (!record && begun && sk_fail_code() == SK_EXIT_NOINPUT && sk_start_has(s, SK_MD_CORPUS) > 0) {
        sk_warn("%s is not there: going on with the corpus in %s", s->o->prepared_data, s->dir);
        s->gone = 1;
        result = 0;
    }
    free(record);
    return result;
}

/* With the lock: a run that is there goes on, or nothing trusted is left of it. */
static int decide(struct sk_start *s)
{
    int begun = sk_start_has(s, SK_MD_ARGS);
    if (begun < 0)
        return -1;
    s->fresh = !begun;
    if (s->fresh)
        return check_no_results(s);
    int differ = compare_with_record(s);
    /* Where nothing was trained nothing binds, but what cannot be read again. */
    if (differ <= 0 || has_trained(s) || s->gone || s->as == SK_LEADS_ON)
        return differ ? -1 : 0;
    s->fresh = s->replaces = 1;
    if ((!s->inputs_read && sk_start_read_inputs(s) < 0) || sk_start_check(s) < 0)
        return -1;
    return wipe(s);
}

/* Which log is ours. */
static char *log_path(const struct sk_start *s)
{
    char *name = s->o->shard ? sk_xprintf(SK_MD_LOG ".%d", s->o->shard) : sk_xstrdup(SK_MD_LOG);
    char *path = sk_start_path(s, name);
    free(name);
    return path;
}

/* A directory that another shard has prepared. */
static int enter_prepared(struct sk_start *s)
{
    if (check_plain(s) < 0 || (s->o->prepared_data && read_prepared(s, 1) < 0) || compare_with_record(s))
        return -1;
    if (!s->recorded)
        return sk_fail(SK_EXIT_TEMP, "%s has no " SK_MD_CHECKSUMS " yet", s->dir);
    char *log = log_path(s);
    int result = s->o->no_logfile ? 0 : sk_log_open(log);
    free(log);
    return result;
}

/* Directory and lock: afterwards s->fresh is known and the log is open. */
static int enter(struct sk_start *s)
{
    int begun = sk_start_has(s, SK_MD_ARGS), anew = s->o->overwrite_output;
    if (begun < 0 || (anew ? sk_start_check_places(s) : check_plain(s)) < 0 ||
        (s->o->prepared_data && read_prepared(s, begun && !anew) < 0))
        return -1;
    if ((!begun || anew) && (sk_start_read_inputs(s) < 0 || sk_start_check(s) < 0))
        return -1;
    if (sk_mkdir(s->dir) < 0 || lock_directory(s) < 0 || (anew && wipe(s) < 0))
        return -1;
    /* Another trainer may have come and gone before the lock was ours. */
    if (decide(s) < 0)
        return -1;
    if ((s->fresh || !s->recorded) && !s->inputs_read && sk_start_read_inputs(s) < 0)
        return -1;
    char *log = log_path(s), *data = sk_start_path(s, SK_MD_DATA);
    int result = (!s->o->no_logfile && sk_log_open(log) < 0) || sk_mkdir(data) < 0 || sk_file_sweep(s->dir) < 0 ||
        sk_file_sweep(data) < 0 || sk_evaluation_sweep(s->dir, 0) < 0 ? -1 : 0;
    free(log);
    free(data);
    if (result == 0 && s->replaces)
        sk_info("'%s' holds no update yet: it takes the options given now", s->dir);
    return result;
}

/* --- config, checksums, args ------------------------------------------------------ */

static int save_unless_same(const struct sk_start *s, const char *name, const char *text)
{
    char *path = sk_start_path(s, name);
    size_t n = 0;
    char *old = sk_file_exists(path) > 0 ? sk_file_load(path, 1 << 20, &n) : NULL;
    int result = 0;
    if (!old || n != strlen(text) || memcmp(old, text, n) != 0)
        result = sk_file_save(path, text, strlen(text), SK_REPLACE);
    free(old);
    free(path);
    return result;
}

/* The configuration that follows from options and data. */
static int make_config(struct sk_start *s)
{
    struct sk_config *c = &s->d->config;
    const struct sk_corpus_stats *stats = sk_corpus_stats(s->d->train);
    *c = (struct sk_config){.model = s->p->model, .length_ratio_mean = stats->length_ratio_mean,
                            .length_ratio_std = stats->length_ratio_std};
    for (int side = 0; side < 2; side++)
        c->model.vocab[side] = sk_vocab_size(s->vocab[side]);
    for (int k = 0; k < c->model.factors.n; k++)
        c->model.factors.vocab[k] = sk_vocab_size(s->d->factor[k]);
    for (int side = 0; side < 2; side++)
        c->max_seq_len[side] = s->o->max_seq_len[side];
    return sk_model_check(&c->model);
}

static int put_config(struct sk_start *s)
{
    if (make_config(s) < 0)
        return -1;
    char *text = sk_config_text(&s->d->config);
    int result = save_unless_same(s, SK_MD_CONFIG, text);
    free(text);
    return result;
}

static int put_checksums(struct sk_start *s)
{
    if (!s->fresh && s->recorded)
        return 0;
    char *path = sk_start_path(s, SK_MD_CHECKSUMS);
    sk_inputs_set_vocabs(&s->inputs, s->vocab);
    memcpy(s->inputs.content[SK_IN_CORPUS], sk_corpus_stats(s->d->train)->hash, SK_HASH_HEX);
    int result = sk_inputs_save(&s->inputs, path);
    free(path);
    return result;
}

static int put_args(const struct sk_start *s)
{
    char *text = sk_opt_record(sk_train_program.options, s->o);
    int result = save_unless_same(s, SK_MD_ARGS, text);
    free(text);
    return result;
}

static int prepare(struct sk_start *s)
{
    sk_inputs_name(&s->inputs, s->o);
    if ((s->as == SK_FOLLOWS ? enter_prepared(s) : enter(s)) < 0 || sk_start_vocabs(s) < 0)
        return -1;
    if (sk_start_factors(s) < 0 || sk_start_corpora(s) < 0 || sk_start_factors_swept(s) < 0 || sk_start_validation_text(s) < 0)
        return -1;
    if (s->as == SK_FOLLOWS)
        return make_config(s);
    return put_config(s) < 0 || put_checksums(s) < 0 || put_args(s) < 0 ? -1 : 0;
}

int sk_train_prepare(struct sk_train_data *d, const struct sk_train_options *o, const struct sk_train_plan *p,
                     enum sk_start_as as)
{
    struct sk_start s = {.d = d, .o = o, .p = p, .dir = o->output, .as = as};
    struct sk_pool *pool = sk_data_pool(o->threads);
    memset(d, 0, sizeof *d);
    d->lock = -1;
    s.data = (struct sk_data_options){
        .shared_vocab = p->shared_vocab, .num_words = {o->num_words[0], o->num_words[1]},
        .word_min_count = {o->word_min_count[0], o->word_min_count[1]}, .pad_vocab = o->pad_vocab,
        .corpus = {.max_source = o->max_seq_len[0], .max_target = o->max_seq_len[1], .pool = pool,
                   .lines_flags = p->lines_flags}};
    int result = prepare(&s);
    d->source = s.vocab[0];
    d->target = s.vocab[1];
    sk_corpus_close(s.prepared);
    sk_vocab_free(s.combinations);
    sk_data_counts_free(&s.counts);
    sk_pool_free(pool);
    return result;
}

void sk_train_data_free(struct sk_train_data *d)
{
    if (d->train)
        sk_corpus_close(d->train);
    if (d->validation)
        sk_corpus_close(d->validation);
    for (int i = 0; i < d->monitors; i++)
        sk_corpus_close(d->monitor[i]);
    for (int k = 0; k < SK_FACTORS_MAX; k++)
        sk_vocab_free(d->factor[k]);
    free(d->factored.rows);
    if (d->target != d->source)
        sk_vocab_free(d->target);
    if (d->source)
        sk_vocab_free(d->source);
    if (d->lock >= 0)
        sk_lock_release(d->lock);
    memset(d, 0, sizeof *d);
    d->lock = -1;
}
