/* opt.c - reading a command line by a table. */
#include "base/opt.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <jansson.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/file.h"
#include "base/msg.h"
#include "base/opt_table.h"
#include "base/plugin.h"

/* Parts of pairs and the arrays of lists live as long as the program. */
static struct sk_arena kept;

/* Where the option being read stands: a line of a file, or the command line. */
static const char *where_file;
static int where_line;

void sk_opt_where(const char *file, int line)
{
    where_file = file;
    where_line = line;
}

void sk_opt_misuse(const char *fmt, ...)
{
    struct sk_str text = {0};
    char message[3072];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    const char *program = sk_msg_program_name();
    enum sk_exit code = where_file ? SK_EXIT_DATA : SK_EXIT_USAGE;
    sk_str_printf(&text, "%s: ", program);
    if (where_file)
        sk_str_printf(&text, "%s: line %d: ", where_file, where_line);
    sk_str_printf(&text, "%s\n%s: see '%s --help'\n", message, program, program);
    if (write(STDERR_FILENO, text.text, text.len) < 0)
        exit(code);
    sk_str_free(&text);
    exit(code);
}

const struct sk_opt *sk_opt_find(const struct sk_opt *options, const char *name, size_t n)
{
    for (const struct sk_opt *o = options; n > 0 && o->name; o++)
        if (strncmp(o->name, name, n) == 0 && o->name[n] == '\0')
            return o;
    return NULL;
}

const struct sk_opt *sk_opt_main_row(const struct sk_opt *options, const struct sk_opt *o)
{
    if (!o->alias_of)
        return o;
    const struct sk_opt *row = sk_opt_find(options, o->alias_of, strlen(o->alias_of));
    SK_ENSURE(row && !row->alias_of);
    return row;
}

static void *field(const struct sk_opt *o, void *values)
{
    return (char *)values + o->offset;
}

/* "a whole number from 1 to 9" for messages. */
static const char *expected(const struct sk_opt *o)
{
    static char text[128];
    const char *kind = o->type == SK_OPT_FLOAT ? "a number" : "a whole number";
    if (o->min == 0 && o->max == 0)
        snprintf(text, sizeof text, "%s", kind);
    else if (o->type == SK_OPT_FLOAT)
        snprintf(text, sizeof text, "%s from %.15g to %.15g", kind, o->min, o->max);
    else
        snprintf(text, sizeof text, "%s from %.0f to %.0f", kind, o->min, o->max);
    return text;
}

static void __attribute__((noreturn)) refuse(const struct sk_opt *o, const char *text)
{
    sk_opt_misuse("--%s: '%s' is not %s", o->name, text, expected(o));
}

static long long whole(const struct sk_opt *o, const char *text, const char *all, long long low, long long high)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || digits[strspn(digits, "0123456789")])
        refuse(o, all);
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    int limited = o->min != 0 || o->max != 0;
    if (errno || v < low || v > high ||
        (limited && ((long double)v < (long double)o->min || (long double)v > (long double)o->max)))
        refuse(o, all);
    return v;
}

static double real(const struct sk_opt *o, const char *text)
{
    char *end;
    double v = strtod(text, &end);
    /* strtod also takes blanks, hexadecimal, inf and nan */
    if (end == text || *end || text[strspn(text, "0123456789+-.eE")] || !isfinite(v) ||
        ((o->min != 0 || o->max != 0) && (v < o->min || v > o->max)))
        refuse(o, text);
    return v;
}

const char *sk_opt_keep(const char *text, size_t n)
{
    char *copy = sk_arena_alloc(&kept, n + 1);
    memcpy(copy, text, n);
    return copy;
}

/* The sides of "S:T", or one value twice. */
static void pair(const struct sk_opt *o, const char *text, const char *side[2])
{
    const char *colon = strchr(text, ':');
    if (colon && strchr(colon + 1, ':'))
        sk_opt_misuse("--%s: '%s' is neither one value nor a pair first:second", o->name, text);
    side[0] = colon ? sk_opt_keep(text, (size_t)(colon - text)) : text;
    side[1] = colon ? colon + 1 : text;
}

