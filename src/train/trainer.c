#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "math/backend.h"
#include "model/params_file.h"
#include "modeldir/paths.h"
#include "train/loop.h"
#include "train/memory.h"
#include "train/signals.h"

/* --- set-up ------------------------------------------------------------------- */

static int open_device(struct sk_trainer *t)
{
    char text[256];
    t->ops = sk_backend(t->o->use_cpu);
    if (!t->ops)
        return -1;
    t->dev = sk_device_open(t->ops, t->o->threads, t->o->dtype);
    if (!t->dev)
        return -1;
    t->ops->describe(t->dev, text, sizeof text);
    sk_info("Training Device(s): %s", text);
    return 0;
}

static float *new_moment(const struct sk_trainer *t, int wanted)
{
    return wanted ? t->ops->alloc(t->dev, t->table->total * sizeof(float)) : NULL;
}

static void open_model(struct sk_trainer *t)
{
    const struct sk_optimizer *o = &t->p->optimizer;
    t->model = sk_model_new(&t->d->config.model, t->ops, t->dev, &t->limits);
    sk_model_combinations(t->model, (const int32_t *const *)&t->d->factored.rows);
    t->table = sk_model_params(t->model);
    t->params = sk_model_data(t->model);
    t->gradients = sk_model_gradients(t->model);
    t->average = new_moment(t, t->o->ema > 0);
    t->m = new_moment(t, sk_optimizer_uses_m(o));
    t->v = new_moment(t, sk_optimizer_uses_v(o));
    t->sum = new_moment(t, t->o->update_interval > 1);
}

/* Which parameters learn, and how; says so. */
static int open_ranges(struct sk_trainer *t)
{
    unsigned char *fixed = sk_xcalloc((size_t)t->table->n, 1);
    int64_t n = sk_train_fixed(t->o, t->table, fixed);
    if (n >= 0) {
        sk_report_params(t->table, n);
        t->ranges = sk_optimizer_ranges(t->table, fixed, t->p->optimizer.weight_decay > 0, &t->range);
    }
    free(fixed);
    return n < 0 ? -1 : 0;
}

/* Parameters of update 0. */
static int start_params(struct sk_trainer *t)
{
    struct sk_init_options init = t->p->init;
    float *host = t->checkpoints.host;
    init.source_vocab = sk_vocab_size(t->d->source);
    memset(host, 0, t->table->total * sizeof(float));
    sk_params_init(t->table, host, &init);
    if (t->o->params && *t->o->params) {
        int missing = sk_params_load(t->table, t->o->params, host,
                                     t->o->allow_missing_params ? SK_PARAMS_ALLOW_MISSING : 0, NULL);
        if (missing < 0)
            return -1;
        sk_info("Parameters of %s, %d of %d left as initialised", t->o->params, missing, t->table->n);
    }
    t->ops->upload(t->dev, t->params, host, t->table->total * sizeof(float));
    if (t->average)
        t->ops->copy(t->dev, t->average, t->params, t->table->total * sizeof(float));
    sk_schedule_start(&t->p->schedule, &t->state.now.schedule);
    const char *name = sk_checkpoints_nonfinite(&t->checkpoints, t->params);
    if (name)
        return sk_fail(SK_EXIT_DATA, "parameter %s starts with a value that is not finite", name);
    return 0;
}

