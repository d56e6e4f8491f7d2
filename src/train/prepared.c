#include "train/prepared.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

enum { LARGEST_RECORD = 1 << 20 };

static int damaged(const char *dir, const char *what)
{
    return sk_fail(SK_EXIT_DATA, "%s: %s; sk-prepare-data makes it again", dir, what);
}

static const char version[] = "sk-prepared\t1\n", sum_name[] = "sum\t";

/* Checksum of n bytes of data.info and of the file checksums. */
static int sum(const char *dir, const char *text, size_t n, char hex[SK_HASH_HEX])
{
    size_t more = 0;
    char *path = sk_path_join(dir, SK_PREPARED_CHECKSUMS), *sums = sk_file_load(path, LARGEST_RECORD, &more);
    struct sk_hash *h = sk_hash_new();
    sk_hash_add(h, text, n);
    sk_hash_add(h, sums, more);
    sk_hash_end(h, hex);
    free(path);
    if (!sums)
        return sk_fail_code() == SK_EXIT_NOINPUT ? damaged(dir, "its file " SK_PREPARED_CHECKSUMS " is missing") : -1;
    free(sums);
    return 0;
}

int sk_prepared_save_record(const char *dir, const char *options)
{
    struct sk_str text = {0};
    char hex[SK_HASH_HEX], *path = sk_path_join(dir, SK_PREPARED_INFO);
    sk_str_printf(&text, "%s%s", version, options);
    int result = sum(dir, text.text, text.len, hex);
    sk_str_printf(&text, "%s%s\n", sum_name, hex);
    if (result == 0)
        result = sk_file_save(path, text.text, text.len, SK_REPLACE);
    sk_str_free(&text);
    free(path);
    return result;
}

/* What stands between the version and a sum that is right, moved to the front; or -1. */
static int unwrap(const char *dir, char *text, size_t n)
{
    const size_t first = sizeof version - 1, last = sizeof sum_name - 1 + SK_HASH_HEX;   /* with its \n */
    char hex[SK_HASH_HEX];
    if (strncmp(text, version, first) != 0)
        return sk_fail(SK_EXIT_CONFIG, "%s/" SK_PREPARED_INFO " is not of sk-prepare-data, or of another version: prepare "
                       "the text in another folder", dir);
    if (n < first + last)
        return damaged(dir, "its file " SK_PREPARED_INFO " is not complete");
    char *end = text + n - last;
    if (sum(dir, text, n - last, hex) < 0)
        return -1;
    if (memcmp(end, sum_name, sizeof sum_name - 1) != 0 || memcmp(end + sizeof sum_name - 1, hex, SK_HASH_HEX - 1) != 0 ||
        text[n - 1] != '\n')
        return damaged(dir, SK_PREPARED_INFO " and " SK_PREPARED_CHECKSUMS " do not have their checksum");
    *end = '\0';
    memmove(text, text + first, n - last - first + 1);
    return 0;
}

char *sk_prepared_record(const char *dir)
{
    size_t n;
    char *path = sk_path_join(dir, SK_PREPARED_INFO), *text = sk_file_load(path, LARGEST_RECORD, &n);
    if (!text && sk_fail_code() == SK_EXIT_NOINPUT)
        sk_fail(SK_EXIT_NOINPUT, "%s is no prepared data, or its preparation was not finished (no " SK_PREPARED_INFO
                "): sk-prepare-data makes it", dir);
    if (text && unwrap(dir, text, n) < 0) {
        free(text);
        text = NULL;
    }
    free(path);
    return text;
}

/* --- options ------------------------------------------------------------------- */

#define AT(field) offsetof(struct sk_train_options, field)
/* Those that belong to the data, --shared-vocab first, with the trainer's defaults. */
static const struct { const char *name; size_t at; int n, initial; } options[] = {
    {"shared-vocab", AT(shared_vocab), 1, 0}, {"num-words", AT(num_words), 2, 0},
    {"word-min-count", AT(word_min_count), 2, 1}, {"pad-vocab-to-multiple-of", AT(pad_vocab), 1, 0},
    {"max-seq-len", AT(max_seq_len), 2, 99}};

/* The numbers of an option in a record: `name<TAB>N` or `name<TAB>N:N`. */
static int numbers(const char *record, const char *name, int n, int value[2])
{
    size_t length = strlen(name);
    const char *line = record;
    while (line && (strncmp(line, name, length) != 0 || line[length] != '\t')) {
        line = strchr(line, '\n');
        line += line != NULL;
    }
    if (!line)
        return -1;
    line += length + 1;
    for (int i = 0; i < n; i++) {
        char *end;
        errno = 0;
        long v = strtol(line, &end, 10);
        if (end == line || errno || v < 0 || v > 2147483647 || *end != (i + 1 < n ? ':' : '\n'))
            return -1;
        value[i] = (int)v;
        line = end + 1;
    }
    return 0;
}

static void show(char text[32], const int *v, int n)
{
    if (n == 2)
        snprintf(text, 32, "%d:%d", v[0], v[1]);
    else
        snprintf(text, 32, "%d", v[0]);
}

