/* opt_test.c - options out of a file, in both forms, and the command line over
 * them; every error names file and line. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/msg.h"
#include "base/opt.h"
#include "tap.h"

struct values {
    const char *config, *name, *choice, *side[2];
    int flag, number, bare, pair[2];
    long long large;
    double real;
    struct sk_opt_list list, more;
};
#define AT(field) offsetof(struct values, field)
static const struct sk_opt options[] = {
    {.name = "config", .type = SK_OPT_STRING, .offset = AT(config), .flags = SK_OPT_CONFIG | SK_OPT_UNRECORDED},
    {.name = "", .help = "Heading"},
    {.name = "the-name", .letter = 'n', .type = SK_OPT_STRING, .offset = AT(name), .flags = SK_OPT_REQUIRED},
    {.name = "choice", .type = SK_OPT_CHOICE, .offset = AT(choice), .initial = "a", .choices = "a|b"},
    {.name = "side", .type = SK_OPT_STRING_PAIR, .offset = AT(side), .initial = "n:dr"},
    {.name = "flag", .type = SK_OPT_FLAG, .offset = AT(flag)},
    {.name = "number", .type = SK_OPT_INT, .offset = AT(number), .initial = "5", .min = 0, .max = 99},
    {.name = "old-number", .type = SK_OPT_INT, .offset = AT(number), .min = 0, .max = 99, .alias_of = "number",
     .flags = SK_OPT_HIDDEN},
    {.name = "pair", .type = SK_OPT_INT_PAIR, .offset = AT(pair), .initial = "6:6", .min = 1, .max = 99},
    {.name = "large", .type = SK_OPT_LONG, .offset = AT(large), .initial = "-1"},
    {.name = "real", .type = SK_OPT_FLOAT, .offset = AT(real), .initial = "0.5"},
    {.name = "bare", .type = SK_OPT_INT, .offset = AT(bare), .initial = "-1", .min = -1, .max = 99, .bare = "7"},
    {.name = "list", .type = SK_OPT_LIST, .offset = AT(list), .initial = "p q"},
    {.name = "more", .type = SK_OPT_LIST, .offset = AT(more), .flags = SK_OPT_REPEATED, .instead_of = "large side"},
    {.name = NULL}
};
static const struct sk_program program = {.synopsis = "...", .summary = "Test.", .options = options};

static char folder[64], path[96], errors[96];

static void put(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f))
        abort();
}

/* Parses `opt_test --config PATH MORE...`; MORE is cut at blanks. */
static void parse(struct values *v, const char *text, const char *more)
{
    static char words[256];
    char *argv[16] = {(char *)"opt_test", (char *)"--config", path}, *rest = words, *word;
    int argc = 3;
    put(text, strlen(text));
    snprintf(words, sizeof words, "%s", more);
    while ((word = strsep(&rest, " ")) != NULL)
        if (*word)
            argv[argc++] = word;
    memset(v, 0, sizeof *v);
    sk_opt_parse(&program, v, argc, argv);
}

static void yaml(void)
{
    struct values v;
    parse(&v, "# what Sockeye writes\n---\nthe_name: some text  # here\nchoice: b\nside:\n- n\n- ''\nflag: true\n"
          "number: 7\npair: !!python/tuple\n- 3\n- 4\nlarge: null\nreal: 2e-4\nlist: [x, 'y, it''s', \"z\\t\"]\n", "");
    is_str(v.name, "some text", "YAML: a plain value, a comment behind it");
    is_str(v.choice, "b", "a choice");
    ok(!strcmp(v.side[0], "n") && !strcmp(v.side[1], ""), "a pair of texts, one empty");
    is_int(v.flag, 1, "a flag");
    is_int(v.number, 7, "a number");
    ok(v.pair[0] == 3 && v.pair[1] == 4, "a pair as a list with a tag");
    is_int(v.large, -1, "null is not given");
    ok(v.real == 2e-4, "a real number");
    ok(v.list.n == 3 && !strcmp(v.list.v[1], "y, it's") && !strcmp(v.list.v[2], "z\t"), "a list, values quoted");

    parse(&v, "the_name: x\nflag: false\npair: [8, 9]\nlist:\n  - one\n  - two # three\nold_number: 8\nlarge:\r\n"
          "real: ~\nside: 'a:b'\n", "");
    ok(v.flag == 0 && v.pair[0] == 8 && v.pair[1] == 9, "false; a pair in brackets");
    ok(v.list.n == 2 && !strcmp(v.list.v[1], "two"), "a list below its name");
    is_int(v.number, 8, "an alias");
    ok(v.large == -1 && v.real == 0.5, "what is empty is not given");
    ok(!strcmp(v.side[0], "a") && !strcmp(v.side[1], "b"), "a pair as one value");
    parse(&v, "the_name: x\nlist: []\npair: 2\nnumber: 1\nnumber: 2\n", "");
    ok(v.list.n == 2 && v.pair[0] == 2 && v.pair[1] == 2 && v.number == 2, "no values; one for both; the last wins");
    parse(&v, "the_name: ok\n", "");
    is_str(v.name, "ok", "what is required may come from the file");
}

