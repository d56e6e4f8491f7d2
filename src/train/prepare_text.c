/* prepare_text.c - vocabularies, corpora and the validation text of a run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "text/lines.h"
#include "train/prepare_start.h"

char *sk_start_path(const struct sk_start *s, const char *name)
{
    return sk_path_join(s->dir, name);
}

int sk_start_has(const struct sk_start *s, const char *name)
{
    char *path = sk_start_path(s, name);
    int there = sk_file_exists(path);
    free(path);
    return there;
}

static int not_shared(const struct sk_start *s)
{
    if (!s->p->shared_vocab || s->vocab[0] == s->vocab[1] || !s->vocab[0] || !s->vocab[1] ||
        sk_vocab_equal(s->vocab[0], s->vocab[1]))
        return 0;
    /* Two given files are wrong data; those of prepared data were made with other options. */
    int given = s->inputs.path[SK_IN_SOURCE_VOCAB] && s->inputs.path[SK_IN_TARGET_VOCAB];
    return sk_fail(given ? SK_EXIT_DATA : SK_EXIT_CONFIG, "%s%s%s differ, but %s%s needs one vocabulary for both sides",
                   given ? s->inputs.path[SK_IN_SOURCE_VOCAB] : "the vocabularies of the two sides",
                   given ? " and " : "", given ? s->inputs.path[SK_IN_TARGET_VOCAB] : "",
                   s->o->shared_vocab ? "--shared-vocab" : "--weight-tying-type ",
                   s->o->shared_vocab ? "" : s->o->weight_tying_type);
}

/* --- what is given ---------------------------------------------------------------- */

int sk_start_read_inputs(struct sk_start *s)
{
    const char *dir = s->o->prepared_data;
    s->inputs_read = 1;
    if (dir && !s->gone &&
        (sk_prepared_vocabs(dir, &s->inputs, s->vocab) < 0 ||
         !(s->prepared = sk_prepared_corpus(dir, &s->inputs, s->vocab))))
        return -1;
    if (!dir && sk_data_given_vocabs(s->vocab, &s->inputs) < 0)
        return -1;
    if (not_shared(s) < 0)
        return -1;
    if (!dir)
        sk_data_counts_new(&s->counts, &s->data, &s->inputs);
    return sk_inputs_read(&s->inputs, &s->data.corpus, s->counts.side) < 0 ? -1 : sk_start_check_factors(s);
}

/* --- vocabularies ------------------------------------------------------------------- */

static const char *const names[2] = {SK_MD_VOCAB_SOURCE, SK_MD_VOCAB_TARGET};

static int save_vocab(const struct sk_start *s, int side)
{
    char *path = sk_start_path(s, names[side]);
    int result = sk_vocab_save(s->vocab[side], path);
    free(path);
    return result;
}

/* That it is damaged, and what to do. */
static int fail_vocab(const struct sk_start *s, int side, const char *how)
{
    if (s->gone)
        return sk_fail(SK_EXIT_DATA, "%s; restore %s/%s: '%s' is not there to take it from", how, s->dir, names[side],
                       s->o->prepared_data);
    return sk_fail(SK_EXIT_DATA, "%s; restore %s/%s, or remove it to have it made again", how, s->dir, names[side]);
}

/* Those of the run. */
static int load_vocabs(struct sk_start *s)
{
    sk_data_vocabs_free(s->vocab);
    for (int side = 0; side < 2; side++) {
        char *path = sk_start_path(s, names[side]);
        s->vocab[side] = sk_vocab_load(path);
        free(path);
        if (!s->vocab[side])
            return sk_fail_code() == SK_EXIT_DATA ? fail_vocab(s, side, sk_fail_message()) : -1;
    }
    return 0;
}

/* The vocabularies against the record of the run: config.json and corpora are
 * made from them. */
static int check_vocabs(const struct sk_start *s)
{
    struct sk_inputs now = {0};
    if (s->fresh || !s->recorded)
        return 0;
    sk_inputs_set_vocabs(&now, s->vocab);
    for (int side = 0; side < 2; side++) {
        enum sk_input i = SK_IN_SOURCE_VOCAB + (enum sk_input)side;
        if (*s->record.content[i] && strcmp(now.content[i], s->record.content[i]) != 0) {
            char *how = sk_xprintf("%s/%s is damaged: it is not the vocabulary that %s/" SK_MD_CHECKSUMS " tells of",
                                   s->dir, names[side], s->dir);
            int failed = fail_vocab(s, side, how);
            free(how);
            return failed;
        }
    }
    return 0;
}

static int make_vocabs(struct sk_start *s)
{
    if (!s->inputs_read && sk_start_read_inputs(s) < 0)
        return -1;
    if (s->gone)
        return sk_fail(SK_EXIT_NOINPUT, "%s has lost a vocabulary, and %s is not there to take it from", s->dir,
                       s->o->prepared_data);
    return sk_data_build_vocabs(s->vocab, &s->data, &s->inputs, &s->counts);
}

