/* group_sim_test.c - the protocol of groups under a scheduler of ours: shards are fibers of this process, time is
 * a number, and messages, delays, kills, stops and hosts that are cut off are drawn from a seed. So thousands of
 * interleavings pass in seconds, and one that fails can be had again: group_sim_test SEED tells what happened.
 *
 * The code under test is src/train/exchange/group*.c itself, exchange.c and modeldir/shards.c. Before each look at
 * the model directory, and while it waits, a shard may lose its turn. Who is killed gets errors from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <ucontext.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include "base/clock.h"
#include "group_toy.h"
#include "modeldir/paths.h"
#include "modeldir/shards.h"
#include "tap.h"
#include "train/exchange/group_private.h"

enum { SHARDS = TOY_SHARDS, STACK = 256 << 10, CHANNELS = 4096 };
#define LEASE 2.0                        /* after which a host that is cut off has lost its locks */
enum life { ABSENT, RUNS, ASLEEP, CUT };

static struct fiber {
    ucontext_t context;
    char *stack;
    enum life life;
    int killed, lost_alive, lost_lock, code, left, met;
    double wake, until, since, beat;     /* goes on; is woken; was put to sleep; last beat */
    struct sk_group *group;
    struct toy toy;
    struct toy_seen seen;
    enum sk_exit fail_code;              /* sk_fail keeps one message a thread */
    char message[300];
} fiber[SHARDS], *now_on;

static char dir[] = "/tmp/group_sim.XXXXXX";
static ucontext_t scheduler;
static double moment;
static uint64_t seed;
static uint32_t drawn;
static int told, steps, lonely = -1;     /* lonely: a shard that no connection comes to or from */

static uint32_t draw(uint32_t below)
{
    return sk_philox(seed, drawn++, 7, 7, 7).v[0] % below;
}

static __attribute__((format(printf, 1, 2))) void tell(const char *fmt, ...)
{
    va_list list;
    if (!told) return;
    va_start(list, fmt);
    printf("# %8.3f ", moment);
    vprintf(fmt, list);
    va_end(list);
    putchar('\n');
}

/* --- what the code under test sees of time and files ------------------------------------------ */

static double sim_now(void) { return moment; }

/* Another one's turn; so many seconds pass at least. -1: killed meanwhile. */
static int rest(double seconds)
{
    struct fiber *f = now_on;
    if (f->killed) return -1;
    f->wake = moment + seconds;
    f->fail_code = sk_fail_code();
    snprintf(f->message, sizeof f->message, "%s", sk_fail_message());
    swapcontext(&f->context, &scheduler);
    sk_fail(f->fail_code, "%s", f->message);
    return f->killed ? sk_fail(SK_EXIT_TEMP, "killed") : 0;
}

/* Before a look at the world: mostly at once, sometimes late. */
static int gone(void)
{
    uint32_t r = draw(100);
    return r < 60 && !now_on->killed ? 0 : rest(r < 90 ? 0 : r < 98 ? draw(20) / 1000.0 : draw(400) / 1000.0);
}

static int sim_poll(struct pollfd *p, nfds_t n, int ms)
{
    (void)p, (void)n;
    return rest(ms / 1000.0 * (1 + draw(5)));
}

static int no_thread(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *ctx)
{
    (void)t, (void)a, (void)run;
    now_on->group = ctx;
    now_on->beat = moment;
    return 0;
}

static int no_join(pthread_t t, void **result)
{
    (void)t, (void)result;
    return 0;
}

static void sim_uuid(uuid_t id)
{
    for (size_t i = 0; i < sizeof(uuid_t); i++) id[i] = (unsigned char)draw(256);
}

static ssize_t sim_random(void *into, size_t n, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < n; i++) ((unsigned char *)into)[i] = (unsigned char)draw(256);
    return (ssize_t)n;
}

static int sim_take(const char *path)
{
    if (gone()) return -1;
    int fd = sk_lock_take(path);
    if (fd >= 0) *(strstr(path, "alive") ? &now_on->lost_alive : &now_on->lost_lock) = 0;
    return fd;
}

