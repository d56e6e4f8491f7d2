#include "base/opt.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

#define FIELD(type, o, values) ((type *)(void *)((char *)(values) + (o)->offset))
#define CONST_FIELD(type, o, values) ((type const *)(const void *)((const char *)(values) + (o)->offset))

void sk_opt_misuse(const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s: %s\ntry '%s --help'\n", sk_msg_program_name(), text, sk_msg_program_name());
    exit(SK_EXIT_USAGE);
}

static int heading(const struct sk_opt *o) { return !o->name[0]; }

static int in_range(const struct sk_opt *o, double v)
{
    return (o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max);
}

static void bad_value(const struct sk_opt *o, const char *text, const char *expected)
{
    if (o->min != 0 || o->max != 0)
        sk_opt_misuse("--%s: '%s' is not %s from %.15g to %.15g", o->name, text, expected, o->min, o->max);
    sk_opt_misuse("--%s: '%s' is not %s", o->name, text, expected);
}

static long long whole(const struct sk_opt *o, const char *text, double low, double high)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    int digits = (text[0] >= '0' && text[0] <= '9') || ((text[0] == '-' || text[0] == '+') && text[1]);
    if (!digits || end == text || *end || errno || !in_range(o, (double)v) || (double)v < low || (double)v > high)
        bad_value(o, text, "a whole number");
    return v;
}

static int is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *c = choices; n && c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (!strncmp(c, text, n) && (c[n] == '|' || !c[n])) return 1;
    return 0;
}

static void set(const struct sk_opt *o, void *values, const char *text)
{
    const char *colon = strchr(text, ':');
    switch (o->type) {
    case SK_OPT_FLAG:
        *FIELD(int, o, values) = !strcmp(text, "1");
        break;
    case SK_OPT_INT:
        *FIELD(int, o, values) = (int)whole(o, text, INT_MIN, INT_MAX);
        break;
    case SK_OPT_LONG:
        *FIELD(long long, o, values) = whole(o, text, -9e18, 9e18);
        break;
    case SK_OPT_FLOAT: {
        char *end;
        double v = strtod(text, &end);
        if (end == text || *end || !isfinite(v) || !in_range(o, v)) bad_value(o, text, "a number");
        *FIELD(double, o, values) = v;
        break;
    }
    case SK_OPT_STRING:
        *FIELD(const char *, o, values) = text;
        break;
    case SK_OPT_CHOICE:
        if (!is_choice(o->choices, text)) sk_opt_misuse("--%s: '%s' is none of %s", o->name, text, o->choices);
        *FIELD(const char *, o, values) = text;
        break;
    case SK_OPT_INT_PAIR: {
        int *pair = FIELD(int, o, values);
        char *first = colon ? sk_xstrndup(text, (size_t)(colon - text)) : sk_xstrdup(text);
        pair[0] = (int)whole(o, first, INT_MIN, INT_MAX);
        pair[1] = colon ? (int)whole(o, colon + 1, INT_MIN, INT_MAX) : pair[0];
        free(first);
        break;
    }
    case SK_OPT_STRING_PAIR: {
        const char **pair = FIELD(const char *, o, values);
        /* Lives as long as the program, like argv. */
        pair[0] = colon ? sk_xstrndup(text, (size_t)(colon - text)) : text;
        pair[1] = colon ? colon + 1 : text;
        break;
    }
    case SK_OPT_LIST: {
        struct sk_opt_list *l = FIELD(struct sk_opt_list, o, values);
        l->v = sk_xrealloc(l->v, (size_t)l->n + 1, sizeof *l->v);
        l->v[l->n++] = text;
        break;
    }
    }
}

/* --- help ------------------------------------------------------------------ */

enum { WIDTH = 79, COLUMN = 30 };

static void wrap(const char *text, int at, int indent)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " \n");
        if (at > indent && at + 1 + (int)n > WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (at > indent && p > text && p[-1] == ' ') {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)n, p);
        at += (int)n;
        p += n;
        if (*p == '\n') {
            printf("\n%*s", indent, "");
            at = indent;
        }
        if (*p) p++;
    }
    putchar('\n');
}

