#include "train/inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"
#include "text/survey.h"

static const char *const option_of[SK_INPUTS] = {
    "source", "target", "validation-source", "validation-target", "source-vocab", "target-vocab", "params",
    "corpus"};

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
}

void sk_inputs_check_names(const struct sk_inputs *in)
{
    for (int i = 0; i < SK_INPUTS; i++)
        if (in->path[i] && strcmp(in->path[i], "-") == 0)
            sk_opt_misuse("--%s -: the file is read more than once, which standard input does not allow: store it first",
                          option_of[i]);
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
static int read_pair(struct sk_inputs *in, enum sk_input source, const struct sk_corpus_options *o,
                     struct sk_vocab_counts *const counts[2])
{
    struct sk_survey s;
    for (int side = 0; side < 2; side++)
        if (check_regular(in->path[source + (enum sk_input)side]) < 0)
            return -1;
    if (sk_survey(&s, in->path[source], in->path[source + 1], o, counts) < 0)
        return -1;
    memcpy(in->file[source], s.file, sizeof s.file);
    memcpy(in->content[source], s.content, sizeof s.content);
    in->size[source == SK_IN_VALIDATION_SOURCE] = (struct sk_corpus_stats){
        .pairs = s.pairs, .source_tokens = s.tokens[0], .target_tokens = s.tokens[1], .max_source = s.longest[0],
        .max_target = s.longest[1]};
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
    if (in->path[SK_IN_SOURCE] && read_pair(in, SK_IN_SOURCE, o, counts) < 0)
        return -1;
    if (in->path[SK_IN_VALIDATION_SOURCE] && read_pair(in, SK_IN_VALIDATION_SOURCE, o, NULL) < 0)
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

static int take_line(struct sk_inputs *in, char *line)
{
    char *name = strsep(&line, "\t"), *file = strsep(&line, "\t");
    if (!file || !line)
        return -1;
    for (int i = 0; i < SK_INPUTS; i++)
        if (strcmp(name, option_of[i]) == 0)
            return take_hash(in->file[i], file) < 0 ? -1 : take_hash(in->content[i], line);
    return -1;
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

/* 0: the same, 1: differs, -1: cannot be told. */
static int compare_one(const struct sk_inputs *given, const struct sk_inputs *record, enum sk_input i,
                       unsigned lines_flags)
{
    struct sk_inputs now = *given;
    if (hash_file(&now, i) < 0)
        return -1;
    if (strcmp(now.file[i], record->file[i]) == 0)
        return 0;
    if (i == SK_IN_PARAMS)
        return 1;
    if (i < SK_IN_SOURCE_VOCAB) {
        if (hash_lines(now.path[i], lines_flags, now.content[i]) < 0)
            return -1;
    } else {
        struct sk_vocab *v = sk_vocab_load(now.path[i]);
        if (!v)
            return -1;
        hash_vocab(v, now.content[i]);
        sk_vocab_free(v);
    }
    return strcmp(now.content[i], record->content[i]) != 0;
}

int sk_inputs_compare(const struct sk_inputs *now, const struct sk_inputs *record, unsigned lines_flags, int begun,
                      void (*differs)(void *ctx, const char *option), void *ctx)
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
            differs(ctx, option_of[i]);
        n += differ;
    }
    return n;
}
