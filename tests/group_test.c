/* group_test.c - shards that come, die and stop: whoever is left goes on from the last complete update, with the
 * same bits. What is trained here is a number. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"
#include "modeldir/paths.h"
#include "tap.h"
#include "train/exchange/exchange.h"
#include "train/exchange/group.h"

enum { SHARDS = 5, LEAVES = 4, UPDATES = 400, CHECKPOINT = 50 };
static char dir[] = "/tmp/group_test.XXXXXX";

static struct shared { volatile int64_t update[SHARDS]; volatile int rounds[SHARDS], members[SHARDS], wrong; } *shared;

struct toy { int64_t update; uint64_t value; volatile int stop; };

static uint64_t next_value(uint64_t v)
{
    struct sk_rng r = sk_philox(v, 1, 2, 3, 4);
    return (uint64_t)r.v[0] << 32 | r.v[1];
}

static uint64_t value_at(int64_t update)
{
    uint64_t v = 7;
    while (update-- > 0) v = next_value(v);
    return v;
}

static int standing(void *ctx, int64_t *update, char hash[SK_HASH_HEX])
{
    struct toy *t = ctx;
    *update = t->update;
    sk_hash_bytes(&t->value, sizeof t->value, hash);
    return 0;
}

static int save(void *ctx, const char *path)
{
    struct toy *t = ctx;
    struct sk_str text = {0};
    sk_str_printf(&text, "%lld %llu\n", (long long)t->update, (unsigned long long)t->value);
    int result = sk_file_save(path, text.text, text.len, SK_PUBLISH);
    sk_str_free(&text);
    return result;
}

static int load(void *ctx, const char *path)
{
    struct toy *t = ctx;
    size_t n;
    long long update;
    unsigned long long value;
    char *text = sk_file_load(path, 100, &n);
    if (!text || sscanf(text, "%lld %llu", &update, &value) != 2) return -1;
    t->update = update;
    t->value = value;
    free(text);
    return 0;
}

static int stop(void *ctx)
{
    (void)ctx;
    return 0;
}

/* One generation: 0 trained to the end, 1 it is over. */
static int train(struct toy *t, struct sk_group *g, struct sk_channel *c, struct sk_device *dev, int shard)
{
    struct word { int64_t update; uint64_t value; int regroup; } mine, all[SHARDS];
    const struct sk_members *m = sk_group_members(g);
    float one[64] = {0};
    struct sk_model_region region = {one, 64};
    struct sk_exchange *x = sk_exchange_new(&(struct sk_exchange_options){
        &sk_ops_cpu, dev, c, LEAVES, m->n, sk_group_me(g), m->secret, sk_group_watch, g, &region, 1});
    int result = -1;
    shared->members[shard] = m->n;
    while (result < 0) {
        mine = (struct word){t->update, t->value, sk_group_leader(g) == sk_group_me(g) && sk_group_waited_for(g)};
        if (sk_exchange_gather(x, &mine, sizeof mine, all)) {
            result = 1;
            break;
        }
        for (int i = 0; i < m->n; i++)
            if (all[i].update != t->update || all[i].value != t->value) shared->wrong++;
        if (t->update >= UPDATES) result = 0;
        else if (all[sk_group_leader(g)].regroup) result = 2;
        else {
            usleep(5000);
            t->value = next_value(t->value);
            t->update++;
            shared->update[shard] = t->update;
            shared->rounds[shard]++;
            if (t->update % CHECKPOINT == 0 && sk_group_leader(g) == sk_group_me(g)) {
                char *name = sk_xprintf("%s/at.%05lld", dir, (long long)t->update);
                if (save(t, name) < 0) shared->wrong++;
                free(name);
            }
        }
    }
    sk_exchange_free(x);
    sk_channel_close(c, result != 1);
    return result;
}

