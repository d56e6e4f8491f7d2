#include "text/vocab.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"
#include "text/utf8.h"
#include "text/vocab_private.h"
#include "text/words.h"

static const char *const special[SK_SPECIALS] = {"<pad>", "<unk>", "<s>", "</s>"};

/* words.w[id].value = id */
struct sk_vocab { struct sk_words words; };

int sk_vocab_is_special(const char *word)
{
    for (int i = 0; i < SK_SPECIALS; i++)
        if (!strcmp(word, special[i])) return 1;
    return 0;
}

struct sk_vocab *sk_vocab_new(size_t n)
{
    struct sk_vocab *v = sk_xcalloc(1, sizeof *v);
    sk_words_reserve(&v->words, n);
    for (int i = 0; i < SK_SPECIALS; i++) sk_vocab_add(v, special[i], strlen(special[i]));
    return v;
}

int sk_vocab_has(const struct sk_vocab *v, const char *word, size_t n)
{
    return sk_words_find(&v->words, word, n) != NULL;
}

void sk_vocab_add(struct sk_vocab *v, const char *word, size_t n)
{
    uint32_t id = v->words.n;
    sk_words_put(&v->words, word, n)->value = id;
}

/* --- use ------------------------------------------------------------------ */

int32_t sk_vocab_size(const struct sk_vocab *v) { return (int32_t)v->words.n; }

int32_t sk_vocab_id(const struct sk_vocab *v, const char *word, size_t n)
{
    const struct sk_word *w = sk_words_find(&v->words, word, n);
    /* A special symbol that stands in text is a word like any other, and not known. */
    return w && w->value >= SK_SPECIALS ? (int32_t)w->value : SK_UNK;
}

void sk_vocab_ids(const struct sk_vocab *v, const struct sk_token *t, int n, int32_t *ids)
{
    const struct sk_words *w = &v->words;
    for (int i = 0; i < n; i++) sk_words_ask_slot(w, t[i].hash);
    for (int i = 0; i < n; i++) sk_words_ask_word(w, t[i].hash);
    for (int i = 0; i < n; i++) {
        const struct sk_word *word = sk_words_find_hashed(w, t[i].text, t[i].n, t[i].head, t[i].hash);
        ids[i] = word && word->value >= SK_SPECIALS ? (int32_t)word->value : SK_UNK;
    }
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
    for (;; text++) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\') plain++;
        sk_str_add(s, text, plain);
        text += plain;
        if (!*text) return;
        const char *e = strchr(escape, *text);
        if (e) sk_str_printf(s, "\\%c", letter[e - escape]);
        else sk_str_printf(s, "\\u%04x", (unsigned)*text);
    }
}

static void add_number(struct sk_str *s, uint32_t n)
{
    char digits[10];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    sk_str_add(s, digits + at, sizeof digits - at);
}

/* Hands over what has gathered; f NULL: to standard output. */
static int put(struct sk_file *f, struct sk_str *s)
{
    int failed = f ? sk_file_write(f, s->text, s->len) : sk_write_all(STDOUT_FILENO, s->text, s->len);
    sk_str_clear(s);
    return failed;
}

int sk_vocab_save(const struct sk_vocab *v, const char *path)
{
    struct sk_str s = {0};
    struct sk_file file, *f = strcmp(path, "-") ? &file : NULL;
    int failed = 0;
    if (f && sk_file_create(f, path)) return -1;
    for (uint32_t i = 0; i < v->words.n && !failed; i++) {
        sk_str_add(&s, i ? ",\n    \"" : "{\n    \"", 7);
        add_json(&s, v->words.w[i].text);
        sk_str_add(&s, "\": ", 3);
        add_number(&s, i);
        if (s.len > 1 << 16) failed = put(f, &s);
    }
    sk_str_add(&s, "\n}", 2);
    if (!failed) failed = put(f, &s);
    sk_str_free(&s);
    if (!f) return failed ? -1 : 0;
    if (failed) sk_file_abandon(f);
    return failed || sk_file_commit(f, SK_REPLACE) ? -1 : 0;
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
            sk_words_put(&v->words, word[i], length)->value = (int64_t)i;
    }
    free(word);
    return r;
}

/* The JSON string at *p, behind its quote, made a string in its place; *p ends
 * behind the closing quote. NULL: empty, or with other escapes than \" \\ \/. */
static char *take_string(char **p)
{
    char *word = *p, *from = word, *to = word;
    for (; *from != '"'; *to++ = *from++)
        if ((unsigned char)*from < 0x20 || (*from == '\\' && (!*++from || !strchr("\"\\/", *from)))) return NULL;
    *to = 0;
    *p = from + 1;
    return to > word ? word : NULL;
}

/* Reads the form in which sk_vocab_save and Sockeye write; uses the text up.
 * 0: it has another form, or is no vocabulary. */
static int fill_simply(struct sk_vocab *v, char *text, size_t n)
{
    char *p = text, *word, *end;
    size_t length;
    if (sk_utf8_valid(text, n, 0) < n || *p++ != '{') return 0;
    for (uint32_t id = 0; id < SK_VOCAB_MOST; id++) {
        if (strncmp(p, "\n    \"", 6)) return 0;
        p += 6;
        if (!(word = take_string(&p)) || strncmp(p, ": ", 2) || p[2] < '0' || p[2] > '9') return 0;
        if (strtoul(p + 2, &end, 10) != id || (p[2] == '0' && id)) return 0;
        const char *at = word;
        if (!sk_token_next(&at, &length) || *at || at != word + length) return 0;
        if (id < SK_SPECIALS && strcmp(word, special[id])) return 0;
        sk_words_put(&v->words, word, length)->value = id;
        if (v->words.n != id + 1) return 0;
        p = end + 1;
        if (*end == '\n') return id + 1 >= SK_SPECIALS && p + 1 == text + n && *p == '}';
        if (*end != ',') return 0;
    }
    return 0;
}

/* Reads any JSON, and says what is wrong. */
static int fill_from_json(struct sk_vocab *v, const char *path, const char *text, size_t n)
{
    json_error_t e;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    int r;
    if (!json_is_object(o))
        r = sk_fail(SK_EXIT_DATA, "%s:%d: no vocabulary: %s", path, o ? 1 : e.line, o ? "not a JSON object" : e.text);
    else if (json_object_size(o) > SK_VOCAB_MOST + 65536)
        r = sk_fail(SK_EXIT_DATA, "%s: more than %d entries", path, SK_VOCAB_MOST);
    else
        r = fill(v, o, path);
    json_decref(o);
    return r;
}

struct sk_vocab *sk_vocab_load(const char *path)
{
    const size_t limit = (size_t)1 << 32;
    struct sk_vocab *v = sk_xcalloc(1, sizeof *v);
    size_t n;
    char *text = sk_file_load(path, limit, &n);
    int r = text ? 0 : -1;
    if (!r && !fill_simply(v, text, n)) {
        sk_words_free(&v->words);
        free(text);
        text = sk_file_load(path, limit, &n);
        r = text ? fill_from_json(v, path, text, n) : -1;
    }
    free(text);
    if (!r) return v;
    sk_vocab_free(v);
    return NULL;
}