static int sim_fence(int fd)
{
    if (gone()) return 0;
    const struct fiber *f = now_on;
    int lost = fd == f->group->alive ? f->lost_alive : f->lost_lock;
    if (lost) errno = EIO;
    return lost ? -1 : 0;
}

static int sim_generation(const char *d) { return gone() ? -1 : sk_shards_generation(d); }
static int sim_has(const char *d, int g, const char *name) { return gone() ? -1 : sk_shards_has(d, g, name); }
static int sim_sweep(const char *d, int g) { return gone() ? -1 : sk_shards_sweep(d, g); }
static int sim_alive(const char *d, int k) { return gone() ? -1 : sk_shard_alive(d, k); }
static int sim_members(const char *d, int g, struct sk_members *m) { return gone() ? -1 : sk_members_read(d, g, m); }
static int sim_join(const char *d, int g, const struct sk_join *j) { return gone() ? -1 : sk_join_write(d, g, j); }
static int sim_mkdir(const char *path) { return gone() ? -1 : sk_mkdir(path); }

static int sim_open(const char *d, int g)
{
    int opened = gone() ? -1 : sk_shards_open(d, g);
    if (opened > 0) tell("%d opens %d", now_on->toy.shard, g);
    return opened;
}

static int sim_joins(const char *d, int g, struct sk_join **join)
{
    *join = NULL;
    return gone() ? -1 : sk_joins_read(d, g, join);
}

static int sim_publish(const char *d, const struct sk_members *m)
{
    int result = gone() ? -1 : sk_members_write(d, m);
    tell("%d says who %d is: %d members from %lld (%d)", now_on->toy.shard, m->generation, m->n, (long long)m->update, result);
    return result;
}

static int sim_beat(const char *d, int k, const char *uuid, int64_t count, int waits)
{
    return now_on && now_on->killed ? -1 : sk_beat_write(d, k, uuid, count, waits);
}

#define sk_now sim_now
#define poll sim_poll
#define pthread_create no_thread
#define pthread_join no_join
#define uuid_generate_random sim_uuid
#define getrandom sim_random
#define sk_lock_take sim_take
#define sk_lock_fence sim_fence
#define sk_mkdir sim_mkdir
#define sk_shards_generation sim_generation
#define sk_shards_open sim_open
#define sk_shards_has sim_has
#define sk_shards_sweep sim_sweep
#define sk_shard_alive sim_alive
#define sk_members_read sim_members
#define sk_members_write sim_publish
#define sk_join_write sim_join
#define sk_joins_read sim_joins
#define sk_beat_write sim_beat
#define begin begin_attempt
#define late form_late
#include "src/train/exchange/group.c"
#include "src/train/exchange/group_form.c"
#undef sk_mkdir
#undef poll

/* --- messages: in memory, later --------------------------------------------------------------- */

struct message { struct message *next; int to; uint64_t tag; double at; size_t bytes; char data[]; };
struct receive { struct receive *next; int peer; uint64_t tag; void *data; size_t bytes; int *awaited; };
struct sk_channel { int id, lost, peers, of[SHARDS]; struct receive *wanted; };
static struct { int open, owner; double closed; } end[CHANNELS];
static struct message *under_way;
static int ends;

struct sk_channel *sk_channel_open(int wake)
{
    struct sk_channel *c = sk_xcalloc(1, sizeof *c);
    (void)wake;
    SK_ENSURE(ends < CHANNELS);
    c->id = ends++;
    c->lost = -1;
    end[c->id].open = 1;
    end[c->id].owner = now_on->toy.shard;
    return c;
}

const void *sk_channel_address(const struct sk_channel *c, size_t *bytes)
{
    *bytes = sizeof c->id;
    return &c->id;
}

int sk_channel_connect(struct sk_channel *c, int peer, const void *address, size_t bytes)
{
    SK_ENSURE(bytes == sizeof c->id && peer < SHARDS);
    memcpy(&c->of[peer], address, bytes);
    if (lonely >= 0 && (now_on->toy.shard == lonely || end[c->of[peer]].owner == lonely))
        return sk_fail(SK_EXIT_TEMP, "no route");
    return gone();
}