static int open_trainer(struct sk_trainer *t)
{
    const struct sk_corpus_stats *train = sk_corpus_stats(t->d->train), *val = &t->d->held_out;
    const char *held_out = sk_corpus_stats(t->d->validation)->hash;
    if (sk_train_limits(&t->limits, t->o, t->p, train, val) < 0 || open_device(t) < 0)
        return -1;
    size_t on_device;
    size_t memory = sk_memory_predict(t->o, t->p, &t->d->config.model, train, val, &t->limits, t->ops, t->dev, &on_device);
    sk_info("Memory: training takes about %.0f MB", (double)memory / 1e6);
    if (on_device)
        sk_info("Memory: and about %.0f MB of the GPU's", (double)on_device / 1e6);
    if (sk_memory_check(memory, "training") < 0 ||
        sk_memory_device_check(t->o, t->p, &t->d->config.model, train, val, t->ops, t->dev, on_device) < 0)
        return -1;
    open_model(t);
    sk_info("Early stopping by optimizing '%s'", t->p->optimized);
    if (open_ranges(t) < 0)
        return -1;
    sk_batch_init(&t->batch, &t->limits);
    t->reader = sk_reader_new(t->d->train, t->o->seed);
    t->validation = sk_reader_new(t->d->validation, -1);
    for (int i = 0; i < t->d->monitors; i++)
        t->monitor[i] = sk_reader_new(t->d->monitor[i], -1);
    t->checkpoints = (struct sk_checkpoints){
        .dir = t->o->output, .keep_last = t->o->keep_last_params, .cache = t->o->cache_last_best,
        .cache_strategy = t->p->cache_strategy, .cache_metric = t->o->cache_metric, .late = t->p->late,
        .evaluated = t->p->monitor || t->p->late, .commanded = t->o->on_checkpoint != NULL,
        .keep_states = t->o->keep_last_states,
        .keep_best_state = t->p->states_reset == SK_STATES_BEST, .table = t->table, .ops = t->ops, .dev = t->dev,
        .params = t->params, .average = t->average, .m = t->m, .v = t->v, .events = sk_events_new(t->o->output),
        .host = t->ops->host ? t->gradients : sk_xaligned(t->table->total * sizeof(float))};
    t->report = (struct sk_report){.dir = t->o->output, .events = t->checkpoints.events, .accuracy = t->p->accuracy,
                                   .interval = t->o->checkpoint_frequency, .max_updates = t->o->max_updates};
    t->ops->describe(t->dev, t->report.device, sizeof t->report.device);
    if (t->shards && sk_shards_begin(t) < 0)
        return -1;
    int resumed = sk_checkpoints_resume(&t->checkpoints, &t->state, train->hash, held_out);
    if (resumed < 0 || (!resumed && start_params(t) < 0))
        return -1;
    memcpy(t->state.corpus, train->hash, SK_HASH_HEX);
    memcpy(t->state.validation, held_out, SK_HASH_HEX);
    if (resumed)
        sk_info("Found partial training in '%s'. Resuming from saved state: update %lld, checkpoint %d.",
                t->o->output, (long long)t->state.updates, t->state.now.checkpoint);
    sk_model_load_weights(t->model);
    t->seconds_before = t->state.seconds;
    t->started = sk_clock();
    return sk_reader_seek(t->reader, t->state.epoch, t->state.position);
}

static void close_trainer(struct sk_trainer *t)
{
    if (t->shards)
        sk_shards_end(t);
    if (t->reader)
        sk_reader_free(t->reader);
    if (t->validation)
        sk_reader_free(t->validation);
    for (int i = 0; i < t->d->monitors; i++)
        sk_reader_free(t->monitor[i]);
    if (t->model) {
        sk_batch_free(&t->batch);
        float *const flat[] = {t->average, t->m, t->v, t->sum};
        for (int i = 0; i < 4; i++)
            if (flat[i])
                t->ops->free(t->dev, flat[i]);
        sk_model_free(t->model);
    }
    free(t->range);
    sk_events_free(t->checkpoints.events);
    if (t->checkpoints.host != t->gradients)
        free(t->checkpoints.host);
    sk_train_state_free(&t->state);
    if (t->dev)
        t->ops->close(t->dev);
}

/* --- checkpoints -------------------------------------------------------------------- */

/* Sees to a checkpoint that is being published. 0 or -1. */
static int settle(struct sk_trainer *t, int wait)
{
    double before = sk_clock();
    int settled = sk_checkpoints_settle(&t->checkpoints, &t->state, wait);
    if (settled > 0) {
        sk_report_progress(&t->report, &t->state);
        sk_info("Checkpoint [%d]\tSaved; training waited %.3f seconds for that", t->state.now.checkpoint,
                t->saving + sk_clock() - before);
    }
    return settled < 0 ? -1 : 0;
}

/* 1: written, 0: a signal came first, -1. */
static int checkpoint(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    if (settle(t, 1) < 0)
        return -1;
    sk_report_training(&t->report, s, s->now.checkpoint + 1);
    if (sk_checkpoints_nonfinite(&t->checkpoints, t->params))
        return sk_trainer_not_finite(t, s->updates);
    int done = sk_trainer_validate(t);
    if (done <= 0)
        return done;
    s->seconds = t->seconds_before + sk_clock() - t->started;
    int decided = sk_trainer_decide(t);
    if (decided <= 0)
        return decided;
    double before = sk_clock();
    if (sk_checkpoints_commit(&t->checkpoints, s) < 0)
        return -1;
    t->saving = sk_clock() - before;
    sk_report_restart(&t->report);
    /* Another shard may need it: were we lost, it would go on from there. */
    return t->shards && (settle(t, 1) < 0 || sk_shards_barrier(t) < 0) ? -1 : 1;
}

