/* children_test.c - processes that work together: one exit code, signals passed
 * on, nobody left behind. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"
#include "base/msg.h"
#include "train/children.h"
#include "train/signals.h"

enum { N = 3 };
static int started[2];               /* each child writes a byte; its end is the end of the last */
static char said[4096];

struct play { int codes[N]; int number[N]; int stubborn; };

/* A child: ends at once with a code, or by a signal, or waits for one. */
static int child(void *ctx, int k)
{
    const struct play *play = ctx;
    alarm(60);                       /* a test that fails leaves nobody behind */
    if (play->stubborn)
        signal(SIGTERM, SIG_IGN);
    if (write(started[1], "x", 1) != 1)
        return 99;
    if (play->number[k])
        raise(play->number[k]);
    if (play->codes[k] >= 0)
        return play->codes[k];
    for (;;)
        pause();
}

/* What was said on stderr goes to `said`. */
static int run(struct play *play)
{
    char path[300];
    snprintf(path, sizeof path, "%s/said", temp_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), before = dup(2);
    dup2(fd, 2);
    int code = sk_children_run(N, "shard", child, play);
    dup2(before, 2);
    close(before);
    ssize_t n = pread(fd, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(fd);
    return code;
}

static void codes(void)
{
    struct play play = {0};
    is_int(run(&play), 0, "all have done their work");
    ok(!*said, "nothing is said: %s", said);
    play = (struct play){{-1, 65, -1}, {0}, 0};
    is_int(run(&play), 65, "one fails: its code, though the others are told to end");
    ok(strstr(said, "shard 1 (pid ") && strstr(said, "ended with exit code 65; the others are told to end"),
       "which and how: %s", said);
    ok(!strstr(said, "shard 0") && !strstr(said, "shard 2"), "not what was asked for");
    play = (struct play){{-1, -1, 75}, {0}, 0};
    is_int(run(&play), 75, "one that stops for a reason that passes");
    play = (struct play){{-1, -1, -1}, {SIGKILL}, 0};
    is_int(run(&play), 75, "one is killed");
    ok(strstr(said, "shard 0 (pid ") && strstr(said, "signal 9, Killed; if memory ran out"), "is said: %s", said);
    play = (struct play){{-1, -1, -1}, {0, 0, SIGABRT}, 0};
    is_int(run(&play), SK_EXIT_BUG, "one crashes");
    signal(SIGCHLD, SIG_IGN);
    play = (struct play){{0, 0, 3}, {0}, 0};
    is_int(run(&play), 3, "SIGCHLD was ignored before");
    signal(SIGCHLD, SIG_DFL);
}

/* A process that runs children which wait; returns when all have begun. */
static pid_t runner(int stubborn)
{
    char byte[N];
    struct play play = {{-1, -1, -1}, {0}, stubborn};
    if (started[0]) {
        close(started[0]);
        close(started[1]);
    }
    if (pipe(started) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        close(started[0]);
        sk_signals_catch();
        _exit(sk_children_run(N, "shard", child, &play));
    }
    close(started[1]);
    for (int got = 0; got < N;)
        got += (int)read(started[0], byte + got, (size_t)(N - got));
    return pid;
}

/* No child of the last runner is alive; waits for that, at most 10 s. */
static int all_gone(void)
{
    char byte;
    fcntl(started[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 1000; i++) {
        ssize_t n = read(started[0], &byte, 1);
        if (n == 0)
            return 1;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return 0;
}

static int code_of(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void signals(void)
{
    static const int passed[] = {SIGTERM, SIGINT, SIGUSR1};
    for (int i = 0; i < 3; i++) {
        pid_t pid = runner(0);
        kill(pid, passed[i]);
        is_int(code_of(pid), 75, "signal %d is passed on", passed[i]);
        ok(all_gone(), "and all end");
    }
    pid_t pid = runner(1);
    kill(pid, SIGINT);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    is_int(waitpid(pid, NULL, WNOHANG), 0, "children that do not listen");
    kill(pid, SIGINT);
    is_int(code_of(pid), 75, "are killed by a second SIGINT");
    ok(all_gone(), "all of them");
    pid = runner(0);
    kill(pid, SIGKILL);
    is_int(code_of(pid), -SIGKILL, "the parent is killed");
    ok(all_gone(), "its children end with it");
}

int main(void)
{
    sk_msg_program("children_test");
    if (pipe(started) < 0)
        return 1;
    codes();
    signals();
    return done_testing();
}
