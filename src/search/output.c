/* output.c - lines of output. */
#include "search/output.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/msg.h"
#include "text/lines.h"

enum sk_output_type sk_output_type(const char *name)
{
    static const char *const names[] = {"translation", "score", "translation_with_score", "benchmark", "json"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(names[i], name))
            return (enum sk_output_type)i;
    SK_BUG("no output type %s", name);
}

/* --- JSON ------------------------------------------------------------------- */

/* text is UTF-8. */
static void put_text(struct sk_str *s, const char *text)
{
    sk_str_add(s, "\"", 1);
    for (const char *c = text; *c; c++) {
        const char *names = "\bb\ff\nn\rr\tt\"\"\\\\", *name = names;
        while (*name && *name != *c)
            name += 2;
        if (*name)
            sk_str_printf(s, "\\%c", name[1]);
        else if ((unsigned char)*c < 0x20)
            sk_str_printf(s, "\\u%04x", (unsigned)*c);
        else
            sk_str_add(s, c, 1);
    }
    sk_str_add(s, "\"", 1);
}

/* The fewest digits that are read back as the same double, or the same float. */
static void put_real(struct sk_str *s, double x, int single)
{
    char text[40];
    if (!isfinite(x)) {
        sk_str_add(s, "null", 4);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        double back = strtod(text, NULL);
        if (single ? (float)back == (float)x : back == x)
            break;
    }
    sk_str_add(s, text, strlen(text));
    if (!strpbrk(text, ".e"))        /* or it would come back as an integer */
        sk_str_add(s, ".0", 2);
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void put_value(struct sk_str *s, const json_t *v);

static void put_object(struct sk_str *s, const json_t *o)
{
    size_t n = 0;
    const char *key, **keys = sk_xcalloc(json_object_size(o) + 1, sizeof *keys);
    json_t *value;
    json_object_foreach((json_t *)o, key, value) keys[n++] = key;
    qsort(keys, n, sizeof *keys, by_name);
    for (size_t i = 0; i < n; i++) {
        sk_str_add(s, i ? ", " : "{", i ? 2 : 1);
        put_text(s, keys[i]);
        sk_str_add(s, ": ", 2);
        put_value(s, json_object_get(o, keys[i]));
    }
    sk_str_add(s, n ? "}" : "{}", n ? 1 : 2);
    free(keys);
}

static void put_value(struct sk_str *s, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: put_object(s, v); break;
    case JSON_ARRAY:
        sk_str_add(s, "[", 1);
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i)
                sk_str_add(s, ", ", 2);
            put_value(s, json_array_get(v, i));
        }
        sk_str_add(s, "]", 1);
        break;
    case JSON_STRING: put_text(s, json_string_value(v)); break;
    case JSON_INTEGER: sk_str_printf(s, "%lld", (long long)json_integer_value(v)); break;
    case JSON_REAL: put_real(s, json_real_value(v), 0); break;
    case JSON_TRUE: sk_str_add(s, "true", 4); break;
    case JSON_FALSE: sk_str_add(s, "false", 5); break;
    default: sk_str_add(s, "null", 4);
    }
}

static void put_unmet(struct sk_str *out, const struct sk_wishes *w, uint64_t unmet)
{
    sk_str_add(out, "[", 1);
    for (uint64_t left = unmet; left; left &= left - 1) {
        if (left != unmet)
            sk_str_add(out, ", ", 2);
        put_text(out, w->name[__builtin_ctzll(left)]);
    }
    sk_str_add(out, "]", 1);
}

static void put_json(struct sk_str *out, const struct sk_output *o, long long id, const struct sk_request *r,
                     const struct sk_translation *t)
{
    enum { ERROR, SCORE, SCORES, ID, TRANSLATION, TRANSLATIONS, UNMET, OWN };
    static const char *const own[OWN] = {"error", "score", "scores", "sentence_id", "translation", "translations",
                                         "unmet_constraints"};
    size_t n = 0, others = r->others ? json_object_size(r->others) : 0;
    const char *key, **keys = sk_xcalloc(others + OWN, sizeof *keys);
    json_t *value;
    if (r->others)
        json_object_foreach(r->others, key, value) {
            int mine = 0;
            for (int i = 0; i < OWN; i++)
                mine |= !strcmp(own[i], key);
            if (!mine)
                keys[n++] = key;
        }
    for (int i = 0; i < OWN; i++)
        if (i == ERROR ? r->error != NULL
            : i == UNMET ? t->unmet != 0 : (i != SCORES && i != TRANSLATIONS) || o->nbest > 1)
            keys[n++] = own[i];
    qsort(keys, n, sizeof *keys, by_name);
    for (size_t i = 0; i < n; i++) {
        sk_str_add(out, i ? ", " : "{", i ? 2 : 1);
        put_text(out, keys[i]);
        sk_str_add(out, ": ", 2);
        if (keys[i] == own[ERROR]) {
            put_text(out, r->error);
        } else if (keys[i] == own[SCORE]) {
            put_real(out, t->score, 1);
        } else if (keys[i] == own[ID]) {
            sk_str_printf(out, "%lld", id);
        } else if (keys[i] == own[TRANSLATION]) {
            put_text(out, t->text);
        } else if (keys[i] == own[UNMET]) {
            put_unmet(out, r->wishes, t->unmet);
        } else if (keys[i] == own[SCORES] || keys[i] == own[TRANSLATIONS]) {
            for (int k = 0; k < t->n; k++) {
                sk_str_add(out, k ? ", " : "[", k ? 2 : 1);
                if (keys[i] == own[SCORES])
                    put_real(out, t->scores[k], 1);
                else
                    put_text(out, t->texts[k]);
            }
            sk_str_add(out, "]", 1);
        } else {
            put_value(out, json_object_get(r->others, keys[i]));
        }
    }
    sk_str_add(out, "}", 1);
    free(keys);
}

/* --- plain ------------------------------------------------------------------- */

static void put_benchmark(struct sk_str *out, const struct sk_request *r, const struct sk_translation *t,
                          double seconds)
{
    const char *at = r->text, *word;
    size_t n;
    sk_str_printf(out, "input=");
    for (int first = 1; (word = sk_token_next(&at, &n)) != NULL; first = 0) {
        if (!first)
            sk_str_add(out, " ", 1);
        sk_str_add(out, word, n);
    }
    sk_str_printf(out, "\toutput=%s\tinput_tokens=%lld\toutput_tokens=%lld\ttranslation_time=%.4f", t->text,
                  (long long)t->source_words, (long long)t->words, seconds);
}

void sk_output_add(const struct sk_output *o, struct sk_str *out, long long id, const struct sk_request *r,
                   const struct sk_translation *t, double seconds)
{
    switch (o->nbest > 1 ? SK_OUTPUT_JSON : o->type) {
    case SK_OUTPUT_TRANSLATION: sk_str_add(out, t->text, strlen(t->text)); break;
    case SK_OUTPUT_SCORE: sk_str_printf(out, "%.3f", t->score); break;
    case SK_OUTPUT_TRANSLATION_WITH_SCORE:
        sk_str_printf(out, "%.3f\t", t->score);
        sk_str_add(out, t->text, strlen(t->text));
        break;
    case SK_OUTPUT_BENCHMARK: put_benchmark(out, r, t, seconds); break;
    case SK_OUTPUT_JSON: put_json(out, o, id, r, t);
    }
    sk_str_add(out, "\n", 1);
}
