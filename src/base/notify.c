/* notify.c - names that appear in folders. */
#include "base/notify.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

int sk_notify_open(void)
{
    return inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

void sk_notify_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

void sk_notify_add(int fd, const char *folder)
{
    if (fd >= 0)
        inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
}

/* Reads what there is; was any of it wanted? */
static int drain(int fd, int (*wanted)(const char *name))
{
    _Alignas(struct inotify_event) char events[4096];
    int found = 0;
    for (;;) {
        ssize_t n = read(fd, events, sizeof events);
        if (n <= 0)
            return found;
        for (char *at = events; at < events + n;) {
            const struct inotify_event *e = (const void *)at;
            /* Events that were lost may have been any. */
            found |= e->mask & IN_Q_OVERFLOW || (e->len && wanted(e->name));
            at += sizeof *e + e->len;
        }
    }
}

int sk_notify_wait(int fd, double seconds, int (*wanted)(const char *name))
{
    double end = sk_now() + seconds;
    for (;;) {
        if (fd >= 0 && drain(fd, wanted))
            return 1;
        double left = end - sk_now();
        if (seconds <= 0 || left <= 0)
            return 0;
        struct timespec wait = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (ppoll(&p, fd >= 0, &wait, NULL) < 0 && errno == EINTR)
            return 0;
    }
}
