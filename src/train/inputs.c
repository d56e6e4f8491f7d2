#include "train/inputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/metrics.h"
#include "text/lines.h"
#include "text/survey.h"

static const char *const option_of[SK_INPUTS] = {
    "source", "target", "validation-source", "validation-target", "source-vocab", "target-vocab", "params",
    "corpus"};

static const char data[] = "data", monitor_set[] = "monitor-set", factors[] = "source-factors";

static void name_texts(struct sk_inputs *in, const char *option, const struct sk_named_texts *t)
{
    for (int i = 0; i < t->n; i++) {
        struct sk_input_text *to = &in->text[in->all++];
        char weight[32];
        sk_metrics_number(t->v[i].weight, weight);
        to->given = &t->v[i];
        snprintf(to->key, sizeof to->key, "%s:%s%s%s", option, t->v[i].name, option == data ? ":" : "",
                 option == data ? weight : "");
    }
}

/* Which option a text is of. */
static const char *option_of_text(const struct sk_inputs *in, int i)
{
    return i < in->training ? data : i < in->texts ? monitor_set : factors;
}

/* What its two sides are called. */
static const char *side_of(const char *key, int side)
{
    static const char *const names[2][2] = {{"source", "target"}, {"training", "validation"}};
    return names[strncmp(key, factors, strlen(factors)) == 0][side];
}

void sk_inputs_name(struct sk_inputs *in, const struct sk_train_options *o)
{
    memset(in, 0, sizeof *in);
    in->path[SK_IN_SOURCE] = o->source;
    in->path[SK_IN_TARGET] = o->target;
    in->path[SK_IN_VALIDATION_SOURCE] = o->validation_source;
    in->path[SK_IN_VALIDATION_TARGET] = o->validation_target;
    in->path[SK_IN_SOURCE_VOCAB] = o->source_vocab;
    in->path[SK_IN_TARGET_VOCAB] = o->target_vocab;
    in->path[SK_IN_PARAMS] = o->params;
    for (int i = 0; i < SK_INPUTS; i++)
        if (in->path[i] && !*in->path[i])
            in->path[i] = NULL;
    name_texts(in, data, &o->texts);
    in->training = in->all;
    name_texts(in, monitor_set, &o->monitors);
    in->texts = in->all;
    name_texts(in, factors, &o->factor_texts);
}

static void refuse_stream(const char *option)
{
    sk_opt_misuse("--%s -: the file is read more than once, which standard input does not allow: store it first", option);
}

void sk_inputs_check_names(const struct sk_inputs *in)
{
    for (int i = 0; i < SK_INPUTS; i++)
        if (in->path[i] && strcmp(in->path[i], "-") == 0)
            refuse_stream(option_of[i]);
    for (int i = 0; i < 2 * in->all; i++)
        if (strcmp(in->text[i / 2].given->path[i % 2], "-") == 0)
            refuse_stream(option_of_text(in, i / 2));
}

