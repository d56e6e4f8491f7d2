#include "lockd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/path.h"

/* --- the directory ------------------------------------------------------------- */

/* Others must not be able to remove the files: sticky, or nobody else writes. */
static int check_dir(const char *path, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode)) return sk_fail(SK_EXIT_NOINPUT, "%s is no folder: name another --lock-dir", path);
    if ((st->st_mode & 0022) && !(st->st_mode & S_ISVTX))
        return sk_fail(SK_EXIT_NOINPUT, "%s: others may remove files there, so that locks in it mean nothing: chmod "
                       "+t it, or name another --lock-dir", path);
    return 0;
}

char *sk_lock_dir(const char *dir)
{
    static const char *const usual[] = {"/run/lock", "/dev/shm", "/tmp"};
    struct stat st;
    if (!dir || !*dir) dir = getenv("SK_LOCK_DIR");
    if (dir && *dir) {
        if (mkdir(dir, 0777) == 0) chmod(dir, 01777);
        if (stat(dir, &st) < 0) {
            sk_fail_errno("cannot use lock folder %s", dir);
            return NULL;
        }
        return check_dir(dir, &st) ? NULL : sk_xstrdup(dir);
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (stat(usual[i], &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 01777) == 01777)
            return sk_xstrdup(usual[i]);
    sk_fail(SK_EXIT_NOINPUT, "none of /run/lock, /dev/shm, /tmp is a folder that all may write to: name a --lock-dir");
    return NULL;
}

/* --- files ---------------------------------------------------------------------- */

/* Without O_CREAT where the file is there: the kernel refuses that for others'
 * files in sticky folders (fs.protected_regular). */
static int open_file(const char *path, int create)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    for (int attempt = 0; attempt < 100; attempt++) {
        int fd = open(path, flags);
        if (fd >= 0 || errno != ENOENT || !create) return fd;
        fd = open(path, flags | O_CREAT | O_EXCL, 0666);
        if (fd >= 0 && fchmod(fd, 0666) < 0) return fd;      /* the umask's own business then */
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    errno = ENOENT;
    return -1;
}

int sk_lock_file(const char *dir, const char *name, int create)
{
    char *path = sk_path_join(dir, name);
    struct stat st;
    int fd = open_file(path, create);
    if (fd < 0) {
        int why = errno;
        if (why == ELOOP)
            sk_fail(SK_EXIT_NOINPUT, "%s is a symbolic link, not a lock file: have it removed, or name another "
                    "--lock-dir", path);
        else
            sk_fail_errno("cannot open lock %s", path);
        errno = why;
    } else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
        /* A second name could be a file of somebody's own. */
        sk_fail(SK_EXIT_NOINPUT, "%s is no lock file: have it removed, or name another --lock-dir", path);
        close(fd);
        fd = -1;
        errno = EINVAL;
    }
    free(path);
    return fd;
}

/* --- bytes ------------------------------------------------------------------------- */

static struct flock bytes(short type, int64_t first, int64_t n)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = n};
}

int sk_byte_lock(int fd, int64_t byte)
{
    struct flock l = bytes(F_WRLCK, byte, 1);
    while (fcntl(fd, F_OFD_SETLK, &l) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EACCES) return 0;
        if (errno == ENOLCK || errno == ENOTSUP || errno == ENOSYS || errno == EINVAL)
            return sk_fail(SK_EXIT_NOINPUT, "the file system of the lock folder has no locks (%s): name a --lock-dir on "
                           "another one", strerror(errno));
        return sk_fail_errno("cannot lock a GPU");
    }
    return 1;
}

void sk_byte_unlock(int fd, int64_t byte)
{
    struct flock l = bytes(F_UNLCK, byte, 1);
    fcntl(fd, F_OFD_SETLK, &l);
}

/* One of others' locks that touches n bytes (0: to the end) from first. */
static int find(int fd, int64_t first, int64_t n, struct flock *found)
{
    *found = bytes(F_WRLCK, first, n);
    return fcntl(fd, F_OFD_GETLK, found) == 0 && found->l_type != F_UNLCK;
}

int sk_byte_held(int fd, int64_t first, int64_t last)
{
    struct flock l;
    return last < first && last >= 0 ? 0 : find(fd, first, last < 0 ? 0 : last - first + 1, &l);
}

int64_t sk_byte_highest(int fd, int64_t first)
{
    struct flock l;
    while (find(fd, first, 0, &l)) {
        if (!l.l_len) return INT64_MAX - 1;
        first = l.l_start + l.l_len;
    }
    return first - 1;
}

int sk_byte_count(int fd, int64_t first, int most)
{
    struct flock l;
    int n = 0;
    for (; n < most && find(fd, first, 0, &l); n++) {
        /* The kernel names any of them: look for the lowest. */
        for (struct flock lower = l; l.l_start > first && find(fd, first, l.l_start - first, &lower); l = lower)
            ;
        if (!l.l_len) return n + 1;
        first = l.l_start + l.l_len;
    }
    return n;
}

/* --- notes -------------------------------------------------------------------------- */

enum { NOTE = 512 };

static void clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 || *text == 127) *text = '?';
}

static void join(char *out, size_t n, char *const *words)
{
    size_t at = 0;
    out[0] = 0;
    for (; words && *words && at + 1 < n; words++)
        at += (size_t)snprintf(out + at, n - at, "%s%s", at ? " " : "", *words);
}

void sk_lock_sign(int fd, char *const *command)
{
    struct sk_lock_note note = {0};
    struct passwd *user = getpwuid(geteuid());
    time_t now = time(NULL);
    struct tm local;
    char text[NOTE];
    gethostname(note.host, sizeof note.host - 1);
    snprintf(note.user, sizeof note.user, "%s", user ? user->pw_name : "");
    if (!user) snprintf(note.user, sizeof note.user, "%ld", (long)geteuid());
    localtime_r(&now, &local);
    strftime(note.since, sizeof note.since, "%Y-%m-%d %H:%M:%S", &local);
    join(note.command, sizeof note.command, command);
    clean(note.command);
    int n = snprintf(text, sizeof text, "%ld\t%s\t%s\t%s\t%s\n", (long)getpid(), note.host, note.user, note.since,
                     note.command);
    if (n > NOTE - 1) n = NOTE - 1;
    /* A full disk is no reason not to hold the lock. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) < 0) return;
}

static int field(char *out, size_t n, char **rest)
{
    char *item = strsep(rest, "\t");
    if (!item) return -1;
    snprintf(out, n, "%s", item);
    return 0;
}

int sk_lock_note(int fd, struct sk_lock_note *note)
{
    char text[NOTE], pid[24], *rest = text;
    ssize_t n = pread(fd, text, NOTE - 1, 0);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    for (char *c = text; *c; c++)
        if (((unsigned char)*c < 32 && *c != '\t') || *c == 127) *c = '?';
    *note = (struct sk_lock_note){0};
    if (field(pid, sizeof pid, &rest) || field(note->host, sizeof note->host, &rest) ||
        field(note->user, sizeof note->user, &rest) || field(note->since, sizeof note->since, &rest) ||
        field(note->command, sizeof note->command, &rest))
        return -1;
    note->pid = strtol(pid, NULL, 10);
    return 0;
}