/* --- the end ---------------------------------------------------------------------------- */

static void say_reason(const struct sk_trainer *t, enum sk_stop reason)
{
    const struct sk_limits *l = &t->p->limits;
    switch (reason) {
    case SK_STOP_UPDATES: sk_info("Maximum # of updates (%lld) reached.", (long long)l->max_updates); break;
    case SK_STOP_CHECKPOINTS: sk_info("Maximum # of checkpoints (%lld) reached.", (long long)l->max_checkpoints); break;
    case SK_STOP_SAMPLES: sk_info("Maximum # of samples (%lld) reached.", (long long)l->max_samples); break;
    case SK_STOP_EPOCHS: sk_info("Maximum # of epochs (%lld) reached.", (long long)l->max_epochs); break;
    case SK_STOP_SECONDS: sk_info("Maximum # of seconds (%.0f) reached.", l->max_seconds); break;
    case SK_STOP_CONVERGED:
        sk_info("Maximum # of checkpoints without improvement (%d) reached.", l->patience);
        break;
    case SK_STOP_DIVERGED: sk_info("Validation perplexity shows that training has diverged."); break;
    case SK_STOP_NO: break;
    }
}

static int interrupted(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    if (settle(t, 1) < 0)
        return -1;
    int saves = t->shards ? sk_shards_saves(t) : 1;
    if (saves < 0 || (s->updates != s->now.updates && sk_checkpoints_interrupt(&t->checkpoints, s) < 0))
        return -1;
    t->report.stopped = sk_signals_name(sk_signals_pending());
    sk_report_progress(&t->report, s);
    if (saves)
        sk_info("%s: stopped after update %lld, which '%s' holds; the same command goes on from there.",
                t->report.stopped, (long long)s->updates, t->o->output);
    else
        sk_info("%s: shard %d leaves after update %lld; who is left goes on, or has saved it in '%s'.", t->report.stopped,
                t->o->shard, (long long)s->updates, t->o->output);
    return SK_EXIT_TEMP;
}

static int finish(struct sk_trainer *t, enum sk_stop reason)
{
    static const char *const names[] = {"", "updates", "checkpoints", "samples", "epochs", "seconds", "converged",
                                        "diverged"};
    const struct sk_train_state *s = &t->state;
    struct sk_stopping known;
    const struct sk_stopping *best = &known;
    if (settle(t, 1) < 0)
        return -1;
    int settled = t->p->replays ? 1 : sk_beside_settle(t);
    if (settled <= 0)
        return settled < 0 ? -1 : interrupted(t);
    if (sk_trainer_known(t->o->output, t->p->late, s, &known) < 0)
        return -1;
    char *path = sk_path_join(t->o->output, SK_MD_FINISHED);
    int before = sk_file_exists(path), result = before;
    if (before == 0 && !t->checkpoints.follows) {
        struct sk_str text = {0};
        sk_str_printf(&text, "best\t%d\ncheckpoint\t%d\nreason\t%s\ntime\t%lld\nupdates\t%lld\n",
                      best->best_checkpoint, s->now.checkpoint, names[reason], (long long)time(NULL),
                      (long long)s->updates);
        result = sk_file_save(path, text.text, text.len, SK_REPLACE);
        sk_str_free(&text);
    }
    free(path);
    if (result < 0)
        return -1;
    int ended = sk_beside_end(t);
    if (ended <= 0)
        return ended < 0 ? -1 : interrupted(t);
    if (t->shards && sk_shards_barrier(t) < 0)
        return -1;
    say_reason(t, reason);
    sk_info("Training %sfinished%s. Best checkpoint: %d. Best validation %s: %.6f",
            before ? "had been " : "", reason == SK_STOP_DIVERGED ? "" : ", can be continued later",
            best->best_checkpoint, t->p->optimized, best->best);
    if (reason == SK_STOP_DIVERGED && best->best_checkpoint == 0)
        return sk_fail(SK_EXIT_NO, "training has diverged, and no checkpoint of %s is good; begin anew with a lower "
                       "--initial-learning-rate", t->o->output);
    if (reason == SK_STOP_DIVERGED)
        return sk_fail(SK_EXIT_NO, "training has diverged: %s keeps checkpoint %d as the best; begin anew with a lower "
                       "--initial-learning-rate", t->o->output, best->best_checkpoint);
    return SK_EXIT_OK;
}