/* These files are read several times, which a pipe does not survive. */
static int check_regular(const char *path)
{
    if (sk_file_check_plain(path) < 0)
        return sk_fail(SK_EXIT_NOINPUT, "%s; it is read several times: store it first", sk_fail_message());
    int fd = sk_file_open(path);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int hash_file(struct sk_inputs *in, enum sk_input i)
{
    return check_regular(in->path[i]) < 0 ? -1 : sk_hash_file(in->path[i], in->file[i]);
}

/* --- text ---------------------------------------------------------------- */

/* One text: checksum of its lines. */
static int hash_lines(const char *path, unsigned flags, char hex[SK_HASH_HEX])
{
    struct sk_lines *l = sk_lines_open(path, flags);
    if (!l)
        return -1;
    struct sk_hash *h = sk_hash_new();
    char *line;
    size_t n;
    int got;
    while ((got = sk_lines_next(l, &line, &n)) > 0) {
        sk_hash_add(h, line, n);
        sk_hash_add(h, "\n", 1);
    }
    sk_hash_end(h, hex);
    sk_lines_close(l);
    return got;
}

/* Both sides of a corpus: checksums, and whether anything can be made of it. */
static int read_pair(const char *const path[2], const struct sk_corpus_options *o, struct sk_vocab_counts *const counts[2],
                     char (*file)[SK_HASH_HEX], char (*content)[SK_HASH_HEX], struct sk_corpus_stats *size)
{
    struct sk_survey s;
    if (check_regular(path[0]) < 0 || check_regular(path[1]) < 0 || sk_survey(&s, path[0], path[1], o, counts) < 0)
        return -1;
    memcpy(file, s.file, sizeof s.file);
    memcpy(content, s.content, sizeof s.content);
    *size = (struct sk_corpus_stats){
        .pairs = s.pairs, .source_tokens = s.tokens[0], .target_tokens = s.tokens[1], .max_source = s.longest[0],
        .max_target = s.longest[1]};
    return 0;
}

/* The texts with names, and what they are together with those without. */
static int read_texts(struct sk_inputs *in, const struct sk_corpus_options *o, struct sk_vocab_counts *const counts[2])
{
    for (int i = 0; i < in->texts; i++) {
        struct sk_input_text *t = &in->text[i];
        int trains = i < in->training;
        if (read_pair(t->given->path, o, trains ? counts : NULL, t->file, t->content, &t->size) < 0)
            return -1;
        sk_corpus_stats_add(&in->size[!trains], &t->size);
    }
    for (int i = 2 * in->texts; i < 2 * in->all; i++) {
        struct sk_input_text *t = &in->text[i / 2];
        const char *path = t->given->path[i % 2];
        if (check_regular(path) < 0 || sk_hash_file(path, t->file[i % 2]) < 0 ||
            hash_lines(path, o->lines_flags | SK_LINES_NO_WARNINGS, t->content[i % 2]) < 0)
            return -1;
    }
    return 0;
}

/* --- vocabularies and parameters ------------------------------------------ */

static void hash_vocab(const struct sk_vocab *v, char hex[SK_HASH_HEX])
{
    struct sk_hash *h = sk_hash_new();
    for (int32_t id = 0; id < sk_vocab_size(v); id++) {
        const char *word = sk_vocab_word(v, id);
        sk_hash_add(h, word, strlen(word) + 1);
    }
    sk_hash_end(h, hex);
}

void sk_inputs_set_vocabs(struct sk_inputs *in, struct sk_vocab *const v[2])
{
    hash_vocab(v[0], in->content[SK_IN_SOURCE_VOCAB]);
    hash_vocab(v[1], in->content[SK_IN_TARGET_VOCAB]);
}

int sk_inputs_read(struct sk_inputs *in, const struct sk_corpus_options *o, struct sk_vocab_counts *const counts[2])
{
    for (enum sk_input i = SK_IN_SOURCE; i <= SK_IN_VALIDATION_SOURCE; i += 2) {
        struct sk_corpus_stats *size = &in->size[i == SK_IN_VALIDATION_SOURCE];
        *size = (struct sk_corpus_stats){.pairs = 0};
        if (in->path[i] && read_pair(&in->path[i], o, i == SK_IN_SOURCE ? counts : NULL, &in->file[i], &in->content[i],
                                     size) < 0)
            return -1;
    }
    if (read_texts(in, o, counts) < 0)
        return -1;
    for (enum sk_input i = SK_IN_SOURCE_VOCAB; i < SK_INPUTS; i++)
        if (in->path[i] && hash_file(in, i) < 0)
            return -1;
    memcpy(in->content[SK_IN_PARAMS], in->file[SK_IN_PARAMS], SK_HASH_HEX);
    return 0;
}

/* --- the record ------------------------------------------------------------ */

static const char *shown(const char *hex)
{
    return *hex ? hex : "-";
}

int sk_inputs_save(const struct sk_inputs *in, const char *path)
{
    struct sk_str text = {0};
    for (int i = 0; i < SK_INPUTS; i++)
        sk_str_printf(&text, "%s\t%s\t%s\n", option_of[i], shown(in->file[i]), shown(in->content[i]));
    for (int i = 0; i < 2 * in->all; i++) {
        const struct sk_input_text *t = &in->text[i / 2];
        sk_str_printf(&text, "%s:%s\t%s\t%s\n", t->key, side_of(t->key, i % 2), shown(t->file[i % 2]), shown(t->content[i % 2]));
    }
    int result = sk_file_save(path, text.text, text.len, SK_REPLACE);
    sk_str_free(&text);
    return result;
}

static int take_hash(char out[SK_HASH_HEX], const char *text)
{
    if (strcmp(text, "-") == 0)
        out[0] = '\0';
    else if (strlen(text) == SK_HASH_HEX - 1)
        memcpy(out, text, SK_HASH_HEX);
    else
        return -1;
    return 0;
}

/* A line of a text with a name: its source comes first. */
static int take_text(struct sk_inputs *in, char *name, const char *file, const char *content)
{
    char *colon = strrchr(name, ':');
    if (!colon || (size_t)(colon - name) >= sizeof in->text[0].key)
        return -1;
    *colon = '\0';
    int side = strcmp(colon + 1, side_of(name, 1)) == 0;
    if (strcmp(colon + 1, side_of(name, side)) != 0)
        return -1;
    if (!side && in->all < SK_INPUT_TEXTS)
        snprintf(in->text[in->all++].key, sizeof in->text[0].key, "%s", name);
    if (in->all == 0)
        return -1;
    struct sk_input_text *t = &in->text[in->all - 1];
    if (strcmp(t->key, name) != 0 || take_hash(t->file[side], file) < 0)
        return -1;
    return take_hash(t->content[side], content);
}

static int take_line(struct sk_inputs *in, char *line)
{
    char *name = strsep(&line, "\t"), *file = strsep(&line, "\t");
    if (!file || !line)
        return -1;
    for (int i = 0; i < SK_INPUTS; i++)
        if (strcmp(name, option_of[i]) == 0)
            return take_hash(in->file[i], file) < 0 ? -1 : take_hash(in->content[i], line);
    return take_text(in, name, file, line);
}

int sk_inputs_load(struct sk_inputs *in, const char *path)
{
    memset(in, 0, sizeof *in);
    int there = sk_file_exists(path);
    if (there <= 0)
        return there;
    size_t n;
    char *text = sk_file_load(path, 65536, &n);
    if (!text)
        return -1;
    char *rest = text, *line;
    int number = 0, result = 1;
    while (result > 0 && (line = strsep(&rest, "\n")) != NULL && (*line || rest)) {
        number++;
        if (take_line(in, line) < 0)
            result = sk_fail(SK_EXIT_DATA, "%s: line %d is not `option<TAB>checksum<TAB>checksum`", path, number);
    }
    free(text);
    return result;
}

/* Is this text the recorded one? 0: it is, 1: another, -1: cannot be told. */
static int compare_text(const char *path, const char *file, const char *content, unsigned lines_flags)
{
    char hex[SK_HASH_HEX];
    if (check_regular(path) < 0 || sk_hash_file(path, hex) < 0)
        return -1;
    if (strcmp(hex, file) == 0)
        return 0;
    return hash_lines(path, lines_flags, hex) < 0 ? -1 : strcmp(hex, content) != 0;
}

/* 0: the same, 1: differs, -1: cannot be told. */
static int compare_one(const struct sk_inputs *given, const struct sk_inputs *record, enum sk_input i,
                       unsigned lines_flags)
{
    char file[SK_HASH_HEX], content[SK_HASH_HEX];
    const char *path = given->path[i];
    if (i < SK_IN_SOURCE_VOCAB)
        return compare_text(path, record->file[i], record->content[i], lines_flags);
    if (check_regular(path) < 0 || sk_hash_file(path, file) < 0)
        return -1;
    if (strcmp(file, record->file[i]) == 0 || i == SK_IN_PARAMS)
        return strcmp(file, record->file[i]) != 0;
    struct sk_vocab *v = sk_vocab_load(path);
    if (!v)
        return -1;
    hash_vocab(v, content);
    sk_vocab_free(v);
    return strcmp(content, record->content[i]) != 0;
}

/* The keys of the texts of an option, as an answer to "which?". */
static void list_keys(struct sk_str *to, const struct sk_inputs *in, const char *option)
{
    size_t n = strlen(option);
    const char *before = "'";
    for (int i = 0; i < in->all; i++)
        if (strncmp(in->text[i].key, option, n) == 0 && in->text[i].key[n] == ':') {
            sk_str_printf(to, "%s%s", before, in->text[i].key + n + 1);
            before = " ";
        }
    sk_str_printf(to, "%s", *before == '\'' ? "nothing" : "'");
}

/* Names and weights of an option's texts: 1 if they differ. */
static int compare_keys(const struct sk_inputs *now, const struct sk_inputs *record, const char *option,
                        void (*differs)(void *ctx, const char *option, const char *how), void *ctx)
{
    struct sk_str was = {0}, is = {0}, how = {0};
    list_keys(&was, record, option);
    list_keys(&is, now, option);
    int differ = strcmp(was.text, is.text) != 0;
    sk_str_printf(&how, "was %s, now %s", was.text, is.text);
    if (differ)
        differs(ctx, option, how.text);
    sk_str_free(&was);
    sk_str_free(&is);
    sk_str_free(&how);
    return differ;
}

static int compare_texts(const struct sk_inputs *now, const struct sk_inputs *record, unsigned lines_flags,
                         void (*differs)(void *ctx, const char *option, const char *how), void *ctx)
{
    int n = compare_keys(now, record, data, differs, ctx) + compare_keys(now, record, monitor_set, differs, ctx) +
        compare_keys(now, record, factors, differs, ctx);
    for (int i = 0; i < 2 * now->all && !n; i++) {
        const struct sk_input_text *t = &now->text[i / 2], *r = &record->text[i / 2];
        int differ = compare_text(t->given->path[i % 2], r->file[i % 2], r->content[i % 2], lines_flags);
        if (differ < 0)
            return -1;
        struct sk_str which = {0};
        sk_str_printf(&which, "the %s text of %s is not the same", side_of(t->key, i % 2), t->given->name);
        if (differ)
            differs(ctx, option_of_text(now, i / 2), which.text);
        sk_str_free(&which);
        n += differ;
    }
    return n;
}

int sk_inputs_compare(const struct sk_inputs *now, const struct sk_inputs *record, unsigned lines_flags, int begun,
                      void (*differs)(void *ctx, const char *option, const char *how), void *ctx)
{
    int n = 0;
    for (enum sk_input i = 0; i < SK_IN_CORPUS; i++) {
        int differ;
        if (now->known[i])
            differ = strcmp(now->content[i], record->content[i]) != 0;
        else if (!now->path[i])
            differ = record->file[i][0] != '\0';
        else if (i == SK_IN_PARAMS && begun && sk_file_exists(now->path[i]) == 0)
            differ = record->file[i][0] == '\0';
        else
            differ = compare_one(now, record, i, lines_flags);
        if (differ < 0)
            return -1;
        if (differ)
            differs(ctx, option_of[i], NULL);
        n += differ;
    }
    int texts = compare_texts(now, record, lines_flags, differs, ctx);
    return texts < 0 ? -1 : n + texts;
}
