/* sk-lexicon - a shortlist for sk-translate out of lexical probabilities. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/msg.h"
#include "base/opt.h"
#include "modeldir/config.h"
#include "modeldir/paths.h"
#include "modeldir/protect.h"
#include "search/shortlist.h"

struct values {
    const char *input, *output, *model;
    int k, quiet;
};
#define AT(field) offsetof(struct values, field)

static const struct sk_opt options[] = {
    {.name = "input", .letter = 'i', .type = SK_OPT_STRING, .offset = AT(input), .value = "FILE",
     .flags = SK_OPT_REQUIRED,
     .help = "Lines 'source target log-probability', as fast_align writes them with -p; plain or gz; -: standard input."},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = AT(output), .value = "FILE",
     .flags = SK_OPT_REQUIRED, .help = "The shortlist, in Sockeye's form (.npy)."},
    {.name = "model", .letter = 'm', .type = SK_OPT_STRING, .offset = AT(model), .value = "MODEL_DIR",
     .flags = SK_OPT_REQUIRED, .help = "Directory of the model whose vocabularies it is for."},
    {.name = "top", .letter = 'k', .type = SK_OPT_INT, .offset = AT(k), .initial = "200", .min = 1, .max = 1e6,
     .value = "N", .help = "Most target words for each source word."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = AT(quiet), .help = "Only errors on stderr."},
    {.name = NULL}
};

static const struct sk_program program = {
    .synopsis = "[create] -i FILE -o FILE -m MODEL_DIR [-k N]",
    .summary = "Makes the file that sk-translate --restrict-lexicon reads: the likely translations of each word.",
    .options = options,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error.",
    .max_operands = 1,
};

static struct sk_vocab *load(const char *dir, const char *name)
{
    char *path = sk_path_join(dir, name);
    struct sk_vocab *v = sk_vocab_load(path);
    free(path);
    return v;
}

/* How many source words have an entry. */
static int covered(const struct sk_shortlist *s)
{
    int n = 0;
    for (int i = 0; i < s->sources; i++)
        n += s->word[(size_t)i * (size_t)s->k] != 0;
    return n;
}

int main(int argc, char **argv)
{
    struct values v;
    struct sk_shortlist s = {0};
    long long used = 0, lines = 0;
    sk_msg_program(argv[0]);
    int operand = sk_opt_parse(&program, &v, argc, argv);
    if (operand < argc && strcmp(argv[operand], "create") != 0)
        sk_opt_misuse("'%s' is unknown: there is only create", argv[operand]);
    sk_quiet(v.quiet);
    sk_temp_catch_signals();
    struct sk_vocab *source = NULL, *target = NULL;
    int result = sk_md_check_output(v.output);
    if (result == 0)
        source = load(v.model, SK_MD_VOCAB_SOURCE);
    if (source)
        target = load(v.model, SK_MD_VOCAB_TARGET);
    result = target ? sk_shortlist_make(&s, v.input, source, target, v.k, &used, &lines) : -1;
    if (result == 0)
        result = sk_shortlist_save(&s, v.output);
    if (result == 0)
        sk_info("%lld of %lld lines are of words that the model knows: %d of %d source words have translations", used,
                lines, covered(&s), s.sources - SK_SPECIALS);
    sk_shortlist_free(&s);
    sk_vocab_free(source);
    sk_vocab_free(target);
    return result ? sk_die() : SK_EXIT_OK;
}
