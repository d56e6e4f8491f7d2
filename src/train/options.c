#include "train/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "math/ops.h"
#include "modeldir/shards.h"
#include "train/prepared.h"

#define AT(field) offsetof(struct sk_train_options, field)
#define HEADING(text) {.name = "", .type = SK_OPT_FLAG, .help = text}
#define ALIAS(alias, row, kind, field, low, high) \
    {.name = alias, .type = kind, .offset = AT(field), .min = low, .max = high, \
     .flags = SK_OPT_HIDDEN, .alias_of = row}

#define ALIAS_FREE(alias, row, kind, field) \
    {.name = alias, .type = kind, .offset = AT(field), .flags = SK_OPT_HIDDEN | SK_OPT_FREE, .alias_of = row}

#define MANY 2147483647.0
#define VERY_MANY 9007199254740992.0

static const struct sk_opt options[] = {
    {.name = "config", .type = SK_OPT_STRING, .offset = AT(config), .value = "FILE",
     .help = "Read options from FILE first: lines name<TAB>value, as in a model directory's args, or Sockeye's YAML. "
     "What the command line says counts more.", .flags = SK_OPT_CONFIG | SK_OPT_UNRECORDED},

    HEADING("Data"),
    {.name = "source", .letter = 's', .type = SK_OPT_STRING, .offset = AT(source), .value = "FILE",
     .help = "Source side of the training text, plain or gzip.", .flags = SK_OPT_INPUT,
     .instead_of = "prepared-data data"},
    {.name = "target", .letter = 't', .type = SK_OPT_STRING, .offset = AT(target), .value = "FILE",
     .help = "Target side, line by line.", .flags = SK_OPT_INPUT, .instead_of = "prepared-data data"},
    {.name = "data", .type = SK_OPT_LIST, .offset = AT(data), .value = "NAME=SOURCE:TARGET:WEIGHT...",
     .help = "Several training texts instead of one, in one option or more: of all pairs that training takes, each text "
     "gives the share that its WEIGHT is of the sum.", .flags = SK_OPT_INPUT | SK_OPT_REPEATED,
     .instead_of = "source target prepared-data"},
    {.name = "source-factors", .letters = "sf", .type = SK_OPT_LIST, .offset = AT(factors), .value = "FILE...",
     .help = "Source factors of the training text (-sf): for each factor a file with a symbol for each word of the "
     "source, line by line.", .flags = SK_OPT_INPUT},
    {.name = "prepared-data", .letter = 'd', .type = SK_OPT_STRING, .offset = AT(prepared_data), .value = "DIR",
     .help = "What sk-prepare-data made of the training text, instead of --source and --target. Options of the data "
     "are those that it was made with.", .flags = SK_OPT_INPUT, .instead_of = "source target data source-vocab target-vocab"},
    {.name = "validation-source", .letters = "vs", .type = SK_OPT_STRING, .offset = AT(validation_source), .value = "FILE",
     .help = "Source side of the held-out text (-vs).", .flags = SK_OPT_REQUIRED | SK_OPT_INPUT},
    {.name = "validation-source-factors", .letters = "vsf", .type = SK_OPT_LIST, .offset = AT(validation_factors), .value = "FILE...",
     .help = "Those of the held-out text (-vsf).", .flags = SK_OPT_INPUT},
    {.name = "validation-target", .letters = "vt", .type = SK_OPT_STRING, .offset = AT(validation_target), .value = "FILE",
     .help = "Target side of the held-out text (-vt).", .flags = SK_OPT_REQUIRED | SK_OPT_INPUT},
    {.name = "monitor-set", .type = SK_OPT_LIST, .offset = AT(monitor_sets), .value = "NAME=SOURCE:TARGET...",
     .help = "Further held-out texts, in one option or more, whose perplexity is reported at each checkpoint. Nothing is "
     "decided by it.", .flags = SK_OPT_INPUT | SK_OPT_REPEATED},
    {.name = "output", .letter = 'o', .type = SK_OPT_STRING, .offset = AT(output), .value = "MODEL_DIR",
     .help = "Model directory. If it holds a run of the same options, that run is resumed.",
     .flags = SK_OPT_REQUIRED | SK_OPT_FREE},
    {.name = "overwrite-output", .type = SK_OPT_FLAG, .offset = AT(overwrite_output),
     .help = "Remove the run that the model directory holds and begin anew.", .flags = SK_OPT_UNRECORDED},
    {.name = "source-vocab", .type = SK_OPT_STRING, .offset = AT(source_vocab), .value = "FILE",
     .help = "Existing source vocabulary (JSON); not built from the text then.", .flags = SK_OPT_INPUT},
    {.name = "target-vocab", .type = SK_OPT_STRING, .offset = AT(target_vocab), .value = "FILE",
     .help = "Existing target vocabulary.", .flags = SK_OPT_INPUT},
    {.name = "source-factor-vocabs", .type = SK_OPT_LIST, .offset = AT(factor_vocabs), .value = "FILE...",
     .help = "Existing vocabularies of the source factors, one for each.", .flags = SK_OPT_INPUT},
    {.name = "shared-vocab", .type = SK_OPT_FLAG, .offset = AT(shared_vocab),
     .help = "One vocabulary for both sides. Tying src_trg and src_trg_softmax imply it."},
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

    HEADING("Batches"),
    {.name = "batch-size", .letter = 'b', .type = SK_OPT_INT, .offset = AT(batch_size), .initial = "4096", .min = 1,
     .max = 16777216, .value = "N",
     .help = "Size of an update: target tokens, each sentence's BOS included, or sentences (see --batch-type)."},
    {.name = "batch-type", .type = SK_OPT_CHOICE, .offset = AT(batch_type), .initial = "word",
     .choices = "word|sentence", .help = "What --batch-size counts."},
    {.name = "update-interval", .type = SK_OPT_INT, .offset = AT(update_interval), .initial = "1", .min = 1,
     .max = 65536, .value = "N", .help = "Batches whose gradients are added up to one update, as if they were one "
     "batch N times as large."},
    {.name = "virtual-shards", .type = SK_OPT_INT, .offset = AT(virtual_shards), .initial = "8", .min = 1, .max = 1024,
     .value = "N", .help = "Parts, a power of two, into which each update's sums are cut: results depend on "
     "this number only, not on how many processes or threads compute them."},

    HEADING("Model"),
    {.name = "encoder", .type = SK_OPT_CHOICE, .offset = AT(encoder), .initial = "transformer",
     .choices = "transformer|rnn", .help = "Architecture; --encoder and --decoder are of one kind."},
    {.name = "decoder", .type = SK_OPT_CHOICE, .offset = AT(decoder), .initial = "transformer",
     .choices = "transformer|rnn", .help = "Architecture; --encoder and --decoder are of one kind."},
    {.name = "num-layers", .type = SK_OPT_INT_PAIR, .offset = AT(num_layers), .initial = "6:6", .min = 1, .max = 64,
     .value = "E:D", .help = "Layers of encoder and decoder."},
    {.name = "transformer-model-size", .type = SK_OPT_INT_PAIR, .offset = AT(model_size), .initial = "512:512",
     .min = 1, .max = 65536, .value = "E:D", .help = "Width."},
    {.name = "transformer-attention-heads", .type = SK_OPT_INT_PAIR, .offset = AT(heads), .initial = "8:8", .min = 1,
     .max = 1024, .value = "E:D", .help = "Attention heads."},
    {.name = "transformer-feed-forward-num-hidden", .type = SK_OPT_INT_PAIR, .offset = AT(feed_forward),
     .initial = "2048:2048", .min = 1, .max = 1048576, .value = "E:D", .help = "Width of the feed-forward layers."},
    {.name = "transformer-activation-type", .type = SK_OPT_CHOICE, .offset = AT(activation), .initial = "relu",
     .choices = "relu|gelu|swish1", .help = "Activation of the feed-forward layers."},
    {.name = "transformer-positional-embedding-type", .type = SK_OPT_CHOICE, .offset = AT(positions),
     .initial = "fixed", .choices = "none|fixed|learned", .help = "Positions."},
    {.name = "transformer-preprocess", .type = SK_OPT_STRING_PAIR, .offset = AT(preprocess), .initial = "n:n",
     .value = "E:D", .help = "What stands before each sub-layer: n (layer norm), d (dropout)."},
    {.name = "transformer-postprocess", .type = SK_OPT_STRING_PAIR, .offset = AT(postprocess), .initial = "dr:dr",
     .value = "E:D", .help = "What stands after each sub-layer: n, d, r (residual)."},
    {.name = "rnn-cell-type", .type = SK_OPT_CHOICE, .offset = AT(rnn_cell), .initial = "lstm", .choices = "lstm|gru",
     .help = "Cells of the RNN."},
    {.name = "rnn-num-hidden", .type = SK_OPT_INT, .offset = AT(rnn_hidden), .initial = "1024", .min = 2, .max = 65536,
     .value = "N", .help = "Units of each layer of the RNN; even."},
    {.name = "rnn-residual-connections", .type = SK_OPT_FLAG, .offset = AT(rnn_residual),
     .help = "Layers from --rnn-first-residual-layer on add their input to what they give out."},
    {.name = "rnn-first-residual-layer", .type = SK_OPT_INT, .offset = AT(rnn_first_residual), .initial = "2",
     .min = 2, .max = 64, .value = "N", .help = "Counted from 1."},
    {.name = "rnn-decoder-state-init", .type = SK_OPT_CHOICE, .offset = AT(rnn_start), .initial = "last",
     .choices = "last|avg|zero", .help = "What the decoder's first states are made of: the encoder's last output, the "
     "mean of all, or nothing."},
    {.name = "rnn-attention-type", .type = SK_OPT_CHOICE, .offset = AT(rnn_attention), .initial = "mlp",
     .choices = "mlp|dot|bilinear", .help = "How the decoder scores source positions."},
    {.name = "rnn-attention-num-hidden", .type = SK_OPT_INT, .offset = AT(rnn_attention_hidden), .initial = "0",
     .min = 0, .max = 65536, .value = "N", .help = "Width of mlp and dot attention; 0: --rnn-num-hidden."},
    {.name = "rnn-scale-dot-attention", .type = SK_OPT_FLAG, .offset = AT(rnn_scale_dot),
     .help = "Divide dot attention's scores by the square root of its width."},
    {.name = "rnn-attention-in-upper-layers", .type = SK_OPT_FLAG, .offset = AT(rnn_upper),
     .help = "The first decoder layer asks, the layers above read the answer (as GNMT does)."},
    {.name = "layer-normalization", .type = SK_OPT_FLAG, .offset = AT(layer_normalization),
     .help = "RNN: normalize mlp attention, the attentional hidden layer, and first states."},
    {.name = "rnn-dropout-inputs", .type = SK_OPT_STRING_PAIR, .offset = AT(rnn_dropout_inputs), .initial = "0:0",
     .value = "E:D", .help = "Dropout of what each layer reads, one mask a sentence."},
    {.name = "rnn-dropout-states", .type = SK_OPT_STRING_PAIR, .offset = AT(rnn_dropout_states), .initial = "0:0",
     .value = "E:D", .help = "Dropout of the states h that each layer continues from, one mask a sentence."},
    {.name = "rnn-decoder-hidden-dropout", .type = SK_OPT_FLOAT, .offset = AT(rnn_dropout_hidden), .initial = "0.2",
     .min = 0, .max = 0.99, .value = "P", .help = "Dropout of what the attentional hidden layer reads."},
    {.name = "rnn-forget-bias", .type = SK_OPT_FLOAT, .offset = AT(rnn_forget_bias), .initial = "0", .min = -1e6,
     .max = 1e6, .value = "X", .help = "Where the bias of LSTM forget gates starts."},
    {.name = "rnn-h2h-init", .type = SK_OPT_CHOICE, .offset = AT(rnn_h2h_init), .initial = "orthogonal",
     .choices = "orthogonal|orthogonal_stacked|default", .help = "Initialisation of recurrent weights: orthonormal "
     "columns times sqrt(2), an identity matrix for each gate, or as other weights."},
    {.name = "num-embed", .type = SK_OPT_INT_PAIR, .offset = AT(num_embed), .initial = "0:0", .min = 0, .max = 65536,
     .value = "S:T", .help = "Width of the embeddings. Transformer: must be the model's; 0: is. RNN: 0 means 512."},
    {.name = "source-factors-num-embed", .type = SK_OPT_LIST, .offset = AT(factor_embed), .value = "N...",
     .help = "Width of each source factor's vectors, if they stand behind the word's; a Transformer's encoder is so much "
     "wider."},
    {.name = "source-factors-combine", .letters = "sfc", .type = SK_OPT_CHOICE, .offset = AT(factors_combine), .initial = "concat",
     .choices = "concat|sum", .help = "Vectors of source factors stand behind the word's, or are added to it (-sfc)."},
    {.name = "weight-tying", .type = SK_OPT_FLAG, .offset = AT(weight_tying),
     .help = "Share embeddings and output weights as --weight-tying-type says."},
    {.name = "weight-tying-type", .type = SK_OPT_CHOICE, .offset = AT(weight_tying_type), .initial = "trg_softmax",
     .choices = "src_trg_softmax|src_trg|trg_softmax", .help = "What --weight-tying shares."},
    {.name = "transformer-dropout-attention", .type = SK_OPT_FLOAT, .offset = AT(dropout_attention),
     .initial = "0.1", .min = 0, .max = 0.99, .value = "P", .help = "Dropout of attention probabilities."},
    {.name = "transformer-dropout-act", .type = SK_OPT_FLOAT, .offset = AT(dropout_act), .initial = "0.1", .min = 0,
     .max = 0.99, .value = "P", .help = "Dropout after the activation of feed-forward layers."},
    {.name = "transformer-dropout-prepost", .type = SK_OPT_FLOAT, .offset = AT(dropout_prepost), .initial = "0.1",
     .min = 0, .max = 0.99, .value = "P", .help = "The d of the pre- and postprocess sequences."},
    {.name = "embed-dropout", .type = SK_OPT_STRING_PAIR, .offset = AT(embed_dropout), .initial = "0:0",
     .value = "S:T", .help = "Dropout of embeddings."},
    {.name = "params", .letter = 'p', .type = SK_OPT_STRING, .offset = AT(params), .value = "FILE",
     .help = "Start from the parameters of this file (safetensors), with a fresh optimizer.",
     .flags = SK_OPT_INPUT},
    {.name = "allow-missing-params", .type = SK_OPT_FLAG, .offset = AT(allow_missing_params),
     .help = "Parameters that --params lacks keep their random start."},
    {.name = "fixed-param-names", .type = SK_OPT_LIST, .offset = AT(fixed_names), .value = "NAME...",
     .help = "Parameters that are not trained."},
    {.name = "fixed-param-strategy", .type = SK_OPT_CHOICE, .offset = AT(fixed_strategy),
     .choices = "all_except_decoder|all_except_outer_layers|all_except_embeddings|all_except_output_proj",
     .help = "Train a part of the model only; with --fixed-param-names both hold."},
    {.name = "weight-init", .type = SK_OPT_CHOICE, .offset = AT(weight_init), .initial = "xavier",
     .choices = "xavier|uniform", .help = "Initialisation of weights."},
    {.name = "weight-init-scale", .type = SK_OPT_FLOAT, .offset = AT(weight_init_scale), .initial = "3.0",
     .min = 0, .max = 1e6, .value = "X", .help = "Magnitude for xavier, range for uniform."},
    {.name = "weight-init-xavier-factor-type", .type = SK_OPT_CHOICE, .offset = AT(xavier_factor), .initial = "avg",
     .choices = "in|out|avg", .help = "Which fan xavier divides by."},
    {.name = "weight-init-xavier-rand-type", .type = SK_OPT_CHOICE, .offset = AT(xavier_rand), .initial = "uniform",
     .choices = "uniform|gaussian", .help = "Distribution of xavier."},
    {.name = "embed-weight-init", .type = SK_OPT_CHOICE, .offset = AT(embed_weight_init), .initial = "default",
     .choices = "default|normal", .help = "Embeddings: as weights, or normal with variance 1 / source vocabulary."},

    HEADING("Objective and optimizer"),
    {.name = "loss", .type = SK_OPT_CHOICE, .offset = AT(loss), .initial = "cross-entropy",
     .choices = "cross-entropy", .help = "Training loss."},
    {.name = "label-smoothing", .type = SK_OPT_FLOAT, .offset = AT(label_smoothing), .initial = "0.1", .min = 0,
     .max = 0.99, .value = "E", .help = "Probability given to all other words together."},
    {.name = "loss-normalization-type", .type = SK_OPT_CHOICE, .offset = AT(loss_normalization), .initial = "valid",
     .choices = "valid|batch", .help = "Divide gradients by the update's number of labels, or by --batch-size."},
    {.name = "optimizer", .type = SK_OPT_CHOICE, .offset = AT(optimizer), .initial = "adam",
     .choices = "adam|sgd|nag|nadam|rmsprop|adagrad|adadelta", .help = "Optimizer, as in MXNet."},
    {.name = "optimizer-params", .type = SK_OPT_STRING, .offset = AT(optimizer_params), .value = "K:V,K:V",
     .help = "adam: beta1 (0.9), beta2 (0.999), epsilon (1e-8); nadam: also schedule_decay (0.004); sgd, nag: momentum "
     "(0); rmsprop: gamma1 (0.9), epsilon (1e-8); adagrad: eps (1e-7); adadelta: rho (0.9), epsilon (1e-5)."},
    {.name = "momentum", .type = SK_OPT_FLOAT, .offset = AT(momentum), .initial = "0", .min = 0, .max = 0.9999999,
     .value = "X", .help = "Momentum of sgd and nag; 0: none."},
    {.name = "weight-decay", .type = SK_OPT_FLOAT, .offset = AT(weight_decay), .initial = "0", .min = 0, .max = 1,
     .value = "X", .help = "X times the value is added to the gradient of weights and norm scales (not of biases and "
     "norm offsets)."},
    {.name = "ema", .type = SK_OPT_FLOAT, .offset = AT(ema), .initial = "0", .min = 0, .max = 0.9999999,
     .value = "DECAY", .help = "Keep a moving average of the parameters, of which each update keeps DECAY (0.9999, say) "
     "and takes the rest from the new ones. Checkpoints are validated with it and hold it; training goes on from the "
     "parameters themselves. 0: none."},
    {.name = "initial-learning-rate", .type = SK_OPT_FLOAT, .offset = AT(learning_rate), .initial = "0.0002",
     .min = 0, .max = 1e6, .value = "RATE", .help = "Learning rate before schedule and warm-up."},
    {.name = "learning-rate-scheduler-type", .type = SK_OPT_CHOICE, .offset = AT(scheduler),
     .initial = "plateau-reduce",
     .choices = "plateau-reduce|inv-sqrt-decay|fixed-rate-inv-sqrt-t|fixed-rate-inv-t|fixed-step|none",
     .help = "Schedule of the learning rate. none: constant, without warm-up."},
    {.name = "learning-rate-schedule", .type = SK_OPT_STRING, .offset = AT(rate_schedule), .value = "RATE:N,RATE:N",
     .help = "fixed-step: learning rates, each for N updates, a multiple of --checkpoint-frequency. Training ends "
     "after the last; --max-num-checkpoint-not-improved and the limits in updates, samples and epochs have no effect."},
    {.name = "learning-rate-reduce-factor", .type = SK_OPT_FLOAT, .offset = AT(reduce_factor), .initial = "0.7",
     .min = 0, .max = 1e6, .value = "X",
     .help = "plateau-reduce: the rate is multiplied by this. From 1 on, as in Sockeye: constant, no warm-up."},
    {.name = "learning-rate-reduce-num-not-improved", .type = SK_OPT_INT, .offset = AT(reduce_num_not_improved),
     .initial = "8", .min = 1, .max = MANY, .value = "N",
     .help = "plateau-reduce: after so many checkpoints without improvement."},
    {.name = "learning-rate-warmup", .type = SK_OPT_INT, .offset = AT(warmup), .initial = "0", .min = 0, .max = MANY,
     .value = "N", .help = "Updates over which the rate rises linearly."},
    {.name = "learning-rate-half-life", .type = SK_OPT_FLOAT, .offset = AT(half_life), .initial = "10",
     .min = 1e-6, .max = 1e9, .value = "N", .help = "fixed-rate schedules: checkpoints until half the rate."},
    {.name = "learning-rate-decay-param-reset", .type = SK_OPT_FLAG, .offset = AT(param_reset),
     .help = "plateau-reduce: whenever the rate is lowered, go back to the parameters of the best checkpoint."},
    {.name = "learning-rate-decay-optimizer-states-reset", .type = SK_OPT_CHOICE, .offset = AT(states_reset),
     .initial = "off", .choices = "off|initial|best", .help = "plateau-reduce: whenever the rate is lowered, begin the "
     "optimizer's moments anew, or go back to those of the best checkpoint."},
    {.name = "gradient-clipping-type", .type = SK_OPT_CHOICE, .offset = AT(clipping_type), .initial = "none",
     .choices = "abs|norm|none", .help = "Clip each value, or the global norm."},
    {.name = "gradient-clipping-threshold", .type = SK_OPT_FLOAT, .offset = AT(clipping_threshold),
     .initial = "1.0", .min = -1e30, .max = 1e30, .value = "X", .help = "Threshold; 0 or less: no clipping."},
    {.name = "seed", .type = SK_OPT_LONG, .offset = AT(seed), .initial = "13", .min = 0, .max = VERY_MANY,
     .value = "N", .help = "Seed of initialisation, data order and dropout."},
    {.name = "dtype", .type = SK_OPT_CHOICE, .offset = AT(dtype), .choices = SK_DTYPES_TRAINING,
     .help = "Numbers that matrix products multiply; sums, parameters and files are float32. Default: what the run "
     "has; a new one bfloat16 on a GPU, else float32. bfloat16 may be faster where the processor has instructions "
     "for it, bfloat16-amx is two to three times as fast where it has AMX; elsewhere their results are the same. tf32 "
     "is float32 with 10 bits of precision, for GPUs."},

    HEADING("Checkpoints and the end"),
    {.name = "checkpoint-frequency", .type = SK_OPT_INT, .offset = AT(checkpoint_frequency), .initial = "4000",
     .min = 1, .max = MANY, .value = "N", .help = "Updates between checkpoints (also --checkpoint-interval)."},
    ALIAS("checkpoint-interval", "checkpoint-frequency", SK_OPT_INT, checkpoint_frequency, 1, MANY),
    {.name = "metrics", .type = SK_OPT_LIST, .offset = AT(metrics), .value = "NAME...",
     .help = "What is reported of training and validation data: perplexity (always) and accuracy. Default: both."},
    {.name = "optimized-metric", .type = SK_OPT_CHOICE, .offset = AT(optimized_metric), .initial = "perplexity",
     .choices = "perplexity|accuracy|bleu|chrf|ter", .help = "Validation metric that decides about the best "
     "checkpoint, patience and plateau-reduce. bleu, chrf and ter come from sk-bleu-eval: a checkpoint decides with the "
     "result of the one before, and waits for it."},
    {.name = "max-num-checkpoint-not-improved", .type = SK_OPT_INT, .offset = AT(patience), .initial = "32",
     .min = -1, .max = MANY, .value = "N", .help = "Patience: end after so many checkpoints without improvement; "
     "-1: never.", .flags = SK_OPT_FREE},
    {.name = "max-updates", .type = SK_OPT_LONG, .offset = AT(max_updates), .initial = "0", .min = 0,
     .max = 4294967295.0, .value = "N", .help = "End after so many updates; 0: no limit.", .flags = SK_OPT_FREE},
    {.name = "min-updates", .type = SK_OPT_LONG, .offset = AT(min_updates), .initial = "0", .min = 0,
     .max = 4294967295.0, .value = "N", .help = "Patience does not end training before so many updates.",
     .flags = SK_OPT_FREE},
    {.name = "max-checkpoints", .type = SK_OPT_INT, .offset = AT(max_checkpoints), .initial = "0", .min = 0,
     .max = MANY, .value = "N", .help = "End after checkpoint N; 0: no limit.", .flags = SK_OPT_FREE},
    {.name = "max-num-epochs", .type = SK_OPT_INT, .offset = AT(max_epochs), .initial = "0", .min = 0, .max = MANY,
     .value = "N", .help = "End after so many passes through the data; 0: no limit.", .flags = SK_OPT_FREE},
    {.name = "min-num-epochs", .type = SK_OPT_INT, .offset = AT(min_epochs), .initial = "0", .min = 0, .max = MANY,
     .value = "N", .help = "Patience does not end training before so many passes.", .flags = SK_OPT_FREE},
    {.name = "max-samples", .type = SK_OPT_LONG, .offset = AT(max_samples), .initial = "0", .min = 0,
     .max = VERY_MANY, .value = "N", .help = "End after so many sentence pairs; 0: no limit.", .flags = SK_OPT_FREE},
    {.name = "min-samples", .type = SK_OPT_LONG, .offset = AT(min_samples), .initial = "0", .min = 0,
     .max = VERY_MANY, .value = "N", .help = "Patience does not end training before so many sentence pairs.",
     .flags = SK_OPT_FREE},
    {.name = "max-seconds", .type = SK_OPT_LONG, .offset = AT(max_seconds), .initial = "0", .min = 0,
     .max = VERY_MANY, .value = "N", .help = "End at the first checkpoint after so many seconds of training, all "
     "starts together; 0: no limit.", .flags = SK_OPT_FREE},
    {.name = "keep-last-params", .type = SK_OPT_INT, .offset = AT(keep_last_params), .initial = "-1", .min = -1,
     .max = MANY, .value = "N", .help = "Keep the parameters of the last N checkpoints and the best; 0: as 1, since "
     "training goes on from the last; -1: of all.",
     .flags = SK_OPT_FREE},
    {.name = "keep-last-states", .type = SK_OPT_INT, .offset = AT(keep_last_states), .initial = "1", .min = 1,
     .max = MANY, .value = "N", .help = "Keep the states of the last N checkpoints: sk-verify begins with one.",
     .flags = SK_OPT_FREE},
    {.name = "keep-initializations", .type = SK_OPT_FLAG, .offset = AT(keep_initializations),
     .help = "Write the parameters before the first update to params.00000 and keep them."},
    {.name = "cache-last-best-params", .type = SK_OPT_INT, .offset = AT(cache_last_best), .initial = "0", .min = 0,
     .max = MANY, .value = "N", .help = "With --keep-last-params: keep besides the N checkpoints that sk-average -n N "
     "would choose.", .flags = SK_OPT_FREE},
    {.name = "cache-strategy", .type = SK_OPT_CHOICE, .offset = AT(cache_strategy), .initial = "best",
     .choices = "best|last|lifespan", .help = "By which strategy of sk-average.", .flags = SK_OPT_FREE},
    {.name = "cache-metric", .type = SK_OPT_CHOICE, .offset = AT(cache_metric), .initial = "perplexity",
     .choices = "perplexity|accuracy|bleu|chrf", .help = "By which metric.", .flags = SK_OPT_FREE},

    HEADING("Evaluation beside training"),
    {.name = "monitor-bleu", .type = SK_OPT_STRING, .offset = AT(monitor_bleu), .value = "N",
     .help = "Translate N sentences of the held-out text with each checkpoint, by a sk-bleu-eval --watch of its own that "
     "ends with this process; -1: all, 0: none. Default: all if bleu, chrf or ter is optimized, else none (also "
     "--decode-and-evaluate).", .flags = SK_OPT_FREE},
    ALIAS_FREE("decode-and-evaluate", "monitor-bleu", SK_OPT_STRING, monitor_bleu),
    {.name = "stop-training-on-decoder-failure", .type = SK_OPT_FLAG, .offset = AT(stop_on_failure),
     .help = "Save the state and stop if that cannot translate a checkpoint.", .flags = SK_OPT_FREE},
    {.name = "on-checkpoint", .type = SK_OPT_STRING, .offset = AT(on_checkpoint), .value = "COMMAND",
     .help = "Run COMMAND by sh -c for each checkpoint, in order, beside training. Lines name=value that it prints join "
     "the metrics. It finds in its environment: SK_CHECKPOINT, SK_MODEL_DIR, SK_PARAMS, SK_VALIDATION_SOURCE, "
     "SK_VALIDATION_TARGET, SK_TRANSLATIONS.", .flags = SK_OPT_FREE},

    HEADING("This process"),
    {.name = "num-shards", .type = SK_OPT_STRING, .offset = AT(shards), .initial = "1", .value = "N|slurm",
     .help = "Processes that train together, on one host or several: the result is that of one. They find each other "
     "in DIR/shards, come and go at any time, and go on without those that are lost. slurm: this number and the next "
     "are those of the job array, or of the tasks of the step.", .flags = SK_OPT_FREE},
    {.name = "shard", .type = SK_OPT_INT, .offset = AT(shard), .initial = "0", .min = 0, .max = 1023, .value = "K",
     .help = "Which of them this is, from 0. Those beyond --virtual-shards wait to take the place of others.",
     .flags = SK_OPT_FREE},
    {.name = "shard-timeout", .type = SK_OPT_FLOAT, .offset = AT(shard_timeout), .initial = "30", .min = 2,
     .max = 3600, .value = "SECONDS", .help = "A shard that shows no life for so long is given up. One whose process "
     "ends is noticed at once.", .flags = SK_OPT_FREE},
    {.name = "threads", .type = SK_OPT_INT, .offset = AT(threads), .initial = "0", .min = 0, .max = 1024,
     .value = "N", .help = "Threads; 0: one for each CPU this process may use. Results do not depend on it.",
     .flags = SK_OPT_FREE},
    {.name = "use-cpu", .type = SK_OPT_FLAG, .offset = AT(use_cpu), .help = "Train on the CPU.",
     .flags = SK_OPT_FREE},
    {.name = "dry-run", .type = SK_OPT_FLAG, .offset = AT(dry_run),
     .help = "Read the data, say what training would be like (parameters, memory, updates of an epoch), leave nothing "
     "behind.", .flags = SK_OPT_UNRECORDED},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = AT(quiet),
     .help = "Talk to the log file only.", .flags = SK_OPT_UNRECORDED},
    {.name = "no-logfile", .type = SK_OPT_FLAG, .offset = AT(no_logfile), .help = "Talk to the console only.",
     .flags = SK_OPT_UNRECORDED},
    {.name = "loglevel", .type = SK_OPT_CHOICE, .offset = AT(loglevel), .initial = "INFO", .choices = "INFO|DEBUG",
     .help = "DEBUG also says loss, gradient norm and learning rate of each update.", .flags = SK_OPT_UNRECORDED},
    {.name = NULL}
};

