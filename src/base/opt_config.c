/* opt_config.c - options out of a file: see opt.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt_table.h"

enum { LARGEST = 1 << 20 };

struct config {
    const struct sk_opt *options;
    void *values;
    unsigned char *given;
    const char *path;
    int line;
    /* the option being read: its values may stand on lines of their own */
    const struct sk_opt *option;
    struct sk_opt_list list;
    int is_list, option_line;
};

static void __attribute__((noreturn)) refuse(const struct config *c, const char *what)
{
    sk_opt_where(c->path, c->line);
    sk_opt_misuse("%s", what);
}

/* --- a value, whatever form it came in ------------------------------------------ */

static void add(struct config *c, const char *text, size_t n)
{
    c->list.v = sk_xrealloc(c->list.v, (size_t)c->list.n + 1, sizeof *c->list.v);
    c->list.v[c->list.n++] = sk_opt_keep(text, n);
}

static const char *flag_value(const struct config *c, const char *text)
{
    static const char *const yes[] = {"1", "true", "True", "TRUE", "yes", "on"};
    static const char *const no[] = {"0", "false", "False", "FALSE", "no", "off"};
    for (int i = 0; i < 6; i++) {
        if (strcmp(text, yes[i]) == 0)
            return "1";
        if (strcmp(text, no[i]) == 0)
            return "0";
    }
    sk_opt_where(c->path, c->option_line);
    sk_opt_misuse("--%s: '%s' is neither true nor false", c->option->name, text);
}

static void set_values(struct config *c)
{
    const struct sk_opt *o = c->option;
    int pair = o->type == SK_OPT_INT_PAIR || o->type == SK_OPT_STRING_PAIR;
    if (o->type == SK_OPT_LIST) {
        sk_opt_clear_list(o, c->values);
        for (int i = 0; i < c->list.n; i++)
            sk_opt_set(o, c->values, c->list.v[i]);
    } else if (pair && c->list.n == 2) {
        char *both = sk_xprintf("%s:%s", c->list.v[0], c->list.v[1]);
        sk_opt_set(o, c->values, sk_opt_keep(both, strlen(both)));
        free(both);
    } else if (c->list.n != 1) {
        sk_opt_misuse("--%s takes one value, not %d", o->name, c->list.n);
    } else {
        sk_opt_set(o, c->values, o->type == SK_OPT_FLAG ? flag_value(c, c->list.v[0]) : c->list.v[0]);
    }
}

/* Gives the option its values; one without values stays as it is. */
static void finish(struct config *c)
{
    const struct sk_opt *o = c->option;
    if (o && c->list.n > 0) {
        sk_opt_where(c->path, c->option_line);
        if (o->flags & SK_OPT_CONFIG)
            sk_opt_misuse("a file of options does not name another");
        set_values(c);
        c->given[o - c->options] = 1;
        sk_opt_where(NULL, 0);
    }
    free(c->list.v);
    c->list = (struct sk_opt_list){0};
    c->option = NULL;
    c->is_list = 0;
}

static void begin(struct config *c, const char *text, size_t n)
{
    char name[64];
    finish(c);
    if (n >= sizeof name)
        refuse(c, "no option has such a long name");
    for (size_t i = 0; i < n; i++)
        name[i] = text[i] == '_' ? '-' : text[i];
    name[n] = '\0';
    const struct sk_opt *o = n > 0 ? sk_opt_find(c->options, name, n) : NULL;
    if (!o) {
        sk_opt_where(c->path, c->line);
        sk_opt_unknown(c->options, name);
    }
    c->option = sk_opt_main_row(c->options, o);
    c->option_line = c->line;
}

/* --- lines of the record: name<TAB>value -------------------------------------------- */

static void record_value(struct config *c, const char *text)
{
    struct sk_str value = {0};
    int list = c->option->type == SK_OPT_LIST;
    sk_str_add(&value, "", 0);
    for (; *text; text++) {
        if (*text == ' ' && list) {
            add(c, value.text, value.len);
            sk_str_clear(&value);
            sk_str_add(&value, "", 0);
        } else if (*text != '\\') {
            sk_str_add(&value, text, 1);
        } else {
            text++;
            if (!*text || !strchr("tn\\ ", *text))
                refuse(c, "a backslash stands before t, n, a blank or another one");
            sk_str_add(&value, *text == 't' ? "\t" : *text == 'n' ? "\n" : text, 1);
        }
    }
    add(c, value.text, value.len);
    sk_str_free(&value);
}

/* --- YAML: `name: value`, `name: [a, b]`, `- value` below a name ----------------------- */

static const char *blanks(const char *s)
{
    return s + strspn(s, " ");
}

static int at_end(const char *s)
{
    return !*s || *s == '#';
}

