#include "train/exchange/group.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "train/exchange/group_private.h"

/* Seconds: between two beats; a generation this old makes room for those who wait. */
static const double beat_seconds = 1, settled = 5;

/* --- life ------------------------------------------------------------------------------ */

/* A disk that is full for a moment: the next beat comes. */
static void beat_once(struct sk_group *g)
{
    (void)sk_beat_write(g->o.dir, g->o.shard, g->uuid, ++g->count, g->waits);
}

static void *beat(void *ctx)
{
    struct sk_group *g = ctx;
    pthread_mutex_lock(&g->mutex);
    while (!g->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)beat_seconds;
        pthread_cond_timedwait(&g->wake, &g->mutex, &until);
        beat_once(g);
    }
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

void sk_group_waits(struct sk_group *g, int waits)
{
    pthread_mutex_lock(&g->mutex);
    g->waits = waits;
    beat_once(g);
    pthread_mutex_unlock(&g->mutex);
}

int sk_group_look(struct sk_group *g)
{
    double now = sk_now();
    if (now - g->seen_at < 0.1) return 0;
    g->seen_at = now;
    for (int k = 0; k < g->o.shards; k++) {
        struct sk_group_seen *s = &g->seen[k];
        char uuid[SK_UUID_TEXT];
        int64_t count;
        int waits;
        if (k == g->o.shard) continue;
        s->alive = sk_shard_alive(g->o.dir, k);
        if (s->alive < 0) return -1;
        if (s->alive && s->changed == 0) s->changed = now;       /* its first beat is to come */
        if (!s->alive || !sk_beat_read(g->o.dir, k, uuid, &count, &waits)) continue;
        if (s->count != count || strcmp(s->uuid, uuid)) {
            memcpy(s->uuid, uuid, sizeof uuid);
            s->count = count;
            s->waits = waits;
            s->changed = now;
        }
    }
    return 0;
}

/* The lock that says that this shard lives. */
static int take_alive(const struct sk_group_options *o)
{
    char *folder = sk_path_join(o->dir, SK_MD_SHARDS), *name = sk_xprintf("%d.alive", o->shard);
    char *path = sk_path_join(folder, name);
    int lock = sk_mkdir(folder) ? -1 : sk_lock_take(path);
    if (lock < 0 && sk_fail_code() == SK_EXIT_TEMP) sk_fail_prefix("shard %d runs already: ", o->shard);
    free(path);
    free(name);
    free(folder);
    return lock;
}

int sk_group_fence(struct sk_group *g)
{
    /* Who is cut off is held up by the next look at the folder. */
    const double held_up = 2;
    double before = g->fenced;
    g->fenced = sk_now();
    if (before == 0 || g->fenced - before < held_up) return 0;
    if (g->lock >= 0 && sk_lock_fence(g->lock)) {
        sk_lock_release(g->lock);
        g->lock = -1;
    }
    if (!sk_lock_fence(g->alive)) return 0;
    sk_lock_release(g->alive);
    g->alive = take_alive(&g->o);
    return g->alive < 0 ? -1 : 0;
}

int sk_group_take_over(struct sk_group *g)
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

