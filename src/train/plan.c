/* plan.c - what the trainer's options mean together, and which do not go
 * together.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/protect.h"
#include "text/lines.h"
#include "train/options.h"

/* One number of a list or pair, read strictly. */
static double number(const char *option, const char *text, double low, double high)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(value) || value < low || value > high)
        sk_opt_misuse("--%s: '%s' is no number from %.15g to %.15g", option, text, low, high);
    return value;
}

static void read_sequence(char out[8], const char *option, const char *text)
{
    if (!text)
        text = "";
    size_t n = strspn(text, "ndr");
    if (text[n] || n > 7)
        sk_opt_misuse("--%s: '%s' is not made of up to 7 letters n, d, r", option, text);
    memcpy(out, text, n + 1);
}

static enum sk_tying tying(const struct sk_train_options *o)
{
    if (!o->weight_tying)
        return SK_TYING_NONE;
    if (strcmp(o->weight_tying_type, "src_trg_softmax") == 0)
        return SK_TYING_SRC_TRG_SOFTMAX;
    return strcmp(o->weight_tying_type, "src_trg") == 0 ? SK_TYING_SRC_TRG : SK_TYING_TRG_SOFTMAX;
}

int sk_train_tying_shares(const struct sk_train_options *o)
{
    return tying(o) == SK_TYING_SRC_TRG || tying(o) == SK_TYING_SRC_TRG_SOFTMAX;
}

/* The parts of the model that only the RNN has, and those of its own size. */
static void plan_rnn(const struct sk_train_options *o, struct sk_model_config *m)
{
    struct sk_rnn *r = &m->rnn;
    m->architecture = SK_RNN;
    *r = (struct sk_rnn){
        .cell = strcmp(o->rnn_cell, "gru") == 0 ? SK_GRU : SK_LSTM,
        .attention = strcmp(o->rnn_attention, "dot") == 0 ? SK_ATTENTION_DOT :
            strcmp(o->rnn_attention, "bilinear") == 0 ? SK_ATTENTION_BILINEAR : SK_ATTENTION_MLP,
        .attention_hidden = o->rnn_attention_hidden ? o->rnn_attention_hidden : o->rnn_hidden,
        .scale_dot = o->rnn_scale_dot, .upper = o->rnn_upper,
        .first_residual = o->rnn_residual ? o->rnn_first_residual : 0,
        .start = strcmp(o->rnn_start, "zero") == 0 ? SK_START_ZERO :
            strcmp(o->rnn_start, "avg") == 0 ? SK_START_AVG : SK_START_LAST,
        .layer_norm = o->layer_normalization, .dropout_hidden = (float)o->rnn_dropout_hidden};
    for (int side = 0; side < 2; side++) {
        m->size[side] = o->rnn_hidden;
        m->heads[side] = m->feed_forward[side] = 1;
        r->embed[side] = o->num_embed[side] ? o->num_embed[side] : 512;
        r->dropout_inputs[side] = (float)number("rnn-dropout-inputs", o->rnn_dropout_inputs[side], 0, 0.99);
        r->dropout_states[side] = (float)number("rnn-dropout-states", o->rnn_dropout_states[side], 0, 0.99);
    }
}

/* Source factors; the vocabularies stand in, as in the checks. */
static void plan_factors(const struct sk_train_options *o, struct sk_model_config *m)
{
    struct sk_factors *f = &m->factors;
    int *width = m->architecture == SK_RNN ? &m->rnn.embed[0] : &m->size[0];
    f->n = o->factors.n;
    f->sum = strcmp(o->factors_combine, "sum") == 0;
    if (o->factor_embed.n && (f->n == 0 || f->sum))
        sk_opt_misuse("--source-factors-num-embed is for --source-factors that stand behind the word's vector "
                      "(--source-factors-combine concat)");
    if (!f->sum && o->factor_embed.n != f->n)
        sk_opt_misuse("--source-factors-num-embed has %d numbers for %d factors", o->factor_embed.n, f->n);
    for (int k = 0; k < f->n; k++) {
        f->vocab[k] = 16;
        f->embed[k] = f->sum ? *width : (int)number("source-factors-num-embed", o->factor_embed.v[k], 1, 65536);
    }
    for (int k = 0; k < f->n && !f->sum; k++)
        *width += f->embed[k];
}