int sk_start_vocabs(struct sk_start *s)
{
    int kept = !s->fresh && sk_start_has(s, SK_MD_VOCAB_SOURCE) > 0 && sk_start_has(s, SK_MD_VOCAB_TARGET) > 0;
    if ((kept ? load_vocabs(s) : make_vocabs(s)) < 0 || check_vocabs(s) < 0 || not_shared(s) < 0)
        return -1;
    for (int side = 0; side < 2 && !kept; side++)
        if (save_vocab(s, side) < 0)
            return -1;
    sk_info("Vocabulary sizes: source=[%d] target=%d", (int)sk_vocab_size(s->vocab[0]),
            (int)sk_vocab_size(s->vocab[1]));
    return 0;
}

/* --- corpora --------------------------------------------------------------------------- */

/* What a corpus in the directory is made of. */
struct made_of {
    const char *const *path;         /* (2) */
    char (*content)[SK_HASH_HEX];    /* (2) checksums of the text, if it was read */
    const char *hash;                /* of the corpus; "": not known */
    int held_out;
};

/* The corpus that is there; NULL: sk_fail. */
static struct sk_corpus *open_corpus(const struct sk_start *s, const char *path, const char *hash, const int sizes[2])
{
    struct sk_corpus *c = sk_corpus_open(path, sizes[0], sizes[1]);
    const struct sk_corpus_stats *stats = c ? sk_corpus_stats(c) : NULL;
    if (!c || ((!*hash || strcmp(stats->hash, hash) == 0) && stats->max_source <= s->o->max_seq_len[0] &&
               stats->max_target <= s->o->max_seq_len[1]))
        return c;
    sk_corpus_close(c);
    sk_fail(SK_EXIT_DATA, "%s is not the corpus of this run", path);
    return NULL;
}

static struct sk_corpus *corpus_of_text(struct sk_start *s, const char *name, struct made_of of)
{
    char *path = sk_start_path(s, name);
    const struct sk_vocab *words = s->combinations ? s->combinations : s->vocab[0];
    int sizes[2] = {sk_vocab_size(words), sk_vocab_size(s->vocab[1])};
    struct sk_corpus *c = NULL;
    if (!s->fresh && !(c = open_corpus(s, path, of.hash, sizes))) {
        /* What the text gives can be made again; a disk that fails cannot. */
        if (sk_fail_code() != SK_EXIT_DATA && sk_fail_code() != SK_EXIT_NOINPUT) {
            free(path);
            return NULL;
        }
        sk_warn("%s; it is made again from the text", sk_fail_message());
    }
    if (!c) {
        struct sk_corpus_stats stats;
        struct sk_corpus_options o = s->data.corpus;
        o.held_out = of.held_out;
        o.source_word = s->combinations ? s->d->factored.rows : NULL;
        o.stride = 1 + s->d->factored.n;
        char *zipped = s->combinations ? sk_start_zipped(s, of.held_out) : NULL;
        for (int side = 0; side < 2 && s->inputs_read && !zipped; side++)
            o.content[side] = of.content[side];
        if (s->inputs_read)
            o.lines_flags |= SK_LINES_NO_WARNINGS;
        if ((!s->combinations || zipped) &&
            sk_corpus_prepare(path, zipped ? zipped : of.path[0], of.path[1], words, s->vocab[1], &o, &stats) == 0)
            c = sk_corpus_open(path, sizes[0], sizes[1]);
        free(zipped);
    }
    free(path);
    return c;
}

/* Text of --source, or --validation-source, and their targets. */
static struct sk_corpus *corpus_of_pair(struct sk_start *s, const char *name, enum sk_input source)
{
    const char *hash = source == SK_IN_SOURCE && s->recorded ? s->record.content[SK_IN_CORPUS] : "";
    return corpus_of_text(s, name, (struct made_of){&s->inputs.path[source], &s->inputs.content[source], hash,
                                                    source != SK_IN_SOURCE});
}

/* Text i of those with names. */
static struct sk_corpus *corpus_with_name(struct sk_start *s, int i)
{
    struct sk_input_text *t = &s->inputs.text[i];
    int held_out = i >= s->inputs.training;
    char *name = sk_xprintf("%s.%s", held_out ? SK_MD_VALIDATION : SK_MD_CORPUS, t->given->name);
    struct sk_corpus *c = corpus_of_text(s, name, (struct made_of){t->given->path, t->content, "", held_out});
    free(name);
    return c;
}

/* Says what an epoch has of each. */
static void say_shares(const struct sk_start *s, const struct sk_corpus *c, const double *weight)
{
    struct sk_str text = {0};
    double sum = 0;
    long long pairs = sk_corpus_stats(c)->pairs;
    for (int i = 0; i < s->inputs.training; i++)
        sum += weight[i];
    for (int i = 0; i < s->inputs.training; i++)
        sk_str_printf(&text, "%s%s %.4g%% (%lld pairs, %.4g times)", i ? ", " : "", s->inputs.text[i].given->name,
                      100 * weight[i] / sum, (long long)sk_corpus_part(c, i)->pairs,
                      weight[i] / sum * (double)pairs / (double)sk_corpus_part(c, i)->pairs);
    sk_info("An epoch takes %lld pairs: of %s", pairs, text.text);
    sk_str_free(&text);
}

