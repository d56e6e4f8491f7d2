#include "train/shards.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "train/exchange/exchange.h"
#include "train/exchange/group.h"
#include "train/loop.h"
#include "train/shards_stage.h"
#include "train/signals.h"

struct sk_shards {
    struct sk_trainer *t;
    struct sk_group *group;
    struct sk_channel *channel;          /* of the generation; NULL: there is none */
    struct sk_exchange *exchange;
    struct sk_shards_stage stage;        /* of the regions that are summed; opened at the first need */
    int staged;
    struct sk_batch part;
    char version[64], run[SK_HASH_HEX];
    enum sk_stop reason;                 /* of the leader, at the last step */
    double watched;                      /* clock of the last look at the members */
};

/* What all tell each other at the head of a turn. */
struct word { int64_t update; double seconds; int regroup; enum sk_stop reason; };

/* Whether another one writes, and speaks. */
static void follow(struct sk_trainer *t, int follows)
{
    t->checkpoints.follows = t->report.follows = follows;
    if (follows)
        sk_events_forget(t->checkpoints.events);
    sk_quiet(t->o->quiet || follows);
}

/* --- calls of the group ------------------------------------------------------------ */

/* What was read takes the place of what is held. */
static void take_state(struct sk_trainer *t, const struct sk_train_state *read)
{
    sk_train_state_free(&t->state);
    t->state = *read;
    t->seconds_before = read->seconds;
    t->started = sk_clock();
    sk_model_load_weights(t->model);
}

/* Others may have gone on without this shard, up to a later checkpoint; or what it
 * did after a checkpoint stands on nothing, because that was never written. */
static int keep_up(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    if (sk_checkpoints_settle(&t->checkpoints, s, 1) < 0)    /* ours, on its way to the disk */
        return -1;
    int *numbers, n = sk_md_list(t->o->output, "params", &numbers), newest = n > 0 ? numbers[n - 1] : 0;
    free(numbers);
    if (n < 0)
        return -1;
    if (newest == s->now.checkpoint || (newest < s->now.checkpoint && s->updates == s->now.updates))
        return 0;
    follow(t, 1);
    struct sk_train_state read = {0};
    int resumed = sk_checkpoints_resume(&t->checkpoints, &read, s->corpus, s->validation);
    if (resumed <= 0)
        return resumed < 0 ? -1 : sk_fail(SK_EXIT_TEMP, "%s holds no checkpoint any more; start again", t->o->output);
    take_state(t, &read);
    return 0;
}

/* At a checkpoint the parameters may have been set back already, or not yet: there
 * the checkpoint itself says what is held. */
static int standing(void *ctx, int64_t *update, char hash[SK_HASH_HEX])
{
    struct sk_trainer *t = ((struct sk_shards *)ctx)->t;
    const struct sk_train_state *s = &t->state;
    /* Who was stopped for long may wake beside another run. */
    char run[SK_HASH_HEX];
    if (sk_train_identity(t->o, run))
        return -1;
    if (strcmp(run, t->shards->run))
        return sk_fail(SK_EXIT_CONFIG, "%s was begun anew with other data than this shard has", t->o->output);
    if (keep_up(t))
        return -1;
    *update = s->updates;
    if (s->updates == s->now.updates && s->now.checkpoint > 0)
        sk_hash_bytes(s->params, strlen(s->params), hash);
    else
        sk_checkpoints_hash(&t->checkpoints, hash);
    return 0;
}

static int save(void *ctx, const char *path)
{
    struct sk_trainer *t = ((struct sk_shards *)ctx)->t;
    return sk_checkpoints_export(&t->checkpoints, &t->state, path);
}

static int load(void *ctx, const char *path)
{
    struct sk_trainer *t = ((struct sk_shards *)ctx)->t;
    struct sk_train_state s = {0};
    if (sk_checkpoints_import(&t->checkpoints, &s, path))
        return -1;
    take_state(t, &s);
    return 0;
}

static int stop(void *ctx)
{
    (void)ctx;
    return sk_signals_pending() != 0;
}

/* --- coming and going ------------------------------------------------------------------ */

struct sk_shards *sk_shards_enter(const struct sk_train_options *o)
{
    struct sk_shards *s = sk_xcalloc(1, sizeof *s);
    snprintf(s->version, sizeof s->version, SK_VERSION " %s", sk_channel_library());
    const struct sk_group_options options = {
        o->output, s->version, s->run, o->shard, o->num_shards, o->virtual_shards, o->shard_timeout,
        sk_signals_descriptor(), {s, standing, save, load, stop}};
    s->group = sk_group_open(&options);
    if (s->group && sk_group_enter(s->group) >= 0)
        return s;
    sk_group_close(s->group);
    free(s);
    return NULL;
}

static void leave_generation(struct sk_shards *s, int done)
{
    sk_exchange_free(s->exchange);
    sk_channel_close(s->channel, done);
    s->exchange = NULL;
    s->channel = NULL;
}

