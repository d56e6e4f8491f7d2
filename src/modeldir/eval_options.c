/* eval_options.c - options of sk-bleu-eval: the table, and what those of metrics
 * mean. */
#include "modeldir/eval_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "modeldir/option_rows.h"

#define FIELD(f) offsetof(struct sk_eval_options, f)
#define HEADING(text) {.name = "", .type = SK_OPT_FLAG, .help = text}
#define FLAG(n, f, text) {.name = n, .type = SK_OPT_FLAG, .offset = FIELD(f), .help = text}
#define ALIAS(n, of, t, f) {.name = n, .type = t, .offset = FIELD(f), .flags = SK_OPT_HIDDEN, .alias_of = of}

const struct sk_opt sk_eval_table[] = {
    HEADING("Scoring files"),
    {.name = "hypotheses", .letter = 'i', .type = SK_OPT_LIST, .offset = FIELD(hypotheses), .value = "FILE...",
     .help = "Translations, one per line: plain, gz or - (the default). With several files each gets a line."},
    {.name = "references", .letter = 'r', .type = SK_OPT_LIST, .offset = FIELD(references), .value = "FILE...",
     .help = "Reference translations, line by line; of several files each has one for every line."},
    {.name = "num-refs", .type = SK_OPT_INT, .offset = FIELD(num_refs), .initial = "1", .min = 1, .max = 1000,
     .value = "N", .help = "The only file of references has so many on each line, separated by tabs."},
    FLAG("variable-references", variable, "An empty reference is no reference: lines may have different numbers."),
    {.name = "not-strict", .letter = 'n', .type = SK_OPT_FLAG, .offset = FIELD(not_strict),
     .help = "Files may have different lengths: stop with the shortest."},
    {.name = "sentence", .letter = 's', .type = SK_OPT_FLAG, .offset = FIELD(sentence),
     .help = "Print the scores of each line instead: a column for each file and metric."},
    FLAG("mean", mean, "Print mean and standard deviation over the files of hypotheses instead of each."),
    FLAG("confidence", confidence, "Add mean and 95% confidence interval by bootstrap resampling."),
    FLAG("paired", paired, "The same, and the p-value of each file's difference from the first, by paired bootstrap."),
    {.name = "samples", .type = SK_OPT_INT, .offset = FIELD(samples), .initial = "1000", .min = 1, .max = 1e6,
     .value = "N", .help = "Resamples."},
    {.name = "seed", .type = SK_OPT_LONG, .offset = FIELD(seed), .initial = "12345", .min = 0, .max = 9e18,
     .value = "N", .help = "Decides what is drawn: resamples, as sacreBLEU draws them with the same seed, and the "
             "lines of --monitor-bleu."},
    {.name = "width", .letter = 'w', .type = SK_OPT_INT, .offset = FIELD(width), .initial = "2", .min = 0, .max = 15,
     .value = "N", .help = "Digits printed after the point."},
    ALIAS("sentence-level", "sentence", SK_OPT_FLAG, sentence),
    ALIAS("paired-bs", "paired", SK_OPT_FLAG, paired),
    ALIAS("paired-bs-n", "samples", SK_OPT_INT, samples),
    ALIAS("confidence-n", "samples", SK_OPT_INT, samples),
    HEADING("Metrics"),
    {.name = "metrics", .letter = 'm', .type = SK_OPT_LIST, .offset = FIELD(metrics), .value = "NAME...",
     .help = "Which to print: bleu (the default), chrf, ter, rouge1, rouge2, rougel."},
    {.name = "tokenize", .type = SK_OPT_CHOICE, .offset = FIELD(tokenize), .choices = "13a|intl|char|none",
     .help = "Tokeniser of BLEU: that of mteval-v13a, the international one of mteval-v14, every character, or white "
             "space only. Default: 13a for files, none for checkpoints."},
    FLAG("lowercase", lowercase, "BLEU: compare without case."),
    {.name = "smooth-method", .type = SK_OPT_CHOICE, .offset = FIELD(smooth_method), .initial = "exp",
     .choices = "exp|floor|add-k|none", .help = "BLEU: what an order without matches counts."},
    {.name = "smooth-value", .type = SK_OPT_FLOAT, .offset = FIELD(smooth_value), .min = 1e-9, .max = 1e9,
     .value = "X", .help = "BLEU: value of floor (default 0.1) or add-k (default 1)."},
    FLAG("effective-order", effective_order, "BLEU: orders that no line is long enough for do not count. Always on "
                                             "with --sentence."),
    {.name = "offset", .type = SK_OPT_FLOAT, .offset = FIELD(offset), .min = 1e-9, .max = 1e9, .value = "X",
     .help = "BLEU as Sockeye's with this --offset: orders without matches count as X matches, effective order."},
    {.name = "chrf-char-order", .type = SK_OPT_INT, .offset = FIELD(chrf.char_order), .initial = "6", .min = 1,
     .max = SK_CHRF_MAX_ORDER, .value = "N", .help = "chrF: longest n-grams of characters."},
    {.name = "chrf-word-order", .type = SK_OPT_INT, .offset = FIELD(chrf.word_order), .initial = "0", .min = 0,
     .max = SK_CHRF_MAX_ORDER, .value = "N", .help = "chrF: longest n-grams of words; 2 is chrF++."},
    {.name = "chrf-beta", .type = SK_OPT_INT, .offset = FIELD(chrf.beta), .initial = "2", .min = 0, .max = 1e6,
     .value = "N", .help = "chrF: how much more recall counts than precision."},
    FLAG("chrf-whitespace", chrf.whitespace, "chrF: white space is characters too."),
    FLAG("chrf-lowercase", chrf.lowercase, "chrF: compare without case."),
    FLAG("chrf-eps-smoothing", chrf.eps_smoothing, "chrF: orders without n-grams count, as in chrF++.py and NLTK."),
    FLAG("ter-normalized", ter.normalized, "TER: punctuation is split from words first."),
    FLAG("ter-no-punct", ter.no_punct, "TER: without punctuation."),
    FLAG("ter-asian-support", ter.asian_support, "TER: the two above also for Chinese and Japanese."),
    FLAG("ter-case-sensitive", ter.case_sensitive, "TER: compare with case."),
    HEADING("Scoring checkpoints"),
    {.name = "checkpoint", .letter = 'c', .type = SK_OPT_LIST, .offset = FIELD(checkpoint), .value = "N...",
     .help = "Numbers of checkpoints, or best (the default)."},
    FLAG("watch", watch, "Score every checkpoint as it appears, started before, during or after training, beside others "
                         "that do the same; end when training has finished and all is scored."),
    FLAG("once", once, "Score the checkpoints that are there and not scored yet, and end (for cron)."),
    {.name = "monitor-bleu", .type = SK_OPT_STRING, .offset = FIELD(monitor), .value = "N",
     .help = "Sentences of the validation text to translate, a sample that --seed decides; 0 or -1: all. Default: as "
             "many as the training's own --monitor-bleu says."},
    ALIAS("decode-and-evaluate", "monitor-bleu", SK_OPT_STRING, monitor),
    {.name = "poll-interval", .type = SK_OPT_FLOAT, .offset = FIELD(poll), .initial = "1.0", .min = 0.01, .max = 3600,
     .value = "SECONDS", .help = "--watch: look at the folder this often, besides being told by the system what happens "
                                 "on this host."},
    {.name = "idle-timeout", .type = SK_OPT_FLOAT, .offset = FIELD(idle), .initial = "0.0", .min = 0, .max = 1e9,
     .value = "SECONDS", .help = "--watch: end after so long without a new checkpoint; 0: never."},
    FLAG("stop-on-failure", stop_on_failure, "--watch: end at the first checkpoint that cannot be translated, with the "
                                             "exit code of that, instead of trying again and going on."),
    SK_ROWS_SEARCH(struct sk_eval_options),
    HEADING("General"),
    SK_ROWS_COMPUTING(struct sk_eval_options),
    SK_ROW_QUIET(struct sk_eval_options),
    {0}};

