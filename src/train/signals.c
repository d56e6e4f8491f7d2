#include "train/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/msg.h"

static volatile sig_atomic_t pending, deferring;
static int pipe_of[2] = {-1, -1};

static void caught(int number)
{
    int before = errno;
    pending = number;
    if (!deferring)
        _exit(SK_EXIT_TEMP);
    /* Whoever types ^C twice wants out now; files are whole or absent anyway. */
    if (number == SIGINT)
        signal(SIGINT, SIG_DFL);
    /* A full one can be read already. */
    ssize_t wrote = pipe_of[1] >= 0 ? write(pipe_of[1], "", 1) : 0;
    (void)wrote;
    errno = before;
}

void sk_signals_catch(void)
{
    struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};
    if (pipe_of[0] < 0 && pipe2(pipe_of, O_CLOEXEC | O_NONBLOCK) < 0)
        pipe_of[0] = pipe_of[1] = -1;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    /* A reader of our messages that goes away is no reason to lose a run. */
    signal(SIGPIPE, SIG_IGN);
}

void sk_signals_defer(void)
{
    deferring = 1;
}

int sk_signals_pending(void)
{
    return pending;
}

int sk_signals_descriptor(void)
{
    return pipe_of[0];
}

const char *sk_signals_name(int number)
{
    switch (number) {
    case SIGTERM: return "SIGTERM";
    case SIGINT: return "SIGINT";
    case SIGUSR1: return "SIGUSR1";
    default: return strsignal(number);
    }
}