void sk_channel_send(struct sk_channel *c, int peer, uint64_t tag, const void *data, size_t bytes)
{
    struct message *m = sk_xcalloc(1, sizeof *m + bytes);
    *m = (struct message){under_way, c->of[peer], tag, moment + draw(10) / 1000.0, bytes};
    memcpy(m->data, data, bytes);
    under_way = m;
}

void sk_channel_receive(struct sk_channel *c, int peer, uint64_t tag, void *data, size_t bytes, int *awaited)
{
    struct receive *r = sk_xcalloc(1, sizeof *r);
    *r = (struct receive){c->wanted, peer, tag, data, bytes, awaited};
    if (awaited) ++*awaited;
    c->wanted = r;
}

/* Takes the message that a receive waits for: 1; 0 it is not there. */
static int arrives(const struct sk_channel *c, const struct receive *r, int *coming)
{
    for (struct message **at = &under_way, *m; (m = *at); at = &m->next) {
        if (m->to != c->id || m->tag != r->tag) continue;
        *coming = 1;
        if (m->at > moment) return 0;
        SK_ENSURE(m->bytes == r->bytes);
        memcpy(r->data, m->data, r->bytes);
        *at = m->next;
        free(m);
        return 1;
    }
    return 0;
}

void sk_channel_progress(struct sk_channel *c)
{
    for (struct receive **at = &c->wanted, *r; c->lost < 0 && (r = *at);) {
        int coming = 0, peer = c->of[r->peer];
        if (arrives(c, r, &coming)) {
            *at = r->next;
            if (r->awaited) --*r->awaited;
            free(r);
            continue;
        }
        if (!coming && !end[peer].open && moment > end[peer].closed) c->lost = r->peer;
        at = &r->next;
    }
}

int sk_channel_wait(struct sk_channel *c, const int *awaited, int (*watch)(void *ctx), void *ctx)
{
    for (double next = moment + 1; c->lost < 0;) {
        sk_channel_progress(c);
        if (c->lost >= 0) break;
        if (awaited ? !*awaited : !c->wanted) return rest(0);
        if (rest(0.002 + draw(50) / 1000.0)) return -1;
        if (moment >= next) {
            if (watch && watch(ctx)) return -1;
            next = moment + 1;
        }
    }
    return sk_fail(SK_EXIT_TEMP, "a connection was lost");
}

int sk_channel_lost(const struct sk_channel *c) { return c->lost; }

const char *sk_channel_library(void) { return "simulated"; }

static void hang_up(int id)
{
    if (!end[id].open) return;
    end[id].open = 0;
    end[id].closed = moment + draw(50) / 1000.0;
}

void sk_channel_close(struct sk_channel *c, int done)
{
    if (!c) return;
    (void)done;
    hang_up(c->id);
    while (c->wanted) {
        struct receive *r = c->wanted;
        c->wanted = r->next;
        free(r);
    }
    free(c);
}

/* --- lives ----------------------------------------------------------------------------------------- */

static int work(struct toy *t)
{
    (void)t;
    return rest(draw(10) ? 0.15 : draw(2500) / 1000.0);
}

static void live(int k)
{
    struct fiber *f = &fiber[k];
    const struct sk_group_options o = {dir, "toy", "", k, SHARDS, TOY_LEAVES, 4, -1,
                                       {&f->toy, standing, save, load, never_stops}};
    f->code = toy_main(&f->toy, &o);
    f->left = 1;
    f->group = NULL;
    swapcontext(&f->context, &scheduler);
}

static void start(int k)
{
    struct fiber *f = &fiber[k];
    char *stack = f->stack;
    struct toy_seen seen = f->seen;
    *f = (struct fiber){.stack = stack, .life = RUNS, .wake = moment, .seen = seen};
    f->toy = (struct toy){dir, k, 0, 40, 10, 7, work, &f->seen};
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    makecontext(&f->context, (void (*)(void))live, 1, k);
    tell("%d starts", k);
}

