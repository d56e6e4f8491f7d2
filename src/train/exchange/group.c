#include "train/exchange/group.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

/* Seconds, by this process's own clock. */
static const double beat_seconds = 1,    /* between two beats */
    fresh = 3,                           /* who beat within these takes part in what is formed */
    late = 2,                            /* so long a process that just began waits for shards it has not seen */
    patience = 60,                       /* for a leader who lives, but opens nothing */
    settled = 5;                         /* a generation this old makes room for those who wait */

/* What this process saw of a shard. */
struct seen { char uuid[SK_UUID_TEXT]; int64_t count; double changed; int alive; };

struct sk_group {
    struct sk_group_options o;
    char uuid[SK_UUID_TEXT], host[128];
    int lock, alive;
    pthread_t beat;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int ending;
    struct sk_members members;
    int me;                              /* index; -1: not a member */
    double formed, looked, seen_at;
    struct seen *seen;
};

/* --- life ------------------------------------------------------------------------------ */

static void *beat(void *ctx)
{
    struct sk_group *g = ctx;
    pthread_mutex_lock(&g->mutex);
    for (int64_t count = 1; !g->ending; count++) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)beat_seconds;
        pthread_cond_timedwait(&g->wake, &g->mutex, &until);
        /* A disk that is full for a moment: the next beat comes. */
        (void)sk_beat_write(g->o.dir, g->o.shard, g->uuid, count);
    }
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

/* Looks at the beats, and locks, of all other shards; not more than ten times a second. */
static int look(struct sk_group *g)
{
    double now = sk_now();
    if (now - g->seen_at < 0.1) return 0;
    g->seen_at = now;
    for (int k = 0; k < g->o.shards; k++) {
        struct seen *s = &g->seen[k];
        char uuid[SK_UUID_TEXT];
        int64_t count;
        if (k == g->o.shard) continue;
        s->alive = sk_shard_alive(g->o.dir, k);
        if (s->alive < 0) return -1;
        if (!s->alive || !sk_beat_read(g->o.dir, k, uuid, &count)) continue;
        if (s->count != count || strcmp(s->uuid, uuid)) {
            memcpy(s->uuid, uuid, sizeof uuid);
            s->count = count;
            s->changed = now;
        }
    }
    return 0;
}

static int take_lock(struct sk_group *g)
{
    if (g->lock >= 0) return 0;
    char *path = sk_path_join(g->o.dir, SK_MD_LOCK);
    g->lock = sk_lock_take(path);
    free(path);
    return g->lock < 0 && sk_fail_code() != SK_EXIT_TEMP ? -1 : 0;
}

int sk_group_leads(const struct sk_group *g)
{
    return g->lock >= 0;
}

struct sk_group *sk_group_open(const struct sk_group_options *o)
{
    struct sk_group *g = sk_xcalloc(1, sizeof *g);
    uuid_t id;
    g->o = *o;
    g->lock = g->me = -1;
    g->seen = sk_xcalloc((size_t)o->shards, sizeof *g->seen);
    uuid_generate_random(id);
    uuid_unparse_lower(id, g->uuid);
    if (gethostname(g->host, sizeof g->host - 1)) strcpy(g->host, "unknown");
    char *folder = sk_path_join(o->dir, SK_MD_SHARDS), *name = sk_xprintf("%d.alive", o->shard);
    char *path = sk_path_join(folder, name);
    g->alive = sk_mkdir(folder) ? -1 : sk_lock_take(path);
    if (g->alive < 0 && sk_fail_code() == SK_EXIT_TEMP) sk_fail_prefix("shard %d runs already: ", o->shard);
    free(path);
    free(name);
    free(folder);
    if (g->alive >= 0 && sk_beat_write(o->dir, o->shard, g->uuid, 0)) {
        sk_fail_errno("cannot write %s/" SK_MD_SHARDS "/%d.beat", o->dir, o->shard);
        sk_lock_release(g->alive);
        g->alive = -1;
    }
    if (g->alive < 0) {
        free(g->seen);
        free(g);
        return NULL;
    }
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->wake, NULL);
    SK_ENSURE(pthread_create(&g->beat, NULL, beat, g) == 0);
    return g;
}

void sk_group_close(struct sk_group *g)
{
    if (!g) return;
    pthread_mutex_lock(&g->mutex);
    g->ending = 1;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->mutex);
    pthread_join(g->beat, NULL);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->mutex);
    sk_lock_release(g->alive);
    sk_lock_release(g->lock);
    free(g->seen);
    free(g);
}

/* --- forming a generation --------------------------------------------------------------- */

static void rest(void) { poll(NULL, 0, 20); }

