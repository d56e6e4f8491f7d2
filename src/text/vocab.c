#include "text/vocab.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"
#include "text/words.h"

static const char *const special[SK_SPECIALS] = {"<pad>", "<unk>", "<s>", "</s>"};

enum { SK_VOCAB_MOST = 1 << 30 };   /* ids are int32_t */

/* words.w[id].value = id */
struct sk_vocab { struct sk_words words; };
struct sk_vocab_counts { struct sk_words words; };

/* --- counting ----------------------------------------------------------- */

struct sk_vocab_counts *sk_vocab_counts_new(void) { return sk_xcalloc(1, sizeof(struct sk_vocab_counts)); }

void sk_vocab_counts_free(struct sk_vocab_counts *c)
{
    if (!c) return;
    sk_words_free(&c->words);
    free(c);
}

static void progress(const struct sk_lines *l)
{
    uint64_t done, total;
    sk_lines_progress(l, &done, &total);
    if (total) sk_live("%s: counting words, %.0f%%", sk_lines_path(l), 100.0 * (double)done / (double)total);
    else sk_live("%s: counting words, line %llu", sk_lines_path(l), (unsigned long long)sk_lines_number(l));
}

int sk_vocab_count_file(struct sk_vocab_counts *c, const char *path, unsigned lines_flags)
{
    struct sk_lines *l = sk_lines_open(path, lines_flags);
    char *line;
    size_t n;
    int r;
    if (!l) return -1;
    while ((r = sk_lines_next(l, &line, &n)) > 0) {
        const char *p = line, *token;
        while ((token = sk_token_next(&p, &n))) sk_words_put(&c->words, token, n)->value++;
        if (sk_lines_number(l) % 65536 == 0 && sk_live_wanted()) progress(l);
    }
    sk_lines_close(l);
    return r;
}

static int is_special(const struct sk_word *w)
{
    for (int i = 0; i < SK_SPECIALS; i++)
        if (!strcmp(w->text, special[i])) return 1;
    return 0;
}

/* Most frequent first; ties in reverse byte order, which is reverse code
 * point order for UTF-8. */
static int by_count(const void *a, const void *b)
{
    const struct sk_word *x = *(const struct sk_word *const *)a, *y = *(const struct sk_word *const *)b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return strcmp(y->text, x->text);
}

static void add(struct sk_vocab *v, const char *text)
{
    uint32_t id = v->words.n;
    sk_words_put(&v->words, text, strlen(text))->value = id;
}

/* `<padN>` with its own id. Should the text have that very word, an
 * apostrophe tells them apart. */
static void add_padding(struct sk_vocab *v)
{
    char name[64];
    size_t n = (size_t)snprintf(name, sizeof name, "<pad%u>", v->words.n);
    while (sk_words_find(&v->words, name, n) && n + 1 < sizeof name) {
        name[n++] = '\'';
        name[n] = 0;
    }
    add(v, name);
}

struct sk_vocab *sk_vocab_build(const struct sk_vocab_counts *c, int num_words, int min_count, int pad_to)
{
    uint32_t initial = 0, frequent = 0, kept, pads = 0;
    const struct sk_word **w = sk_xcalloc((size_t)c->words.n + 1, sizeof *w);
    for (uint32_t i = 0; i < c->words.n; i++) {
        if (is_special(&c->words.w[i])) continue;
        initial++;
        if (c->words.w[i].value >= min_count) w[frequent++] = &c->words.w[i];
    }
    kept = num_words > 0 && frequent > (uint32_t)num_words ? (uint32_t)num_words : frequent;
    if (!kept || kept > SK_VOCAB_MOST) {
        free(w);
        if (kept) sk_fail(SK_EXIT_DATA, "%u words are too many for a vocabulary: limit them by --num-words", kept);
        else if (initial) sk_fail(SK_EXIT_DATA, "none of %u words occurs %d times (--word-min-count)", initial, min_count);
        else sk_fail(SK_EXIT_DATA, "the text has no words to make a vocabulary of");
        return NULL;
    }
    qsort(w, frequent, sizeof *w, by_count);
    struct sk_vocab *v = sk_xcalloc(1, sizeof *v);
    for (int i = 0; i < SK_SPECIALS; i++) add(v, special[i]);
    for (uint32_t i = 0; i < kept; i++) add(v, w[i]->text);
    free(w);
    for (; pad_to > 0 && v->words.n % (uint32_t)pad_to; pads++) add_padding(v);
    char limit[16] = "None", pad[16] = "None";
    if (num_words > 0) snprintf(limit, sizeof limit, "%d", num_words);
    if (pad_to > 0) snprintf(pad, sizeof pad, "%d", pad_to);
    sk_info("Vocabulary: types: %u/%u/%u/%u (initial/min_pruned/max_pruned/+special) [min_frequency=%d, "
            "max_num_types=%s, pad_to_multiple_of=%s]", initial, frequent, kept, kept + SK_SPECIALS + pads, min_count,
            limit, pad);
    return v;
}