static void plan_model(const struct sk_train_options *o, struct sk_train_plan *p)
{
    struct sk_model_config *m = &p->model;
    int rnn = strcmp(o->encoder, "rnn") == 0;
    if (strcmp(o->encoder, o->decoder) != 0)
        sk_opt_misuse("--encoder %s and --decoder %s: both must be of one kind", o->encoder, o->decoder);
    for (int side = 0; side < 2; side++) {
        m->layers[side] = o->num_layers[side];
        m->size[side] = o->model_size[side];
        m->heads[side] = o->heads[side];
        m->feed_forward[side] = o->feed_forward[side];
        m->max_len[side] = o->max_seq_len[side] + 1;
        read_sequence(m->pre[side], "transformer-preprocess", o->preprocess[side]);
        read_sequence(m->post[side], "transformer-postprocess", o->postprocess[side]);
        m->dropout_embed[side] = (float)number("embed-dropout", o->embed_dropout[side], 0, 0.99);
        if (!rnn && o->num_embed[side] && o->num_embed[side] != o->model_size[side])
            sk_opt_misuse("--num-embed %d must equal --transformer-model-size %d (or be left out)",
                          o->num_embed[side], o->model_size[side]);
    }
    if (rnn)
        plan_rnn(o, m);
    plan_factors(o, m);
    m->activation = strcmp(o->activation, "gelu") == 0 ? SK_GELU :
        strcmp(o->activation, "swish1") == 0 ? SK_SWISH1 : SK_RELU;
    m->positions = strcmp(o->positions, "learned") == 0 ? SK_POSITIONS_LEARNED :
        strcmp(o->positions, "none") == 0 ? SK_POSITIONS_NONE : SK_POSITIONS_FIXED;
    m->tying = tying(o);
    m->dropout_attention = (float)o->dropout_attention;
    m->dropout_act = (float)o->dropout_act;
    m->dropout_prepost = (float)o->dropout_prepost;
    p->shared_vocab = o->shared_vocab || sk_train_tying_shares(o);

    /* The sizes are checked before any data is read: the vocabularies stand in. */
    struct sk_model_config check = *m;
    check.vocab[0] = check.vocab[1] = 16;
    if (sk_model_check(&check) < 0)
        sk_opt_misuse("%s", sk_fail_message());

    p->init = (struct sk_init_options){
        .seed = (uint64_t)o->seed, .xavier = strcmp(o->weight_init, "xavier") == 0, .scale = o->weight_init_scale,
        .factor = o->xavier_factor[0], .gaussian = strcmp(o->xavier_rand, "gaussian") == 0,
        .embed_normal = strcmp(o->embed_weight_init, "normal") == 0, .forget_bias = o->rnn_forget_bias,
        .recurrent = strcmp(o->rnn_h2h_init, "orthogonal") == 0 ? SK_RECURRENT_ORTHOGONAL :
            strcmp(o->rnn_h2h_init, "default") == 0 ? SK_RECURRENT_WEIGHT : SK_RECURRENT_STACKED};
}

static enum sk_schedule_type schedule_type(const struct sk_train_options *o)
{
    static const struct { const char *name; enum sk_schedule_type type; } types[] = {
        {"plateau-reduce", SK_RATE_PLATEAU}, {"inv-sqrt-decay", SK_RATE_INV_SQRT_DECAY},
        {"fixed-rate-inv-sqrt-t", SK_RATE_INV_SQRT_T}, {"fixed-rate-inv-t", SK_RATE_INV_T},
        {"fixed-step", SK_RATE_STEPS}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(o->scheduler, types[i].name) == 0)
            return types[i].type == SK_RATE_PLATEAU && o->reduce_factor >= 1 ? SK_RATE_CONSTANT : types[i].type;
    return SK_RATE_CONSTANT;
}

