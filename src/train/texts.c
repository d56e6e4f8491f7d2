#include "train/texts.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void __attribute__((noreturn)) refuse(const char *option, const char *value, int weighted)
{
    sk_opt_misuse("--%s: '%s' is not NAME=SOURCE:TARGET%s (a file with a colon in its name needs another name, a link "
                  "say)", option, value, weighted ? ":WEIGHT" : "");
}

/* A name becomes part of those of files and metrics. */
static void read_name(struct sk_named_text *t, const char *option, const char *value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)value[i]) && (i == 0 || !strchr("._-", value[i])))
            sk_opt_misuse("--%s: '%.*s' is no name: one is made of letters, digits and . _ - and begins with a letter "
                          "or digit", option, (int)n, value);
    if (n == 0 || n >= SK_TEXT_NAME)
        sk_opt_misuse("--%s: a name has 1 to %d letters, '%.*s' has not", option, SK_TEXT_NAME - 1, (int)n, value);
    memcpy(t->name, value, n);
}

static double read_weight(const char *option, const char *value, const char *text)
{
    char *end;
    errno = 0;
    double w = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(w) || w <= 0 || isspace((unsigned char)*text))
        sk_opt_misuse("--%s: '%s' ends with a weight of '%s', which is no number over 0", option, value, text);
    return w;
}

static void read_one(struct sk_named_text *t, const char *option, const char *value, int weighted)
{
    const char *equals = strchr(value, '=');
    if (!equals)
        refuse(option, value, weighted);
    read_name(t, option, value, (size_t)(equals - value));
    char *rest = sk_xstrdup(equals + 1), *part[3] = {NULL, NULL, NULL};
    int n = 0, wanted = weighted ? 3 : 2;
    for (char *p = rest, *one; (one = strsep(&p, ":")) != NULL; n++) {
        if (n == wanted || !*one)
            refuse(option, value, weighted);
        part[n] = one;
    }
    if (n != wanted)
        refuse(option, value, weighted);
    t->path[0] = part[0];
    t->path[1] = part[1];
    if (weighted)
        t->weight = read_weight(option, value, part[2]);
}

void sk_texts_read(struct sk_named_texts *t, const char *option, const struct sk_opt_list *values, int weighted)
{
    double most = 0;
    if (values->n > SK_TEXTS_MAX)
        sk_opt_misuse("--%s: %d texts are too many, %d are allowed", option, values->n, SK_TEXTS_MAX);
    t->v = values->n ? sk_xcalloc((size_t)values->n, sizeof *t->v) : NULL;
    for (t->n = 0; t->n < values->n; t->n++) {
        struct sk_named_text *one = &t->v[t->n];
        read_one(one, option, values->v[t->n], weighted);
        for (int i = 0; i < t->n; i++)
            if (strcmp(t->v[i].name, one->name) == 0)
                sk_opt_misuse("--%s: the name '%s' is given twice", option, one->name);
        most = one->weight > most ? one->weight : most;
    }
    for (int i = 0; i < t->n && weighted; i++)
        if (t->v[i].weight < most * 1e-6)
            sk_opt_misuse("--%s: '%s' has less than a millionth of the largest weight: its pairs would never come; leave "
                          "it out", option, t->v[i].name);
}
