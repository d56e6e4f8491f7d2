/* sk-bleu-eval - scores translations, or translates and scores checkpoints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "base/pool.h"
#include "modeldir/evaluate.h"
#include "modeldir/open.h"
#include "modeldir/paths.h"
#include "score/corpus_files.h"
#include "score/report.h"

struct options {
    struct sk_opt_list hypotheses, references, metrics, checkpoint;
    const char *tokenize, *smooth_method, *dtype;
    double smooth_value, offset, alpha, beta;
    struct sk_chrf_options chrf;
    struct sk_ter_options ter;
    long long seed;
    int num_refs, variable, not_strict, sentence, mean, confidence, paired, samples, width;
    int lowercase, effective_order, beam_size, batch_size, num_stds, threads, use_cpu, quiet;
};
#define FIELD(f) offsetof(struct options, f)
#define HEADING(text) {.name = "", .type = SK_OPT_FLAG, .help = text}
#define FLAG(n, f, text) {.name = n, .type = SK_OPT_FLAG, .offset = FIELD(f), .help = text}
#define ALIAS(n, of, t, f) {.name = n, .type = t, .offset = FIELD(f), .flags = SK_OPT_HIDDEN, .alias_of = of}

static const struct sk_opt table[] = {
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
     .value = "N", .help = "Decides what is drawn: as sacreBLEU draws it with the same seed."},
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
    {.name = "beam-size", .letter = 'b', .type = SK_OPT_INT, .offset = FIELD(beam_size), .initial = "5", .min = 1,
     .max = 10000, .value = "N", .help = "Hypotheses kept for each sentence."},
    {.name = "batch-size", .type = SK_OPT_INT, .offset = FIELD(batch_size), .initial = "32", .min = 1, .max = 65536,
     .value = "N", .help = "Sentences translated together; has no effect on results."},
    {.name = "length-penalty-alpha", .type = SK_OPT_FLOAT, .offset = FIELD(alpha), .initial = "1.0", .min = -100,
     .max = 100, .value = "A", .help = "Exponent of the length penalty."},
    {.name = "length-penalty-beta", .type = SK_OPT_FLOAT, .offset = FIELD(beta), .initial = "0.0", .min = 0,
     .max = 1e6, .value = "B", .help = "Length added in the length penalty."},
    {.name = "max-output-length-num-stds", .type = SK_OPT_INT, .offset = FIELD(num_stds), .initial = "2",
     .min = -1e6, .max = 1e6, .value = "N",
     .help = "Longest translation: so many standard deviations over the mean length ratio of training; negative: "
             "twice the source's length."},
    {.name = "dtype", .type = SK_OPT_CHOICE, .offset = FIELD(dtype), .initial = "float32", .choices = SK_DTYPES,
     .help = "Numbers that matrix products multiply, whatever the model was trained with. bfloat16 and int8 are "
             "faster where the processor has instructions for them."},
    FLAG("use-cpu", use_cpu, "Use the CPU."),
    HEADING("General"),
    {.name = "threads", .type = SK_OPT_INT, .offset = FIELD(threads), .initial = "0", .min = 0, .max = 1024,
     .value = "N", .help = "Threads; 0: one for each CPU. Has no effect on results."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = FIELD(quiet), .help = "Only warnings and errors."},
    {0}};

static const struct sk_program program = {
    .synopsis = "[--hypotheses FILE...] --references FILE... | MODEL_DIR [--checkpoint N...]",
    .summary = "Prints BLEU (0 to 100) or other scores of translations, or of the validation text translated by "
               "checkpoints of a model, which are also stored in the model directory.",
    .options = table,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error, 75 somebody else "
                "evaluates this checkpoint.",
    .min_operands = 0, .max_operands = 1};

/* --- options to metrics ----------------------------------------------------------- */

static struct sk_bleu_options bleu_options(const struct options *o, const char *tokenizer)
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

/* The metrics to print: how many. */
static int choose_measures(const struct options *o, const char *tokenizer, struct sk_measure_options measure[SK_MEASURES])
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

static int thread_count(const struct options *o)
{
    return o->threads > 0 ? o->threads : sk_cpu_count();
}

/* --- files ------------------------------------------------------------------------ */