/* --- metrics ------------------------------------------------------------------------ */

static struct sk_bleu_options bleu_options(const struct sk_eval_options *o, const char *tokenizer)
{
    struct sk_bleu_options b = {.lowercase = o->lowercase, .effective_order = o->effective_order || o->sentence};
    const char *t = o->tokenize ? o->tokenize : tokenizer, *m = o->smooth_method;
    b.tokenizer = strcmp(t, "13a") == 0    ? SK_BLEU_13A
                  : strcmp(t, "intl") == 0 ? SK_BLEU_INTL
                  : strcmp(t, "char") == 0 ? SK_BLEU_CHAR
                                           : SK_BLEU_NONE;
    b.smoothing = strcmp(m, "exp") == 0     ? SK_BLEU_EXP
                  : strcmp(m, "floor") == 0 ? SK_BLEU_FLOOR
                  : strcmp(m, "add-k") == 0 ? SK_BLEU_ADD_K
                                            : SK_BLEU_NO_SMOOTHING;
    b.value = o->smooth_value > 0 ? o->smooth_value : b.smoothing == SK_BLEU_FLOOR ? 0.1 : 1;
    if (o->smooth_value > 0 && b.smoothing != SK_BLEU_FLOOR && b.smoothing != SK_BLEU_ADD_K)
        sk_opt_misuse("--smooth-value belongs to --smooth-method floor or add-k");
    if (o->offset > 0) {
        b.smoothing = SK_BLEU_OFFSET;
        b.value = o->offset;
        b.effective_order = 1;
    }
    return b;
}

