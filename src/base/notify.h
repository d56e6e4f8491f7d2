/* notify.h - being told of names that appear in folders: by inotify, which
 * knows what happens on this host only. Whoever waits lists the folders now
 * and then besides.
 */
#ifndef SK_BASE_NOTIFY_H
#define SK_BASE_NOTIFY_H

/* A descriptor, or -1: this system tells nothing, or no more; waiting then
 * only takes its time. */
int sk_notify_open(void);
void sk_notify_close(int fd);
/* From now on tells of this folder; again is nothing new, also if it is absent. */
void sk_notify_add(int fd, const char *folder);
/* Waits until a name appears (is linked, renamed or created there) or goes
 * that `wanted` accepts: 1; 0: the seconds have passed (0: without waiting), or
 * a signal came. */
int sk_notify_wait(int fd, double seconds, int (*wanted)(const char *name));
#endif