void sk_shards_end(struct sk_trainer *t)
{
    leave_generation(t->shards, 1);
    sk_shards_stage_close(&t->shards->stage);
    sk_batch_part_free(&t->shards->part);
}

void sk_shards_leave(struct sk_shards *s)
{
    if (!s)
        return;
    sk_group_close(s->group);
    free(s);
}

int sk_shards_lead(const struct sk_shards *s)
{
    return sk_group_leads(s->group);
}

int sk_shards_found(const struct sk_shards *s)
{
    return sk_group_found(s->group);
}

int sk_shards_begin(struct sk_trainer *t)
{
    t->shards->t = t;
    follow(t, !sk_shards_lead(t->shards));
    sk_batch_part_init(&t->shards->part, &t->limits);
    return sk_train_identity(t->o, t->shards->run);
}

/* --- a generation ------------------------------------------------------------------------ */

/* Comings and goings are said on the console by all. */
static void say_members(const struct sk_members *m, int me, int quiet)
{
    struct sk_str text = {0};
    for (int i = 0; i < m->n; i++)
        sk_str_printf(&text, "%s%d (%s)", i ? ", " : "", m->member[i].shard, m->member[i].host);
    sk_quiet(quiet);
    sk_info("Generation %d from update %lld: shards %s; this is %d, shard %d writes", m->generation, (long long)m->update,
            text.text, m->member[me].shard, m->leader);
    sk_quiet(quiet || m->member[me].shard != m->leader);
    sk_str_free(&text);
}

/* The leader before this one may not have come to write the checkpoint that was
 * decided, or what follows from it. */
static int take_over(struct sk_trainer *t)
{
    struct sk_train_state *s = &t->state;
    if (t->checkpoints.follows)
        return 0;
    sk_events_begin(t->checkpoints.events, s->updates, &s->metrics);
    if (sk_shards_lead(t->shards) && sk_file_sweep(t->o->output) < 0)    /* what a killed leader began */
        return -1;
    if (s->now.checkpoint == 0)
        return 0;
    char *params = sk_md_checkpoint(t->o->output, "params", s->now.checkpoint);
    char *state = sk_md_checkpoint(t->o->output, "state", s->now.checkpoint);
    int there = sk_file_exists(params), result = there;
    if (there > 0)
        result = sk_checkpoints_derive(&t->checkpoints, s);
    else if (there == 0)
        result = sk_file_remove(state) < 0 || sk_checkpoints_commit(&t->checkpoints, s) < 0 ||
            sk_checkpoints_settle(&t->checkpoints, s, 1) < 0 ? -1 : 0;
    free(params);
    free(state);
    return result;
}

static int form(struct sk_trainer *t)
{
    struct sk_shards *s = t->shards;
    int result = sk_group_form(s->group, &s->channel);
    if (result)
        return result;
    const struct sk_members *m = sk_group_members(s->group);
    struct sk_shards_stage *g = &s->stage;
    if (!s->staged && sk_shards_stage_open(g, t->model) < 0)
        return -1;
    s->staged = 1;
    s->exchange = sk_exchange_new(&(struct sk_exchange_options){
        g->host_ops, g->host_dev, s->channel, t->limits.leaves, m->n, sk_group_me(s->group), m->secret, sk_group_watch,
        s->group, g->host, g->regions});
    follow(t, sk_group_me(s->group) != sk_group_leader(s->group));
    say_members(m, sk_group_me(s->group), t->o->quiet);
    if (sk_reader_seek(t->reader, t->state.epoch, t->state.position) < 0 || take_over(t) < 0)
        return -1;
    sk_report_restart(&t->report);
    return 0;
}

int sk_shards_step(struct sk_trainer *t)
{
    struct sk_shards *s = t->shards;
    struct word all[SK_SHARDS_MAX];
    for (;;) {
        if (!s->exchange) {
            int formed = form(t);
            if (formed)
                return formed == -2 ? 0 : -1;
        }
        struct word mine = {t->state.updates, t->state.seconds, 0, sk_trainer_stop_reason(t)};
        int me = sk_group_me(s->group), leader = sk_group_leader(s->group), n = sk_group_members(s->group)->n;
        if (me == leader)
            mine.regroup = sk_group_waited_for(s->group) || sk_group_over(s->group) != 0;
        if (sk_exchange_gather(s->exchange, &mine, sizeof mine, all)) {
            if (!sk_shards_over(t))
                return -1;
            continue;
        }
        for (int i = 0; i < n; i++)
            if (all[i].update != t->state.updates)
                SK_BUG("shards at updates %lld and %lld train together", (long long)all[i].update,
                       (long long)t->state.updates);
        t->seconds_before += all[leader].seconds - t->state.seconds;
        t->state.seconds = all[leader].seconds;
        s->reason = all[leader].reason;      /* limits may differ: they are free */
        if (!all[leader].regroup)
            return 1;
        leave_generation(s, 1);
    }
}