const struct sk_program sk_train_program = {
    .synopsis = "{-s FILE -t FILE | -d DIR | --data TEXT...} -vs FILE -vt FILE -o MODEL_DIR [option...]",
    .summary = "Trains a translation model, or resumes the training that MODEL_DIR holds.",
    .options = options,
    .epilogue = "Pairs are source:target or encoder:decoder; one value stands for both.\n"
                "SIGTERM, SIGINT and SIGUSR1: the state is saved, exit 75; the same command goes on from there.",
};

/* The files of source factors, and what they go with. */
static void read_factors(struct sk_train_options *o)
{
    const int n = o->factors.n;
    if (n > SK_FACTORS_MAX)
        sk_opt_misuse("--source-factors: %d are too many, %d are possible", n, SK_FACTORS_MAX);
    if (o->validation_factors.n != n)
        sk_opt_misuse("--source-factors has %d files, --validation-source-factors %d: each factor needs both", n,
                      o->validation_factors.n);
    if (o->factor_vocabs.n && o->factor_vocabs.n != n)
        sk_opt_misuse("--source-factor-vocabs has %d files for %d factors", o->factor_vocabs.n, n);
    if (n && o->prepared_data)
        sk_opt_misuse("--source-factors is not for --prepared-data, which has none: give its text by --source and --target");
    if (n && (o->texts.n || o->monitors.n))
        sk_opt_misuse("--source-factors is not for --data and --monitor-set, whose texts have none: give one text by "
                      "--source and --target");
    o->factor_texts.v = n ? sk_xcalloc((size_t)n, sizeof *o->factor_texts.v) : NULL;
    for (int k = 0; k < n; k++) {
        struct sk_named_text *t = &o->factor_texts.v[o->factor_texts.n++];
        snprintf(t->name, sizeof t->name, "%d", k + 1);
        t->path[0] = o->factors.v[k];
        t->path[1] = o->validation_factors.v[k];
    }
}

