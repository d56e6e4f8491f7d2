/* exchange_test.c - sums between processes: the bits of one process, and what happens when one dies or stops. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"
#include "tap.h"
#include "train/exchange/exchange.h"

enum { LEAVES = 8, MOST = 8, REGIONS = 3 };
static const size_t region_size[REGIONS] = {100003, 40, 5000};

/* What the processes of one test share. */
static struct shared {
    struct { volatile int ready, bytes; char address[4096]; } member[MOST];
    volatile int rounds[MOST];
} *shared;

static float leaf_value(int leaf, int region, size_t i)
{
    return sk_rng_uniform(sk_philox(5, (uint32_t)leaf, (uint32_t)region, (uint32_t)i, 0).v[0]) - 0.4F;
}

static float tree(int region, size_t i, int first, int n)
{
    return n == 1 ? leaf_value(first, region, i)
                  : tree(region, i, first, n / 2) + tree(region, i, first + n / 2, n / 2);
}

struct member { struct sk_channel *channel; struct sk_exchange *x; struct sk_model_region region[REGIONS]; int asked, rounds; };

static int watch(void *ctx)
{
    struct member *m = ctx;
    if (++m->asked < 3) return 0;
    return sk_fail(SK_EXIT_TEMP, "a member is silent");
}

/* The channel to all others and the exchange over it; ends the process if that fails. */
static void join(struct member *m, struct sk_device *dev, int members, int me)
{
    size_t bytes;
    *m = (struct member){.channel = sk_channel_open(-1)};
    if (!m->channel) _exit(3);
    const void *address = sk_channel_address(m->channel, &bytes);
    SK_ENSURE(bytes <= sizeof shared->member[me].address);
    memcpy(shared->member[me].address, address, bytes);
    shared->member[me].bytes = (int)bytes;
    __sync_synchronize();
    shared->member[me].ready = 1;
    for (int i = 0; i < members; i++) {
        while (!shared->member[i].ready) usleep(1000);
        if (i != me && sk_channel_connect(m->channel, i, shared->member[i].address, (size_t)shared->member[i].bytes))
            _exit(4);
    }
    for (int r = 0; r < REGIONS; r++)
        m->region[r] = (struct sk_model_region){sk_ops_cpu.alloc(dev, region_size[r] * sizeof(float)), region_size[r]};
    m->x = sk_exchange_new(&(struct sk_exchange_options){&sk_ops_cpu, dev, m->channel, LEAVES, members, me, 42, watch, m,
                                                         m->region, REGIONS});
}

static struct sk_device *device(void)
{
    const char *why;
    return sk_ops_cpu.open(1, &why);
}

/* Computes my ranges, sums: 1 if that gave the right bits, 0 if not, -1 if it failed. */
static int round_of(struct member *m)
{
    const struct sk_leaf_range *range;
    int n = sk_exchange_ranges(m->x, &range), good = 1;
    struct sk_loss loss[SK_RANGES_MAX], total;
    sk_exchange_begin(m->x);
    for (int k = 0; k < n; k++) {
        for (int r = 0; r < REGIONS; r++) {
            for (size_t i = 0; i < region_size[r]; i++)
                m->region[r].data[i] = tree(r, i, range[k].first, range[k].n);
            if ((m->rounds + r) % 3) sk_exchange_ready(m->x, k, r + 1);
        }
        loss[k] = (struct sk_loss){(double)tree(0, 0, range[k].first, range[k].n), range[k].n, 2 * range[k].n};
        sk_exchange_ready(m->x, k, REGIONS);
    }
    m->rounds++;
    if (sk_exchange_sum(m->x, loss, &total)) return -1;
    for (int r = 0; r < REGIONS; r++)
        for (size_t i = 0; i < region_size[r]; i++) good = good && m->region[r].data[i] == tree(r, i, 0, LEAVES);
    return good && total.correct == LEAVES && total.labels == 2 * LEAVES;
}

static int sums(int members, int me)
{
    struct sk_device *dev = device();
    struct member m;
    int good = 1, all[MOST];
    join(&m, dev, members, me);
    for (int i = 0; i < 4; i++) good = good && round_of(&m) == 1;
    good = good && sk_exchange_gather(m.x, &me, sizeof me, all) == 0;
    for (int i = 0; i < members; i++) good = good && all[i] == i;
    sk_exchange_free(m.x);
    sk_channel_close(m.channel, 1);
    for (int r = 0; r < REGIONS; r++) sk_ops_cpu.free(dev, m.region[r].data);
    sk_ops_cpu.close(dev);
    return good ? 0 : 1;
}

/* Sums until that fails, which is to be so: tells how long after the last sum. */
static int until_lost(int members, int me)
{
    struct sk_device *dev = device();
    struct member m;
    join(&m, dev, members, me);
    double last = sk_now();
    int got;
    while ((got = round_of(&m)) == 1) {
        shared->rounds[me]++;
        m.asked = 0;
        last = sk_now();
    }
    double seconds = sk_now() - last;
    sk_exchange_free(m.x);
    sk_channel_close(m.channel, 0);
    return got == 0 ? 1 : sk_fail_code() != SK_EXIT_TEMP ? 2 : seconds < 20 ? 0 : 5;
}

