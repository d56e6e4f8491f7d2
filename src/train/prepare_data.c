#include "train/prepare_data.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"
#include "train/prepared.h"
#include "train/report.h"
#include "train/signals.h"

struct making {
    const struct sk_prepare_data_options *o;
    const struct sk_opt *table;
    const char *dir;
    struct sk_data_options data;
    struct sk_inputs inputs;
    struct sk_data_counts counts;
    struct sk_vocab *vocab[2];
    int lock;                        /* descriptor */
    int damaged;                     /* what was there, as far as we saw */
};

/* What the folder may hold, data.info first: without it the rest is nothing. */
static const char *const ours[] = {
    SK_PREPARED_INFO, SK_PREPARED_CHECKSUMS, SK_PREPARED_CORPUS, SK_PREPARED_VOCAB_SOURCE, SK_PREPARED_VOCAB_TARGET,
    SK_PREPARED_LOG, SK_PREPARED_LOCK};
enum { OURS = sizeof ours / sizeof *ours, MADE = OURS - 1 };   /* all but the lock are removed */

static char *path_of(const struct making *m, const char *name)
{
    return sk_path_join(m->dir, name);
}

static int exists(const struct making *m, const char *name)
{
    char *path = path_of(m, name);
    int there = sk_file_exists(path);
    free(path);
    return there;
}

/* --- what is there already -------------------------------------------------------- */

static int is_ours(const char *name)
{
    for (int i = 0; i < OURS; i++)
        if (strcmp(name, ours[i]) == 0)
            return 1;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || sk_temp_is(name);
}

/* Refuses a folder in which others keep things: 0 or -1. */
static int check_folder(const struct making *m)
{
    DIR *d = opendir(m->dir);
    if (!d)
        return errno == ENOENT ? 0 : sk_fail_errno("cannot open folder %s", m->dir);
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (errno = 0, entry = readdir(d)) != NULL)
        if (!is_ours(entry->d_name))
            result = sk_fail(SK_EXIT_CONFIG, "%s holds other things than prepared data (%s): give another --output",
                             m->dir, entry->d_name);
    if (result == 0 && errno)
        result = sk_fail_errno("cannot read folder %s", m->dir);
    closedir(d);
    return result;
}

static void option_differs(void *ctx, const char *name, const char *before, const char *now)
{
    sk_str_printf(ctx, "\n  --%s: was '%s', now '%s'", name, before ? before : "", now ? now : "");
}

static void input_differs(void *ctx, const char *name, const char *how)
{
    sk_str_printf(ctx, "\n  --%s: %s", name, how ? how : "not the same content");
}

/* Was the folder prepared with these options, from this text? 0 or -1. */
static int compare(struct making *m)
{
    struct sk_str found = {0};
    struct sk_inputs record = {0};
    char *options = sk_prepared_record(m->dir), *path = path_of(m, SK_PREPARED_CHECKSUMS);
    int differ = options ? sk_opt_compare(m->table, m->o, options, option_differs, &found) : -1;
    if (differ >= 0 && sk_inputs_load(&record, path) < 0)
        differ = -1;
    if (differ >= 0) {
        int files = sk_inputs_compare(&m->inputs, &record, m->data.corpus.lines_flags, 0, input_differs, &found);
        differ = files < 0 ? -1 : differ + files;
    }
    if (differ > 0)
        differ = sk_fail(SK_EXIT_CONFIG, "%s was prepared otherwise:%s\nGive another --output, or --overwrite-output "
                         "to prepare it anew", m->dir, found.text);
    free(options);
    free(path);
    sk_str_free(&found);
    return differ;
}

/* Reads all of the corpus. */
static int check_blocks(struct sk_corpus *c)
{
    struct sk_reader *r = sk_reader_new(c, -1);
    struct sk_pair pair;
    int got;
    while ((got = sk_reader_next(r, &pair)) > 0)
        ;
    sk_reader_free(r);
    return got;
}

static int check_contents(const struct making *m)
{
    struct sk_inputs in = {0};
    struct sk_vocab *v[2] = {NULL, NULL};
    struct sk_corpus *c = NULL;
    int result = -1;
    if (sk_prepared_inputs(m->dir, &in) == 0 && sk_prepared_vocabs(m->dir, &in, v) == 0 &&
        (c = sk_prepared_corpus(m->dir, &in, v)) != NULL)
        result = check_blocks(c);
    sk_corpus_close(c);
    sk_data_vocabs_free(v);
    return result;
}

/* 1: all is there, made with these options from this text; 0: it has to be
 * made; -1: sk_fail. */
static int prepared_before(struct making *m)
{
    int there = exists(m, SK_PREPARED_INFO);
    if (there <= 0 || m->o->overwrite_output)
        return there < 0 ? -1 : 0;
    int result = compare(m);
    if (result == 0)
        result = check_contents(m);
    if (result == 0)
        return 1;
    if (sk_fail_code() != SK_EXIT_DATA)
        return -1;
    sk_warn("%s", sk_fail_message());
    m->damaged = 1;
    return 0;
}

/* --- making it ------------------------------------------------------------------------- */

/* Reading may take long: a path that is mistyped should not wait for it. */
static int check_writable(const struct making *m)
{
    char *parent = sk_path_dir(m->dir);
    int there = access(m->dir, F_OK) == 0, result = 0;
    if (access(there ? m->dir : parent, W_OK | X_OK) < 0 && (there || errno != ENOENT))
        result = sk_fail_errno("cannot write to folder %s", there ? m->dir : parent);
    free(parent);
    return result;
}