/* The scores of each line of a block. */
static int print_sentences(void *ctx, const struct sk_scoring *s, const double *stats, int n)
{
    const struct options *o = ctx;
    struct sk_str out = {0};
    for (int i = 0; i < n; i++)
        for (int h = 0; h < s->systems; h++, stats += s->stats)
            for (int k = 0; k < s->measures; k++)
                sk_str_printf(&out, "%.*f%c", o->width, sk_measure_value(&s->measure[k], stats + s->at[k]),
                              h + 1 < s->systems || k + 1 < s->measures ? '\t' : '\n');
    int result = sk_write_all(1, out.text, out.len);
    sk_str_free(&out);
    return result;
}

static void say_signatures(const struct options *o, const struct sk_scoring *s)
{
    for (int k = 0; k < s->measures; k++) {
        struct sk_str text = {0};
        sk_measure_signature(&s->measure[k], sk_scoring_references(s), o->confidence || o->paired ? o->samples : 0,
                            (unsigned long long)o->seed, &text);
        if (s->measure[k].kind == SK_SCORE_BLEU && s->systems == 1 && !o->sentence) {
            sk_str_add(&text, " = ", 3);
            sk_bleu_detail(&s->measure[k].bleu, s->sum + s->at[k], &text);
        }
        sk_info("%s", text.text);
        sk_str_free(&text);
    }
}

static int score_files(const struct options *o)
{
    static const char *standard_input[] = {"-"};
    struct sk_opt_list hyp = o->hypotheses.n > 0 ? o->hypotheses : (struct sk_opt_list){1, standard_input};
    struct sk_measure_options measure[SK_MEASURES];
    struct sk_scoring s;
    int inputs = 0;
    for (int i = 0; i < hyp.n + o->references.n; i++)
        inputs += strcmp(i < hyp.n ? hyp.v[i] : o->references.v[i - hyp.n], "-") == 0;
    if (inputs > 1)
        sk_opt_misuse("standard input (-) can be read only once");
    if (o->num_refs > 1 && o->references.n > 1)
        sk_opt_misuse("--num-refs is for one file of references");
    if (o->mean + o->sentence + (o->confidence || o->paired) > 1)
        sk_opt_misuse("of --mean, --sentence and --confidence or --paired only one is possible");
    if (o->paired && hyp.n < 2)
        sk_opt_misuse("--paired compares files: give the baseline and others to --hypotheses");
    int measures = choose_measures(o, "13a", measure);
    sk_scoring_open(&s, measure, measures, hyp.n, thread_count(o), o->confidence || o->paired);
    struct sk_score_files files = {.hypothesis = hyp.v, .hypotheses = hyp.n, .reference = o->references.v,
                                   .references = o->references.n, .fields = o->num_refs, .variable = o->variable,
                                   .not_strict = o->not_strict, .block = o->sentence ? print_sentences : NULL,
                                   .ctx = (void *)o};
    int result = sk_score_files(&s, &files);
    if (result == 0 && !o->sentence) {
        struct sk_str out = {0};
        struct sk_report report = {.name = hyp.v, .width = o->width, .mean = o->mean, .paired = o->paired,
                                   .samples = o->confidence || o->paired ? o->samples : 0,
                                   .seed = (unsigned long long)o->seed, .threads = thread_count(o)};
        sk_report(&s, &report, &out);
        result = sk_write_all(1, out.text, out.len);
        sk_str_free(&out);
    }
    if (result == 0)
        say_signatures(o, &s);
    sk_scoring_close(&s);
    return result;
}

/* --- checkpoints ------------------------------------------------------------------ */

/* A checkpoint's number as given on the command line, or -1. */
static int checkpoint_number(const char *dir, const char *text)
{
    if (strcmp(text, "best") != 0) {
        char *end;
        errno = 0;
        long n = strtol(text, &end, 10);
        if (end == text || *end || errno || n < 0 || n > 2147483647)
            sk_opt_misuse("--checkpoint %s: expected a number, or best", text);
        return (int)n;
    }
    int *all, best = sk_md_best(dir), n;
    if (best != 0)
        return best;
    n = sk_md_list(dir, "params", &all);
    if (n < 0)
        return -1;
    if (n > 0) {
        best = all[n - 1];
        sk_warn("%s has no params.best yet: taking its newest checkpoint, %d", dir, best);
    }
    free(all);
    return n > 0 ? best : sk_fail(SK_EXIT_NOINPUT, "%s has no checkpoint: is it a model directory?", dir);
}

