/* group_form.c - the way into a generation. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "train/exchange/group_private.h"

/* Seconds: so long a process that just began waits for shards it has not seen; a
 * leader who lives, but opens nothing, is waited for. */
static const double late = 2, patience = 60;

/* One attempt to take part: what is known of it. */
struct attempt {
    struct sk_join mine;
    struct sk_channel *channel;
    int joined, opened, seen, said;      /* generations: asked to take part in, opened, seen last */
    double began, changed, opened_at;    /* changed: when a higher one was seen */
};

/* Was that shard in the generation before? */
static int was_in(const struct sk_group *g, const char *uuid)
{
    for (int i = 0; i < g->members.n; i++)
        if (!strcmp(g->members.member[i].uuid, uuid)) return 1;
    return 0;
}

/* Are all in that live and come? Those are who waits and who was in the generation
 * before. The first one also waits for those who still prepare themselves, and a
 * moment for those not seen yet. */
static int all_joined(const struct sk_group *g, const struct attempt *a, const struct sk_join *join, int n)
{
    double now = sk_now();
    for (int k = 0; k < g->o.shards; k++) {
        const struct sk_group_seen *s = &g->seen[k];
        int in = k == g->o.shard, known = s->alive && s->changed > 0;
        for (int i = 0; i < n && !in; i++) in = join[i].shard == k && !strcmp(join[i].uuid, s->uuid);
        if (in) continue;
        int comes = s->waits || !g->members.generation || was_in(g, s->uuid);
        if (known && comes && now - s->changed < SK_GROUP_FRESH && now - a->opened_at < g->o.silent) return 0;
        if (!known && !g->members.generation && now - a->opened_at < late) return 0;
    }
    return 1;
}

static const struct sk_join *of_shard(const struct sk_group *g, const struct sk_join *join, int n, int shard)
{
    for (int i = 0; i < n; i++)
        if (join[i].shard == shard && sk_group_counts(g, &join[i])) return &join[i];
    return NULL;
}

/* The leader first, then those who hold most, then by number. */
static int compare(const struct sk_join *x, const struct sk_join *y, int leader)
{
    if ((x->shard == leader) != (y->shard == leader)) return x->shard == leader ? -1 : 1;
    if (x->update != y->update) return x->update > y->update ? -1 : 1;
    return x->shard - y->shard;
}

/* Those who take part, as many as there are leaves, in the order of their numbers.
 * Who holds the furthest update is where the others get it from. */
static void choose(const struct sk_group *g, const struct sk_join *join, int n, struct sk_members *m)
{
    const struct sk_join *in[SK_SHARDS_MAX] = {NULL};
    int found = 0;
    for (int k = 0; k < g->o.shards; k++) {
        const struct sk_join *j = of_shard(g, join, n, k);
        if (!j) continue;
        int at = found++;
        for (; at > 0 && compare(j, in[at - 1], g->o.shard) < 0; at--) in[at] = in[at - 1];
        in[at] = j;
    }
    if (found > g->o.leaves) found = g->o.leaves;
    const struct sk_join *most = in[0];
    for (int i = 1; i < found; i++)
        if (in[i]->update > most->update) most = in[i];
    *m = (struct sk_members){.leader = g->o.shard, .source = most->shard, .update = most->update};
    m->shards = g->o.shards;
    snprintf(m->version, sizeof m->version, "%s", g->o.version);
    snprintf(m->run, sizeof m->run, "%s", g->o.run);
    memcpy(m->hash, most->hash, sizeof m->hash);
    for (int k = 0; k < g->o.shards; k++)
        for (int i = 0; i < found; i++) {
            if (in[i]->shard != k) continue;
            if (in[i]->update == m->update && strcmp(in[i]->hash, m->hash)) {
                sk_warn("shard %d on %s holds other bits than shard %d at update %lld: it is left out", k, in[i]->host,
                        m->source, (long long)m->update);
                continue;
            }
            m->behind |= in[i]->update < m->update;
            struct sk_member *x = &m->member[m->n++];
            x->shard = k;
            memcpy(x->uuid, in[i]->uuid, sizeof x->uuid);
            memcpy(x->host, in[i]->host, sizeof x->host);
        }
}

static int publish_members(struct sk_group *g, struct attempt *a)
{
    struct sk_join *join;
    int n = sk_joins_read(g->o.dir, a->opened, &join), result = 0;
    if (n < 0 || sk_group_look(g)) result = -1;
    else if (of_shard(g, join, n, g->o.shard) && all_joined(g, a, join, n)) {
        struct sk_members *m = sk_xcalloc(1, sizeof *m);
        choose(g, join, n, m);
        m->generation = a->opened;
        if (getrandom(&m->secret, sizeof m->secret, 0) != sizeof m->secret) result = sk_fail_errno("random numbers");
        else result = sk_members_write(g->o.dir, m) < 0 ? -1 : 0;
        free(m);
    }
    sk_joins_free(join, n);
    return result;
}

