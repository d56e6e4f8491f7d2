/* wishes.c - phrases and prefixes from text to words. */
#include "search/wishes.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"

static int is(const char *word, size_t n, const char *symbol) { return n == strlen(symbol) && !memcmp(word, symbol, n); }

/* Adds the words between <s> and </s>. */
static void read_words(struct sk_phrase_list *l, char *text, const struct sk_wish_words *words, struct sk_str *unknown)
{
    char *encoded = words->encode ? words->encode(words->ctx, text) : NULL;
    const char *at = encoded ? encoded : text, *word;
    size_t n;
    while ((word = sk_token_next(&at, &n)) != NULL) {
        int32_t id = sk_vocab_id(words->target, word, n);
        if (id == SK_UNK && !is(word, n, "<unk>") && unknown->len == 0)
            sk_str_add(unknown, word, n);
        sk_phrase_list_word(l, id);
    }
    free(encoded);
}

/* Adds the words of a phrase to the list. *unknown: the first one that the vocabulary
 * lacks. -1 with *error: it is no phrase. */
static int read_phrase(struct sk_phrase_list *l, const char *phrase, const struct sk_wish_words *words,
                       struct sk_str *unknown, char **error)
{
    const char *at = phrase, *word, *from = NULL, *end = phrase;
    int begins = 0, ends = 0, wrong = 0;
    size_t n;
    while ((word = sk_token_next(&at, &n)) != NULL) {
        wrong |= ends;               /* after </s> */
        if (is(word, n, "</s>")) {
            ends = 1;
        } else if (is(word, n, "<s>")) {
            wrong |= begins || from;
            begins = 1;
        } else {
            from = from ? from : word;
            end = word + n;
        }
    }
    if (wrong || (begins && !from && !ends)) {
        *error = sk_xprintf("'%s' is no phrase: <s> can stand before words only, </s> after them", phrase);
        return -1;
    }
    if (begins)
        sk_phrase_list_word(l, SK_BOS);
    if (from) {
        struct sk_str text = {0};
        sk_str_add(&text, from, (size_t)(end - from));
        read_words(l, text.text, words, unknown);
        sk_str_free(&text);
    }
    if (ends)
        sk_phrase_list_word(l, SK_EOS);
    return 0;
}

/* The strings under a key: how many; -1 with *error. */
static int strings(const json_t *list, const char *key, char **error)
{
    size_t n = json_is_array(list) ? json_array_size(list) : 0;
    if (!list || json_is_null(list))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(list, i)))
            n = 0, list = NULL;
    if (!json_is_array(list)) {
        *error = sk_xprintf("\"%s\" is no list of strings", key);
        return -1;
    }
    return (int)n;
}

static int is_required(const json_t *required, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(json_string_value(json_array_get(required, (size_t)i)), text))
            return 1;
    return 0;
}

static int read_required(struct sk_wishes *w, const json_t *list, int n, const struct sk_wish_words *words, char **error)
{
    struct sk_phrase_list l = {0};
    struct sk_str unknown = {0};
    int result = 0;
    if (n > 0 && words->sampling) {
        *error = sk_xstrdup("\"constraints\": --sample draws words, it does not search for phrases");
        return -1;
    }
    w->name = sk_xcalloc((size_t)n + 1, sizeof *w->name);
    for (int i = 0; i < n && result == 0; i++) {
        const char *text = json_string_value(json_array_get(list, (size_t)i));
        size_t before = l.n;
        result = read_phrase(&l, text, words, &unknown, error);
        sk_phrase_list_end(&l);
        if (l.n > before)
            w->name[w->names++] = sk_xstrdup(text);
    }
    if (result == 0 && (unknown.len > 0 || l.n > SK_PHRASES_NAMED)) {
        *error = unknown.len > 0
            ? sk_xprintf("\"constraints\": '%s' is not in the target vocabulary, so it cannot be written", unknown.text)
            : sk_xprintf("\"constraints\": %zu phrases are more than %d", l.n, SK_PHRASES_NAMED);
        result = -1;
    }
    if (result == 0)
        w->required = sk_phrases_new(&l);
    w->word = l.word;
    w->words = (int)l.words;
    free(l.end);
    sk_str_free(&unknown);
    return result;
}

/* One phrase to avoid; what cannot be written is avoided. */
static int add_avoided(struct sk_phrase_list *l, const char *text, const struct sk_wish_words *words, char **error)
{
    struct sk_str unknown = {0};
    size_t before = l->words;
    int result = read_phrase(l, text, words, &unknown, error);
    if (unknown.len > 0)
        l->words = before;
    sk_phrase_list_end(l);
    sk_str_free(&unknown);
    return result;
}

