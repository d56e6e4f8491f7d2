#include "modeldir/translate_options.h"

#include <stddef.h>
#include <string.h>

#include "base/msg.h"
#include "model/model.h"
#include "modeldir/option_rows.h"
#include "search/output.h"

#define FIELD(f) offsetof(struct sk_translate_values, f)

static const struct sk_opt table[] = {
    {.name = "models", .letter = 'm', .type = SK_OPT_LIST, .offset = FIELD(models), .value = "MODEL_DIR",
     .flags = SK_OPT_REQUIRED, .help = "Directory of the trained model; several translate together."},
    {.name = "checkpoints", .letter = 'c', .type = SK_OPT_LIST, .offset = FIELD(checkpoints), .value = "N|best|FILE",
     .help = "Parameters for each model: number of a checkpoint, best, or a params file. Several for one model: "
             "these translate together. Default: best."},
    {.name = "ensemble-mode", .type = SK_OPT_CHOICE, .offset = FIELD(ensemble_mode), .initial = "linear",
     .choices = "linear|log_linear",
     .help = "How several models translate together: by the mean of their probabilities or of their logarithms."},
    {.name = "input", .letter = 'i', .type = SK_OPT_STRING, .offset = FIELD(input), .initial = "-", .value = "FILE",
     .help = "Text to translate, plain or gz; -: standard input."},
    {.name = "input-factors", .letters = "if", .type = SK_OPT_LIST, .offset = FIELD(factors), .value = "FILE...",
     .help = "Source factors, for a model that has them: for each factor a file with a symbol for each word of the "
             "input (-if). Without it words have their factors, word|factor, or JSON has them in \"factors\"."},
    {.name = "json-input", .type = SK_OPT_FLAG, .offset = FIELD(json_input),
     .help = "A line of input is a JSON object with the text under \"text\"; other keys are passed through to JSON "
             "output."},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = FIELD(output), .initial = "-", .value = "FILE",
     .help = "File for the translations, which gets its name when it is complete; -: standard output."},
    {.name = "output-type", .type = SK_OPT_CHOICE, .offset = FIELD(output_type), .choices = SK_OUTPUT_TYPES,
     .help = "What a line holds. Scores are negative log probabilities over the length penalty: lower is better. "
             "Default: translation, or json if --nbest-size is more than 1."},
    {.name = "nbest-size", .type = SK_OPT_INT, .offset = FIELD(nbest), .initial = "1", .min = 1, .max = 10000,
     .value = "N", .help = "Give the N best translations of each line, as JSON."},
    {.name = "strip-unknown-words", .type = SK_OPT_FLAG, .offset = FIELD(strip_unknown),
     .help = "Leave <unk> out of translations."},
    SK_ROWS_SEARCH(struct sk_translate_values),
    {.name = "beam-prune", .letter = 'p', .type = SK_OPT_FLOAT, .offset = FIELD(prune), .initial = "0", .min = 0,
     .max = 1e9, .value = "X",
     .help = "Give up hypotheses whose score is more than X above that of the best finished one; 0: never."},
    {.name = "beam-search-stop", .type = SK_OPT_CHOICE, .offset = FIELD(stop), .initial = "all",
     .choices = "all|first",
     .help = "End a sentence's search when all hypotheses have ended, or no other result is possible; or with the "
             "first that has."},
    {.name = "sample", .type = SK_OPT_INT, .offset = FIELD(sample), .initial = "-1", .min = -1, .max = 1e9,
     .bare = "0", .value = "N",
     .help = "Draw words from the model's distribution instead of searching: --beam-size samples of each line, the most "
             "probable first. N: from the N most probable words at each position; 0, or no N: from all. -1: search."},
    {.name = "seed", .type = SK_OPT_LONG, .offset = FIELD(seed), .initial = "1", .min = 0, .max = 9e18, .value = "N",
     .help = "Decides what --sample draws, with the line's number: not what other lines there are."},
    {.name = "avoid-list", .type = SK_OPT_STRING, .offset = FIELD(avoid_list), .value = "FILE",
     .help = "Phrases that no translation may have, one a line; plain or gz."},
    {.name = "restrict-lexicon", .type = SK_OPT_STRING, .offset = FIELD(restrict_lexicon), .value = "FILE",
     .help = "A shortlist, as sk-lexicon makes it: translations consist of the likely translations of the line's words."},
    {.name = "restrict-lexicon-topk", .type = SK_OPT_INT, .offset = FIELD(restrict_topk), .initial = "0", .min = 0,
     .max = 1e6, .value = "N", .help = "Take only the N likeliest of each word; 0: all."},
    {.name = "sentencepiece", .type = SK_OPT_STRING_PAIR, .offset = FIELD(sentencepiece), .value = "FILE:FILE",
     .help = "Models of sentencepiece: text of the source is cut into pieces by the first, translations are joined by "
             "the second; one for both."},
    {.name = "chunk-size", .type = SK_OPT_INT, .offset = FIELD(chunk_size), .initial = "0", .min = 0, .max = 1e9,
     .value = "N",
     .help = "Most lines read before they are sorted by length and translated; 0: 100 times --batch-size. What a pipe "
             "or terminal has is translated without waiting for more."},
    {.name = "max-input-len", .letter = 'n', .type = SK_OPT_INT, .offset = FIELD(max_input_len), .initial = "0",
     .min = 0, .max = 1e9, .value = "N",
     .help = "Lines with N words or more are cut into pieces of N - 1 (with the end symbol N); 0, and always: as "
             "training allowed."},
    SK_ROWS_COMPUTING(struct sk_translate_values),
    SK_ROW_QUIET(struct sk_translate_values),
    {0}};