static void record(void)
{
    struct values v, again;
    parse(&v, "# a comment\n\nthe-name\ta\\tb\\\\n c\nchoice\tb\nside\t:x\nflag\t1\npair\t3:4\n"
          "list\ta\\ b c\nreal\t0.25\n", "");
    is_str(v.name, "a\tb\\n c", "record: escapes");
    ok(!strcmp(v.side[0], "") && !strcmp(v.side[1], "x"), "a pair");
    ok(v.list.n == 2 && !strcmp(v.list.v[0], "a b"), "a list with a blank in a value");
    char *text = sk_opt_record(options, &v), *more;
    parse(&again, text, "");
    more = sk_opt_record(options, &again);
    is_str(more, text, "a record reads back as it was");
    ok(!strstr(text, "config"), "the file itself is no part of the record");
    free(text);
    free(more);
}

static void over(void)
{
    struct values v;
    parse(&v, "the_name: x\nflag: true\nnumber: 7\nlist: [a, b, c]\nchoice: b\n", "--number 8 --list z -n y");
    ok(v.number == 8 && v.list.n == 1 && !strcmp(v.list.v[0], "z") && !strcmp(v.name, "y"),
       "the command line counts more");
    parse(&v, "the_name: x\nmore: [a, b]\nlarge: 3\n", "--more c --number 4 --more d e --more=f --list s --list t");
    ok(v.more.n == 4 && !strcmp(v.more.v[0], "c") && !strcmp(v.more.v[3], "f"),
       "a list that is given again grows, but without what the file has");
    ok(v.list.n == 1 && !strcmp(v.list.v[0], "t"), "others do not grow");
    ok(v.large == -1, "what it stands for, the file has said in vain");
    parse(&v, "the_name: x\nmore: [a, b]\nlarge: 3\n", "--large 7");
    ok(v.more.n == 2 && v.large == 7, "not the other way round, unless a row says so");
    parse(&v, "the_name: x\nlarge: 3\n", "--more c --large 7");
    ok(v.large == 7, "what the command line has besides, it has");
    parse(&v, "the_name: x\nflag: true\nnumber: 7\nlist: [a, b, c]\nchoice: b\n", "--number 8 --list z -n y");
    ok(v.flag == 1 && !strcmp(v.choice, "b"), "the rest is as the file says");
    static const struct { const char *words; int bare; } bare[] = {
        {"", -1}, {"--bare", 7}, {"--bare --flag", 7}, {"--bare 5 --flag", 5}, {"--bare=3", 3}, {"--bare -1", -1},
        {"--bare 5 --bare", 7}, {"--bare -n y", 7}};
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        parse(&v, "the_name: x\n", bare[i].words);
        is_int(v.bare, bare[i].bare, "a value that may be left out: '%s'", bare[i].words);
    }
}

/* The program ends with `code` and says all of what. */
static void refuse_bytes(const char *text, size_t n, const char *more, int code, const char *says)
{
    struct values v;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDERR_FILENO);
        if (n == strlen(text))
            parse(&v, text, more);
        put(text, n);
        char *argv[] = {(char *)"opt_test", (char *)"--config", path, NULL};
        sk_opt_parse(&program, &v, 3, argv);
        _exit(0);
    }
    int status = 0;
    char got[1024] = "";
    waitpid(child, &status, 0);
    FILE *f = fopen(errors, "r");
    if (f) {
        got[fread(got, 1, sizeof got - 1, f)] = '\0';
        fclose(f);
    }
    ok(WIFEXITED(status) && WEXITSTATUS(status) == code && strstr(got, says), "refused: %s", says);
    if (!strstr(got, says) || WEXITSTATUS(status) != code)
        printf("# status %x, said: %s\n", (unsigned)status, got);
}