static int stopped(const struct sk_group *g) { return g->o.calls.stop(g->o.calls.ctx); }

/* One attempt to take part: what is known of it. */
struct attempt {
    struct sk_join mine;
    struct sk_channel *channel;
    int joined, opened, seen, said;      /* generations: asked to take part in, opened, seen last */
    double began, changed, opened_at;    /* changed: when a higher one was seen */
};

/* Are all that live in? The first generation waits a moment for those not seen yet. */
static int all_joined(const struct sk_group *g, const struct attempt *a, const struct sk_join *join, int n)
{
    double now = sk_now();
    for (int k = 0; k < g->o.shards; k++) {
        const struct seen *s = &g->seen[k];
        int in = k == g->o.shard, known = s->alive && s->changed > 0;
        for (int i = 0; i < n && !in; i++) in = join[i].shard == k && !strcmp(join[i].uuid, s->uuid);
        if (in) continue;
        if (known && now - s->changed < fresh && now - a->opened_at < g->o.silent) return 0;
        if (!known && !g->members.generation && now - a->opened_at < late) return 0;
    }
    return 1;
}

static int counts(const struct sk_group *g, const struct sk_join *j)
{
    if (j->shard >= g->o.shards) return 0;
    if (j->shard == g->o.shard) return !strcmp(j->uuid, g->uuid);
    const struct seen *s = &g->seen[j->shard];
    return s->alive && !strcmp(s->uuid, j->uuid) && sk_now() - s->changed < g->o.silent && !strcmp(j->version, g->o.version);
}

/* Does somebody who lives take part in a generation, or want to? He has seen the
 * directory prepared. 1, 0, -1. */
static int someone_in(struct sk_group *g, int generation)
{
    struct sk_join *join;
    int n = sk_joins_read(g->o.dir, generation, &join), found = 0;
    for (int i = 0; i < n; i++) found = found || (join[i].shard != g->o.shard && counts(g, &join[i]));
    sk_joins_free(join, n);
    return n < 0 ? -1 : found;
}

int sk_group_enter(struct sk_group *g)
{
    double began = sk_now();
    for (int said = 0;; rest()) {
        if (stopped(g)) return -2;
        if (take_lock(g)) return -1;
        if (g->lock >= 0) return 1;
        int generation = sk_shards_generation(g->o.dir), begun = 0;
        if (generation < 0 || look(g) || (generation > 0 && (begun = someone_in(g, generation)) < 0)) return -1;
        if (begun) return 0;
        if (!said && sk_now() - began > 3) {
            sk_info("Waiting for the shard that prepares %s", g->o.dir);
            said = 1;
        }
    }
}

static const struct sk_join *of_shard(const struct sk_group *g, const struct sk_join *join, int n, int shard)
{
    for (int i = 0; i < n; i++)
        if (join[i].shard == shard && counts(g, &join[i])) return &join[i];
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
    snprintf(m->version, sizeof m->version, "%s", g->o.version);
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
    if (n < 0 || look(g)) result = -1;
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

/* Has shard k shown no life for so long? Who holds its place no more is dead. */
static int is_lost(struct sk_group *g, int shard, const char *uuid)
{
    if (shard >= g->o.shards) return 1;
    if (shard == g->o.shard) return strcmp(uuid, g->uuid) != 0;
    const struct seen *s = &g->seen[shard];
    return !s->alive || (s->changed > 0 && strcmp(s->uuid, uuid)) || sk_now() - s->changed > g->o.silent;
}

static int leader_lost(struct sk_group *g, const struct sk_members *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->member[i].shard == m->leader) return is_lost(g, m->leader, m->member[i].uuid);
    return 1;
}

static int all_lost(struct sk_group *g, const struct sk_members *m)
{
    for (int i = 0; i < m->n; i++)
        if (!is_lost(g, m->member[i].shard, m->member[i].uuid)) return 0;
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
        what = all_lost(g, m) && (locked || waited > g->o.silent) ? OPEN : WAIT;
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
    if (strcmp(m->version, g->o.version))
        return sk_fail(SK_EXIT_CONFIG, "the shards of %s have version %s, this one has %s: run the same", g->o.dir,
                       m->version, g->o.version);
    if (a->joined == m->generation && m->update == a->mine.update && strcmp(m->hash, a->mine.hash))
        return sk_fail(SK_EXIT_TEMP, "what this shard holds differs from what shard %d does at update %lld; start it again, "
                       "and it takes over theirs", m->source, (long long)m->update);
    return 1;
}

