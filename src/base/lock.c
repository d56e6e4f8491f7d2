/* lock.c - kernel locks: open-file-description locks of Linux, which belong
 * to the descriptor and not to the process. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/msg.h"

int sk_lock_take(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return sk_fail_errno("%s: cannot open the lock", path);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int r;
    while ((r = fcntl(fd, F_OFD_SETLK, &l)) != 0 && errno == EINTR) continue;
    if (r) {
        int e = errno;
        char who[256];
        ssize_t n = pread(fd, who, sizeof who - 1, 0);
        who[n > 0 ? n : 0] = 0;
        who[strcspn(who, "\n")] = 0;
        close(fd);
        if (e == EAGAIN || e == EACCES) {
            sk_fail(SK_EXIT_TEMP, "%s: held by another process%s%s%s", path, *who ? " (" : "", who, *who ? ")" : "");
            errno = EAGAIN;
        } else {
            errno = e;
            sk_fail_errno("%s: this file system has no locks; use a folder on another one", path);
        }
        return -1;
    }
    char host[128] = "?", stamp[32];
    time_t now = time(NULL);
    struct tm tm;
    gethostname(host, sizeof host - 1);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
    char *text = sk_xprintf("%s, pid %ld on %s since %s\n", sk_msg_program_name(), (long)getpid(), host, stamp);
    /* For people only: a full disk must not keep anybody from the lock. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) < 0) errno = 0;
    free(text);
    return fd;
}

void sk_lock_release(int fd)
{
    if (fd >= 0) close(fd);
}