static void refuse(const char *text, const char *says)
{
    refuse_bytes(text, strlen(text), "", SK_EXIT_DATA, says);
}

static void errors_of_all_kinds(void)
{
    refuse("the_name: x\n\nbucket_width: 10\n", "options: line 3: unknown option 'bucket-width'");
    refuse("the_name: x\nnumbre: 10\n", "line 2: unknown option 'numbre': is --number meant?");
    refuse("number: 100\n", "line 1: --number: '100' is not a whole number from 0 to 99");
    refuse("the-name\tx\nnumber\t-1\n", "line 2: --number: '-1'");
    refuse("choice: c\n", "line 1: --choice: 'c' is not one of a, b");
    refuse("flag: perhaps\n", "line 1: --flag: 'perhaps' is neither true nor false");
    refuse("number:\n- 1\n- 2\nflag: true\n", "line 1: --number takes one value, not 2");
    refuse("pair: [1, 2, 3]\n", "line 1: --pair takes one value, not 3");
    refuse("list: [a, b\n", "line 1: a list in brackets ends on its line");
    refuse("the_name: 'x\n", "line 1: a quotation mark is missing");
    refuse("the_name: 'x' y\n", "line 1: something follows the value");
    refuse("the_name: {a: b}\n", "line 1: of YAML only plain values");
    refuse("the_name: a: b\n", "line 1: names below names are not read");
    refuse("the_name:\n  below: 1\n", "line 2: neither name<TAB>value");
    refuse("just words\n", "line 1: neither name<TAB>value");
    refuse("- x\n", "line 1: a list stands below the name of an option");
    refuse("the_name: x\n- y\n", "line 2: a list stands below");
    refuse("the-name\ta\\x\n", "line 1: a backslash stands before");
    refuse("the_name: \"a\\x\"\n", "line 1: a backslash in double quotes");
    refuse("config: other\n", "line 1: a file of options does not name another");
    refuse(": x\n", "line 1: neither name<TAB>value");
    refuse_bytes("the_name: x\0y\n", 14, "", SK_EXIT_DATA, "no text: it holds a byte 0");
    refuse_bytes("number: 1\n", 10, "", SK_EXIT_USAGE, "--the-name is required");
    refuse_bytes("the_name: x\n", 12, "--number x", SK_EXIT_USAGE, "opt_test: --number: 'x'");
    refuse_bytes("the_name: x\n", 12, "--config /nowhere/options", SK_EXIT_NOINPUT, "/nowhere/options");
}

/* Whatever stands in a file, the program ends in one of its ways. */
static void hostile(void)
{
    static const char pieces[][12] = {"list", ":", " ", "[", "]", "\t", "\n", "- ", "'", "\"", "\\", "#", "!", ",",
                                      "the_name", "pair", "\r", "x", "null", "--"};
    uint32_t state = 7;
    int bad = 0, rounds = getenv("SK_LONG") ? 20000 : 400;
    for (int i = 0; i < rounds; i++) {
        char text[256] = "";
        for (int k = 0; k < 20; k++) {
            state = state * 1664525u + 1013904223u;
            strcat(text, pieces[(state >> 8) % (sizeof pieces / sizeof *pieces)]);
        }
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            struct values v;
            int fd = open("/dev/null", O_WRONLY);
            dup2(fd, STDERR_FILENO);
            parse(&v, text, "-n x");
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != SK_EXIT_DATA)) {
            bad++;
            printf("# status %x\n", (unsigned)status);
        }
    }
    is_int(bad, 0, "%d files of pieces: read, or refused as bad content", rounds);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/sk-opt-test.XXXXXX");
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/options", folder);
    snprintf(errors, sizeof errors, "%s/errors", folder);
    yaml();
    record();
    over();
    errors_of_all_kinds();
    hostile();
    unlink(path);
    unlink(errors);
    rmdir(folder);
    return done_testing();
}