static int shard_main(int shard)
{
    struct toy t = {0, 7, 0};
    struct sk_group *g = sk_group_open(&(struct sk_group_options){
        dir, "toy", "", shard, SHARDS, LEAVES, 4, -1, {&t, standing, save, load, stop}});
    if (!g) return 10;
    const char *why;
    struct sk_device *dev = sk_ops_cpu.open(1, &why);
    int entered = sk_group_enter(g), result = 1;
    if (entered < 0) return 11;
    for (int64_t u = UPDATES; u > 0 && t.update == 0; u -= CHECKPOINT) {
        char *name = sk_xprintf("%s/at.%05lld", dir, (long long)u);
        if (sk_file_exists(name) > 0 && load(&t, name)) return 12;
        free(name);
    }
    while (result > 0) {
        struct sk_channel *c;
        if (sk_group_form(g, &c)) return sk_die();
        result = train(&t, g, c, dev, shard);
    }
    if (t.value != value_at(UPDATES)) shared->wrong++;
    sk_ops_cpu.close(dev);
    sk_group_close(g);
    return 0;
}

static pid_t start(int shard)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(200);
        sk_quiet(1);
        _exit(shard_main(shard));
    }
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static void anew(void)
{
    memset(shared, 0, sizeof *shared);
    sk_remove_tree(dir);
    sk_mkdir(dir);
}

/* All start together; `spare` more than there are leaves. */
static void together(int n)
{
    pid_t pid[SHARDS];
    int bad = 0, most = 0;
    anew();
    for (int i = 0; i < n; i++) pid[i] = start(i);
    for (int i = 0; i < n; i++) bad += wait_for(pid[i]) != 0;
    for (int i = 0; i < n; i++) if (shared->members[i] > most) most = shared->members[i];
    ok(bad == 0 && shared->wrong == 0, "%d together: all end well", n);
    is_int(most, n < LEAVES ? n : LEAVES, "%d took part", n < LEAVES ? n : LEAVES);
}

/* Shards are killed, stopped or ended at random and started again, until all is trained. */
static void chaos(int trial)
{
    pid_t pid[SHARDS] = {0};
    int kills = 0, stops = 0, ended = 0, unwell = 0, stopped = -1;
    double woken = 0, began = sk_now();
    anew();
    for (uint32_t i = 0; ended < SHARDS && sk_now() - began < 150; i++) {
        struct sk_rng r = sk_philox(99, (uint32_t)trial, i, 0, 0);
        for (int k = 0; k < SHARDS; k++) {
            if (pid[k] == 0) pid[k] = start(k);
            int status;
            if (pid[k] > 0 && waitpid(pid[k], &status, WNOHANG) == pid[k]) {
                if (WIFEXITED(status) && WEXITSTATUS(status) == 0) pid[k] = -1, ended++;
                else {
                    if (WIFEXITED(status) && WEXITSTATUS(status) != SK_EXIT_TEMP && WEXITSTATUS(status) != 10) {
                        unwell++;
                        diag("shard %d ended with %d", k, WEXITSTATUS(status));
                    }
                    pid[k] = 0;
                }
            }
        }
        int k = (int)(r.v[0] % SHARDS);
        if (stopped >= 0 && sk_now() > woken) {
            kill(pid[stopped], SIGCONT);
            stopped = -1;
        }
        if (ended == 0 && pid[k] > 0 && k != stopped && r.v[1] % 4 == 0 && kills < 25) {
            kill(pid[k], SIGKILL);
            kills++;
        } else if (ended == 0 && pid[k] > 0 && stopped < 0 && r.v[1] % 16 == 1 && stops < 3) {
            kill(pid[k], SIGSTOP);
            stops++;
            stopped = k;
            woken = sk_now() + (r.v[2] % 2 ? 1 : 7);
        }
        usleep(50000 + r.v[3] % 200000);
    }
    for (int k = 0; k < SHARDS; k++)
        if (pid[k] > 0) {
            kill(pid[k], SIGKILL);
            wait_for(pid[k]);
        }
    ok(ended == SHARDS, "trial %d: all end (%d kills, %d stops, %.0f s)", trial, kills, stops, sk_now() - began);
    ok(shared->wrong == 0 && unwell == 0, "trial %d: with the right bits at every update", trial);
}

int main(void)
{
    sk_msg_program("group_test");
    setenv("UCX_NET_DEVICES", "lo", 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!mkdtemp(dir)) return 1;
    together(1);
    together(3);
    together(SHARDS);
    for (int trial = 0; trial < (getenv("SK_LONG") ? 50 : 2); trial++) chaos(trial);
    sk_remove_tree(dir);
    return done_testing();
}