static void help(const struct sk_program *p)
{
    printf("usage: %s ", sk_msg_program_name());
    wrap(p->synopsis, 8 + (int)strlen(sk_msg_program_name()), 8);
    wrap(p->summary, 0, 0);
    for (const struct sk_opt *o = p->options; o->name; o++) {
        if (o->flags & SK_OPT_HIDDEN) continue;
        if (heading(o)) {
            printf("\n%s\n", o->help);
            continue;
        }
        struct sk_str s = {0}, t = {0};
        if (o->letter) sk_str_printf(&s, "  -%c, --%s", o->letter, o->name);
        else sk_str_printf(&s, "      --%s", o->name);
        if (o->type != SK_OPT_FLAG) sk_str_printf(&s, " %s", o->value ? o->value : o->choices ? o->choices : "VALUE");
        printf("%s", s.text);
        int at = (int)s.len;
        if (at + 2 > COLUMN) {
            putchar('\n');
            at = 0;
        }
        printf("%*s", COLUMN - at, "");
        sk_str_printf(&t, "%s", o->help);
        if (o->choices && o->value) sk_str_printf(&t, " One of %s.", o->choices);
        if (o->flags & SK_OPT_REQUIRED) sk_str_printf(&t, " Required.");
        else if (o->initial && o->type != SK_OPT_FLAG) sk_str_printf(&t, " Default: %s.", o->initial);
        wrap(t.text, COLUMN, COLUMN);
        sk_str_free(&s);
        sk_str_free(&t);
    }
    printf("\n      --help                  This text.\n      --version               Name and version.\n");
    if (p->epilogue) {
        putchar('\n');
        wrap(p->epilogue, 0, 0);
    }
    if (fflush(stdout)) exit(SK_EXIT_IO);
    exit(0);
}

/* --- parsing --------------------------------------------------------------- */

static const struct sk_opt *find(const struct sk_opt *options, const char *name, size_t n)
{
    for (const struct sk_opt *o = options; o->name; o++)
        if (!heading(o) && strlen(o->name) == n && !memcmp(o->name, name, n)) return o;
    return NULL;
}

static const struct sk_opt *find_letter(const struct sk_opt *options, char letter)
{
    for (const struct sk_opt *o = options; o->name; o++)
        if (!heading(o) && o->letter == letter) return o;
    return NULL;
}

/* What an alias stands for. */
static const struct sk_opt *meant(const struct sk_opt *options, const struct sk_opt *o)
{
    return o->alias_of ? find(options, o->alias_of, strlen(o->alias_of)) : o;
}

static int looks_like_option(const char *text)
{
    return text[0] == '-' && text[1] && !(text[1] >= '0' && text[1] <= '9') && text[1] != '.';
}

int sk_opt_parse(const struct sk_program *p, void *values, int argc, char **argv)
{
    const struct sk_opt *options = p->options;
    sk_msg_program(argv[0]);
    for (const struct sk_opt *o = options; o->name; o++)
        if (!heading(o) && !o->alias_of && o->initial) set(o, values, o->initial);
    char **operand = sk_xcalloc((size_t)argc + 1, sizeof *operand), **rest = sk_xcalloc((size_t)argc + 1, sizeof *rest);
    int operands = 0, others = 0, count = 0;
    while (options[count].name) count++;
    char *given = sk_xcalloc((size_t)count + 1, 1);
    rest[others++] = argv[0];
    for (int i = 1; i < argc; i++) {
        char *a = argv[i];
        if (!looks_like_option(a)) {
            operand[operands++] = a;
            continue;
        }
        if (!strcmp(a, "--")) {
            rest[others++] = a;
            while (++i < argc) operand[operands++] = argv[i];
            break;
        }
        rest[others++] = a;
        if (!strcmp(a, "--help") || !strcmp(a, "-h")) help(p);
        if (!strcmp(a, "--version")) {
            printf("%s %s\n", sk_msg_program_name(), SK_VERSION);
            exit(fflush(stdout) ? SK_EXIT_IO : 0);
        }
        const struct sk_opt *o;
        const char *value = NULL;
        if (a[1] == '-') {
            size_t n = strcspn(a + 2, "=");
            o = find(options, a + 2, n);
            if (a[2 + n]) value = a + 3 + n;
        } else {
            o = a[2] ? NULL : find_letter(options, a[1]);
        }
        if (!o) sk_opt_misuse("unknown option '%s'", a);
        o = meant(options, o);
        given[o - options] = 1;
        if (o->type == SK_OPT_FLAG) {
            if (value) sk_opt_misuse("--%s takes no value", o->name);
            set(o, values, "1");
            continue;
        }
        if (o->type == SK_OPT_LIST) {
            FIELD(struct sk_opt_list, o, values)->n = 0;
            if (value) set(o, values, value);
            while (i + 1 < argc && !looks_like_option(argv[i + 1])) {
                rest[others++] = argv[++i];
                set(o, values, argv[i]);
            }
            if (!FIELD(struct sk_opt_list, o, values)->n) sk_opt_misuse("--%s needs at least one value", o->name);
            continue;
        }
        if (!value) {
            if (i + 1 >= argc || !strncmp(argv[i + 1], "--", 2)) sk_opt_misuse("--%s needs a value", o->name);
            value = argv[++i];
            rest[others++] = argv[i];
        }
        set(o, values, value);
    }
    for (const struct sk_opt *o = options; o->name; o++)
        if ((o->flags & SK_OPT_REQUIRED) && !given[o - options]) sk_opt_misuse("--%s is missing", o->name);
    if (operands < p->min_operands) sk_opt_misuse("too few arguments: %s", p->synopsis);
    if (p->max_operands >= 0 && operands > p->max_operands)
        sk_opt_misuse("'%s' is one argument too many", operand[p->max_operands]);
    for (int i = 0; i < others; i++) argv[i] = rest[i];
    for (int i = 0; i < operands; i++) argv[others + i] = operand[i];
    free(operand);
    free(rest);
    free(given);
    return others;
}