static int leader_lost(struct sk_group *g, const struct sk_members *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->member[i].shard == m->leader) return sk_group_lost(g, m->leader, m->member[i].uuid);
    return 1;
}

/* What this shard should do about the highest generation: wait, open the next one,
 * or say itself who its members are. Who holds the lock leads; but who holds it may
 * be stopped or cut off, and whoever does so without it does no harm. -1: sk_fail. */
enum duty { WAIT, OPEN, ADOPT };
static int duty(struct sk_group *g, const struct attempt *a, int generation)
{
    struct sk_members *m = sk_xcalloc(1, sizeof *m);
    double waited = sk_now() - a->changed;
    int locked = g->lock >= 0, what = WAIT;
    int got = generation > 0 ? sk_members_read(g->o.dir, generation, m) : 0;
    if (got < 0) what = -1;
    else if (generation == 0) what = locked ? OPEN : WAIT;
    else if (got == 0) what = locked ? ADOPT : waited > g->o.silent ? OPEN : WAIT;
    else if (generation != g->members.generation)        /* others train, or did */
        what = sk_group_all_lost(g, m) && (locked || waited > g->o.silent) ? OPEN : WAIT;
    else if (m->leader == g->o.shard || locked || leader_lost(g, m) || waited > patience) what = OPEN;
    free(m);
    return what;
}

static int ask_to_take_part(struct sk_group *g, struct attempt *a, int generation)
{
    /* Who waited long may have been overtaken. */
    if (g->o.calls.standing(g->o.calls.ctx, &a->mine.update, a->mine.hash)) return -1;
    a->joined = generation;
    return sk_join_write(g->o.dir, generation, &a->mine);
}

static int index_of(const struct sk_group *g, const struct sk_members *m)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->member[i].uuid, g->uuid)) return i;
    return -1;
}

static int do_duty(struct sk_group *g, struct attempt *a, int generation, enum duty what)
{
    int opened = what == ADOPT ? 1 : sk_shards_open(g->o.dir, generation + 1);
    if (opened <= 0) return opened;                  /* somebody was faster */
    a->opened = what == ADOPT ? generation : generation + 1;
    a->opened_at = sk_now();
    return sk_shards_sweep(g->o.dir, generation);
}

/* Members were published: are we among them? 0, 1 no, -1 and we cannot be. */
static int look_up(struct sk_group *g, const struct attempt *a, const struct sk_members *m)
{
    if (index_of(g, m) >= 0) {
        g->members = *m;
        return 0;
    }
    if (!sk_group_all_lost(g, m) && sk_group_check_kind(g, m)) return -1;
    if (a->joined == m->generation && m->update == a->mine.update && strcmp(m->hash, a->mine.hash))
        return sk_fail(SK_EXIT_TEMP, "what this shard holds differs from what shard %d does at update %lld; start it again, "
                       "and it takes over theirs", m->source, (long long)m->update);
    return 1;
}

/* One look at that generation, the highest: 0 this shard is a member; 1 look again; -1, -2. */
static int look_at(struct sk_group *g, struct attempt *a, int generation, struct sk_members *m)
{
    if (generation < 0 || sk_group_fence(g) || sk_group_take_over(g) || sk_group_look(g)) return -1;
    if (sk_group_stopped(g)) return -2;
    if (sk_shard_alive(g->o.dir, g->o.shard) <= 0)
        return sk_fail(SK_EXIT_TEMP, "%s/" SK_MD_SHARDS " was removed while shards used it: start them again", g->o.dir);
    if (generation < a->seen || generation < g->members.generation) {     /* somebody removed them: a new beginning */
        g->members.generation = 0;
        a->joined = a->opened = a->seen = 0;
    }
    if (generation > a->seen) {
        a->seen = generation;
        a->changed = sk_now();
    }
    if (a->opened == 0 || a->opened < generation) {
        int what = duty(g, a, generation);
        if (what < 0) return -1;
        if (what != WAIT) return do_duty(g, a, generation, (enum duty)what) ? -1 : 1;
    }
    if (generation == 0 || generation == g->members.generation) return 1;
    int got = sk_members_read(g->o.dir, generation, m);
    if (got != 0) {
        a->opened = 0;                   /* somebody else may have said who takes part: no duty is done */
        return got < 0 ? -1 : look_up(g, a, m);
    }
    if (a->joined != generation) return ask_to_take_part(g, a, generation) ? -1 : 1;
    return a->opened == generation && publish_members(g, a) ? -1 : 1;
}

static int step(struct sk_group *g, struct attempt *a, struct sk_members *m)
{
    int generation = sk_shards_generation(g->o.dir), result = look_at(g, a, generation, m);
    return result == -1 && generation > 0 && sk_group_overtaken(g, generation) ? 1 : result;
}

