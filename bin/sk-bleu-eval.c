/* sk-bleu-eval - scores translations, or translates and scores checkpoints. */
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/eval_options.h"
#include "score/corpus_files.h"
#include "score/report.h"

static const struct sk_program program = {
    .synopsis = "[--hypotheses FILE...] --references FILE... | MODEL_DIR [--checkpoint N... | --watch | --once]",
    .summary = "Prints BLEU (0 to 100) or other scores of translations, or of the validation text translated by "
               "checkpoints of a model, which are also stored in the model directory.",
    .options = sk_eval_table,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error, 75 somebody else "
                "evaluates this checkpoint, or --watch left one that could not be translated.",
    .min_operands = 0, .max_operands = 1};

/* The scores of each line of a block. */
static int print_sentences(void *ctx, const struct sk_scoring *s, const double *stats, int n)
{
    const struct sk_eval_options *o = ctx;
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

static void say_signatures(const struct sk_eval_options *o, const struct sk_scoring *s)
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

static int score_files(const struct sk_eval_options *o)
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
    int measures = sk_eval_measures(o, "13a", measure);
    sk_scoring_open(&s, measure, measures, hyp.n, sk_eval_threads(o), o->confidence || o->paired);
    struct sk_score_files files = {.hypothesis = hyp.v, .hypotheses = hyp.n, .reference = o->references.v,
                                   .references = o->references.n, .fields = o->num_refs, .variable = o->variable,
                                   .not_strict = o->not_strict, .block = o->sentence ? print_sentences : NULL,
                                   .ctx = (void *)o};
    int result = sk_score_files(&s, &files);
    if (result == 0 && !o->sentence) {
        struct sk_str out = {0};
        struct sk_report report = {.name = hyp.v, .width = o->width, .mean = o->mean, .paired = o->paired,
                                   .samples = o->confidence || o->paired ? o->samples : 0,
                                   .seed = (unsigned long long)o->seed, .threads = sk_eval_threads(o)};
        sk_report(&s, &report, &out);
        result = sk_write_all(1, out.text, out.len);
        sk_str_free(&out);
    }
    if (result == 0)
        say_signatures(o, &s);
    sk_scoring_close(&s);
    return result;
}

int main(int argc, char **argv)
{
    struct sk_eval_options o;
    sk_msg_program(argv[0]);
    int operand = sk_opt_parse(&program, &o, argc, argv), has_dir = operand < argc;
    sk_temp_catch_signals();
    sk_quiet(o.quiet);
    sk_eval_check(&o, has_dir);
    int result = !has_dir ? score_files(&o)
                 : o.watch || o.once ? sk_eval_watch(&o, argv[operand]) : sk_eval_checkpoints(&o, argv[operand]);
    return result < 0 ? sk_die() : result;
}