/* --- use ------------------------------------------------------------------ */

int32_t sk_vocab_size(const struct sk_vocab *v) { return (int32_t)v->words.n; }

int32_t sk_vocab_id(const struct sk_vocab *v, const char *word, size_t n)
{
    const struct sk_word *w = sk_words_find(&v->words, word, n);
    /* A special symbol that stands in text is a word like any other, and not known. */
    return w && w->value >= SK_SPECIALS ? (int32_t)w->value : SK_UNK;
}

const char *sk_vocab_word(const struct sk_vocab *v, int32_t id)
{
    SK_ENSURE(id >= 0 && (uint32_t)id < v->words.n);
    return v->words.w[id].text;
}

int sk_vocab_equal(const struct sk_vocab *a, const struct sk_vocab *b)
{
    if (a->words.n != b->words.n) return 0;
    for (uint32_t i = 0; i < a->words.n; i++)
        if (strcmp(a->words.w[i].text, b->words.w[i].text)) return 0;
    return 1;
}

void sk_vocab_free(struct sk_vocab *v)
{
    if (!v) return;
    sk_words_free(&v->words);
    free(v);
}

/* --- files ------------------------------------------------------------------ */

static void add_json(struct sk_str *s, const char *text)
{
    static const char escape[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    for (; *text; text++) {
        const char *e = strchr(escape, *text);
        if (e) sk_str_printf(s, "\\%c", letter[e - escape]);
        else if ((unsigned char)*text < 0x20) sk_str_printf(s, "\\u%04x", (unsigned)*text);
        else sk_str_add(s, text, 1);
    }
}

int sk_vocab_save(const struct sk_vocab *v, const char *path)
{
    struct sk_str s = {0};
    sk_str_add(&s, "{", 1);
    for (uint32_t i = 0; i < v->words.n; i++) {
        sk_str_printf(&s, "%s\n    \"", i ? "," : "");
        add_json(&s, v->words.w[i].text);
        sk_str_printf(&s, "\": %u", i);
    }
    sk_str_add(&s, "\n}", 2);
    int r = strcmp(path, "-") ? sk_file_save(path, s.text, s.len, SK_REPLACE)
                              : sk_write_all(STDOUT_FILENO, s.text, s.len);
    sk_str_free(&s);
    return r;
}

static int fill(struct sk_vocab *v, const json_t *o, const char *path)
{
    size_t n = json_object_size(o);
    const char **word = sk_xcalloc(n + 1, sizeof *word);
    const char *key;
    json_t *value;
    int r = 0;
    json_object_foreach((json_t *)o, key, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || (size_t)id >= n)
            r = sk_fail(SK_EXIT_DATA, "%s: the id of '%.100s' is not one of 0 to %zu", path, key, n - 1);
        else if (word[id])
            r = sk_fail(SK_EXIT_DATA, "%s: '%.100s' and '%.100s' have the same id", path, word[id], key);
        else
            word[id] = key;
        if (r) break;
    }
    for (size_t i = 0; i < SK_SPECIALS && !r; i++)
        if (i >= n || strcmp(word[i], special[i]))
            r = sk_fail(SK_EXIT_DATA, "%s: no vocabulary: id %zu is not %s", path, i, special[i]);
    for (size_t i = 0; i < n && !r; i++) {
        const char *p = word[i];
        size_t length = 0;
        if (!sk_token_next(&p, &length) || length != strlen(word[i]))
            r = sk_fail(SK_EXIT_DATA, "%s: the entry with id %zu is empty or has white space in it", path, i);
        else
            add(v, word[i]);
    }
    free(word);
    return r;
}

struct sk_vocab *sk_vocab_load(const char *path)
{
    const size_t limit = (size_t)1 << 32;
    size_t n;
    char *text = sk_file_load(path, limit, &n);
    if (!text) return NULL;
    json_error_t e;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    free(text);
    struct sk_vocab *v = sk_xcalloc(1, sizeof *v);
    int r;
    if (!json_is_object(o))
        r = sk_fail(SK_EXIT_DATA, "%s:%d: no vocabulary: %s", path, o ? 1 : e.line, o ? "not a JSON object" : e.text);
    else if (json_object_size(o) > SK_VOCAB_MOST + 65536)
        r = sk_fail(SK_EXIT_DATA, "%s: more than %d entries", path, SK_VOCAB_MOST);
    else
        r = fill(v, o, path);
    json_decref(o);
    if (!r) return v;
    sk_vocab_free(v);
    return NULL;
}