/* --- the record ------------------------------------------------------------- */

static void escape(struct sk_str *s, const char *text, int blanks)
{
    for (; *text; text++)
        switch (*text) {
        case '\\': sk_str_add(s, "\\\\", 2); break;
        case '\t': sk_str_add(s, "\\t", 2); break;
        case '\n': sk_str_add(s, "\\n", 2); break;
        case ' ':
            if (blanks) sk_str_add(s, "\\", 1);
            /* fall through */
        default: sk_str_add(s, text, 1);
        }
}

/* Value as text; 0: none (NULL string). */
static int value_text(const struct sk_opt *o, const void *values, struct sk_str *s)
{
    sk_str_clear(s);
    sk_str_add(s, "", 0);
    switch (o->type) {
    case SK_OPT_FLAG:
    case SK_OPT_INT: sk_str_printf(s, "%d", *CONST_FIELD(int, o, values)); return 1;
    case SK_OPT_LONG: sk_str_printf(s, "%lld", *CONST_FIELD(long long, o, values)); return 1;
    case SK_OPT_FLOAT: {
        char text[40];
        double v = *CONST_FIELD(double, o, values);
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, v);
            if (strtod(text, NULL) == v) break;
        }
        sk_str_printf(s, "%s", text);
        return 1;
    }
    case SK_OPT_STRING:
    case SK_OPT_CHOICE: {
        const char *v = *CONST_FIELD(char *, o, values);
        if (!v) return 0;
        escape(s, v, 0);
        return 1;
    }
    case SK_OPT_INT_PAIR:
        sk_str_printf(s, "%d:%d", CONST_FIELD(int, o, values)[0], CONST_FIELD(int, o, values)[1]);
        return 1;
    case SK_OPT_STRING_PAIR: {
        const char *const *v = CONST_FIELD(const char *, o, values);
        if (!v[0] && !v[1]) return 0;
        if (v[0]) escape(s, v[0], 0);
        sk_str_add(s, ":", 1);
        if (v[1]) escape(s, v[1], 0);
        return 1;
    }
    case SK_OPT_LIST: {
        const struct sk_opt_list *l = CONST_FIELD(struct sk_opt_list, o, values);
        if (!l->n) return 0;
        for (int i = 0; i < l->n; i++) {
            if (i) sk_str_add(s, " ", 1);
            escape(s, l->v[i], 1);
        }
        return 1;
    }
    }
    return 0;
}

static int recorded(const struct sk_opt *o) { return !heading(o) && !o->alias_of && !(o->flags & SK_OPT_UNRECORDED); }

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct sk_opt *const *)a)->name, (*(const struct sk_opt *const *)b)->name);
}

char *sk_opt_record(const struct sk_opt *options, const void *values)
{
    int n = 0;
    for (const struct sk_opt *o = options; o->name; o++) n++;
    const struct sk_opt **row = sk_xcalloc((size_t)n + 1, sizeof *row);
    n = 0;
    for (const struct sk_opt *o = options; o->name; o++)
        if (recorded(o)) row[n++] = o;
    qsort(row, (size_t)n, sizeof *row, by_name);
    struct sk_str all = {0}, v = {0};
    sk_str_add(&all, "", 0);
    for (int i = 0; i < n; i++)
        if (value_text(row[i], values, &v)) sk_str_printf(&all, "%s\t%s\n", row[i]->name, v.text);
    sk_str_free(&v);
    free(row);
    return all.text;
}

/* Value of a name in a record, malloced; NULL: absent. */
static char *record_value(const char *record, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = record; *p;) {
        size_t line = strcspn(p, "\n");
        if (line > n && !memcmp(p, name, n) && p[n] == '\t') return sk_xstrndup(p + n + 1, line - n - 1);
        p += line + (p[line] == '\n');
    }
    return NULL;
}

int sk_opt_compare(const struct sk_opt *options, const void *values, const char *record,
                   void (*differs)(void *ctx, const char *name, const char *before, const char *now), void *ctx)
{
    int count = 0;
    struct sk_str v = {0};
    for (const struct sk_opt *o = options; o->name; o++) {
        if (!recorded(o) || (o->flags & (SK_OPT_FREE | SK_OPT_INPUT))) continue;
        const char *now = value_text(o, values, &v) ? v.text : NULL;
        char *before = record_value(record, o->name);
        if ((now || before) && (!now || !before || strcmp(now, before))) {
            count++;
            if (differs) differs(ctx, o->name, before, now);
        }
        free(before);
    }
    sk_str_free(&v);
    return count;
}