/* One look: 0 this shard is a member; 1 look again; -1, -2. */
static int step(struct sk_group *g, struct attempt *a, struct sk_members *m)
{
    int generation = sk_shards_generation(g->o.dir);
    if (generation < 0 || take_lock(g) || look(g)) return -1;
    if (stopped(g)) return -2;
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
    if (got != 0) return got < 0 ? -1 : look_up(g, a, m);
    if (a->joined != generation) return ask_to_take_part(g, a, generation) ? -1 : 1;
    return a->opened == generation && publish_members(g, a) ? -1 : 1;
}

/* Until a generation has members and this shard is one: 0, -1, -2. */
static int find_generation(struct sk_group *g, struct attempt *a)
{
    struct sk_members *m = sk_xcalloc(1, sizeof *m);
    int result;
    while ((result = step(g, a, m)) == 1) {
        rest();
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
        while ((there = sk_file_exists(path)) == 0 && result == 0) {
            if (stopped(g)) result = -2;
            else if (sk_now() > next) {
                result = sk_group_watch(g) ? 1 : 0;
                next = sk_now() + 1;
            }
            rest();
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
    int n = sk_joins_read(g->o.dir, m->generation, &join), result = n < 0 ? -1 : 0;
    for (int i = 0; i < m->n && result == 0; i++) {
        int k = 0;
        while (k < n && strcmp(join[k].uuid, m->member[i].uuid)) k++;
        if (k == n) result = 1;
        else if (i != g->me && sk_channel_connect(c, i, join[k].address, join[k].bytes)) result = 1;
    }
    sk_joins_free(join, n);
    return result;
}

static int begin(struct sk_group *g, struct attempt *a)
{
    *a = (struct attempt){.began = sk_now(), .changed = sk_now(), .seen = g->members.generation};
    struct sk_join *j = &a->mine;
    a->channel = sk_channel_open();
    if (!a->channel) return -1;
    j->address = (void *)(uintptr_t)sk_channel_address(a->channel, &j->bytes);
    memcpy(j->uuid, g->uuid, sizeof j->uuid);
    memcpy(j->host, g->host, sizeof j->host);
    snprintf(j->version, sizeof j->version, "%s", g->o.version);
    j->shard = g->o.shard;
    j->pid = (long)getpid();
    return 0;
}

int sk_group_form(struct sk_group *g, struct sk_channel **channel)
{
    int result = 1;
    *channel = NULL;
    while (result == 1) {
        struct attempt a;
        result = begin(g, &a);
        if (result == 0) result = find_generation(g, &a);
        if (result == 0) {
            g->me = index_of(g, &g->members);
            g->formed = g->looked = sk_now();
            result = catch_up(g, &a);
        }
        if (result == 0) result = connect_all(g, a.channel);
        if (result == 0) *channel = a.channel;
        else sk_channel_close(a.channel, 0);
        if (result == 1) poll(NULL, 0, 200);
    }
    return result;
}

/* --- in a generation ------------------------------------------------------------------------- */

const struct sk_members *sk_group_members(const struct sk_group *g) { return &g->members; }

int sk_group_me(const struct sk_group *g) { return g->me; }

int sk_group_leader(const struct sk_group *g)
{
    for (int i = 0; i < g->members.n; i++)
        if (g->members.member[i].shard == g->members.leader) return i;
    return 0;
}

int sk_group_over(const struct sk_group *g)
{
    int generation = sk_shards_generation(g->o.dir);
    return generation < 0 ? -1 : generation > g->members.generation;
}

int sk_group_watch(void *group)
{
    struct sk_group *g = group;
    int over = sk_group_over(g);
    if (over < 0 || look(g)) return -1;
    if (stopped(g)) return sk_fail(SK_EXIT_TEMP, "a signal came");
    if (over) return sk_fail(SK_EXIT_TEMP, "generation %d is over", g->members.generation);
    for (int i = 0; i < g->members.n; i++) {
        const struct sk_member *m = &g->members.member[i];
        if (is_lost(g, m->shard, m->uuid))
            return sk_fail(SK_EXIT_TEMP, "shard %d on %s %s", m->shard, m->host,
                           g->seen[m->shard].alive ? "shows no life" : "has ended");
    }
    return 0;
}

int sk_group_waited_for(struct sk_group *g)
{
    double now = sk_now();
    if (g->members.n >= g->o.leaves || now - g->formed < settled || now - g->looked < 1) return 0;
    g->looked = now;
    if (look(g)) return 0;
    for (int k = 0; k < g->o.shards; k++) {
        int in = k == g->o.shard;
        for (int i = 0; i < g->members.n && !in; i++) in = g->members.member[i].shard == k;
        if (!in && g->seen[k].alive && now - g->seen[k].changed < fresh) return 1;
    }
    return 0;
}
