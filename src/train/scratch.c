#include "train/scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

static void catch_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct sigaction action = {.sa_handler = stop};   /* waitpid comes back */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static int wait_for(pid_t child, const char *what)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return sk_fail_errno("waiting for %s", what);
        if (stopped)
            kill(child, SIGKILL);
    }
    if (stopped)
        return SK_EXIT_TEMP;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return sk_fail(SK_EXIT_TEMP, "%s was ended by signal %d (%s)", what, WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
}

int sk_in_scratch(const char *name, const char *what, int (*job)(void *ctx, const char *folder), void *ctx)
{
    const char *tmp = getenv("TMPDIR");
    char *pattern = sk_xprintf("%s.XXXXXX", name), *folder = sk_path_join(tmp && *tmp ? tmp : "/tmp", pattern);
    int result;
    free(pattern);
    catch_signals();
    if (!mkdtemp(folder)) {
        sk_fail_errno("cannot make a folder for %s, %s", what, folder);
        free(folder);
        return sk_die();
    }
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 1; i < NSIG; i++)
            signal(i, i == SIGXFSZ ? SIG_IGN : SIG_DFL);
        exit(job(ctx, folder));
    }
    result = child < 0 ? sk_fail_errno("cannot start %s", what) : wait_for(child, what);
    if (result < 0)
        result = sk_die();
    if (sk_remove_tree(folder) < 0)
        sk_warn("%s", sk_fail_message());
    free(folder);
    return result;
}