static const char *choice(const struct sk_opt *o, const char *text)
{
    size_t n = strlen(text);
    for (const char *c = o->choices; *c; c += c[0] == '|') {
        size_t length = strcspn(c, "|");
        if (length == n && strncmp(c, text, n) == 0)
            return text;
        c += length;
    }
    struct sk_str all = {0};
    for (const char *c = o->choices; *c; c++)
        sk_str_printf(&all, *c == '|' ? ", " : "%c", *c);
    sk_opt_misuse("--%s: '%s' is not one of %s", o->name, text, all.text);
}

static void append(struct sk_opt_list *list, const char *text)
{
    const char **v = sk_arena_alloc(&kept, ((size_t)list->n + 1) * sizeof *v);
    if (list->n > 0)
        memcpy(v, list->v, (size_t)list->n * sizeof *v);
    v[list->n] = text;
    *list = (struct sk_opt_list){list->n + 1, v};
}

/* One value into its field; lists grow by it. */
void sk_opt_set(const struct sk_opt *o, void *values, const char *text)
{
    void *at = field(o, values);
    const char *side[2];
    switch (o->type) {
    case SK_OPT_FLAG:
        *(int *)at = strcmp(text, "0") != 0;
        break;
    case SK_OPT_INT:
        *(int *)at = (int)whole(o, text, text, INT_MIN, INT_MAX);
        break;
    case SK_OPT_LONG:
        *(long long *)at = whole(o, text, text, LLONG_MIN, LLONG_MAX);
        break;
    case SK_OPT_FLOAT:
        *(double *)at = real(o, text);
        break;
    case SK_OPT_STRING:
        *(const char **)at = text;
        break;
    case SK_OPT_CHOICE:
        *(const char **)at = choice(o, text);
        break;
    case SK_OPT_INT_PAIR:
        pair(o, text, side);
        for (int i = 0; i < 2; i++)
            ((int *)at)[i] = (int)whole(o, side[i], text, INT_MIN, INT_MAX);
        break;
    case SK_OPT_STRING_PAIR:
        pair(o, text, (const char **)at);
        break;
    case SK_OPT_LIST:
        append(at, text);
        break;
    }
}

void sk_opt_clear_list(const struct sk_opt *o, void *values)
{
    *(struct sk_opt_list *)field(o, values) = (struct sk_opt_list){0};
}

void sk_opt_set_initial(const struct sk_opt *o, void *values)
{
    static const size_t size[] = {
        [SK_OPT_FLAG] = sizeof(int), [SK_OPT_INT] = sizeof(int), [SK_OPT_LONG] = sizeof(long long),
        [SK_OPT_FLOAT] = sizeof(double), [SK_OPT_STRING] = sizeof(char *), [SK_OPT_CHOICE] = sizeof(char *),
        [SK_OPT_INT_PAIR] = 2 * sizeof(int), [SK_OPT_STRING_PAIR] = 2 * sizeof(char *),
        [SK_OPT_LIST] = sizeof(struct sk_opt_list)};
    memset(field(o, values), 0, size[o->type]);
    if (!o->initial)
        return;
    if (o->type != SK_OPT_LIST) {
        sk_opt_set(o, values, o->initial);
        return;
    }
    for (const char *s = o->initial; *s;) {
        size_t n = strcspn(s, " ");
        if (n > 0)
            sk_opt_set(o, values, sk_opt_keep(s, n));
        s += n + (s[n] == ' ');
    }
}

