#include "train/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "text/lines.h"
#include "train/inputs.h"

struct start {
    struct sk_train_data *d;
    const struct sk_train_options *o;
    const struct sk_train_plan *p;
    const char *dir;
    struct sk_inputs inputs, record;
    int inputs_read, recorded;       /* the given files' checksums; data/checksums */
    int fresh;                       /* no args: nothing there is trusted */
};

static char *path_of(const struct start *s, const char *name)
{
    return sk_path_join(s->dir, name);
}

static int exists(const struct start *s, const char *name)
{
    char *path = path_of(s, name);
    int there = sk_file_exists(path);
    free(path);
    return there;
}

/* --- the directory -------------------------------------------------------- */

/* Removes what a run writes, args first: what is left of a wipe that was
 * killed is then no run. The lock stays: it is held. */
static int wipe(const struct start *s)
{
    static const char *const files[] = {
        SK_MD_ARGS, SK_MD_FINISHED, SK_MD_INTERRUPTED, SK_MD_BEST, SK_MD_METRICS, SK_MD_PROGRESS, SK_MD_CONFIG,
        SK_MD_INITIAL, SK_MD_VOCAB_SOURCE, SK_MD_VOCAB_TARGET, SK_MD_VALIDATION_SOURCE, SK_MD_VALIDATION_TARGET,
        SK_MD_LOG};
    static const char *const folders[] = {SK_MD_DATA, SK_MD_EVAL};
    static const char *const kinds[] = {"params", "state"};
    int failed = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files && !failed; i++) {
        char *path = path_of(s, files[i]);
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
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !failed; i++) {
        char *path = path_of(s, folders[i]);
        failed = exists(s, folders[i]) > 0 && sk_remove_tree(path) < 0;
        free(path);
    }
    return failed ? -1 : 0;
}

/* A directory without args must not hold the results of a run. */
static int check_no_results(const struct start *s)
{
    int *numbers = NULL, n = sk_md_list(s->dir, "params", &numbers);
    free(numbers);
    if (n < 0)
        return -1;
    if (n > 0 || exists(s, SK_MD_INTERRUPTED) > 0)
        return sk_fail(SK_EXIT_DATA, "%s holds checkpoints but no file " SK_MD_ARGS ": it is not known what they were "
                       "trained with. Give another --output, or --overwrite-output to remove them", s->dir);
    return 0;
}

static int lock_directory(struct start *s)
{
    char *path = path_of(s, SK_MD_LOCK);
    s->d->lock = sk_lock_take(path);
    free(path);
    if (s->d->lock < 0 && sk_fail_code() == SK_EXIT_TEMP)
        sk_fail_prefix("another trainer works on %s: ", s->dir);
    return s->d->lock < 0 ? -1 : 0;
}

/* --- the options against the record ---------------------------------------- */

static void option_differs(void *ctx, const char *name, const char *before, const char *now)
{
    sk_str_printf(ctx, "\n  --%s: was '%s', now '%s'", name, before ? before : "", now ? now : "");
}

static void input_differs(void *ctx, const char *name)
{
    sk_str_printf(ctx, "\n  --%s: not the same content", name);
}

static int compare_with_record(struct start *s)
{
    char *path = path_of(s, SK_MD_ARGS), *sums = path_of(s, SK_MD_DATA "/checksums");
    struct sk_str found = {0};
    size_t n;
    int result = -1;
    char *record = sk_file_load(path, 1 << 20, &n);
    if (!record)
        goto out;
    int begun = exists(s, SK_MD_INTERRUPTED) > 0, *numbers = NULL;
    begun |= sk_md_list(s->dir, "params", &numbers) > 0;
    free(numbers);
    int differ = sk_opt_compare(sk_train_program.options, s->o, record, option_differs, &found);
    s->recorded = differ < 0 ? -1 : sk_inputs_load(&s->record, sums);
    if (s->recorded < 0)
        goto out;
    if (s->recorded) {
        int files = sk_inputs_compare(&s->inputs, &s->record, s->p->lines_flags, begun, input_differs, &found);
        if (files < 0)
            goto out;
        differ += files;
    }
    result = differ == 0 ? 0 :
        sk_fail(SK_EXIT_CONFIG, "%s was trained with other options:%s\nGive them as they were, or another --output, "
                "or --overwrite-output to begin anew", s->dir, found.text);
out:
    free(path);
    free(sums);
    free(record);
    sk_str_free(&found);
    return result;
}

