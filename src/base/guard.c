/* guard.c - temporaries go when a signal ends the program. */
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* The handler reads these: no memory that could be freed meanwhile. */
enum { SLOTS = 32, FREE = 0, FILLING, GUARDED };
static struct { atomic_int state; char path[PATH_MAX]; } slot[SLOTS];

void sk_temp_guard(const char *path)
{
    for (int i = 0; i < SLOTS; i++) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&slot[i].state, &expected, FILLING))
            continue;
        int fits = snprintf(slot[i].path, PATH_MAX, "%s", path) < PATH_MAX;
        atomic_store(&slot[i].state, fits ? GUARDED : FREE);
        return;
    }
}

void sk_temp_release(const char *path)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slot[i].state) == GUARDED && strcmp(slot[i].path, path) == 0) {
            atomic_store(&slot[i].state, FREE);
            return;
        }
}

static void end(int number)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slot[i].state) == GUARDED)
            unlink(slot[i].path);
    /* SA_RESETHAND: now it ends us. */
    raise(number);
}

void sk_temp_catch_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction before, action = {.sa_handler = end, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        /* What nohup or a shell made us ignore stays ignored. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}
