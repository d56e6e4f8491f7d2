/* opt_record.c - options as text: the `args` record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/msg.h"
#include "base/opt_table.h"

/* The shortest decimal that reads back as the same double. */
static void real_text(struct sk_str *to, double v)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    sk_str_printf(to, "%s", text);
}

/* Escapes what would end a line, a field or (in lists) a value. */
static void escape(struct sk_str *to, const char *text, int blanks)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            sk_str_add(to, "\\\\", 2);
        else if (*c == '\t')
            sk_str_add(to, "\\t", 2);
        else if (*c == '\n')
            sk_str_add(to, "\\n", 2);
        else if (*c == ' ' && blanks)
            sk_str_add(to, "\\ ", 2);
        else
            sk_str_add(to, c, 1);
    }
}

static void escape_list(struct sk_str *to, const struct sk_opt_list *list)
{
    for (int i = 0; i < list->n; i++) {
        if (i > 0)
            sk_str_add(to, " ", 1);
        escape(to, list->v[i], 1);
    }
}

char *sk_opt_text(const struct sk_opt *o, const void *values)
{
    const char *at = (const char *)values + o->offset;
    const char *const *strings = (const char *const *)at;
    const struct sk_opt_list *list = (const struct sk_opt_list *)at;
    struct sk_str text = {0};
    switch (o->type) {
    case SK_OPT_FLAG:
    case SK_OPT_INT:
        sk_str_printf(&text, "%d", *(const int *)at);
        break;
    case SK_OPT_LONG:
        sk_str_printf(&text, "%lld", *(const long long *)at);
        break;
    case SK_OPT_FLOAT:
        real_text(&text, *(const double *)at);
        break;
    case SK_OPT_STRING:
    case SK_OPT_CHOICE:
        if (!strings[0])
            return NULL;
        escape(&text, strings[0], 0);
        break;
    case SK_OPT_INT_PAIR:
        sk_str_printf(&text, "%d:%d", ((const int *)at)[0], ((const int *)at)[1]);
        break;
    case SK_OPT_STRING_PAIR:
        if (!strings[0] || !strings[1])
            return NULL;
        escape(&text, strings[0], 0);
        sk_str_add(&text, ":", 1);
        escape(&text, strings[1], 0);
        break;
    case SK_OPT_LIST:
        if (list->n == 0)
            return NULL;
        escape_list(&text, list);
        break;
    }
    sk_str_add(&text, "", 0);
    return text.text;
}

char *sk_opt_command(int argc, char **argv)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+:,./@%";
    struct sk_str text = {0};
    sk_str_add(&text, "", 0);
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        int quoted = !*word || word[strspn(word, plain)] != '\0';
        sk_str_printf(&text, "%s%s", i ? " " : "", quoted ? "'" : "");
        for (; *word; word++)
            sk_str_printf(&text, *word == '\'' ? "'\\''" : "%c", *word);
        if (quoted)
            sk_str_add(&text, "'", 1);
    }
    return text.text;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct sk_opt *const *)a)->name, (*(const struct sk_opt *const *)b)->name);
}

static int recorded(const struct sk_opt *o)
{
    return !sk_opt_is_heading(o) && !o->alias_of && !(o->flags & SK_OPT_UNRECORDED);
}

static int bound(const struct sk_opt *o)
{
    return recorded(o) && !(o->flags & (SK_OPT_FREE | SK_OPT_INPUT));
}

static char *record_of(const struct sk_opt *options, const void *values, int (*wanted)(const struct sk_opt *o))
{
    int n = 0, rows = 0;
    while (options[rows].name)
        rows++;
    const struct sk_opt **sorted = sk_xcalloc((size_t)rows + 1, sizeof *sorted);
    for (int i = 0; i < rows; i++)
        if (wanted(&options[i]))
            sorted[n++] = &options[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    struct sk_str text = {0};
    sk_str_add(&text, "", 0);
    for (int i = 0; i < n; i++) {
        char *value = sk_opt_text(sorted[i], values);
        if (!value)
            continue;
        sk_str_printf(&text, "%s\t%s\n", sorted[i]->name, value);
        free(value);
    }
    free(sorted);
    return text.text;
}

char *sk_opt_record(const struct sk_opt *options, const void *values)
{
    return record_of(options, values, recorded);
}

char *sk_opt_bound(const struct sk_opt *options, const void *values)
{
    return record_of(options, values, bound);
}

/* The default of a row as the record would have it. */
static char *initial_text(const struct sk_opt *o)
{
    union { int flag, pair[2]; long long whole; double real; const char *text[2]; struct sk_opt_list list; } value;
    struct sk_opt row = *o;
    row.offset = 0;
    sk_opt_set_initial(&row, &value);
    return sk_opt_text(&row, &value);
}

typedef void difference(void *ctx, const char *name, const char *before, const char *now);

/* A row against the recorded text (NULL: not recorded): 1 if they differ. */
static int compare_row(const struct sk_opt *o, const void *values, const char *before, difference *differs, void *ctx)
{
    char *now = sk_opt_text(o, values), *initial = NULL;
    /* An option that the recording version did not have stood at its default. */
    if (!before)
        before = initial = initial_text(o);
    int differ = before && now ? strcmp(before, now) != 0 : before != now;
    if (differ && differs)
        differs(ctx, o->name, before, now);
    free(now);
    free(initial);
    return differ;
}

int sk_opt_compare(const struct sk_opt *options, const void *values, const char *record, difference *differs, void *ctx)
{
    int rows = 0, count = 0, number = 0;
    while (options[rows].name)
        rows++;
    char **before = sk_xcalloc((size_t)rows + 1, sizeof *before), *copy = sk_xstrdup(record), *rest = copy, *line;
    while (count >= 0 && (line = strsep(&rest, "\n")) != NULL) {
        number++;
        if (!*line && !rest)
            break;
        char *tab = strchr(line, '\t');
        if (!tab) {
            count = sk_fail(SK_EXIT_DATA, "line %d of the recorded options is not name<TAB>value", number);
            break;
        }
        *tab = '\0';
        const struct sk_opt *o = sk_opt_find(options, line, (size_t)(tab - line));
        if (!o) {
            count++;   /* of a version that knew more options */
            if (differs)
                differs(ctx, line, tab + 1, NULL);
        } else if (!o->alias_of) {
            before[o - options] = tab + 1;
        }
    }
    for (int i = 0; count >= 0 && i < rows; i++)
        if (bound(&options[i]))
            count += compare_row(&options[i], values, before[i], differs, ctx);
    free(before);
    free(copy);
    return count;
}
