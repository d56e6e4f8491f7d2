#include "train/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/msg.h"

static volatile sig_atomic_t pending, deferring;

static void caught(int number)
{
    pending = number;
    if (!deferring)
        _exit(SK_EXIT_TEMP);
    /* Whoever types ^C twice wants out now; files are whole or absent anyway. */
    if (number == SIGINT)
        signal(SIGINT, SIG_DFL);
}

void sk_signals_catch(void)
{
    struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};
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

const char *sk_signals_name(int number)
{
    switch (number) {
    case SIGTERM: return "SIGTERM";
    case SIGINT: return "SIGINT";
    case SIGUSR1: return "SIGUSR1";
    default: return strsignal(number);
    }
}