static void plan_schedule(const struct sk_train_options *o, struct sk_train_plan *p)
{
    struct sk_schedule *s = &p->schedule;
    *s = (struct sk_schedule){.type = schedule_type(o), .rate = o->learning_rate, .warmup = o->warmup,
                              .factor = o->reduce_factor, .patience = o->reduce_num_not_improved,
                              .half_life = o->half_life, .interval = o->checkpoint_frequency};
    if ((s->type == SK_RATE_CONSTANT || s->type == SK_RATE_STEPS) && s->warmup > 0)
        sk_warn("--learning-rate-scheduler-type %s with --learning-rate-reduce-factor %g knows no warm-up: "
                "--learning-rate-warmup %d has no effect", o->scheduler, o->reduce_factor, o->warmup);
    if ((s->type == SK_RATE_STEPS) != (o->rate_schedule != NULL))
        sk_opt_misuse("--learning-rate-scheduler-type fixed-step and --learning-rate-schedule need each other");
    if (s->type == SK_RATE_STEPS && sk_schedule_read_steps(s, o->rate_schedule) < 0)
        sk_opt_misuse("%s", sk_fail_message());
    p->param_reset = o->param_reset;
    p->states_reset = strcmp(o->states_reset, "initial") == 0 ? SK_STATES_INITIAL :
        strcmp(o->states_reset, "best") == 0 ? SK_STATES_BEST : SK_STATES_KEEP;
    if (s->type != SK_RATE_PLATEAU && (p->param_reset || p->states_reset != SK_STATES_KEEP)) {
        sk_warn("the learning rate is never lowered at a checkpoint (that needs --learning-rate-scheduler-type "
                "plateau-reduce): --learning-rate-decay-%s has no effect",
                p->param_reset ? "param-reset" : "optimizer-states-reset");
        p->param_reset = 0;
        p->states_reset = SK_STATES_KEEP;
    }
}

static void plan_optimizer(const struct sk_train_options *o, struct sk_train_plan *p)
{
    if (sk_optimizer_init(&p->optimizer, o->optimizer, o->optimizer_params, o->momentum, o->weight_decay) < 0)
        sk_opt_misuse("%s", sk_fail_message());
    /* Others say how much is taken, not what is kept. */
    if (o->ema > 0 && o->ema < 0.5)
        sk_opt_misuse("--ema %g: the share that the average keeps at each update is from 0.5 to 0.9999999; what Marian "
                      "calls --exponential-smoothing %g is --ema %.10g", o->ema, o->ema, 1 - o->ema);
    p->clip_threshold = o->clipping_threshold;
    p->clip = o->clipping_threshold <= 0 ? SK_CLIP_NONE :
        strcmp(o->clipping_type, "abs") == 0 ? SK_CLIP_ABS :
        strcmp(o->clipping_type, "norm") == 0 ? SK_CLIP_NORM : SK_CLIP_NONE;
}

/* A minimum over its maximum would never let patience end training. */
static void check_limits(const struct sk_train_options *o)
{
    if (o->max_epochs && o->min_epochs > o->max_epochs)
        sk_opt_misuse("--min-num-epochs %d is over --max-num-epochs %d", o->min_epochs, o->max_epochs);
    if (o->max_updates && o->min_updates > o->max_updates)
        sk_opt_misuse("--min-updates %lld is over --max-updates %lld", o->min_updates, o->max_updates);
    if (o->max_samples && o->min_samples > o->max_samples)
        sk_opt_misuse("--min-samples %lld is over --max-samples %lld", o->min_samples, o->max_samples);
}

static void plan_limits(const struct sk_train_options *o, struct sk_train_plan *p)
{
    const struct sk_schedule *s = &p->schedule;
    check_limits(o);
    p->limits = (struct sk_limits){
        .max_updates = o->max_updates, .min_updates = o->min_updates, .max_samples = o->max_samples,
        .min_samples = o->min_samples, .max_epochs = o->max_epochs, .min_epochs = o->min_epochs,
        .max_checkpoints = o->max_checkpoints, .interval = o->checkpoint_frequency,
        .max_seconds = (double)o->max_seconds, .patience = o->patience};
    if (s->type != SK_RATE_STEPS)
        return;
    /* As in Sockeye: the list of rates says how long training takes. */
    if (o->max_updates || o->min_updates || o->max_samples || o->min_samples || o->max_epochs || o->min_epochs)
        sk_warn("--learning-rate-schedule says when training ends: limits in updates, samples and epochs have no "
                "effect");
    p->limits = (struct sk_limits){
        .max_updates = s->step[s->steps - 1].until, .max_checkpoints = o->max_checkpoints,
        .interval = o->checkpoint_frequency, .max_seconds = (double)o->max_seconds, .patience = -1};
}