const struct sk_program sk_translate_program = {
    .synopsis = "-m MODEL_DIR... [-c N|best|FILE...] [-i FILE] [-o FILE]",
    .summary = "Translates each line of its input by beam search: one line out for each line in, in order.",
    .options = table,
    .epilogue = "Exit codes: 0 done, 64 usage, 65 bad content, 66 no such file, 74 I/O error, 78 models that do not "
                "fit together."};

void sk_translate_check(struct sk_translate_values *o)
{
    if (o->max_input_len == 1)
        sk_opt_misuse("--max-input-len 1: a piece is a word and the end symbol at least, 2 or more");
    if (o->nbest > o->beam_size)
        sk_opt_misuse("--nbest-size %d: a beam of %d (--beam-size) has not as many", o->nbest, o->beam_size);
    if (o->nbest > 1 && !strcmp(o->stop, "first")) {
        sk_warn("--beam-search-stop first is not for --nbest-size %d: searching to the end", o->nbest);
        o->stop = "all";
    }
    if (o->nbest > 1 && o->output_type && strcmp(o->output_type, "json"))
        sk_warn("--output-type %s is not for --nbest-size %d: writing json", o->output_type, o->nbest);
    if (o->chunk_size > 0 && o->chunk_size < o->batch_size && o->chunk_size != 1)
        sk_warn("--chunk-size %d is less than --batch-size %d: batches will be smaller", o->chunk_size, o->batch_size);
}

int sk_translate_models(const struct sk_translate_values *o, const char **dirs)
{
    int n = o->models.n > o->checkpoints.n ? o->models.n : o->checkpoints.n;
    if (o->checkpoints.n > 0 && o->models.n > 1 && o->models.n != o->checkpoints.n)
        sk_opt_misuse("--checkpoints: %d for %d models: give one for each", o->checkpoints.n, o->models.n);
    if (n > SK_ENSEMBLE_MAX)
        sk_opt_misuse("%d models are more than %d", n, SK_ENSEMBLE_MAX);
    for (int i = 0; i < n; i++)
        dirs[i] = o->models.v[o->models.n > 1 ? i : 0];
    return n;
}
