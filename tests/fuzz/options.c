/* options.c - options out of a file, and the record `args`. */
#include "base/opt_table.h"
#include "tests/fuzz/fuzz.h"

struct values {
    int integer, pair[2], flag;
    double number;
    const char *text, *texts[2];
    struct sk_opt_list list;
};
#define AT(field) offsetof(struct values, field)
static const struct sk_opt options[] = {
    {.name = "", .help = "A heading"},
    {.name = "integer", .letter = 'i', .type = SK_OPT_INT, .offset = AT(integer), .min = 0, .max = 100, .help = "."},
    {.name = "pair", .type = SK_OPT_INT_PAIR, .offset = AT(pair), .min = 0, .max = 1e9, .help = "."},
    {.name = "flag", .type = SK_OPT_FLAG, .offset = AT(flag), .help = "."},
    {.name = "number", .type = SK_OPT_FLOAT, .offset = AT(number), .min = -1, .max = 1e6, .help = "."},
    {.name = "text", .type = SK_OPT_CHOICE, .offset = AT(text), .choices = "one|two|three", .help = "."},
    {.name = "texts", .type = SK_OPT_STRING_PAIR, .offset = AT(texts), .help = "."},
    {.name = "list", .type = SK_OPT_LIST, .offset = AT(list), .help = "."},
    {.name = "alias", .type = SK_OPT_INT, .offset = AT(integer), .min = 0, .max = 100, .flags = SK_OPT_HIDDEN,
     .alias_of = "integer"},
    {.name = NULL}
};

static void read_file(void *path)
{
    struct values v = {0};
    unsigned char given[sizeof options / sizeof *options] = {0};
    sk_opt_read_config(options, &v, path, given);
}

static void run(const unsigned char *bytes, size_t n)
{
    fuzz_exits(read_file, (void *)fuzz_file("options", bytes, n));
    sk_opt_where(NULL, 0);
}
const struct fuzz_target fuzz_options = {"options", run};