static void plan_metrics(const struct sk_train_options *o, struct sk_train_plan *p)
{
    p->optimized = o->optimized_metric;
    p->accuracy = strcmp(o->optimized_metric, "accuracy") == 0;
    p->late = strcmp(o->optimized_metric, "bleu") == 0 ? "bleu-val" :
        strcmp(o->optimized_metric, "chrf") == 0 ? "chrf-val" :
        strcmp(o->optimized_metric, "ter") == 0 ? "ter-val" : NULL;
    for (int i = 0; i < o->metrics.n; i++) {
        if (strcmp(o->metrics.v[i], "accuracy") == 0)
            p->accuracy = 1;
        else if (strcmp(o->metrics.v[i], "perplexity") != 0)
            sk_opt_misuse("--metrics: '%s' is neither perplexity nor accuracy", o->metrics.v[i]);
    }
}

static void plan_beside(const struct sk_train_options *o, struct sk_train_plan *p)
{
    p->monitor = p->late != NULL;
    if (o->monitor_bleu) {
        double n = number("monitor-bleu", o->monitor_bleu, -1, 2147483647);
        if (n != floor(n))
            sk_opt_misuse("--monitor-bleu: '%s' is no whole number", o->monitor_bleu);
        p->monitor = n != 0;
    }
    if (o->stop_on_failure && !p->monitor)
        sk_opt_misuse("--stop-training-on-decoder-failure needs --monitor-bleu");
}

static void plan_kept(const struct sk_train_options *o, struct sk_train_plan *p)
{
    p->cache_strategy = strcmp(o->cache_strategy, "last") == 0 ? SK_STRATEGY_LAST :
        strcmp(o->cache_strategy, "lifespan") == 0 ? SK_STRATEGY_LIFESPAN : SK_STRATEGY_BEST;
    if (o->cache_last_best > 0 && o->keep_last_params < 0)
        sk_warn("all parameters are kept (--keep-last-params %d): --cache-last-best-params has no effect",
                o->keep_last_params);
}

static void check_data(const struct sk_train_options *o, const struct sk_train_plan *p)
{
    if (sk_md_check_output(o->output) < 0)
        sk_opt_misuse("%s", sk_fail_message());
    if (o->virtual_shards & (o->virtual_shards - 1))
        sk_opt_misuse("--virtual-shards %d is no power of two", o->virtual_shards);
    if (!p->sentence_batches && o->batch_size < o->max_seq_len[1] + 1)
        sk_opt_misuse("--batch-size %d (target tokens) must hold the longest sentence, --max-seq-len %d plus 1",
                      o->batch_size, o->max_seq_len[1]);
    if (p->shared_vocab && (o->num_words[0] != o->num_words[1] || o->word_min_count[0] != o->word_min_count[1]))
        sk_opt_misuse("a shared vocabulary has one --num-words and one --word-min-count, not %d:%d and %d:%d",
                      o->num_words[0], o->num_words[1], o->word_min_count[0], o->word_min_count[1]);
    if (o->allow_missing_params && !o->params)
        sk_opt_misuse("--allow-missing-params needs --params");
}

int64_t sk_train_fixed(const struct sk_train_options *o, const struct sk_params *t, unsigned char *fixed)
{
    return sk_optimizer_fix(t, o->num_layers, o->fixed_strategy, o->fixed_names.v, o->fixed_names.n, fixed);
}

/* Names are known before vocabularies are, whose sizes do not matter here. */
static void check_fixed(const struct sk_train_options *o, const struct sk_train_plan *p)
{
    struct sk_model_config model = p->model;
    struct sk_params table = {0};
    model.vocab[0] = model.vocab[1] = 16;
    sk_model_table(&model, &table);
    unsigned char *fixed = sk_xcalloc((size_t)table.n, 1);
    if (sk_train_fixed(o, &table, fixed) < 0)
        sk_opt_misuse("%s", sk_fail_message());
    free(fixed);
    sk_params_free(&table);
}

void sk_train_plan_make(struct sk_train_plan *p, const struct sk_train_options *o)
{
    memset(p, 0, sizeof *p);
    p->sentence_batches = strcmp(o->batch_type, "sentence") == 0;
    p->lines_flags = o->replace_invalid ? SK_LINES_REPLACE_INVALID : 0;
    plan_model(o, p);
    plan_schedule(o, p);
    plan_metrics(o, p);
    plan_beside(o, p);
    plan_optimizer(o, p);
    plan_limits(o, p);
    plan_kept(o, p);
    check_data(o, p);
    check_fixed(o, p);
}