int sk_shards_over(struct sk_trainer *t)
{
    struct sk_shards *s = t->shards;
    if (!s || !s->exchange || sk_fail_code() != SK_EXIT_TEMP)
        return 0;
    int lost = sk_channel_lost(s->channel);
    const struct sk_members *m = sk_group_members(s->group);
    sk_quiet(t->o->quiet);
    if (lost >= 0)
        sk_info("Shard %d on %s is lost (%s): the update is done again without it", m->member[lost].shard,
                m->member[lost].host, sk_fail_message());
    else
        sk_info("%s: the update is done again by those who are left", sk_fail_message());
    sk_quiet(t->o->quiet || t->checkpoints.follows);
    leave_generation(s, 0);
    return 1;
}

void sk_shards_excuse(struct sk_trainer *t)
{
    enum sk_exit code = sk_fail_code();
    if (code != SK_EXIT_NOINPUT && code != SK_EXIT_IO)
        return;
    char *why = sk_xstrdup(sk_fail_message());
    if (sk_group_over(t->shards->group) > 0)
        sk_fail(SK_EXIT_TEMP, "others have gone on without this shard, start it again (%s)", why);
    else
        sk_fail(code, "%s", why);
    free(why);
}

int sk_shards_saves(struct sk_trainer *t)
{
    struct sk_shards *s = t->shards;
    /* The leader saves; if it has ended without doing so, whoever comes first. One
     * that is killed holds its lock until the system has taken its memory back. */
    const double dying = 1.5;
    if (!t->checkpoints.follows)
        return 1;
    leave_generation(s, 0);
    for (double until = sk_clock() + dying; !sk_shards_lead(s); poll(NULL, 0, 20)) {
        if (sk_group_take_over(s->group) < 0)
            return -1;
        if (!sk_shards_lead(s) && sk_clock() > until)
            return 0;
    }
    int64_t reached = sk_checkpoints_reached(&t->checkpoints);
    if (reached < 0 || reached >= t->state.updates)
        return reached < 0 ? -1 : 0;
    follow(t, 0);
    return take_over(t) < 0 ? -1 : 1;
}

int sk_shards_watch(struct sk_trainer *t)
{
    struct sk_shards *s = t->shards;
    if (!s || !s->exchange || sk_clock() - s->watched < 1)
        return 0;
    s->watched = sk_clock();
    return sk_group_watch(s->group);
}

enum sk_stop sk_shards_reason(const struct sk_trainer *t)
{
    return t->shards->reason;
}

int sk_shards_barrier(struct sk_trainer *t)
{
    char all[SK_SHARDS_MAX], mine = 0;
    return sk_exchange_gather(t->shards->exchange, &mine, 1, all);
}

/* --- work shared out -------------------------------------------------------------------------- */

struct part { struct sk_exchange *exchange; int k; };

static void part_ready(void *ctx, int regions)
{
    const struct part *p = ctx;
    sk_exchange_ready(p->exchange, p->k, regions);
}

int sk_shards_gradient(struct sk_trainer *t, uint32_t update, float scale, struct sk_loss *loss)
{
    struct sk_shards *s = t->shards;
    const struct sk_leaf_range *range;
    struct sk_loss of_range[SK_RANGES_MAX];
    int n = sk_exchange_ranges(s->exchange, &range);
    sk_exchange_begin(s->exchange);
    for (int k = 0; k < n; k++) {
        struct part part = {s->exchange, k};
        sk_batch_part(&s->part, &t->batch, range[k].first, range[k].n);
        /* A device with memory of its own would have to wait for each region. */
        sk_model_gradient_part(t->model, &s->part, (uint64_t)t->o->seed, update, (float)t->o->label_smoothing, scale,
                               &of_range[k], s->stage.ops->host ? part_ready : NULL, &part);
        sk_shards_stage_down(&s->stage);
        sk_exchange_ready(s->exchange, k, s->stage.regions);
    }
    if (sk_exchange_sum(s->exchange, of_range, loss))
        return -1;
    sk_shards_stage_up(&s->stage);
    sk_model_gradient_finish(t->model);
    return 0;
}

int sk_shards_own(const struct sk_trainer *t, int i)
{
    return i % sk_group_members(t->shards->group)->n == sk_group_me(t->shards->group);
}

int sk_shards_losses(struct sk_trainer *t, struct sk_loss *loss, int n)
{
    int members = sk_group_members(t->shards->group)->n;
    struct sk_loss *all = sk_xcalloc((size_t)members * (size_t)n, sizeof *all);
    int result = sk_exchange_gather(t->shards->exchange, loss, (size_t)n * sizeof *loss, all);
    for (int i = 0; i < n; i++)
        loss[i] = all[(size_t)(i % members) * (size_t)n + (size_t)i];
    free(all);
    return result;
}