/* Letters to change to make a name from another (Levenshtein). */
static int distance(const char *a, size_t n, const char *b)
{
    int row[64], m = (int)strlen(b);
    if (n > 62 || m > 62)
        return 99;
    for (int j = 0; j <= m; j++)
        row[j] = j;
    for (int i = 1; i <= (int)n; i++) {
        int corner = row[0]++;
        for (int j = 1; j <= m; j++) {
            int best = corner + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

void sk_opt_unknown(const struct sk_opt *options, const char *arg)
{
    const char *name = arg + strspn(arg, "-"), *near = NULL;
    size_t n = strcspn(name, "=");
    int best = n < 4 ? 1 : 3;
    for (const struct sk_opt *o = options; n > 1 && o->name; o++) {
        int d = sk_opt_is_heading(o) ? 99 : distance(name, n, o->name);
        if (d <= best) {
            near = o->name;
            best = d - 1;
        }
    }
    if (near)
        sk_opt_misuse("unknown option '%.*s': is --%s meant?", (int)strcspn(arg, "="), arg, near);
    sk_opt_misuse("unknown option '%.*s'", (int)strcspn(arg, "="), arg);
}

static const struct sk_opt *by_letter(const struct sk_opt *options, char letter)
{
    for (const struct sk_opt *o = options; o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

static const struct sk_opt *by_letters(const struct sk_opt *options, const char *letters)
{
    for (const struct sk_opt *o = options; o->name; o++)
        if (o->letters && !strcmp(o->letters, letters))
            return o;
    return NULL;
}

/* The row that an argument names, or NULL if it is no option of ours. */
static const struct sk_opt *named(const struct sk_opt *options, const char *arg)
{
    if (arg[0] != '-' || !arg[1])
        return NULL;
    if (arg[1] == '-')
        return sk_opt_find(options, arg + 2, strcspn(arg + 2, "="));
    return arg[2] ? by_letters(options, arg + 1) : by_letter(options, arg[1]);
}

/* Would this argument be an option, where it stands? Negative numbers are values. */
static int looks_like_option(const char *arg)
{
    return arg[0] == '-' && arg[1] && !strchr("0123456789.", arg[1]);
}

static void print_and_exit(struct sk_str *text)
{
    int failed = sk_write_all(STDOUT_FILENO, text->text, text->len);
    sk_str_free(text);
    exit(failed ? sk_die() : SK_EXIT_OK);
}

static const char *cpu_level(void)
{
#if defined __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"))
        return "x86-64-v4";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return "x86-64-v3";
    return "x86-64 (older than v3)";
#else
    return "not x86-64";
#endif
}

static void version(void)
{
    struct sk_str text = {0};
    unsigned xxh = XXH_versionNumber();
    sk_str_printf(&text, "%s %s\nbackends: %s\nthis CPU: %s\nlibraries: zlib %s, jansson %s, xxHash %u.%u.%u\n",
                  sk_msg_program_name(), SK_VERSION, sk_plugin_backends(), cpu_level(), zlibVersion(), jansson_version_str(),
                  xxh / 10000, xxh / 100 % 100, xxh % 100);
    print_and_exit(&text);
}

static void standard_options(const struct sk_program *p, const char *arg)
{
    if (strncmp(arg, "--version=", 10) == 0 || strncmp(arg, "--help=", 7) == 0)
        sk_opt_misuse("%.*s takes no value", (int)strcspn(arg, "="), arg);
    if (strcmp(arg, "--version") == 0)
        version();
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        struct sk_str text = {0};
        sk_opt_help(p, &text);
        print_and_exit(&text);
    }
}

/* Where a row's value comes from; 0: it is the default. */
enum { IN_FILE = 1, ON_LINE };

/* Reads the option at argv[i] and its values; returns the index after them. */
static int read_option(const struct sk_program *p, void *values, char **argv, int i, unsigned char *given)
{
    const char *arg = argv[i++];
    const struct sk_opt *o = named(p->options, arg);
    if (!o) {
        standard_options(p, arg);
        const struct sk_opt *letter = arg[1] != '-' && arg[2] ? by_letter(p->options, arg[1]) : NULL;
        if (letter && letter->type != SK_OPT_FLAG)
            sk_opt_misuse("unknown option '%s': is -%c %s meant?", arg, letter->letter, arg + 2 + (arg[2] == '='));
        sk_opt_unknown(p->options, arg);
    }
    o = sk_opt_main_row(p->options, o);
    int again = given[o - p->options] == ON_LINE;
    given[o - p->options] = ON_LINE;
    const char *value = arg[1] == '-' ? strchr(arg, '=') : NULL;
    if (o->type == SK_OPT_FLAG) {
        if (value)
            sk_opt_misuse("--%s takes no value", o->name);
        *(int *)field(o, values) = 1;
        return i;
    }
    if (o->type == SK_OPT_LIST && !(again && (o->flags & SK_OPT_REPEATED)))
        sk_opt_clear_list(o, values);
    if (value) {
        sk_opt_set(o, values, value + 1);
        return i;
    }
    if (o->type == SK_OPT_LIST) {
        int first = i;
        for (; argv[i] && !looks_like_option(argv[i]); i++)
            sk_opt_set(o, values, argv[i]);
        if (i == first)
            sk_opt_misuse("--%s needs at least one value", o->name);
        return i;
    }
    if (o->bare && (!argv[i] || looks_like_option(argv[i]))) {
        sk_opt_set(o, values, o->bare);
        return i;
    }
    /* A forgotten value is likelier than one that is spelt like an option. */
    if (!argv[i] || strcmp(argv[i], "--") == 0 || named(p->options, argv[i]))
        sk_opt_misuse("--%s needs a value", o->name);
    sk_opt_set(o, values, argv[i]);
    return i + 1;
}

/* What a command line consists of. */
struct words { char **operand, **option; int operands, options; };

static void set_initial(const struct sk_program *p, void *values)
{
    for (const struct sk_opt *o = p->options; o->name; o++)
        if (!sk_opt_is_heading(o) && !o->alias_of)
            sk_opt_set_initial(o, values);
}

static void read_words(const struct sk_program *p, void *values, int argc, char **argv, unsigned char *given,
                       struct words *w)
{
    w->operands = w->options = 0;
    for (int i = 1; i < argc;) {
        int ends = strcmp(argv[i], "--") == 0, stops = w->operands > 0 && p->stop_at_operand;
        if (ends || stops) {
            if (ends && !stops)
                w->option[w->options++] = argv[i++];
            while (i < argc)
                w->operand[w->operands++] = argv[i++];
        } else if (argv[i][0] == '-' && argv[i][1]) {
            for (int end = read_option(p, values, argv, i, given); i < end; i++)
                w->option[w->options++] = argv[i];
        } else {
            w->operand[w->operands++] = argv[i++];
        }
    }
}

/* The file of options that was named, or NULL. */
static const char *config_file(const struct sk_program *p, const void *values)
{
    for (const struct sk_opt *o = p->options; o->name; o++)
        if (o->flags & SK_OPT_CONFIG)
            return *(const char *const *)((const char *)values + o->offset);
    return NULL;
}

/* What the command line has instead of something that a file said. */
static void undo(const struct sk_program *p, void *values, unsigned char *given)
{
    for (int r = 0; p->options[r].name; r++) {
        const char *name = given[r] == ON_LINE ? p->options[r].instead_of : NULL;
        for (; name && *name; name += strspn(name, " ")) {
            const struct sk_opt *o = sk_opt_find(p->options, name, strcspn(name, " "));
            SK_ENSURE(o);
            if (given[o - p->options] == IN_FILE) {
                sk_opt_set_initial(o, values);
                given[o - p->options] = 0;
            }
            name += strcspn(name, " ");
        }
    }
}

static void check_words(const struct sk_program *p, const unsigned char *given, const struct words *w)
{
    for (int r = 0; p->options[r].name; r++)
        if ((p->options[r].flags & SK_OPT_REQUIRED) && !given[r])
            sk_opt_misuse("--%s is required", p->options[r].name);
    if (w->operands < p->min_operands)
        sk_opt_misuse("too few operands: %s %s", sk_msg_program_name(), p->synopsis);
    if (p->max_operands >= 0 && w->operands > p->max_operands)
        sk_opt_misuse("unexpected operand '%s'", w->operand[p->max_operands]);
}

int sk_opt_parse(const struct sk_program *p, void *values, int argc, char **argv)
{
    sk_msg_program(argc > 0 ? argv[0] : NULL);
    int rows = 0;
    while (p->options[rows].name)
        rows++;
    unsigned char *given = sk_xcalloc((size_t)rows + 1, 1);
    struct words w = {.operand = sk_xcalloc((size_t)argc + 1, sizeof *w.operand),
                      .option = sk_xcalloc((size_t)argc + 1, sizeof *w.option)};
    set_initial(p, values);
    read_words(p, values, argc, argv, given, &w);
    const char *config = config_file(p, values);
    if (config) {
        set_initial(p, values);
        memset(given, 0, (size_t)rows);
        sk_opt_read_config(p->options, values, config, given);
        read_words(p, values, argc, argv, given, &w);
        undo(p, values, given);
    }
    check_words(p, given, &w);
    for (int k = 0; k < w.options; k++)
        argv[1 + k] = w.option[k];
    for (int k = 0; k < w.operands; k++)
        argv[1 + w.options + k] = w.operand[k];
    free(given);
    free(w.operand);
    free(w.option);
    return argc - w.operands;
}