static int print_scores(const struct options *o, const struct sk_evaluate_options *e, const struct sk_evaluated *r,
                        int checkpoint, int several)
{
    struct sk_str out = {0};
    for (int k = 0; k < e->measures; k++) {
        sk_measure_name(&e->measure[k], &out);
        sk_str_printf(&out, "\t%.*f", o->width, r->score[k]);
        if (several)
            sk_str_printf(&out, "\t%d", checkpoint);
        sk_str_add(&out, "\n", 1);
    }
    int result = sk_write_all(1, out.text, out.len);
    sk_str_free(&out);
    return result;
}

static int score_checkpoints(const struct options *o, const char *dir)
{
    static const char *best[] = {"best"};
    struct sk_measure_options measure[SK_MEASURES];
    struct sk_opt_list which = o->checkpoint.n > 0 ? o->checkpoint : (struct sk_opt_list){1, best};
    struct sk_evaluate_options options = {.beam_size = o->beam_size, .num_stds = o->num_stds,
                                          .batch = o->batch_size, .alpha = o->alpha, .beta = o->beta,
                                          .dtype = sk_dtype_named(o->dtype),
                                          .measure = measure, .measures = choose_measures(o, "none", measure)};
    struct sk_device *dev = sk_device_open(&sk_ops_cpu, o->threads, o->dtype);
    if (!dev)
        return -1;
    char text[256];
    sk_ops_cpu.describe(dev, text, sizeof text);
    sk_info("translating on %s", text);
    int result = 0;
    for (int i = 0; i < which.n && result == 0; i++) {
        struct sk_evaluated r;
        int checkpoint = checkpoint_number(dir, which.v[i]);
        result = checkpoint < 0 ? -1 : sk_evaluate_checkpoint(dir, checkpoint, &options, &sk_ops_cpu, dev, &r);
        if (result)
            break;
        result = print_scores(o, &options, &r, checkpoint, which.n > 1);
        if (r.seconds > 0)
            sk_info("checkpoint %d: %lld sentences in %.1f s (%.1f/s, %.0f words/s), bleu-val %.6f", checkpoint,
                    r.sentences, r.seconds, (double)r.sentences / r.seconds, (double)r.words / r.seconds, r.bleu_val);
        else
            sk_info("checkpoint %d: scored as stored, bleu-val %.6f", checkpoint, r.bleu_val);
        if (!r.stored)
            sk_warn("not stored: %s/eval/%05d.json was made with other options, or its translations are damaged; remove "
                    "it to replace it", dir, checkpoint);
        else
            sk_info(r.merged == 1   ? "stored in eval/%05d.json and in metrics"
                    : r.merged == 0 ? "stored in eval/%05d.json; the running training takes it over into metrics"
                                    : "stored in eval/%05d.json; the next start of training takes it over into metrics",
                    checkpoint);
    }
    for (int k = 0; k < options.measures && result == 0; k++) {
        struct sk_str signature = {0};
        sk_measure_signature(&measure[k], 1, 0, 0, &signature);
        sk_info("%s", signature.text);
        sk_str_free(&signature);
    }
    sk_ops_cpu.close(dev);
    return result;
}

int main(int argc, char **argv)
{
    struct options o;
    sk_msg_program(argv[0]);
    int operand = sk_opt_parse(&program, &o, argc, argv);
    sk_temp_catch_signals();
    int has_dir = operand < argc;
    sk_quiet(o.quiet);
    if (has_dir && (o.references.n > 0 || o.hypotheses.n > 0))
        sk_opt_misuse("give either MODEL_DIR, or --references (and --hypotheses)");
    if (!has_dir && o.references.n == 0)
        sk_opt_misuse("expected MODEL_DIR, or --references FILE (and --hypotheses FILE)");
    if (!has_dir && o.checkpoint.n > 0)
        sk_opt_misuse("--checkpoint needs MODEL_DIR");
    if (has_dir && (o.sentence || o.mean || o.confidence || o.paired || o.not_strict || o.variable || o.num_refs > 1))
        sk_opt_misuse("--num-refs, --variable-references, --not-strict, --sentence, --mean, --confidence and --paired "
                      "are for files: the translations of a checkpoint are in MODEL_DIR/eval/NNNNN.out");
    int result = has_dir ? score_checkpoints(&o, argv[operand]) : score_files(&o);
    return result ? sk_die() : SK_EXIT_OK;
}
