/* options.h - the options of the trainer: the table, the values, and what
 * follows from them. Names, aliases, defaults and meanings are Sockeye 1.18's
 * wherever it has the option. What may change between two starts on one model
 * directory, and what is no part of a run at all, are flags in the table.
 */
#ifndef SK_TRAIN_OPTIONS_H
#define SK_TRAIN_OPTIONS_H
#include "base/opt.h"
#include "model/params.h"
#include "model/model.h"
#include "modeldir/average.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/stopping.h"
#include "train/texts.h"

struct sk_train_options {
    const char *config;
    /* data */
    const char *source, *target, *validation_source, *validation_target, *output;
    const char *prepared_data, *source_vocab, *target_vocab;
    struct sk_opt_list data, monitor_sets;
    struct sk_named_texts texts, monitors; /* what these two mean */
    struct sk_opt_list factors, validation_factors, factor_vocabs, factor_embed;
    const char *factors_combine;
    struct sk_named_texts factor_texts; /* each factor's training and validation file */
    int shared_vocab, num_words[2], word_min_count[2], pad_vocab, max_seq_len[2], replace_invalid;
    /* batches */
    int batch_size, virtual_shards, update_interval;
    const char *batch_type;
    /* model */
    const char *encoder, *decoder;
    int num_layers[2], model_size[2], heads[2], feed_forward[2], num_embed[2];
    const char *activation, *positions, *preprocess[2], *postprocess[2];
    int weight_tying;
    const char *weight_tying_type;
    double dropout_attention, dropout_act, dropout_prepost;
    const char *embed_dropout[2];
    const char *rnn_cell, *rnn_attention, *rnn_start, *rnn_h2h_init;
    int rnn_hidden, rnn_attention_hidden, rnn_scale_dot, rnn_upper, rnn_residual, rnn_first_residual;
    int layer_normalization;
    double rnn_forget_bias, rnn_dropout_hidden;
    const char *rnn_dropout_inputs[2], *rnn_dropout_states[2];
    const char *params;
    int allow_missing_params;
    const char *weight_init, *xavier_factor, *xavier_rand, *embed_weight_init;
    double weight_init_scale;
    /* objective and optimizer */
    const char *loss, *loss_normalization, *optimizer, *optimizer_params;
    double label_smoothing, learning_rate, momentum, weight_decay, ema;
    const char *clipping_type;
    double clipping_threshold;
    const char *scheduler, *rate_schedule;
    double reduce_factor, half_life;
    int reduce_num_not_improved, warmup, param_reset;
    const char *states_reset;
    const char *fixed_strategy;
    struct sk_opt_list fixed_names;
    /* checkpoints and the end */
    int checkpoint_frequency;
    long long max_updates, min_updates, max_samples, min_samples, max_seconds;
    int max_epochs, min_epochs, max_checkpoints, patience;
    int keep_last_params, keep_last_states, keep_initializations, cache_last_best;
    const char *optimized_metric, *cache_metric, *cache_strategy;
    struct sk_opt_list metrics;
    /* evaluation beside training */
    const char *monitor_bleu, *on_checkpoint;
    int stop_on_failure;
    /* this process */
    const char *dtype;                   /* NULL: not given, until sk_train_settle_numbers */
    long long seed;
    int overwrite_output, shard, threads, use_cpu, dry_run, quiet, no_logfile;
    const char *loglevel;
    const char *command;             /* all of it, as a shell would read it */
    const char *shards;              /* --num-shards as given: N or slurm */
    double shard_timeout;
    int num_shards;                  /* what it means */
};

enum sk_clip { SK_CLIP_NONE, SK_CLIP_ABS, SK_CLIP_NORM };
/* What --learning-rate-decay-optimizer-states-reset makes of the moments. */
enum sk_states_reset { SK_STATES_KEEP, SK_STATES_INITIAL, SK_STATES_BEST };

/* What the options mean. */
struct sk_train_plan {
    struct sk_model_config model;    /* vocabulary sizes still 0 */
    struct sk_init_options init;     /* source_vocab still 0 */
    struct sk_schedule schedule;
    struct sk_limits limits;
    struct sk_optimizer optimizer;
    int param_reset;                 /* when the rate is lowered: back to the best parameters, */
    enum sk_states_reset states_reset;   /* and this happens to the moments */
    enum sk_clip clip;
    double clip_threshold;
    enum sk_strategy cache_strategy;
    int shared_vocab;                /* asked for, or needed by the tying */
    int sentence_batches;
    int accuracy;                    /* reported in metrics and log */
    const char *optimized;           /* "perplexity", "accuracy", or one that evaluators find: */
    const char *late;                /* its name in metrics: "bleu-val"; NULL: known at once */
    int monitor;                     /* a watcher of its own */
    int replays;                     /* ends without the scores of its last checkpoint (sk-verify) */
    unsigned lines_flags;
};

extern const struct sk_program sk_train_program;

/* Which parameters are not trained: fixed[i] = 1 for those of the table (which
 * are 0 before). Returns how many values they have. */
int64_t sk_train_fixed(const struct sk_train_options *o, const struct sk_params *t, unsigned char *fixed);

/* Does --weight-tying need one vocabulary for both sides? (plan.c) */
int sk_train_tying_shares(const struct sk_train_options *o);
/* Checks across options and makes the plan; exits on misuse (64). (plan.c) */
void sk_train_plan_make(struct sk_train_plan *p, const struct sk_train_options *o);
/* Parses and makes the plan. Exits on --help, --version and misuse (64). The
 * program is sk_train_program, or another whose table has its rows, and options
 * of its own behind *o: these are part of no record. */
void sk_train_options_parse(const struct sk_program *program, struct sk_train_options *o, struct sk_train_plan *p,
                            int argc, char **argv);
/* Where --dtype is not given: the numbers of the run that the directory holds, or, of
 * a new one, those that suit its device: gpu 1: a GPU; 0: the CPU; -1: the one that
 * sk_backend gives. 0, or -1 (sk_fail) where that fails. (numbers.c) */
int sk_train_settle_numbers(struct sk_train_options *o, int gpu);
#endif