static void unlock(int fd)
{
    struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    if (fd >= 0) fcntl(fd, F_OFD_SETLK, &none);
}

/* Its locks are free at once, for the others; it learns that when it looks. */
static void lose_locks(struct fiber *f)
{
    if (!f->group || f->lost_alive) return;
    unlock(f->group->alive);
    unlock(f->group->lock);
    f->lost_alive = f->lost_lock = 1;
    tell("%d has lost its locks", (int)(f - fiber));
}

static void kill_it(struct fiber *f)
{
    tell("%d is killed at %lld", (int)(f - fiber), (long long)f->toy.update);
    lose_locks(f);
    f->killed = 1;
    f->life = RUNS;
    f->wake = moment;
}

static void run(struct fiber *f)
{
    now_on = f;
    steps++;
    swapcontext(&scheduler, &f->context);
    now_on = NULL;
    if (!f->left) return;
    if (f->code) tell("%d ends with %d: %s", (int)(f - fiber), f->code, f->killed ? "killed" : sk_fail_message());
    else tell("%d has trained to the end", (int)(f - fiber));
    f->life = ABSENT;
    f->met = f->code == 0;
}

/* What does not wait for a turn: beats, leases, sleepers that wake. */
static void tick(void)
{
    for (int k = 0; k < SHARDS; k++) {
        struct fiber *f = &fiber[k];
        if (f->life == CUT && moment > f->since + LEASE) lose_locks(f);
        if ((f->life == ASLEEP || f->life == CUT) && moment > f->until) {
            tell("%d goes on", k);
            f->life = RUNS;
            f->wake = moment;
        }
        if (f->life == RUNS && f->group && !f->killed && moment > f->beat + 1) {
            f->beat = moment;
            beat_once(f->group);
        }
    }
}

/* Something happens to somebody. */
static void befall(void)
{
    struct fiber *f = &fiber[draw(SHARDS)];
    uint32_t what = draw(8);
    if (f->life == ABSENT) {
        if (!f->met) start((int)(f - fiber));
    } else if (f->killed || f->life != RUNS) {
        return;
    } else if (what < 4) {
        kill_it(f);
    } else {
        f->life = what < 6 ? ASLEEP : CUT;
        f->since = moment;
        f->until = moment + (draw(2) ? draw(1500) / 1000.0 : 3 + draw(8000) / 1000.0);
        tell("%d %s until %.3f", (int)(f - fiber), f->life == CUT ? "is cut off" : "sleeps", f->until);
    }
}

/* The next fiber whose turn it is, or none; the time goes on to the next one's. */
static struct fiber *next_turn(void)
{
    struct fiber *ready[SHARDS];
    double next = moment + 0.5;
    int n = 0;
    for (int k = 0; k < SHARDS; k++) {
        if (fiber[k].life != RUNS) continue;
        if (fiber[k].wake <= moment) ready[n++] = &fiber[k];
        else if (fiber[k].wake < next) next = fiber[k].wake;
    }
    if (n == 0) moment = next;
    return n ? ready[draw((uint32_t)n)] : NULL;
}

static void begin_world(uint64_t number)
{
    seed = number;
    drawn = 0;
    moment = 1000;
    steps = ends = 0;
    sk_remove_tree(dir);
    sk_mkdir(dir);
    for (int k = 0; k < SHARDS; k++) fiber[k] = (struct fiber){.stack = fiber[k].stack};
}

static void end_world(void)
{
    for (int k = 0; k < SHARDS; k++) {
        if (fiber[k].life == ABSENT) continue;
        if (!fiber[k].killed) kill_it(&fiber[k]);
        while (!fiber[k].left) run(&fiber[k]);
    }
    while (under_way) {
        struct message *m = under_way;
        under_way = m->next;
        free(m);
    }
}

