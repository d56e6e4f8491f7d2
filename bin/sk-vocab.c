/* sk-vocab - builds a vocabulary from text. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/msg.h"
#include "base/opt.h"
#include "base/pool.h"
#include "modeldir/protect.h"
#include "text/lines.h"
#include "text/vocab.h"

struct values {
    struct sk_opt_list inputs;
    const char *output;
    int num_words[2], min_count[2], pad, replace, threads, quiet;
};
#define AT(field) offsetof(struct values, field)

static const struct sk_opt options[] = {
    {.name = "inputs", .letter = 'i', .type = SK_OPT_LIST, .offset = AT(inputs), .value = "FILE...",
     .help = "Text files, plain or gzip, - for standard input; several are counted together (a shared vocabulary).",
     .flags = SK_OPT_REQUIRED},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = AT(output), .value = "FILE",
     .help = "The vocabulary: JSON, words and ids in order; -: standard output.", .flags = SK_OPT_REQUIRED},
    {.name = "num-words", .type = SK_OPT_INT_PAIR, .offset = AT(num_words), .initial = "0", .min = 0,
     .max = 1e9, .value = "N", .help = "Most words, special symbols not counted; 0: no limit."},
    {.name = "word-min-count", .type = SK_OPT_INT_PAIR, .offset = AT(min_count), .initial = "1", .min = 1,
     .max = 2147483647, .value = "N", .help = "Words that occur less often are left out."},
    {.name = "pad-vocab-to-multiple-of", .type = SK_OPT_INT, .offset = AT(pad), .initial = "0", .min = 0,
     .max = 65536, .value = "N", .help = "Entries <padID> are added until the size is a multiple; 0: none."},
    {.name = "replace-invalid", .type = SK_OPT_FLAG, .offset = AT(replace),
     .help = "Replace invalid UTF-8 by U+FFFD instead of stopping."},
    {.name = "threads", .type = SK_OPT_INT, .offset = AT(threads), .initial = "0", .min = 0, .max = 1024,
     .value = "N", .help = "Threads; 0: one for each CPU this process may use, at most 16."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = AT(quiet), .help = "Only errors on stderr."},
    {.name = NULL}
};

static const struct sk_program program = {
    .synopsis = "-i FILE... -o FILE [option...]",
    .summary = "Counts the words of text files and writes them as a vocabulary, most frequent first.",
    .options = options,
    .epilogue = "Words are what white space (of Unicode) separates. Ids 0 to 3 are <pad>, <unk>, <s>, </s>. Exit "
                "codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error.",
};

/* Counting may take long: a path that is mistyped should not wait for it. */
static int check_paths(const struct values *v)
{
    struct stat st;
    struct sk_file f;
    for (int i = 0; i < v->inputs.n; i++)
        if (strcmp(v->inputs.v[i], "-") && access(v->inputs.v[i], R_OK)) return sk_fail_errno("%s", v->inputs.v[i]);
    if (sk_md_check_output(v->output)) return -1;
    if (!strcmp(v->output, "-") || (stat(v->output, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    if (sk_file_create(&f, v->output)) return -1;
    sk_file_abandon(&f);
    return 0;
}

/* More threads than these wait for the one that reads. */
static int threads(int wanted)
{
    enum { MOST = 16 };
    int n = wanted ? wanted : sk_cpu_count();
    return wanted || n < MOST ? n : MOST;
}

int main(int argc, char **argv)
{
    struct values v = {.quiet = 0};
    sk_opt_parse(&program, &v, argc, argv);
    sk_quiet(v.quiet);
    sk_temp_catch_signals();
    if (v.num_words[0] != v.num_words[1] || v.min_count[0] != v.min_count[1])
        sk_opt_misuse("one vocabulary has one limit: both halves of --num-words and --word-min-count must be equal");
    if (check_paths(&v)) return sk_die();
    struct sk_pool *pool = sk_pool_new(threads(v.threads));
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    for (int i = 0; i < v.inputs.n; i++)
        if (sk_vocab_count_file(c, v.inputs.v[i], v.replace ? SK_LINES_REPLACE_INVALID : 0, pool)) return sk_die();
    struct sk_vocab *vocab = sk_vocab_build(c, v.num_words[0], v.min_count[0], v.pad, pool);
    if (!vocab) sk_fail_prefix("%s%s: ", v.inputs.v[0], v.inputs.n > 1 ? " and the other files" : "");
    int r = vocab ? sk_vocab_save(vocab, v.output) : -1;
    sk_vocab_counts_free(c);
    sk_vocab_free(vocab);
    sk_pool_free(pool);
    return r ? sk_die() : 0;
}
