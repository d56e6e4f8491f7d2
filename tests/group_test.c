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
#include "base/msg.h"
#include "modeldir/paths.h"
#include "group_toy.h"
#include "tap.h"

enum { SHARDS = TOY_SHARDS, LEAVES = TOY_LEAVES };
static char dir[] = "/tmp/group_test.XXXXXX";
static struct toy_seen *seen;

static int work(struct toy *t)
{
    (void)t;
    usleep(5000);
    return 0;
}

static int shard_main(int shard)
{
    struct toy t = {dir, shard, 0, 400, 50, 7, work, &seen[shard]};
    const struct sk_group_options o = {dir, "toy", "", shard, SHARDS, LEAVES, 4, -1, {&t, standing, save, load, never_stops}};
    return toy_main(&t, &o);
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
    memset(seen, 0, SHARDS * sizeof *seen);
    sk_remove_tree(dir);
    sk_mkdir(dir);
}

static int wrong(void)
{
    int n = 0;
    for (int i = 0; i < SHARDS; i++) n += seen[i].wrong;
    return n;
}

/* All start together; `spare` more than there are leaves. */
static void together(int n)
{
    pid_t pid[SHARDS];
    int bad = 0, most = 0;
    anew();
    for (int i = 0; i < n; i++) pid[i] = start(i);
    for (int i = 0; i < n; i++) bad += wait_for(pid[i]) != 0;
    for (int i = 0; i < n; i++) if (seen[i].members > most) most = seen[i].members;
    ok(bad == 0 && wrong() == 0, "%d together: all end well", n);
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
                    if (WIFEXITED(status) && WEXITSTATUS(status) != SK_EXIT_TEMP) {
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
    ok(wrong() == 0 && unwell == 0, "trial %d: with the right bits at every update", trial);
}

int main(void)
{
    sk_msg_program("group_test");
    setenv("UCX_NET_DEVICES", "lo", 0);
    seen = mmap(NULL, SHARDS * sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!mkdtemp(dir)) return 1;
    together(1);
    together(3);
    together(SHARDS);
    for (int trial = 0; trial < (getenv("SK_LONG") ? 50 : 2); trial++) chaos(trial);
    sk_remove_tree(dir);
    return done_testing();
}
