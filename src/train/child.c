/* child.c - processes that end with this one. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/msg.h"
#include "train/beside.h"

/* After fork in a process with threads: only what is safe in a signal handler. */
static void become(pid_t parent, const char *path, char *const argv[], char *const env[], int out)
{
    static const int reset[] = {SIGTERM, SIGINT, SIGUSR1, SIGPIPE, SIGXFSZ};
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(SK_EXIT_TEMP);
    for (size_t i = 0; i < sizeof reset / sizeof *reset; i++)
        signal(reset[i], SIG_DFL);
    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(out >= 0 ? out : nowhere, STDOUT_FILENO) < 0)
        _exit(SK_EXIT_IO);
    execve(path, argv, env);
    _exit(127);
}

int sk_child_start(struct sk_child *c, const char *path, char *const argv[], char *const env[], int out)
{
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become(parent, path, argv, env, out);
    if (child < 0)
        return sk_fail_errno("cannot start %s", path);
    setpgid(child, child);           /* whoever is first */
    c->pid = child;
    return 0;
}

static void note(struct sk_child *c, int status)
{
    c->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    c->status = c->signal ? 128 + c->signal : WEXITSTATUS(status);
    c->pid = 0;
}

int sk_child_ended(struct sk_child *c)
{
    int status;
    if (!c->pid || waitpid(c->pid, &status, WNOHANG) != c->pid)
        return 0;
    note(c, status);
    return 1;
}

void sk_child_stop(struct sk_child *c)
{
    static const struct timespec instant = {.tv_nsec = 10000000};
    enum { PATIENCE = 300 };
    /* Its whole group: a shell would leave what it started. */
    for (int tries = 0; c->pid && !sk_child_ended(c); tries++) {
        if (tries == 0 || tries == PATIENCE)
            kill(-c->pid, tries ? SIGKILL : SIGTERM);
        nanosleep(&instant, NULL);
    }
}

void sk_child_how(const struct sk_child *c, char text[64])
{
    if (c->signal)
        snprintf(text, 64, "ended by %s", strsignal(c->signal));
    else
        snprintf(text, 64, "exit status %d", c->status);
}