/* Text, or what was made of it. */
static void check_training_data(struct sk_train_options *o)
{
    const char **empty[] = {&o->source, &o->target, &o->prepared_data, &o->source_vocab, &o->target_vocab};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        if (*empty[i] && !**empty[i])
            *empty[i] = NULL;
    if (!*o->validation_source || !*o->validation_target)
        sk_opt_misuse("--validation-source and --validation-target are required: their names are empty");
    sk_texts_read(&o->texts, "data", &o->data, 1);
    sk_texts_read(&o->monitors, "monitor-set", &o->monitor_sets, 0);
    if (o->texts.n && o->prepared_data)
        sk_opt_misuse("--data takes text, not --prepared-data: give the text that %s was made of as one of its texts",
                      o->prepared_data);
    if (o->texts.n && (o->source || o->target))
        sk_opt_misuse("--data stands for --source and --target: give their files as one of its texts, with a weight");
    if (!o->prepared_data && !o->texts.n && (!o->source || !o->target))
        sk_opt_misuse("--source and --target are required, or --prepared-data, or --data");
    if (o->prepared_data && (o->source || o->target))
        sk_opt_misuse("--prepared-data stands for --source and --target: give one or the other");
    if (o->prepared_data && (o->source_vocab || o->target_vocab))
        sk_opt_misuse("--prepared-data has its vocabularies: --source-vocab and --target-vocab go to sk-prepare-data");
    read_factors(o);
    struct sk_inputs in;
    sk_inputs_name(&in, o);
    sk_inputs_check_names(&in);
    if (o->prepared_data && sk_prepared_adopt(o) < 0)
        exit(sk_die());
}