/* All texts of --data as one; a single one stands for itself. */
static struct sk_corpus *joined_corpus(struct sk_start *s)
{
    struct sk_corpus *part[SK_TEXTS_MAX];
    double weight[SK_TEXTS_MAX];
    for (int i = 0; i < s->inputs.training; i++) {
        weight[i] = s->inputs.text[i].given->weight;
        if (!(part[i] = corpus_with_name(s, i))) {
            while (i-- > 0)
                sk_corpus_close(part[i]);
            return NULL;
        }
    }
    if (s->inputs.training == 1)
        return part[0];
    struct sk_corpus *c = sk_corpus_join(part, weight, s->inputs.training);
    say_shares(s, c, weight);
    return c;
}

/* A second name for the prepared corpus in the model directory, so that the
 * run does not depend on the other folder. 1: it is there; 0: the file systems
 * do not allow it; -1. */
static int link_corpus(const char *from, const char *to)
{
    struct stat a, b;
    if (stat(from, &a) == 0 && stat(to, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return 1;
    char *temp = sk_temp_name(to), *dir = sk_path_dir(to);
    int result = 1;
    if (link(from, temp) < 0)
        result = errno == EXDEV || errno == EPERM || errno == EACCES || errno == EMLINK || errno == ENOTSUP ||
            errno == ENOSYS ? 0 : sk_fail_errno("cannot link %s to %s", from, to);
    else if (rename(temp, to) < 0) {
        result = sk_fail_errno("cannot create %s", to);
        unlink(temp);
    } else if (sk_fsync_dir(dir) < 0)
        result = -1;
    free(temp);
    free(dir);
    return result;
}

static struct sk_corpus *corpus_of_prepared(struct sk_start *s)
{
    const char *dir = s->o->prepared_data;
    char *ours = sk_start_path(s, SK_MD_CORPUS), *theirs = sk_path_join(dir, SK_PREPARED_CORPUS);
    struct sk_corpus *c = s->prepared;
    int linked = 0;
    s->prepared = NULL;
    if (s->gone) {
        c = sk_corpus_open(ours, sk_vocab_size(s->vocab[0]), sk_vocab_size(s->vocab[1]));
    } else if (c || (c = sk_prepared_corpus(dir, &s->inputs, s->vocab))) {
        linked = link_corpus(theirs, ours);
        if (linked == 0 && sk_file_remove(ours) < 0)
            linked = -1;
        if (linked == 0)
            sk_info("The corpus is read from '%s', which is needed as long as training may go on: it cannot be linked "
                    "into '%s'", dir, s->dir);
        if (linked < 0) {
            sk_corpus_close(c);
            c = NULL;
        }
    }
    free(ours);
    free(theirs);
    if (c)
        sk_info("Prepared data '%s': %lld pairs of at most %d:%d words", dir, (long long)sk_corpus_stats(c)->pairs,
                s->o->max_seq_len[0], s->o->max_seq_len[1]);
    return c;
}

int sk_start_corpora(struct sk_start *s)
{
    struct sk_train_data *d = s->d;
    d->train = s->o->prepared_data ? corpus_of_prepared(s)
        : s->inputs.training ? joined_corpus(s) : corpus_of_pair(s, SK_MD_CORPUS, SK_IN_SOURCE);
    if (!d->train || !(d->validation = corpus_of_pair(s, SK_MD_VALIDATION, SK_IN_VALIDATION_SOURCE)))
        return -1;
    d->held_out = *sk_corpus_stats(d->validation);
    for (int i = s->inputs.training; i < s->inputs.texts; i++) {
        if (!(d->monitor[d->monitors] = corpus_with_name(s, i)))
            return -1;
        sk_corpus_stats_add(&d->held_out, sk_corpus_stats(d->monitor[d->monitors++]));
    }
    return 0;
}

/* --- the validation text ------------------------------------------------------------------ */

/* The text as evaluators read it: one line for each line, whatever they say. */
static int copy_text(const struct sk_start *s, const char *from, const char *name)
{
    if (!s->fresh && sk_start_has(s, name) > 0)
        return 0;
    char *path = sk_start_path(s, name), *line;
    struct sk_lines *l = sk_lines_open(from, s->p->lines_flags | SK_LINES_NO_WARNINGS);
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

/* With source factors evaluators read them in the words: word|factor. */
static int zip_text(const struct sk_start *s)
{
    const struct sk_train_options *o = s->o;
    if (!s->fresh && sk_start_has(s, SK_MD_VALIDATION_SOURCE) > 0)
        return 0;
    char *path = sk_start_path(s, SK_MD_VALIDATION_SOURCE);
    int result = sk_factored_zip(path, o->validation_source, o->validation_factors.v, o->validation_factors.n,
                                 s->p->lines_flags | SK_LINES_NO_WARNINGS);
    free(path);
    return result;
}

int sk_start_validation_text(const struct sk_start *s)
{
    return (s->combinations ? zip_text(s) : copy_text(s, s->o->validation_source, SK_MD_VALIDATION_SOURCE)) < 0 ||
        copy_text(s, s->o->validation_target, SK_MD_VALIDATION_TARGET) < 0 ? -1 : 0;
}
