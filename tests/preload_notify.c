/* preload_notify.c - LD_PRELOAD: a system that tells of no names in folders, as
 * a network file system tells of none that other hosts make. */
#include <errno.h>

int inotify_init1(int flags);
int inotify_init1(int flags)
{
    (void)flags;
    errno = EMFILE;
    return -1;
}