static int adopt(struct sk_train_options *o, const char *record, const char *from)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int *given = (int *)(void *)((char *)o + options[i].at), theirs[2] = {0, 0}, n = options[i].n;
        if (numbers(record, options[i].name, n, theirs) < 0)
            return sk_fail(SK_EXIT_DATA, "%s: its record says nothing sensible of --%s", from, options[i].name);
        int is_default = given[0] == options[i].initial && (n < 2 || given[1] == options[i].initial);
        if (!is_default && memcmp(given, theirs, (size_t)n * sizeof *given) != 0) {
            char before[32], now[32];
            show(before, theirs, n);
            show(now, given, n);
            return sk_fail(SK_EXIT_CONFIG, "%s was prepared with --%s %s, not %s: leave the option out, or prepare the "
                           "text again", from, options[i].name, before, now);
        }
        /* Tying that implies a shared vocabulary leaves the option as it is, as with text. */
        if (i > 0 || !sk_train_tying_shares(o))
            memcpy(given, theirs, (size_t)n * sizeof *given);
    }
    return 0;
}

/* The record of the run in a model directory that has its corpus; or NULL. */
static char *record_of_run(const char *dir)
{
    char *args = sk_path_join(dir, SK_MD_ARGS), *corpus = sk_path_join(dir, SK_MD_CORPUS), *text = NULL;
    if (sk_file_exists(args) > 0 && sk_file_exists(corpus) > 0)
        text = sk_file_load(args, LARGEST_RECORD, NULL);
    free(args);
    free(corpus);
    return text;
}

int sk_prepared_adopt(struct sk_train_options *o)
{
    const char *from = o->prepared_data;
    char *record = sk_prepared_record(from), *why = NULL;
    if (!record && sk_fail_code() == SK_EXIT_NOINPUT && !o->overwrite_output) {
        why = sk_xstrdup(sk_fail_message());
        record = record_of_run(from = o->output);
        if (!record)
            sk_fail(SK_EXIT_NOINPUT, "%s", why);
    }
    int result = record ? adopt(o, record, from) : -1;
    free(record);
    free(why);
    return result;
}

/* --- contents ---------------------------------------------------------------------- */

int sk_prepared_is_input(enum sk_input i)
{
    return i == SK_IN_SOURCE || i == SK_IN_TARGET || i == SK_IN_SOURCE_VOCAB || i == SK_IN_TARGET_VOCAB ||
        i == SK_IN_CORPUS;
}

int sk_prepared_inputs(const char *dir, struct sk_inputs *in)
{
    struct sk_inputs read;
    char *path = sk_path_join(dir, SK_PREPARED_CHECKSUMS);
    int result = sk_inputs_load(&read, path);
    free(path);
    if (result == 0)
        return damaged(dir, "its file " SK_PREPARED_CHECKSUMS " is missing");
    for (enum sk_input i = 0; i < SK_INPUTS && result > 0; i++) {
        if (!sk_prepared_is_input(i))
            continue;
        if (!*read.content[i])
            result = damaged(dir, "its file " SK_PREPARED_CHECKSUMS " is not complete");
        in->known[i] = 1;
        memcpy(in->file[i], read.file[i], SK_HASH_HEX);
        memcpy(in->content[i], read.content[i], SK_HASH_HEX);
    }
    return result < 0 ? -1 : 0;
}

static struct sk_vocab *load(const char *dir, const char *name)
{
    char *path = sk_path_join(dir, name);
    struct sk_vocab *v = sk_vocab_load(path);
    free(path);
    /* The folder is there: what it lacks was taken away. */
    if (!v && sk_fail_code() == SK_EXIT_NOINPUT)
        damaged(dir, "its vocabulary is missing");
    return v;
}

int sk_prepared_vocabs(const char *dir, const struct sk_inputs *in, struct sk_vocab *v[2])
{
    struct sk_inputs read = {0};
    int shared = strcmp(in->content[SK_IN_SOURCE_VOCAB], in->content[SK_IN_TARGET_VOCAB]) == 0;
    v[1] = NULL;
    if (!(v[0] = load(dir, SK_PREPARED_VOCAB_SOURCE)) ||
        !(v[1] = shared ? v[0] : load(dir, SK_PREPARED_VOCAB_TARGET))) {
        sk_data_vocabs_free(v);
        return -1;
    }
    sk_inputs_set_vocabs(&read, v);
    for (enum sk_input i = SK_IN_SOURCE_VOCAB; i <= SK_IN_TARGET_VOCAB; i++)
        if (strcmp(read.content[i], in->content[i]) != 0) {
            sk_data_vocabs_free(v);
            return damaged(dir, "a vocabulary is not the one that the corpus was made with");
        }
    return 0;
}

struct sk_corpus *sk_prepared_corpus(const char *dir, const struct sk_inputs *in, struct sk_vocab *const v[2])
{
    char *path = sk_path_join(dir, SK_PREPARED_CORPUS);
    struct sk_corpus *c = sk_corpus_open(path, sk_vocab_size(v[0]), sk_vocab_size(v[1]));
    if (!c && (sk_fail_code() == SK_EXIT_DATA || sk_fail_code() == SK_EXIT_NOINPUT))
        sk_fail(SK_EXIT_DATA, "%s; sk-prepare-data makes it again", sk_fail_message());
    if (c && strcmp(sk_corpus_stats(c)->hash, in->content[SK_IN_CORPUS]) != 0) {
        damaged(dir, "its corpus is not the one that its checksums are of");
        sk_corpus_close(c);
        c = NULL;
    }
    free(path);
    return c;
}