/* Until a generation has members and this shard is one: 0, -1, -2. */
static int find_generation(struct sk_group *g, struct attempt *a)
{
    struct sk_members *m = sk_xcalloc(1, sizeof *m);
    int result;
    while ((result = step(g, a, m)) == 1) {
        sk_group_rest();
        if (!a->said && sk_now() - a->began > 5) {
            sk_info("Shard %d waits to take part", g->o.shard);
            a->said = 1;
        }
    }
    free(m);
    return result;
}

/* Those who are behind load what the source saves. 0, -1; 1: it was lost meanwhile. */
static int catch_up(struct sk_group *g, const struct attempt *a)
{
    const struct sk_members *m = &g->members;
    const struct sk_group_calls *c = &g->o.calls;
    char *path = sk_shards_path(g->o.dir, m->generation, "state");
    int result = 0;
    if (m->behind && m->source == g->o.shard) {
        result = c->save(c->ctx, path) < 0 ? -1 : 0;
    } else if (a->mine.update < m->update) {
        double next = sk_now() + 1;
        int there;
        while ((there = sk_shards_has(g->o.dir, m->generation, "state")) == 0 && result == 0) {
            if (sk_group_stopped(g)) result = -2;
            else if (sk_now() > next) {
                result = -sk_group_watch(g);
                next = sk_now() + 1;
            }
            sk_group_rest();
        }
        if (there < 0) result = -1;
        if (result == 0) result = c->load(c->ctx, path);
    }
    free(path);
    return result;
}

/* 0, -1; 1: somebody is lost already. */
static int connect_all(struct sk_group *g, struct sk_channel *c)
{
    const struct sk_members *m = &g->members;
    struct sk_join *join;
    int n = sk_joins_read(g->o.dir, m->generation, &join), result = n < 0 ? -1 : 0, unreached = 0;
    for (int i = 0; i < m->n && result >= 0; i++) {
        int k = 0;
        while (k < n && strcmp(join[k].uuid, m->member[i].uuid)) k++;
        if (k == n) result = -sk_fail(SK_EXIT_TEMP, "the address of shard %d is gone", m->member[i].shard);
        else if (i != g->me && sk_channel_connect(c, i, join[k].address, join[k].bytes)) result = 1, unreached++;
    }
    g->vain = unreached > 0 && unreached == m->n - 1 ? g->vain + 1 : 0;
    if (g->vain == 1) g->began = sk_now();
    sk_joins_free(join, n);
    return result;
}

static int begin(struct sk_group *g, struct attempt *a)
{
    *a = (struct attempt){.began = sk_now(), .changed = sk_now(), .seen = g->members.generation};
    struct sk_join *j = &a->mine;
    a->channel = sk_channel_open(g->o.wake);
    if (!a->channel) return -1;
    j->address = (void *)(uintptr_t)sk_channel_address(a->channel, &j->bytes);
    memcpy(j->uuid, g->uuid, sizeof j->uuid);
    memcpy(j->host, g->host, sizeof j->host);
    snprintf(j->version, sizeof j->version, "%s", g->o.version);
    snprintf(j->run, sizeof j->run, "%s", g->o.run);
    j->shard = g->o.shard;
    j->shards = g->o.shards;
    j->pid = (long)getpid();
    return 0;
}

/* Others go on without a shard that reaches none of them; with it they would try
 * for ever. Of two it is the one that does not lead. */
static int in_vain(const struct sk_group *g)
{
    enum { OFTEN = 5 };
    if ((g->lock >= 0 && g->members.n == 2) || g->vain < OFTEN || sk_now() - g->began < g->o.silent) return 0;
    char *why = sk_xstrdup(sk_fail_message());
    sk_fail(SK_EXIT_TEMP, "shard %d reaches no other (%s): do all hosts see each other? UCX_NET_DEVICES names the network "
            "devices to use", g->o.shard, why);
    free(why);
    return -1;
}

int sk_group_form(struct sk_group *g, struct sk_channel **channel)
{
    int result = 1;
    *channel = NULL;
    sk_group_waits(g, 1);
    while (result == 1) {
        struct attempt a = {.channel = NULL};
        result = in_vain(g) ? -1 : begin(g, &a);
        if (result == 0) result = find_generation(g, &a);
        if (result == 0) {
            g->me = index_of(g, &g->members);
            g->formed = g->looked = sk_now();
            result = catch_up(g, &a);
            if (result == 0) result = connect_all(g, a.channel);
            if (result == -1 && sk_group_overtaken(g, g->members.generation)) result = 1;
        }
        if (result == 0) *channel = a.channel;
        else sk_channel_close(a.channel, 0);
        if (result == 1) poll(NULL, 0, 200);
    }
    sk_group_waits(g, 0);
    return result;
}