/* A number that Slurm gave, or -1. */
static int of_slurm(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long n = text && *text ? strtol(text, &end, 10) : -1;
    return n < 0 || *end || n > 1 << 20 ? -1 : (int)n;
}

/* --num-shards slurm: an element of an array counts from the array's first by its
 * step; a task of a step has its rank. */
static void read_slurm(struct sk_train_options *o)
{
    int id = of_slurm("SLURM_ARRAY_TASK_ID"), first = of_slurm("SLURM_ARRAY_TASK_MIN");
    int step = of_slurm("SLURM_ARRAY_TASK_STEP"), last = of_slurm("SLURM_ARRAY_TASK_MAX");
    if (id >= 0 && first >= 0 && last >= first && step > 0) {
        o->num_shards = (last - first) / step + 1;
        o->shard = (id - first) / step;
    } else {
        o->num_shards = of_slurm("SLURM_NTASKS");
        o->shard = of_slurm("SLURM_PROCID");
        if (o->num_shards < 1 || o->shard < 0)
            sk_opt_misuse("--num-shards slurm: neither SLURM_ARRAY_TASK_ID with its MIN, MAX and STEP nor SLURM_NTASKS with "
                          "SLURM_PROCID is set: this is no element of a job array and no task of a step");
    }
}

static void read_shards(struct sk_train_options *o)
{
    char *end;
    if (strcmp(o->shards, "slurm") == 0) {
        read_slurm(o);
    } else {
        long n = strtol(o->shards, &end, 10);
        o->num_shards = end == o->shards || *end || n < 1 || n > SK_SHARDS_MAX ? 0 : (int)n;
    }
    if (o->num_shards < 1 || o->num_shards > SK_SHARDS_MAX)
        sk_opt_misuse("--num-shards '%s': give a number from 1 to %d, or slurm", o->shards, SK_SHARDS_MAX);
    if (o->shard >= o->num_shards)
        sk_opt_misuse("--shard %d: shards count from 0, of %d (--num-shards) the last is %d", o->shard, o->num_shards,
                      o->num_shards - 1);
    if (o->num_shards > 1 && o->overwrite_output)
        sk_opt_misuse("--overwrite-output is not for several shards, which start one after the other: remove %s before",
                      o->output);
}

void sk_train_options_parse(const struct sk_program *program, struct sk_train_options *o, struct sk_train_plan *p,
                            int argc, char **argv)
{
    static const char *both[] = {"perplexity", "accuracy"};
    memset(o, 0, sizeof *o);
    o->command = sk_opt_command(argc, argv);
    sk_opt_parse(program, o, argc, argv);
    sk_quiet(o->quiet);
    sk_debug_wanted(strcmp(o->loglevel, "DEBUG") == 0);
    read_shards(o);
    if (o->metrics.n == 0)
        o->metrics = (struct sk_opt_list){2, both};
    check_training_data(o);
    sk_train_plan_make(p, o);
}