int sk_eval_measures(const struct sk_eval_options *o, const char *tokenizer,
                     struct sk_measure_options measure[SK_MEASURES])
{
    static const char *bleu[] = {"bleu"};
    struct sk_opt_list names = o->metrics.n > 0 ? o->metrics : (struct sk_opt_list){1, bleu};
    unsigned chosen = 0;
    for (int i = 0; i < names.n; i++) {
        int kind = sk_measure_kind(names.v[i]);
        if (kind < 0)
            sk_opt_misuse("--metrics: '%s' is not one of bleu, chrf, ter, rouge1, rouge2, rougel", names.v[i]);
        if (chosen & 1u << kind)
            sk_opt_misuse("--metrics: %s is there twice", names.v[i]);
        chosen |= 1u << kind;
        measure[i] = (struct sk_measure_options){.kind = (enum sk_measure_kind)kind, .chrf = o->chrf, .ter = o->ter};
        measure[i].bleu = bleu_options(o, tokenizer);
    }
    return names.n;
}

int sk_eval_threads(const struct sk_eval_options *o)
{
    return o->threads > 0 ? o->threads : sk_cpu_count();
}

long long sk_eval_sample(const struct sk_eval_options *o)
{
    if (!o->monitor)
        return SK_SAMPLE_OF_TRAINING;
    char *end;
    errno = 0;
    long long n = strtoll(o->monitor, &end, 10);
    if (end == o->monitor || *end || errno || n < -1)
        sk_opt_misuse("--monitor-bleu: '%s' is no number from -1", o->monitor);
    return n > 0 ? n : -1;
}

/* --- what goes together -------------------------------------------------------------- */

static void check_watching(const struct sk_eval_options *o)
{
    if (o->watch && o->once)
        sk_opt_misuse("--watch and --once: only one is possible");
    if ((o->watch || o->once) && o->checkpoint.n > 0)
        sk_opt_misuse("--checkpoint says which: it does not go with --watch and --once");
    if (!o->watch && (o->idle > 0 || o->stop_on_failure))
        sk_opt_misuse("--idle-timeout and --stop-on-failure are for --watch");
}

void sk_eval_check(const struct sk_eval_options *o, int has_dir)
{
    if (has_dir && (o->references.n > 0 || o->hypotheses.n > 0))
        sk_opt_misuse("give either MODEL_DIR, or --references (and --hypotheses)");
    if (!has_dir && o->references.n == 0)
        sk_opt_misuse("expected MODEL_DIR, or --references FILE (and --hypotheses FILE)");
    if (!has_dir && (o->checkpoint.n > 0 || o->watch || o->once || o->monitor))
        sk_opt_misuse("--checkpoint, --watch, --once and --monitor-bleu need MODEL_DIR");
    if (has_dir && (o->sentence || o->mean || o->confidence || o->paired || o->not_strict || o->variable || o->num_refs > 1))
        sk_opt_misuse("--num-refs, --variable-references, --not-strict, --sentence, --mean, --confidence and --paired "
                      "are for files: the translations of a checkpoint are in MODEL_DIR/eval/NNNNN.out");
    check_watching(o);
    sk_eval_sample(o);
}
