/* lock.c - kernel locks on files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

enum { TEXT = 400 };

/* Who holds the lock, as its holder wrote it; printable characters only. */
static void holder(int fd, char text[TEXT])
{
    ssize_t n = pread(fd, text, TEXT - 1, 0);
    size_t end = n > 0 ? (size_t)n : 0;
    text[end] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            *c = '?';
    if (!*text)
        strcpy(text, "an unknown process");
}

static void sign(int fd)
{
    char text[TEXT], host[128] = "", when[32];
    time_t now = time(NULL);
    struct tm local;
    gethostname(host, sizeof host - 1);
    localtime_r(&now, &local);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    int n = snprintf(text, sizeof text, "%s, pid %ld on %s since %s\n", sk_msg_program_name(), (long)getpid(), host,
                     when);
    /* For humans only: a full disk is no reason not to hold the lock. */
    if (pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) < 0)
        return;
}

int sk_lock_take(const char *path)
{
    /* A link could lead to a file of somebody else, which would be signed. */
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
    struct stat st;
    if (fd < 0)
        return sk_fail_errno("cannot open lock %s", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        sk_fail(SK_EXIT_NOINPUT, "%s is no plain file", path);
        errno = EINVAL;
        return -1;
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int failed;
    do {
        failed = fcntl(fd, F_OFD_SETLK, &whole) < 0;
    } while (failed && errno == EINTR);
    if (!failed) {
        sign(fd);
        return fd;
    }
    int number = errno;
    if (number == EAGAIN || number == EACCES) {
        char text[TEXT];
        holder(fd, text);
        sk_fail(SK_EXIT_TEMP, "%s is locked by %s", path, text);
        number = EAGAIN;
    } else if (number == ENOLCK || number == ENOTSUP || number == ENOSYS || number == EINVAL) {
        sk_fail(SK_EXIT_NOINPUT, "cannot lock %s: its file system has no locks (%s); use a folder on another one", path,
                strerror(number));
    } else {
        errno = number;
        sk_fail_errno("cannot lock %s", path);
    }
    close(fd);
    errno = number;
    return -1;
}

void sk_lock_release(int fd)
{
    if (fd >= 0)
        close(fd);
}

int sk_lock_fence(int fd)
{
    /* The text's first byte once more: over NFS the server takes it only from
     * who still holds the lock, and says so at fsync. */
    char first = 's';
    if (pread(fd, &first, 1, 0) < 0 || pwrite(fd, &first, 1, 0) < 0 || fsync(fd) < 0)
        return errno == EIO ? -1 : 0;
    return 0;
}

int sk_lock_held(const char *path, char **who)
{
    char text[TEXT];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *who = NULL;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : sk_fail_errno("cannot open lock %s", path);
    int failed = fcntl(fd, F_OFD_GETLK, &whole) < 0, held = !failed && whole.l_type != F_UNLCK;
    if (failed)
        sk_fail_errno("cannot look at lock %s", path);
    if (held) {
        holder(fd, text);
        *who = sk_xstrdup(text);
    }
    close(fd);
    return failed ? -1 : held;
}
