#include "modeldir/metrics.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

enum { LIMIT = 1 << 28, NAMES = 1000 };

void sk_metrics_number(double value, char text[32])
{
    if (isnan(value)) {
        strcpy(text, "nan");
        return;
    }
    if (isinf(value)) {
        strcpy(text, value < 0 ? "-inf" : "inf");
        return;
    }
    int after = 0;                   /* digits after the first */
    do snprintf(text, 32, "%.*e", after, value);
    while (strtod(text, NULL) != value && ++after < 17);
    long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent > -5 && exponent < 16)
        snprintf(text, 32, "%.*f", after > exponent ? after - (int)exponent : 0, value);
}

/* Index of the first line whose checkpoint is not lower. */
static int place(const struct sk_metrics *t, int checkpoint)
{
    int low = 0, high = t->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (t->line[middle].checkpoint < checkpoint) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct sk_metrics_line *sk_metrics_at(const struct sk_metrics *t, int checkpoint)
{
    int at = place(t, checkpoint);
    return at < t->n && t->line[at].checkpoint == checkpoint ? &t->line[at] : NULL;
}

static struct sk_metrics_line *line_for(struct sk_metrics *t, int checkpoint)
{
    struct sk_metrics_line *l = sk_metrics_at(t, checkpoint);
    if (l) return l;
    int at = place(t, checkpoint);
    t->line = sk_xrealloc(t->line, (size_t)t->n + 1, sizeof *t->line);
    memmove(t->line + at + 1, t->line + at, (size_t)(t->n - at) * sizeof *t->line);
    t->n++;
    t->line[at] = (struct sk_metrics_line){.checkpoint = checkpoint};
    return &t->line[at];
}

void sk_metrics_set(struct sk_metrics *t, int checkpoint, const char *name, const char *value)
{
    struct sk_metrics_line *l = line_for(t, checkpoint);
    int at = 0;
    while (at < l->n && strcmp(l->m[at].name, name) < 0) at++;
    if (at < l->n && !strcmp(l->m[at].name, name)) {
        char *copy = sk_xstrdup(value);
        free(l->m[at].value);
        l->m[at].value = copy;
        return;
    }
    l->m = sk_xrealloc(l->m, (size_t)l->n + 1, sizeof *l->m);
    memmove(l->m + at + 1, l->m + at, (size_t)(l->n - at) * sizeof *l->m);
    l->n++;
    l->m[at] = (struct sk_metric){sk_xstrdup(name), sk_xstrdup(value)};
}

void sk_metrics_set_number(struct sk_metrics *t, int checkpoint, const char *name, double value)
{
    char text[32];
    sk_metrics_number(value, text);
    sk_metrics_set(t, checkpoint, name, text);
}

static void free_line(struct sk_metrics_line *l)
{
    for (int i = 0; i < l->n; i++) {
        free(l->m[i].name);
        free(l->m[i].value);
    }
    free(l->m);
}

void sk_metrics_truncate(struct sk_metrics *t, int last)
{
    while (t->n && t->line[t->n - 1].checkpoint > last) free_line(&t->line[--t->n]);
}

void sk_metrics_free(struct sk_metrics *t)
{
    for (int i = 0; i < t->n; i++) free_line(&t->line[i]);
    free(t->line);
    *t = (struct sk_metrics){0};
}

static int parse_line(struct sk_metrics *t, char *line, const char *where, int number, int before)
{
    char *rest = line, *field = strsep(&rest, "\t"), *end;
    long checkpoint = strtol(field, &end, 10);
    if (!isdigit((unsigned char)field[0]) || *end || checkpoint <= before || checkpoint > 999999999)
        return sk_fail(SK_EXIT_DATA, "%s:%d: '%.40s' is not the number of a checkpoint after %d", where, number, field,
                       before);
    struct sk_metrics_line *l = line_for(t, (int)checkpoint);
    while ((field = strsep(&rest, "\t"))) {
        char *value = strchr(field, '=');
        if (l->n == NAMES)
            return sk_fail(SK_EXIT_DATA, "%s:%d: more than %d values are no line of metrics", where, number, NAMES);
        if (!value || value == field)
            return sk_fail(SK_EXIT_DATA, "%s:%d: '%.80s' is not of the form name=value", where, number, field);
        *value++ = 0;
        sk_metrics_set(t, (int)checkpoint, field, value);
    }
    return (int)checkpoint;
}

int sk_metrics_parse(struct sk_metrics *t, const char *text, const char *where)
{
    char *copy = sk_xstrdup(text), *rest = copy, *line;
    int number = 0, last = 0;
    *t = (struct sk_metrics){0};
    while ((line = strsep(&rest, "\n"))) {
        number++;
        if (!*line && !rest) break;
        last = parse_line(t, line, where, number, last);
        if (last < 0) break;
    }
    free(copy);
    if (last >= 0) return 0;
    sk_metrics_free(t);
    return -1;
}

int sk_metrics_load(struct sk_metrics *t, const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_METRICS);
    *t = (struct sk_metrics){0};
    int r = sk_file_exists(path);
    if (r > 0) {
        size_t n;
        char *text = sk_file_load(path, LIMIT, &n);
        if (text && strlen(text) != n) r = sk_fail(SK_EXIT_DATA, "%s: not a text file: it holds a zero byte", path);
        else r = text ? sk_metrics_parse(t, text, path) : -1;
        free(text);
    }
    free(path);
    return r;
}

char *sk_metrics_text(const struct sk_metrics *t)
{
    struct sk_str s = {0};
    sk_str_add(&s, "", 0);
    for (int i = 0; i < t->n; i++) {
        sk_str_printf(&s, "%d", t->line[i].checkpoint);
        for (int k = 0; k < t->line[i].n; k++)
            sk_str_printf(&s, "\t%s=%s", t->line[i].m[k].name, t->line[i].m[k].value);
        sk_str_add(&s, "\n", 1);
    }
    return s.text;
}

int sk_metrics_save(const struct sk_metrics *t, const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_METRICS), *text = sk_metrics_text(t);
    int r = sk_file_save(path, text, strlen(text), SK_REPLACE);
    free(text);
    free(path);
    return r;
}

int sk_metrics_get(const struct sk_metrics *t, int checkpoint, const char *name, double *value)
{
    const struct sk_metrics_line *l = sk_metrics_at(t, checkpoint);
    for (int i = 0; l && i < l->n; i++) {
        if (strcmp(l->m[i].name, name)) continue;
        const char *text = l->m[i].value;
        char *end;
        if (!strcmp(text, "True") || !strcmp(text, "False")) {
            *value = text[0] == 'T';
            return 1;
        }
        *value = strtod(text, &end);
        return end != text && !*end;
    }
    return 0;
}

int sk_metric_maximize(const char *name)
{
    static const char *const smaller[] = {"perplexity", "ter", "loss", "nll", "length-ratio-mse"};
    size_t n = strlen(name);
    if (n > 4 && !strcmp(name + n - 4, "-val")) n -= 4;
    else if (n > 6 && !strcmp(name + n - 6, "-train")) n -= 6;
    for (size_t i = 0; i < sizeof smaller / sizeof *smaller; i++)
        if (strlen(smaller[i]) == n && !strncmp(name, smaller[i], n)) return 0;
    return 1;
}