static int read_avoided(struct sk_wishes *w, const json_t *list, int n, const json_t *required, int requireds,
                        const struct sk_wish_words *words, char **error)
{
    struct sk_phrase_list l = {0};
    int result = 0;
    for (int i = 0; i < n && result == 0; i++) {
        const char *text = json_string_value(json_array_get(list, (size_t)i));
        if (!is_required(required, requireds, text))
            result = add_avoided(&l, text, words, error);
    }
    if (result == 0)
        w->avoid = sk_phrases_new(&l);
    sk_phrase_list_free(&l);
    return result;
}

static int read_prefix(struct sk_wishes *w, const json_t *prefix, const struct sk_wish_words *words, char **error)
{
    struct sk_phrase_list l = {0};
    struct sk_str unknown = {0};
    if (!prefix || json_is_null(prefix))
        return 0;
    if (!json_is_string(prefix)) {
        *error = sk_xstrdup("\"target_prefix\" is no string");
        return -1;
    }
    int result = read_phrase(&l, json_string_value(prefix), words, &unknown, error);
    for (size_t i = 0; i < l.words && result == 0; i++)
        if (l.word[i] == SK_BOS || l.word[i] == SK_EOS) {
            *error = sk_xstrdup("\"target_prefix\" has <s> or </s>, which are no words");
            result = -1;
        }
    if (result == 0 && l.words > (size_t)words->most) {
        *error = sk_xprintf("\"target_prefix\" has %zu words, more than the %d that the model can write", l.words,
                            words->most);
        result = -1;
    }
    w->prefix = l.word;
    w->prefixes = (int)l.words;
    free(l.end);
    sk_str_free(&unknown);
    return result;
}

/* A value that is true or false; absent: `otherwise`; else -1 with *error. */
static int truth(const json_t *v, const char *key, int otherwise, char **error)
{
    if (!v || json_is_null(v))
        return otherwise;
    if (json_is_boolean(v))
        return json_is_true(v);
    *error = sk_xprintf("\"%s\" is neither true nor false", key);
    return -1;
}

struct sk_wishes *sk_wishes_json(json_t *o, const struct sk_wish_words *words, char **error)
{
    static const char *const keys[] = {"target_prefix", "use_target_prefix_all_chunks", "keep_target_prefix",
                                       "constraints", "avoid"};
    struct sk_wishes *w = sk_xcalloc(1, sizeof *w);
    const json_t *required = json_object_get(o, "constraints"), *avoid = json_object_get(o, "avoid");
    int all = truth(json_object_get(o, keys[1]), keys[1], 1, error);
    int keep = all < 0 ? -1 : truth(json_object_get(o, keys[2]), keys[2], 1, error);
    int requireds = keep < 0 ? -1 : strings(required, "constraints", error);
    int avoids = requireds < 0 ? -1 : strings(avoid, "avoid", error);
    w->first_only = !all;
    w->drop_prefix = !keep;
    if (avoids >= 0 && read_prefix(w, json_object_get(o, keys[0]), words, error) == 0 &&
        read_required(w, required, requireds, words, error) == 0)
        read_avoided(w, avoid, avoids, required, requireds, words, error);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_del(o, keys[i]);
    if (!*error && (w->prefixes > 0 || w->avoid || w->required))
        return w;
    sk_wishes_free(w);
    return NULL;
}

void sk_wishes_free(struct sk_wishes *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->names; i++)
        free(w->name[i]);
    free(w->name);
    free(w->prefix);
    free(w->word);
    sk_phrases_free(w->avoid);
    sk_phrases_free(w->required);
    free(w);
}

int sk_avoid_list(const char *path, const struct sk_wish_words *words, struct sk_phrases **phrases)
{
    struct sk_phrase_list l = {0};
    struct sk_lines *in = sk_lines_open(path, SK_LINES_REPLACE_INVALID);
    char *line, *error = NULL;
    size_t n;
    int got = in ? 1 : -1;
    *phrases = NULL;
    while (got > 0 && (got = sk_lines_next(in, &line, &n)) > 0) {
        if (add_avoided(&l, line, words, &error)) {
            got = sk_fail(SK_EXIT_DATA, "%s: line %llu: %s", path, (unsigned long long)sk_lines_number(in), error);
            free(error);
        }
    }
    if (got == 0)
        *phrases = sk_phrases_new(&l);
    sk_phrase_list_free(&l);
    if (in)
        sk_lines_close(in);
    return got;
}