/* 'text' with '' for ', or "text" with \n, \t, \\ and \"; returns what follows. */
static const char *quoted(struct config *c, const char *s)
{
    struct sk_str value = {0};
    char quote = *s++;
    sk_str_add(&value, "", 0);
    for (;; s++) {
        if (!*s)
            refuse(c, "a quotation mark is missing");
        if (*s == quote && !(quote == '\'' && s[1] == '\''))
            break;
        if (quote == '"' && *s == '\\') {
            s++;
            if (!*s || !strchr("tn\\\"", *s))
                refuse(c, "a backslash in double quotes stands before t, n, a quotation mark or another one");
            sk_str_add(&value, *s == 't' ? "\t" : *s == 'n' ? "\n" : s, 1);
            continue;
        }
        s += *s == quote;
        sk_str_add(&value, s, 1);
    }
    add(c, value.text, value.len);
    sk_str_free(&value);
    return s + 1;
}

/* One scalar; null adds nothing. In a list in brackets (flow) it ends at a
 * comma or the bracket. */
static const char *scalar(struct config *c, const char *s, int flow)
{
    if (*s == '\'' || *s == '"')
        return blanks(quoted(c, s));
    if (strchr("{[&*!|>%@`", *s))
        refuse(c, "of YAML only plain values, quoted ones and lists of these are read");
    size_t n = 0;
    for (; s[n] && !(flow && (s[n] == ',' || s[n] == ']')); n++) {
        if (s[n] == '#' && n > 0 && s[n - 1] == ' ')
            break;
        if (s[n] == ':' && (s[n + 1] == ' ' || !s[n + 1]))
            refuse(c, "names below names are not read");
    }
    const char *next = s + n;
    while (n > 0 && s[n - 1] == ' ')
        n--;
    if (n > 0 && strcmp(sk_opt_keep(s, n), "~") != 0 && strcmp(sk_opt_keep(s, n), "null") != 0)
        add(c, s, n);
    return next;
}

static void end_of_line(const struct config *c, const char *s)
{
    if (!at_end(s))
        refuse(c, "something follows the value");
}

static void yaml_value(struct config *c, const char *s)
{
    s = blanks(s);
    if (*s == '!')                     /* a type, as in Sockeye's `!!python/tuple` */
        s = blanks(s + strcspn(s, " "));
    if (at_end(s))
        return;                        /* a list may follow; or nothing was given */
    if (*s != '[') {
        end_of_line(c, blanks(scalar(c, s, 0)));
        return;
    }
    c->is_list = 1;
    for (s = blanks(s + 1); *s != ']'; s = blanks(s + 1)) {
        s = blanks(scalar(c, s, 1));
        if (*s == ']')
            break;
        if (*s != ',')
            refuse(c, "a list in brackets ends on its line: [a, b]");
    }
    end_of_line(c, blanks(s + 1));
}

static void yaml_item(struct config *c, const char *s)
{
    if (!c->option || (c->list.n > 0 && !c->is_list))
        refuse(c, "a list stands below the name of an option");
    c->is_list = 1;
    end_of_line(c, blanks(scalar(c, blanks(s + 1), 0)));
}

/* --- the file ------------------------------------------------------------------------ */

static void read_line(struct config *c, char *line)
{
    size_t n = strlen(line);
    if (n > 0 && line[n - 1] == '\r')
        line[n - 1] = '\0';
    const char *s = blanks(line);
    if (at_end(s) || strcmp(line, "---") == 0 || strcmp(line, "...") == 0)
        return;
    if (s[0] == '-' && (s[1] == ' ' || !s[1])) {
        yaml_item(c, s);
        return;
    }
    n = strcspn(line, "\t: ");
    if (s != line || n == 0 || !line[n] || line[n] == ' ' || (line[n] == ':' && line[n + 1] && line[n + 1] != ' '))
        refuse(c, "neither name<TAB>value nor 'name: value'");
    begin(c, line, n);
    if (line[n] == '\t')
        record_value(c, line + n + 1);
    else
        yaml_value(c, line + n + 1);
}

void sk_opt_read_config(const struct sk_opt *options, void *values, const char *path, unsigned char *given)
{
    struct config c = {.options = options, .values = values, .given = given, .path = path};
    size_t n;
    char *text = sk_file_load_any(path, LARGEST, &n), *line;
    if (!text)
        exit(sk_die());
    char *rest = text;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        rest += 3;
    if (memchr(text, '\0', n)) {
        sk_opt_where(path, 1);
        sk_opt_misuse("no text: it holds a byte 0");
    }
    while ((line = strsep(&rest, "\n")) != NULL) {
        c.line++;
        read_line(&c, line);
    }
    finish(&c);
    free(text);
}
