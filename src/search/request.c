/* request.c - lines of input, plain or JSON. */
#include "search/request.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "search/translate.h"

void sk_request_text(struct sk_request *r, const char *line, size_t n)
{
    *r = (struct sk_request){.text = sk_translate_line(line, n)};
}

/* The first key that asks for what is not done, or NULL; harmless ones are dropped. */
static const char *unsupported(json_t *o)
{
    static const char *const keys[] = {"target_prefix_factors", "source_prefix", "source_prefix_factors",
                                       "restrict_lexicon", NULL};
    for (int i = 0; keys[i]; i++) {
        const json_t *v = json_object_get(o, keys[i]);
        if (v && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0))
            return keys[i];
        json_object_del(o, keys[i]);
    }
    return NULL;
}

/* Takes "factors" out of the object; 0, or -1: they are no list of lines. */
static int take_factors(struct sk_request *r)
{
    json_t *list = json_object_get(r->others, "factors");
    size_t n = json_array_size(list);
    int bad = (list && !json_is_null(list) && !json_is_array(list)) || n > SK_FACTORS_MAX;
    for (size_t i = 0; i < n && !bad; i++) {
        const char *line = json_string_value(json_array_get(list, i));
        if (line)
            r->factor[r->factors++] = sk_xstrdup(line);
        bad = line == NULL;
    }
    json_object_del(r->others, "factors");
    return bad ? -1 : 0;
}

void sk_request_factors(struct sk_request *r, int n, const char *const *factor)
{
    struct sk_str text = {0};
    char *why = NULL;
    int given = factor ? n : r->factors;
    if (r->error)
        return;
    if (given && given != n)
        why = n ? sk_xprintf("%d source factors, but the model has %d", given, n)
                : sk_xstrdup("source factors, but the model has none");
    else if (given)
        why = sk_factored_join(&text, r->text, factor ? factor : (const char *const *)r->factor, n);
    else if (n)
        why = sk_factored_check(r->text, n);
    if (why || given) {
        free(r->text);
        r->text = sk_xstrdup(why ? "" : text.text);
    }
    r->error = why;
    sk_str_free(&text);
}

void sk_request_json(struct sk_request *r, const char *line, size_t n, const struct sk_wish_words *words)
{
    json_error_t e;
    const char *key;
    *r = (struct sk_request){.others = json_loadb(line, n, 0, &e)};
    if (!r->others) {
        /* What jansson quotes may end amid a character. */
        for (char *c = e.text; *c; c++)
            if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
                *c = '?';
        r->error = sk_xprintf("no JSON: %s at byte %d", e.text, e.position);
    } else if (!json_is_object(r->others)) {
        r->error = sk_xstrdup("no JSON object");
        json_decref(r->others);
        r->others = NULL;
    } else if (!json_is_string(json_object_get(r->others, "text"))) {
        r->error = sk_xstrdup("the JSON object has no text: \"text\" is missing or no string");
    } else if (take_factors(r) < 0) {
        r->error = sk_xprintf("\"factors\" is no list of up to %d texts", SK_FACTORS_MAX);
    } else if ((key = unsupported(r->others)) != NULL) {
        r->error = sk_xprintf("\"%s\" is not supported", key);
    } else {
        r->wishes = sk_wishes_json(r->others, words, &r->error);
        if (!r->error)
            r->text = sk_xstrdup(json_string_value(json_object_get(r->others, "text")));
    }
    if (r->others)
        json_object_del(r->others, "text");
    if (!r->text)
        r->text = sk_xstrdup("");
}

void sk_request_free(struct sk_request *r)
{
    free(r->text);
    free(r->error);
    json_decref(r->others);
    sk_wishes_free(r->wishes);
    for (int k = 0; k < r->factors; k++)
        free(r->factor[k]);
    *r = (struct sk_request){0};
}