/* Directory and lock: afterwards s->fresh is known and the log is open. */
static int enter(struct start *s)
{
    int begun = exists(s, SK_MD_ARGS);
    if (begun < 0)
        return -1;
    if ((!begun || s->o->overwrite_output) && sk_inputs_read(&s->inputs, s->o, s->p->lines_flags) < 0)
        return -1;
    s->inputs_read = !begun || s->o->overwrite_output;
    if (sk_mkdir(s->dir) < 0 || lock_directory(s) < 0 || (s->o->overwrite_output && wipe(s) < 0))
        return -1;
    /* Another trainer may have come and gone before the lock was ours. */
    begun = exists(s, SK_MD_ARGS);
    if (begun < 0)
        return -1;
    s->fresh = !begun;
    if (s->fresh ? check_no_results(s) < 0 : compare_with_record(s) < 0)
        return -1;
    if ((s->fresh || !s->recorded) && !s->inputs_read && sk_inputs_read(&s->inputs, s->o, s->p->lines_flags) < 0)
        return -1;
    char *log = path_of(s, SK_MD_LOG), *data = path_of(s, SK_MD_DATA);
    int result = (!s->o->no_logfile && sk_log_open(log) < 0) || sk_mkdir(data) < 0 || sk_file_sweep(s->dir) < 0 ||
        sk_file_sweep(data) < 0 ? -1 : 0;
    free(log);
    free(data);
    return result;
}

/* --- vocabularies ------------------------------------------------------------ */

static struct sk_vocab *build_vocab(const struct start *s, int side)
{
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    struct sk_vocab *v = NULL;
    int shared = s->p->shared_vocab;
    if ((!shared && side == 1) || sk_vocab_count_file(c, s->o->source, s->p->lines_flags) == 0)
        if ((!shared && side == 0) || sk_vocab_count_file(c, s->o->target, s->p->lines_flags) == 0)
            v = sk_vocab_build(c, s->o->num_words[side], s->o->word_min_count[side], s->o->pad_vocab);
    sk_vocab_counts_free(c);
    return v;
}

static int given_vocabs(struct start *s)
{
    const char *given[2] = {s->inputs.path[SK_IN_SOURCE_VOCAB], s->inputs.path[SK_IN_TARGET_VOCAB]};
    struct sk_vocab **v[2] = {&s->d->source, &s->d->target};
    /* A shared vocabulary that is given once stands for both sides. */
    if (s->p->shared_vocab)
        for (int side = 0; side < 2; side++)
            if (!given[side])
                given[side] = given[1 - side];
    for (int side = 0; side < 2; side++)
        if (given[side] && !(*v[side] = sk_vocab_load(given[side])))
            return -1;
    return 0;
}

static int save_vocab(const struct start *s, const struct sk_vocab *v, const char *name)
{
    char *path = path_of(s, name);
    int result = sk_vocab_save(v, path);
    free(path);
    return result;
}

static struct sk_vocab *load_vocab(const struct start *s, const char *name)
{
    char *path = path_of(s, name);
    struct sk_vocab *v = sk_vocab_load(path);
    free(path);
    return v;
}

static int make_vocabs(struct start *s)
{
    struct sk_train_data *d = s->d;
    if (given_vocabs(s) < 0)
        return -1;
    if (!d->source && !(d->source = build_vocab(s, 0)))
        return -1;
    if (!d->target && s->p->shared_vocab)
        d->target = d->source;
    if (!d->target && !(d->target = build_vocab(s, 1)))
        return -1;
    if (save_vocab(s, d->source, SK_MD_VOCAB_SOURCE) < 0 || save_vocab(s, d->target, SK_MD_VOCAB_TARGET) < 0)
        return -1;
    return 0;
}

static int get_vocabs(struct start *s)
{
    struct sk_train_data *d = s->d;
    if (!s->fresh && exists(s, SK_MD_VOCAB_SOURCE) > 0 && exists(s, SK_MD_VOCAB_TARGET) > 0) {
        d->source = load_vocab(s, SK_MD_VOCAB_SOURCE);
        d->target = d->source ? load_vocab(s, SK_MD_VOCAB_TARGET) : NULL;
        if (!d->target)
            return -1;
    } else if (make_vocabs(s) < 0) {
        return -1;
    }
    if (s->p->shared_vocab && d->source != d->target && !sk_vocab_equal(d->source, d->target))
        return sk_fail(SK_EXIT_CONFIG, "the vocabularies of the two sides differ, but --shared-vocab or "
                       "--weight-tying-type %s needs one for both", s->o->weight_tying_type);
    sk_info("Vocabulary sizes: source=[%d] target=%d", (int)sk_vocab_size(d->source), (int)sk_vocab_size(d->target));
    return 0;
}

/* --- corpora ------------------------------------------------------------------- */

static struct sk_corpus *get_corpus(const struct start *s, const char *name, enum sk_input source)
{
    const struct sk_vocab *vs = s->d->source, *vt = s->d->target;
    char *path = path_of(s, name);
    struct sk_corpus *c = NULL;
    if (!s->fresh && !(c = sk_corpus_open(path, sk_vocab_size(vs), sk_vocab_size(vt)))) {
        /* What the text gives can be made again; a disk that fails cannot. */
        if (sk_fail_code() != SK_EXIT_DATA && sk_fail_code() != SK_EXIT_NOINPUT) {
            free(path);
            return NULL;
        }
        sk_warn("%s; it is made again from the text", sk_fail_message());
    }
    if (!c) {
        struct sk_corpus_stats stats;
        struct sk_corpus_options options = {.max_source = s->o->max_seq_len[0], .max_target = s->o->max_seq_len[1],
                                            .lines_flags = s->p->lines_flags};
        if (sk_corpus_prepare(path, s->inputs.path[source], s->inputs.path[source + 1], vs, vt, &options, &stats) == 0)
            c = sk_corpus_open(path, sk_vocab_size(vs), sk_vocab_size(vt));
    }
    free(path);
    return c;
}

