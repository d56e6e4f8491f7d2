/* opt_help.c - the --help text, for 80 columns. */
#include <string.h>

#include "base/msg.h"
#include "base/opt_table.h"

enum { WIDTH = 79, COLUMN = 28 };

/* Adds the words of text, broken at WIDTH; lines after the first are
 * indented. `at` is the present column. */
static void wrap(struct sk_str *out, const char *text, int at, int indent)
{
    int fresh = 1;      /* nothing written since the indent */
    while (*text) {
        if (*text == '\n' || *text == ' ') {
            if (*text++ == '\n') {
                sk_str_printf(out, "\n%*s", indent, "");
                at = indent;
                fresh = 1;
            }
            continue;
        }
        int n = (int)strcspn(text, " \n");
        if (!fresh && at + 1 + n > WIDTH) {
            sk_str_printf(out, "\n%*s", indent, "");
            at = indent;
            fresh = 1;
        }
        sk_str_printf(out, "%s%.*s", fresh ? "" : " ", n, text);
        at += n + !fresh;
        fresh = 0;
        text += n;
    }
}

/* The help text, then what the table knows: choices, default, duty. */
static void describe(struct sk_str *to, const struct sk_opt *o)
{
    sk_str_printf(to, "%s", o->help ? o->help : "");
    if (o->type == SK_OPT_CHOICE && strchr(o->choices, '|')) {
        sk_str_printf(to, " One of ");
        for (const char *c = o->choices; *c; c++)
            sk_str_printf(to, *c == '|' ? ", " : "%c", *c);
        sk_str_printf(to, ".");
    }
    if (o->flags & SK_OPT_REQUIRED)
        sk_str_printf(to, " Required.");
    else if (o->initial && *o->initial && o->type != SK_OPT_FLAG)
        sk_str_printf(to, " [%s]", o->initial);
}

static const char *placeholder(const struct sk_opt *o)
{
    if (o->value)
        return o->value;
    switch (o->type) {
    case SK_OPT_INT: case SK_OPT_LONG: return "N";
    case SK_OPT_FLOAT: return "X";
    case SK_OPT_INT_PAIR: return "N:N";
    case SK_OPT_STRING_PAIR: return "S:T";
    case SK_OPT_CHOICE: return "NAME";
    case SK_OPT_LIST: return "VALUE...";
    default: return "TEXT";
    }
}

/* bare: the value may be left out. */
static void row(struct sk_str *out, char letter, const char *name, const char *value, int bare, const char *help)
{
    size_t start = out->len;
    if (letter)
        sk_str_printf(out, "  -%c, --%s", letter, name);
    else
        sk_str_printf(out, "      --%s", name);
    if (value)
        sk_str_printf(out, bare ? " [%s]" : " %s", value);
    int at = (int)(out->len - start);
    if (at + 2 > COLUMN)
        sk_str_printf(out, "\n%*s", COLUMN, "");
    else
        sk_str_printf(out, "%*s", COLUMN - at, "");
    wrap(out, help, COLUMN, COLUMN);
    sk_str_add(out, "\n", 1);
}

void sk_opt_help(const struct sk_program *p, struct sk_str *out)
{
    const char *program = sk_msg_program_name();
    int indent = (int)strlen(program) + 8, headed = 0;
    sk_str_printf(out, "usage: %s ", program);
    wrap(out, p->synopsis, indent, indent);
    sk_str_printf(out, "\n\n");
    wrap(out, p->summary, 0, 0);
    sk_str_printf(out, "\n");
    for (const struct sk_opt *o = p->options; o->name; o++) {
        if (sk_opt_is_heading(o)) {
            sk_str_printf(out, "\n%s:\n", o->help);
            headed = 1;
            continue;
        }
        if (o->flags & SK_OPT_HIDDEN)
            continue;
        if (!headed)
            sk_str_printf(out, "\nOptions:\n");
        headed = 1;
        struct sk_str help = {0};
        describe(&help, o);
        row(out, o->letter, o->name, o->type == SK_OPT_FLAG ? NULL : placeholder(o), o->bare != NULL, help.text);
        sk_str_free(&help);
    }
    sk_str_printf(out, "\n");
    row(out, 'h', "help", NULL, 0, "Show this text.");
    row(out, 0, "version", NULL, 0, "Show version, backends and libraries.");
    sk_str_printf(out, "\nValues in brackets are defaults.\n");
    if (p->epilogue) {
        sk_str_printf(out, "\n");
        wrap(out, p->epilogue, 0, 0);
        sk_str_printf(out, "\n");
    }
}