/* The text is read before anything is written. */
static int read_text(struct making *m)
{
    char *path = path_of(m, SK_PREPARED_LOCK), *who;
    int held = sk_lock_held(path, &who);
    free(path);
    if (held > 0)
        sk_fail(SK_EXIT_TEMP, "another process prepares %s: %s", m->dir, who);
    free(who);
    if (held)
        return -1;
    if (check_writable(m) < 0 || sk_data_given_vocabs(m->vocab, &m->inputs) < 0)
        return -1;
    sk_data_counts_new(&m->counts, &m->data, &m->inputs);
    return sk_inputs_read(&m->inputs, &m->data.corpus, m->counts.side);
}

static int take_folder(struct making *m)
{
    if (sk_mkdir(m->dir) < 0)
        return -1;
    char *path = path_of(m, SK_PREPARED_LOCK);
    m->lock = sk_lock_take(path);
    free(path);
    if (m->lock < 0 && sk_fail_code() == SK_EXIT_TEMP)
        sk_fail_prefix("another process prepares %s: ", m->dir);
    return m->lock < 0 ? -1 : 0;
}

static int clear_folder(const struct making *m)
{
    int result = sk_file_sweep(m->dir);
    for (int i = 0; i < MADE && result == 0; i++) {
        char *path = path_of(m, ours[i]);
        result = sk_file_remove(path);
        free(path);
        /* The rest goes only when it is known that nobody takes it for prepared. */
        if (i == 0 && result == 0)
            result = sk_fsync_dir(m->dir);
    }
    return result;
}

static int save_vocab(const struct making *m, int side, const char *name)
{
    char *path = path_of(m, name);
    int result = sk_vocab_save(m->vocab[side], path);
    free(path);
    return result;
}

static int make_corpus(struct making *m)
{
    struct sk_corpus_options options = m->data.corpus;
    struct sk_corpus_stats stats;
    options.lines_flags |= SK_LINES_NO_WARNINGS;
    for (int side = 0; side < 2; side++)
        options.content[side] = m->inputs.content[SK_IN_SOURCE + side];
    char *path = path_of(m, SK_PREPARED_CORPUS);
    int result = sk_corpus_prepare(path, m->o->source, m->o->target, m->vocab[0], m->vocab[1], &options, &stats);
    free(path);
    if (result == 0)
        memcpy(m->inputs.content[SK_IN_CORPUS], stats.hash, SK_HASH_HEX);
    return result;
}

static int save_records(struct making *m)
{
    char *path = path_of(m, SK_PREPARED_CHECKSUMS), *options = sk_opt_record(m->table, m->o);
    sk_inputs_set_vocabs(&m->inputs, m->vocab);
    int result = sk_inputs_save(&m->inputs, path);
    if (result == 0)
        result = sk_prepared_save_record(m->dir, options);
    free(path);
    free(options);
    return result;
}

static int make(struct making *m)
{
    char *log = path_of(m, SK_PREPARED_LOG);
    int result = clear_folder(m);
    if (result == 0 && !m->o->no_logfile)
        result = sk_log_open(log);
    free(log);
    if (result < 0 || sk_data_build_vocabs(m->vocab, &m->data, &m->inputs, &m->counts) < 0)
        return -1;
    sk_info("Vocabulary sizes: source=[%d] target=%d", (int)sk_vocab_size(m->vocab[0]),
            (int)sk_vocab_size(m->vocab[1]));
    return save_vocab(m, 0, SK_PREPARED_VOCAB_SOURCE) < 0 || save_vocab(m, 1, SK_PREPARED_VOCAB_TARGET) < 0 ||
        make_corpus(m) < 0 || save_records(m) < 0 ? -1 : 0;
}

static int prepare(struct making *m)
{
    double began = sk_clock();
    int done = check_folder(m) < 0 ? -1 : prepared_before(m);
    if (done == 0 && (read_text(m) < 0 || take_folder(m) < 0))
        done = -1;
    /* Another process may have come and gone before the lock was ours. */
    if (done == 0 && !m->damaged)
        done = check_folder(m) < 0 ? -1 : prepared_before(m);
    if (done > 0)
        sk_info("'%s' had been prepared from this text with these options.", m->dir);
    if (done != 0)
        return done < 0 ? -1 : 0;
    if (make(m) < 0)
        return -1;
    sk_info("Prepared data '%s' made in %.1f seconds.", m->dir, sk_clock() - began);
    return 0;
}

int sk_prepare_data(const struct sk_prepare_data_options *o, const struct sk_opt *table)
{
    struct making m = {.o = o, .table = table, .dir = o->output, .lock = -1};
    struct sk_pool *pool = sk_data_pool(o->threads);
    m.data = (struct sk_data_options){
        .shared_vocab = o->shared_vocab, .num_words = {o->num_words[0], o->num_words[1]},
        .word_min_count = {o->word_min_count[0], o->word_min_count[1]}, .pad_vocab = o->pad_vocab,
        .corpus = {.max_source = o->max_seq_len[0], .max_target = o->max_seq_len[1], .pool = pool,
                   .lines_flags = o->replace_invalid ? SK_LINES_REPLACE_INVALID : 0, .stop = sk_signals_pending}};
    m.inputs.path[SK_IN_SOURCE] = o->source;
    m.inputs.path[SK_IN_TARGET] = o->target;
    m.inputs.path[SK_IN_SOURCE_VOCAB] = o->source_vocab;
    m.inputs.path[SK_IN_TARGET_VOCAB] = o->target_vocab;
    int result = prepare(&m);
    sk_data_counts_free(&m.counts);
    sk_data_vocabs_free(m.vocab);
    sk_lock_release(m.lock);
    sk_pool_free(pool);
    return result;
}