/* The text as evaluators read it: one line for each line, whatever they say. */
static int copy_text(const struct start *s, const char *from, const char *name)
{
    if (!s->fresh && exists(s, name) > 0)
        return 0;
    char *path = path_of(s, name), *line;
    struct sk_lines *l = sk_lines_open(from, s->p->lines_flags);
    struct sk_str text = {0};
    struct sk_file f;
    size_t n;
    int got, result = -1;
    if (!l || sk_file_create(&f, path) < 0)
        goto out;
    while ((got = sk_lines_next(l, &line, &n)) > 0) {
        sk_str_add(&text, line, n);
        sk_str_add(&text, "\n", 1);
        if (text.len > 1 << 20) {
            if (sk_file_write(&f, text.text, text.len) < 0)
                got = -1;
            sk_str_clear(&text);
            if (got < 0)
                break;
        }
    }
    if (got < 0 || sk_file_write(&f, text.text, text.len) < 0)
        sk_file_abandon(&f);
    else
        result = sk_file_commit(&f, SK_REPLACE);
out:
    if (l)
        sk_lines_close(l);
    sk_str_free(&text);
    free(path);
    return result;
}

/* --- config, checksums, args ------------------------------------------------------ */

static int save_unless_same(const struct start *s, const char *name, const char *text)
{
    char *path = path_of(s, name);
    size_t n = 0;
    char *old = sk_file_exists(path) > 0 ? sk_file_load(path, 1 << 20, &n) : NULL;
    int result = 0;
    if (!old || n != strlen(text) || memcmp(old, text, n) != 0)
        result = sk_file_save(path, text, strlen(text), SK_REPLACE);
    free(old);
    free(path);
    return result;
}

static int put_config(struct start *s)
{
    struct sk_config *c = &s->d->config;
    const struct sk_corpus_stats *stats = sk_corpus_stats(s->d->train);
    *c = (struct sk_config){.model = s->p->model, .length_ratio_mean = stats->length_ratio_mean,
                            .length_ratio_std = stats->length_ratio_std};
    c->model.vocab[0] = sk_vocab_size(s->d->source);
    c->model.vocab[1] = sk_vocab_size(s->d->target);
    for (int side = 0; side < 2; side++)
        c->max_seq_len[side] = s->o->max_seq_len[side];
    if (sk_transformer_check(&c->model) < 0)
        return -1;
    char *text = sk_config_text(c);
    int result = save_unless_same(s, SK_MD_CONFIG, text);
    free(text);
    return result;
}

static int put_checksums(struct start *s)
{
    if (!s->fresh && s->recorded)
        return 0;
    char *path = path_of(s, SK_MD_DATA "/checksums");
    sk_inputs_set_vocabs(&s->inputs, s->d->source, s->d->target);
    int result = sk_inputs_save(&s->inputs, path);
    free(path);
    return result;
}

static int put_args(const struct start *s)
{
    char *text = sk_opt_record(sk_train_program.options, s->o);
    int result = save_unless_same(s, SK_MD_ARGS, text);
    free(text);
    return result;
}

int sk_train_prepare(struct sk_train_data *d, const struct sk_train_options *o, const struct sk_train_plan *p)
{
    struct start s = {.d = d, .o = o, .p = p, .dir = o->output};
    memset(d, 0, sizeof *d);
    d->lock = -1;
    sk_inputs_name(&s.inputs, o);
    if (enter(&s) < 0 || get_vocabs(&s) < 0)
        return -1;
    if (!(d->train = get_corpus(&s, SK_MD_DATA "/corpus", SK_IN_SOURCE)) ||
        !(d->validation = get_corpus(&s, SK_MD_DATA "/validation", SK_IN_VALIDATION_SOURCE)))
        return -1;
    if (copy_text(&s, o->validation_source, SK_MD_VALIDATION_SOURCE) < 0 ||
        copy_text(&s, o->validation_target, SK_MD_VALIDATION_TARGET) < 0)
        return -1;
    return put_config(&s) < 0 || put_checksums(&s) < 0 || put_args(&s) < 0 ? -1 : 0;
}

void sk_train_data_free(struct sk_train_data *d)
{
    if (d->train)
        sk_corpus_close(d->train);
    if (d->validation)
        sk_corpus_close(d->validation);
    if (d->target != d->source)
        sk_vocab_free(d->target);
    if (d->source)
        sk_vocab_free(d->source);
    if (d->lock >= 0)
        sk_lock_release(d->lock);
    memset(d, 0, sizeof *d);
    d->lock = -1;
}