/* A run that had ended goes on: `finished` and a last checkpoint between two
 * regular ones are taken back. */
static int extend(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    char *path = sk_path_join(t->o->output, SK_MD_FINISHED);
    int removed = t->checkpoints.follows ? 0 : sk_file_remove(path);
    free(path);
    if (removed < 0)
        return -1;
    if (s->has_before) {
        sk_info("Checkpoint %d at update %lld, made where training ended, is withdrawn: training goes on",
                s->now.checkpoint, (long long)s->updates);
        return sk_checkpoints_withdraw(&t->checkpoints, s);
    }
    /* The line was right for the patience of then. */
    if (s->now.checkpoint > 0)
        sk_metrics_set(&s->metrics, s->now.checkpoint, "converged", "False");
    return 0;
}

/* After sk_fail: training stops, but loses nothing. */
static int leave_failed(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    enum sk_exit code = sk_fail_code();
    char *why = sk_xstrdup(sk_fail_message());
    if (t->shards)
        sk_shards_saves(t);
    if (s->updates == s->now.updates || sk_checkpoints_interrupt(&t->checkpoints, s) == 0)
        sk_fail(code, "%s", why);
    free(why);
    return -1;
}

static int loop(struct sk_trainer *t)
{
    const struct sk_train_state *s = &t->state;
    /* Of several shards it is the leader's limit that counts. */
    if (!t->shards && sk_trainer_stop_reason(t) == SK_STOP_NO && extend(t) < 0)
        return -1;
    if (!t->checkpoints.follows)
        sk_events_begin(t->checkpoints.events, s->updates, &s->metrics);
    if (sk_beside_open(t) < 0)
        return -1;
    if (s->updates == 0 && t->o->keep_initializations && !t->checkpoints.follows &&
        sk_checkpoints_keep_initial(&t->checkpoints) < 0)
        return -1;
    if (s->updates == 0)
        sk_info("Training started.");
    sk_report_start(&t->report);
    sk_report_progress(&t->report, s);
    for (int result, extended = 0;;) {
        int together = t->shards ? sk_shards_step(t) : 1;
        if (together < 0)
            return leave_failed(t);
        int off_checkpoint = s->updates != s->now.updates;
        if (settle(t, 0) < 0)
            return -1;
        if (!t->checkpoints.publisher && sk_beside_look(t) < 0)
            return leave_failed(t);
        enum sk_stop reason = t->shards ? sk_shards_reason(t) : sk_trainer_stop_reason(t);
        if (t->shards && together && !reason && !extended++ && extend(t) < 0)
            return -1;
        off_checkpoint = s->updates != s->now.updates;
        int ends = together && reason && !off_checkpoint;
        if (ends)
            result = finish(t, reason);
        else if (sk_signals_pending())
            return interrupted(t);
        else if (off_checkpoint && (reason || s->updates % t->o->checkpoint_frequency == 0))
            result = checkpoint(t);
        else
            result = sk_trainer_update(t);
        if (ends && result >= 0)
            return result;
        if (result < 0 && t->beside.failed)
            return leave_failed(t);
        if (result < 0 && !sk_shards_over(t))
            return -1;
    }
}

/* Training has failed: the last checkpoint stays all the same. */
static void settle_failed(struct sk_trainer *t)
{
    enum sk_exit code = sk_fail_code();
    char *why = sk_xstrdup(sk_fail_message());
    if (settle(t, 1) < 0)
        sk_warn("%s", sk_fail_message());
    sk_fail(code, "%s", why);
    free(why);
}

static void say_memory(void)
{
    size_t now, most;
    sk_memory_resident(&now, &most);
    if (most)
        sk_info("Memory: at most %.1f MB were taken", (double)most / 1e6);
}

int sk_train(const struct sk_train_options *o, const struct sk_train_plan *p, const struct sk_train_data *d,
             struct sk_shards *shards)
{
    struct sk_trainer t = {.o = o, .p = p, .d = d, .shards = shards};
    int result = open_trainer(&t);
    sk_signals_defer();
    if (result == 0)
        result = loop(&t);
    if (t.checkpoints.publisher)
        settle_failed(&t);
    if (result < 0 && shards)
        sk_shards_excuse(&t);
    sk_beside_close(&t);
    say_memory();
    close_trainer(&t);
    return result;
}
