/* options.h - the options of the trainer: the table, the values, and what
 * follows from them. Names, aliases, defaults and meanings are Sockeye 1.18's
 * wherever it has the option.
 */
#ifndef SK_TRAIN_OPTIONS_H
#define SK_TRAIN_OPTIONS_H
#include "base/opt.h"
#include "model/params.h"
#include "model/transformer.h"
#include "train/schedule.h"
#include "train/stopping.h"

struct sk_train_options {
    /* data */
    const char *source, *target, *validation_source, *validation_target, *output;
    const char *source_vocab, *target_vocab;
    int shared_vocab, num_words[2], word_min_count[2], pad_vocab, max_seq_len[2], replace_invalid;
    /* batches */
    int batch_size, virtual_shards;
    const char *batch_type;
    /* model */
    const char *encoder, *decoder;
    int num_layers[2], model_size[2], heads[2], feed_forward[2], num_embed[2];
    const char *activation, *positions, *preprocess[2], *postprocess[2];
    int weight_tying;
    const char *weight_tying_type;
    double dropout_attention, dropout_act, dropout_prepost;
    const char *embed_dropout[2];
    const char *params;
    int allow_missing_params;
    const char *weight_init, *xavier_factor, *xavier_rand, *embed_weight_init;
    double weight_init_scale;
    /* objective and optimizer */
    const char *loss, *loss_normalization, *optimizer, *optimizer_params;
    double label_smoothing, learning_rate;
    const char *clipping_type;
    double clipping_threshold;
    const char *scheduler;
    double reduce_factor, half_life;
    int reduce_num_not_improved, warmup;
    /* checkpoints and the end */
    int checkpoint_frequency;
    long long max_updates, min_updates, max_samples, max_seconds;
    int max_epochs, min_epochs, patience, keep_last_params;
    const char *optimized_metric;
    struct sk_opt_list metrics;
    /* this process */
    const char *dtype;
    long long seed;
    int overwrite_output, num_shards, shard, threads, use_cpu, quiet;
};

enum sk_clip { SK_CLIP_NONE, SK_CLIP_ABS, SK_CLIP_NORM };

/* What the options mean. */
struct sk_train_plan {
    struct sk_transformer model;     /* vocabulary sizes still 0 */
    struct sk_init_options init;     /* source_vocab still 0 */
    struct sk_schedule schedule;
    struct sk_limits limits;
    double beta1, beta2, epsilon;
    enum sk_clip clip;
    double clip_threshold;
    int shared_vocab;                /* asked for, or needed by the tying */
    int sentence_batches;
    int accuracy;                    /* reported in metrics and log */
    const char *optimized;           /* "perplexity" or "accuracy" */
    unsigned lines_flags;
};

extern const struct sk_program sk_train_program;

/* Parses, checks across options, makes the plan. Exits on --help, --version
 * and misuse (64). */
void sk_train_options_parse(struct sk_train_options *o, struct sk_train_plan *p, int argc, char **argv);
#endif