static void start(int members, int (*job)(int members, int me), pid_t pid[MOST])
{
    memset(shared, 0, sizeof *shared);
    fflush(stdout);
    for (int i = 0; i < members; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            alarm(120);
            _exit(job(members, i));
        }
    }
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* One of three is killed or stopped while they sum; the two others have to notice. */
static void lose_one(int signal, const char *name)
{
    pid_t pid[MOST];
    start(3, until_lost, pid);
    while (shared->rounds[0] < 3 || shared->rounds[1] < 3 || shared->rounds[2] < 3) usleep(1000);
    kill(pid[1], signal);
    double from = sk_now();
    int first = wait_for(pid[0]), last = wait_for(pid[2]);
    double seconds = sk_now() - from;
    kill(pid[1], SIGKILL);
    wait_for(pid[1]);
    ok(first == 0 && last == 0, "%s: the others leave (%d, %d), %.2f s later", name, first, last, seconds);
    if (signal == SIGKILL) ok(seconds < 10, "at once");
}

static void ranges(void)
{
    int good = 1;
    for (int leaves = 1; leaves <= 64; leaves *= 2)
        for (int members = 1; members <= leaves; members++) {
            int at = 0;
            for (int i = 0; i < members; i++) {
                struct sk_leaf_range r[SK_RANGES_MAX];
                int n = sk_leaf_ranges(leaves, members, i, r);
                good = good && n >= 1;
                for (int k = 0; k < n; k++) {
                    good = good && r[k].first == at && r[k].first % r[k].n == 0 && !(r[k].n & (r[k].n - 1));
                    at += r[k].n;
                }
            }
            good = good && at == leaves;
        }
    ok(good, "ranges are aligned powers of two and cover all leaves");
}

static int never(void *ctx)
{
    ++*(int *)ctx;
    return sk_fail(SK_EXIT_TEMP, "that is enough");
}

static void woken(void)
{
    size_t bytes;
    int64_t got;
    int asked = 0, wake[2];
    SK_ENSURE(pipe(wake) == 0);
    struct sk_channel *c = sk_channel_open(wake[0]);
    SK_ENSURE(c && sk_channel_connect(c, 0, sk_channel_address(c, &bytes), bytes) == 0);
    SK_ENSURE(write(wake[1], "", 1) == 1);
    double from = sk_now();
    sk_channel_receive(c, 0, 5, &got, sizeof got, NULL);
    int result = sk_channel_wait(c, NULL, never, &asked);
    ok(result == -1 && asked == 1 && sk_now() - from < 0.7, "a descriptor that can be read wakes who waits (%.3f s)",
       sk_now() - from);
    sk_channel_close(c, 0);
    close(wake[0]);
    close(wake[1]);
}

/* A member that sends what it should not. */
static size_t wrong_length;
static int wrong_message(int members, int me)
{
    static char much[1 << 20];
    int64_t got[2] = {0, 77};
    struct member m;
    join(&m, device(), members, me);
    if (me == 1) {
        sk_channel_send(m.channel, 0, 6, much, sizeof much / 2);      /* nobody waits for that */
        sk_channel_send(m.channel, 0, 5, much, wrong_length);
        (void)sk_channel_wait(m.channel, NULL, watch, &m);
        return 0;
    }
    sk_channel_receive(m.channel, 1, 5, got, sizeof *got, NULL);
    int result = sk_channel_wait(m.channel, NULL, watch, &m);
    return result == -1 && sk_channel_lost(m.channel) == 1 && got[1] == 77 && strstr(sk_fail_message(), "runcated") ? 0 : 1;
}

static void wrong_messages(void)
{
    static const size_t lengths[] = {0, 1, 7, 9, 4096, 1 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        pid_t pid[MOST];
        wrong_length = lengths[i];
        start(2, wrong_message, pid);
        int first = wait_for(pid[0]), last = wait_for(pid[1]);
        ok(first == 0 && last == 0, "%zu bytes where 8 are waited for: who sent them is lost (%d, %d)", lengths[i], first, last);
    }
}

/* An address that makes UCX abort: the process ends with a code that says to start it again. */
static int wrong_address(int members, int me)
{
    (void)members, (void)me;
    unsigned char address[4096];
    size_t bytes;
    struct sk_channel *c = sk_channel_open(-1);
    const void *mine = c ? sk_channel_address(c, &bytes) : NULL;
    if (!mine || bytes > sizeof address) return 3;
    memcpy(address, mine, bytes);
    address[0] |= 9;
    freopen("/dev/null", "w", stderr);
    return sk_channel_connect(c, 0, address, bytes) ? 4 : 5;
}

int main(void)
{
    sk_msg_program("exchange_test");
    setenv("UCX_NET_DEVICES", "lo", 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ranges();
    woken();
    wrong_messages();
    pid_t alone[MOST];
    start(1, wrong_address, alone);
    is_int(wait_for(alone[0]), SK_EXIT_TEMP, "an assertion of UCX ends the process so that it is started again");
    for (int members = 1; members <= MOST; members += members == 3 ? 2 : members == 5 ? 3 : 1) {
        pid_t pid[MOST];
        int worst = 0;
        start(members, sums, pid);
        for (int i = 0; i < members; i++) {
            int status = wait_for(pid[i]);
            if (status) worst = status;
        }
        is_int(worst, 0, "%d members: the sums have the bits of one", members);
    }
    lose_one(SIGKILL, "killed");
    lose_one(SIGSTOP, "stopped");
    return done_testing();
}