int sk_group_found(const struct sk_group *g)
{
    return g->found;
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
    g->alive = take_alive(o);
    if (g->alive >= 0 && sk_beat_write(o->dir, o->shard, g->uuid, 0, 0)) {
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
    /* A clock that is set back must not silence it. */
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&g->wake, &steady);
    pthread_condattr_destroy(&steady);
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

void sk_group_rest(void) { poll(NULL, 0, 20); }

int sk_group_stopped(const struct sk_group *g) { return g->o.calls.stop(g->o.calls.ctx); }

int sk_group_counts(const struct sk_group *g, const struct sk_join *j)
{
    if (j->shard >= g->o.shards) return 0;
    if (j->shard == g->o.shard) return !strcmp(j->uuid, g->uuid);
    const struct sk_group_seen *s = &g->seen[j->shard];
    return s->alive && !strcmp(s->uuid, j->uuid) && sk_now() - s->changed < g->o.silent &&
        !strcmp(j->version, g->o.version) && j->shards == g->o.shards && (!*g->o.run || !strcmp(j->run, g->o.run));
}

int sk_group_lost(struct sk_group *g, int shard, const char *uuid)
{
    if (shard >= g->o.shards) return sk_shard_alive(g->o.dir, shard) <= 0;   /* one that counts more of us */
    if (shard == g->o.shard) return strcmp(uuid, g->uuid) != 0;
    const struct sk_group_seen *s = &g->seen[shard];
    return !s->alive || (*s->uuid && strcmp(s->uuid, uuid)) || sk_now() - s->changed > g->o.silent;
}

int sk_group_all_lost(struct sk_group *g, const struct sk_members *m)
{
    for (int i = 0; i < m->n; i++)
        if (!sk_group_lost(g, m->member[i].shard, m->member[i].uuid)) return 0;
    return 1;
}

int sk_group_overtaken(const struct sk_group *g, int generation)
{
    enum sk_exit code = sk_fail_code();
    if (code != SK_EXIT_NOINPUT && code != SK_EXIT_IO) return 0;
    char *why = sk_xstrdup(sk_fail_message());
    int highest = sk_shards_generation(g->o.dir);
    if (highest <= generation) sk_fail(code, "%s", why);
    free(why);
    return highest > generation;
}

int sk_group_check_kind(const struct sk_group *g, const struct sk_members *m)
{
    if (strcmp(m->version, g->o.version))
        return sk_fail(SK_EXIT_CONFIG, "the shards of %s have version %s, this one has %s: run the same", g->o.dir,
                       m->version, g->o.version);
    if (m->shards != g->o.shards)
        return sk_fail(SK_EXIT_CONFIG, "those that train %s are %d shards, this one is of %d: end them first, or start this "
                       "one with --num-shards %d", g->o.dir, m->shards, g->o.shards, m->shards);
    if (*g->o.run && *m->run && strcmp(m->run, g->o.run))
        return sk_fail(SK_EXIT_CONFIG, "the shards that train %s have other options or data than this one: end them first, or "
                       "give it theirs", g->o.dir);
    return 0;
}

/* --- coming ------------------------------------------------------------------------ */

/* Does somebody who lives take part in a generation, or want to? He has seen the
 * directory prepared. 1, 0, -1. */
static int someone_in(struct sk_group *g, int generation)
{
    struct sk_join *join;
    int n = sk_joins_read(g->o.dir, generation, &join), found = 0;
    for (int i = 0; i < n; i++) found = found || (join[i].shard != g->o.shard && sk_group_counts(g, &join[i]));
    sk_joins_free(join, n);
    return n < 0 ? -1 : found;
}

/* Do shards of another kind train? 0, 1 (sk_fail says how they differ), -1. */
static int strangers(struct sk_group *g, int generation)
{
    struct sk_members *m = sk_xcalloc(1, sizeof *m);
    int result = generation > 0 ? sk_members_read(g->o.dir, generation, m) : 0;
    g->found = result > 0 && !sk_group_all_lost(g, m);
    if (result > 0) result = g->found && sk_group_check_kind(g, m);
    free(m);
    return result;
}

int sk_group_enter(struct sk_group *g)
{
    const double ending = 3;             /* seconds that such shards may take to end */
    double began = sk_now();
    for (int said = 0;; sk_group_rest()) {
        if (sk_group_stopped(g)) return -2;
        int generation = sk_shards_generation(g->o.dir), begun = 0;
        if (generation < 0 || sk_group_look(g)) return -1;
        /* Before the lock is tried for: it would make us their leader. */
        int others = strangers(g, generation);
        if (others < 0 || (others && sk_now() - began > ending)) return -1;
        if (others) continue;
        if (sk_group_take_over(g)) return -1;
        if (g->lock >= 0) return 1;
        if (generation > 0 && (begun = someone_in(g, generation)) < 0 && !sk_group_overtaken(g, generation)) return -1;
        if (begun > 0) return 0;
        if (!said && sk_now() - began > 3) {
            sk_info("Waiting for the shard that prepares %s", g->o.dir);
            said = 1;
        }
    }
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
    if (over < 0 || sk_group_look(g)) return -1;
    if (sk_group_stopped(g)) return sk_fail(SK_EXIT_TEMP, "a signal came");
    if (over) return sk_fail(SK_EXIT_TEMP, "generation %d is over", g->members.generation);
    for (int i = 0; i < g->members.n; i++) {
        const struct sk_member *m = &g->members.member[i];
        if (sk_group_lost(g, m->shard, m->uuid))
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
    if (sk_group_look(g)) return 0;
    for (int k = 0; k < g->o.shards; k++) {
        int in = k == g->o.shard;
        for (int i = 0; i < g->members.n && !in; i++) in = g->members.member[i].shard == k;
        if (!in && g->seen[k].alive && g->seen[k].waits && now - g->seen[k].changed < SK_GROUP_FRESH) return 1;
    }
    return 0;
}