/* One course of events. 1 if all went well. */
static int trial(uint64_t number)
{
    int unwell = 0, events = 0, most = 0, met = 0;
    double befalls, healed = 0, stuck = 0, progress = 0, last = 0;
    begin_world(number);
    last = moment;
    most = 4 + (int)draw(20);
    befalls = moment + draw(1000) / 1000.0;
    while (met < SHARDS && !stuck) {
        tick();
        if (moment >= befalls && events < most) {
            befall();
            events++;
            befalls = moment + (draw(3) ? draw(500) : draw(6000)) / 1000.0;
            healed = moment;
        }
        double best = 0;
        met = 0;
        for (int k = 0; k < SHARDS; k++) {
            met += fiber[k].met;
            if ((double)fiber[k].seen.update > best) best = (double)fiber[k].seen.update;
            if (events >= most && fiber[k].life == ABSENT && !fiber[k].met) start(k);
        }
        if (best > progress) progress = best, last = moment;
        if (events >= most && moment > (healed > last ? healed : last) + 200) stuck = moment;
        struct fiber *f = next_turn();
        if (!f) continue;
        run(f);
        if (f->left && f->code && !f->killed && f->code != SK_EXIT_TEMP) {
            diag("seed %llu: shard %d ended with %d: %s", (unsigned long long)number, (int)(f - fiber), f->code, sk_fail_message());
            unwell++;
        }
        if (f->left) f->left = 0, f->killed = 0;
    }
    int wrong = 0;
    end_world();
    for (int k = 0; k < SHARDS; k++) wrong += fiber[k].seen.wrong;
    if (stuck || wrong || unwell)
        diag("seed %llu: %s, %d wrong, %d unwell, %d events, %.0f s", (unsigned long long)number, stuck ? "stuck" : "came through",
             wrong, unwell, events, moment - 1000);
    return !stuck && !wrong && !unwell;
}

/* One that reaches nobody ends, and says why; the others train. */
static void out_of_reach(int who)
{
    char why[300] = "";
    int code = 0, met = 0;
    begin_world((uint64_t)who);
    lonely = who;
    for (int k = 0; k < TOY_LEAVES; k++) start((who + k) % SHARDS);      /* no spares */
    while (moment < 1300 && met < TOY_LEAVES - 1) {
        tick();
        struct fiber *f = next_turn();
        if (!f) continue;
        run(f);
        if (f->left && f == &fiber[lonely]) {
            code = f->code;
            snprintf(why, sizeof why, "%s", sk_fail_message());
        }
        f->left = 0;
        met = 0;
        for (int k = 0; k < SHARDS; k++) met += k != lonely && fiber[k].met;
    }
    ok(code == SK_EXIT_TEMP && strstr(why, "reaches no other (no route)"), "shard %d reaches no other, and ends: %s", who, why);
    is_int(met, TOY_LEAVES - 1, "the others train to the end");
    end_world();
    lonely = -1;
}

int main(int argc, char **argv)
{
    int trials = getenv("SK_LONG") ? 4000 : 100, good = 0;
    uint64_t all = 0;
    double began = clock() / (double)CLOCKS_PER_SEC, time = 0;
    sk_msg_program("group_sim_test");
    sk_quiet(1);
    if (!mkdtemp(dir)) return 1;
    for (int k = 0; k < SHARDS; k++) fiber[k].stack = sk_xcalloc(1, STACK);
    told = argc > 1;
    if (argc > 1) {
        ok(trial(strtoull(argv[1], NULL, 10)), "seed %s", argv[1]);
    } else {
        for (int i = 1; i <= trials; i++) {
            good += trial((uint64_t)i);
            all += (uint64_t)steps;
            time += moment - 1000;
        }
        for (int k = 0; k < SHARDS; k++) out_of_reach(k);
        is_int(good, trials, "all courses of events come to the end, with the right bits");
        diag("%llu turns, %.0f seconds of theirs, %.1f of ours", (unsigned long long)all, time,
             (double)clock() / CLOCKS_PER_SEC - began);
    }
    for (int k = 0; k < SHARDS; k++) free(fiber[k].stack);
    sk_remove_tree(dir);
    return done_testing();
}
