#include "train/children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/msg.h"
#include "train/signals.h"

struct children {
    const char *what;
    int n, alive, result;
    int asked;                       /* to end: what they do from then on needs no message */
    int interrupts;
    pid_t *pid;                      /* (n); 0: not running */
};

static void ignore(int number)
{
    (void)number;
}

static void send(const struct children *c, int number)
{
    for (int k = 0; k < c->n; k++)
        if (c->pid[k])
            kill(c->pid[k], number);
}

/* --- a child ------------------------------------------------------------------- */

static void __attribute__((noreturn)) be_child(pid_t parent, const sigset_t *mask, int (*run)(void *, int), void *ctx,
                                               int k)
{
    /* Before signals come through: from here on they end it with its own exit code. */
    sk_signals_catch();
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (getppid() != parent)
        exit(SK_EXIT_TEMP);
    exit(run(ctx, k));
}

static int start(struct children *c, const sigset_t *mask, int (*run)(void *, int), void *ctx)
{
    pid_t parent = getpid();
    for (int k = 0; k < c->n; k++) {
        pid_t pid = fork();
        if (pid == 0)
            be_child(parent, mask, run, ctx, k);
        if (pid < 0)
            return sk_fail(SK_EXIT_TEMP, "cannot start %s %d: %s", c->what, k, strerror(errno));
        c->pid[k] = pid;
        c->alive++;
    }
    return 0;
}

/* --- the parent ------------------------------------------------------------------ */

static void note(struct children *c, int code)
{
    if (code != SK_EXIT_OK && (c->result == SK_EXIT_OK || c->result == SK_EXIT_TEMP))
        c->result = code;
}

static int crashed(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGABRT;
}

static void ended(struct children *c, int k, int status)
{
    pid_t pid = c->pid[k];
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int code = !number ? WEXITSTATUS(status) : crashed(number) ? SK_EXIT_BUG : SK_EXIT_TEMP;
    c->pid[k] = 0;
    c->alive--;
    note(c, code);
    if (code == SK_EXIT_OK || (c->asked && code == SK_EXIT_TEMP))
        return;
    sk_live("%s", "");               /* the child's own, which it can no longer erase */
    const char *rest = c->alive && !c->asked ? "; the others are told to end" : "";
    if (number)
        sk_fail(code, "%s %d (pid %ld) was ended by signal %d, %s%s%s", c->what, k, (long)pid, number,
                strsignal(number), number == SIGKILL ? "; if memory ran out, the system's log says so" : "", rest);
    else
        sk_fail(code, "%s %d (pid %ld) ended with exit code %d%s", c->what, k, (long)pid, code, rest);
    sk_die();
    c->asked = 1;
    send(c, SIGTERM);
}

static void reap(struct children *c)
{
    int status;
    for (int k = 0; k < c->n; k++)
        if (c->pid[k] && waitpid(c->pid[k], &status, WNOHANG) == c->pid[k])
            ended(c, k, status);
}

static void pass_on(struct children *c, int number)
{
    if (number == SIGINT && c->interrupts++)
        number = SIGKILL;
    else if (number == SIGINT)
        number = SIGTERM;
    c->asked = 1;
    send(c, number);
}

int sk_children_run(int n, const char *what, int (*run)(void *ctx, int k), void *ctx)
{
    struct children c = {.what = what, .n = n, .pid = sk_xcalloc((size_t)n, sizeof *c.pid)};
    struct sigaction action = {.sa_handler = ignore}, before;
    sigset_t waited, mask;
    sigemptyset(&waited);
    sigaddset(&waited, SIGTERM);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGUSR1);
    sigaddset(&waited, SIGCHLD);
    sigemptyset(&action.sa_mask);
    sigprocmask(SIG_BLOCK, &waited, &mask);
    sigaction(SIGCHLD, &action, &before);     /* whoever started us may have ignored it */
    if (start(&c, &mask, run, ctx) < 0) {
        note(&c, sk_die());
        pass_on(&c, SIGTERM);
    }
    while (c.alive > 0) {
        int number = sigwaitinfo(&waited, NULL);
        if (number == SIGCHLD)
            reap(&c);
        else if (number > 0)
            pass_on(&c, number);
    }
    sigaction(SIGCHLD, &before, NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    free(c.pid);
    return c.result;
}
