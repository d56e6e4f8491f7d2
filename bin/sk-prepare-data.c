/* sk-prepare-data - makes of text what training reads. */
#include <stdlib.h>
#include "base/msg.h"
#include "base/opt.h"
#include "modeldir/protect.h"
#include "train/inputs.h"
#include "train/prepare_data.h"
#include "train/signals.h"

#define AT(field) offsetof(struct sk_prepare_data_options, field)
#define MANY 2147483647.0

static const struct sk_opt options[] = {
    {.name = "source", .letter = 's', .type = SK_OPT_STRING, .offset = AT(source), .value = "FILE",
     .help = "Source side of the training text, plain or gzip.", .flags = SK_OPT_REQUIRED | SK_OPT_INPUT},
    {.name = "target", .letter = 't', .type = SK_OPT_STRING, .offset = AT(target), .value = "FILE",
     .help = "Target side, line by line.", .flags = SK_OPT_REQUIRED | SK_OPT_INPUT},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = AT(output), .value = "DIR",
     .help = "Folder for the prepared data. If it holds them already, nothing is done.",
     .flags = SK_OPT_REQUIRED | SK_OPT_UNRECORDED},
    {.name = "overwrite-output", .type = SK_OPT_FLAG, .offset = AT(overwrite_output),
     .help = "Make the data that DIR holds anew.", .flags = SK_OPT_UNRECORDED},
    {.name = "source-vocab", .type = SK_OPT_STRING, .offset = AT(source_vocab), .value = "FILE",
     .help = "Existing source vocabulary (JSON); not built from the text then.", .flags = SK_OPT_INPUT},
    {.name = "target-vocab", .type = SK_OPT_STRING, .offset = AT(target_vocab), .value = "FILE",
     .help = "Existing target vocabulary.", .flags = SK_OPT_INPUT},
    {.name = "shared-vocab", .type = SK_OPT_FLAG, .offset = AT(shared_vocab),
     .help = "One vocabulary for both sides, as --weight-tying-type src_trg and src_trg_softmax need it."},
    {.name = "num-words", .type = SK_OPT_INT_PAIR, .offset = AT(num_words), .initial = "0:0", .min = 0, .max = MANY,
     .value = "S:T", .help = "Largest vocabulary, special symbols not counted; 0: no limit."},
    {.name = "word-min-count", .type = SK_OPT_INT_PAIR, .offset = AT(word_min_count), .initial = "1:1", .min = 1,
     .max = MANY, .value = "S:T", .help = "Words rarer than this are unknown."},
    {.name = "pad-vocab-to-multiple-of", .type = SK_OPT_INT, .offset = AT(pad_vocab), .initial = "0", .min = 0,
     .max = 65536, .value = "N", .help = "Fill vocabularies up with <padN> entries; 0: do not."},
    {.name = "max-seq-len", .type = SK_OPT_INT_PAIR, .offset = AT(max_seq_len), .initial = "99:99", .min = 1,
     .max = 65534, .value = "S:T", .help = "Longest sentence in tokens; pairs over it are left out."},
    {.name = "replace-invalid", .type = SK_OPT_FLAG, .offset = AT(replace_invalid),
     .help = "Replace invalid UTF-8 by U+FFFD instead of stopping."},
    {.name = "threads", .type = SK_OPT_INT, .offset = AT(threads), .initial = "0", .min = 0, .max = 1024,
     .value = "N", .help = "Threads; 0: one for each CPU this process may use, at most 16.",
     .flags = SK_OPT_UNRECORDED},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = AT(quiet),
     .help = "Talk to the log file only.", .flags = SK_OPT_UNRECORDED},
    {.name = "no-logfile", .type = SK_OPT_FLAG, .offset = AT(no_logfile),
     .help = "Do not write DIR/log.", .flags = SK_OPT_UNRECORDED},
    {.name = NULL}
};

static const struct sk_program program = {
    .synopsis = "-s FILE -t FILE -o DIR [option...]",
    .summary = "Makes vocabularies and a binary corpus of parallel text, for sk-train-shard --prepared-data.",
    .options = options,
    .epilogue = "Pairs are source:target; one value stands for both. Exit codes: 0 done, now or before; 64 usage; 65 "
                "bad content; 66 no such file; 74 I/O error; 75 stopped by a signal, or another process works on DIR; "
                "78 DIR was prepared otherwise, or holds other things.",
};

int main(int argc, char **argv)
{
    struct sk_prepare_data_options o;
    char *command = sk_opt_command(argc, argv);
    sk_opt_parse(&program, &o, argc, argv);
    sk_quiet(o.quiet);
    if (o.shared_vocab && (o.num_words[0] != o.num_words[1] || o.word_min_count[0] != o.word_min_count[1]))
        sk_opt_misuse("a shared vocabulary has one --num-words and one --word-min-count, not %d:%d and %d:%d",
                      o.num_words[0], o.num_words[1], o.word_min_count[0], o.word_min_count[1]);
    const struct sk_inputs in = {.path = {
        [SK_IN_SOURCE] = o.source, [SK_IN_TARGET] = o.target, [SK_IN_SOURCE_VOCAB] = o.source_vocab,
        [SK_IN_TARGET_VOCAB] = o.target_vocab}};
    sk_inputs_check_names(&in);
    if (sk_md_check_output(o.output) < 0)
        return sk_die();
    sk_info("sk version " SK_VERSION);
    sk_info("Command: %s", command);
    free(command);
    sk_signals_catch();
    sk_signals_defer();
    return sk_prepare_data(&o, options) < 0 ? sk_die() : SK_EXIT_OK;
}
