/* preload_fault.c - LD_PRELOAD: at a command's n-th call that changes files below
 * a folder, the world breaks.
 *
 * Counted, from 1: open for writing, close of what was open for writing, write,
 * pwrite, fsync, fdatasync, ftruncate, rename, link, unlink, symlink, mkdir, rmdir
 * (and their *at forms), when the path or descriptor is below $SK_FAULT_UNDER.
 *   SK_FAULT_AT=n        which call
 *   SK_FAULT=before      SIGKILL before it; a write puts half of its bytes first
 *           =after       SIGKILL when it is done
 *           =short       from it on, every write puts at most half of its bytes
 *           =eintr       from it on, every other write and fsync is interrupted
 *           =NUMBER      it fails with this errno; if that is ENOSPC or EDQUOT, so
 *                        does every later one that may take space
 *   SK_FAULT_SLOW=ms     fsync of a checkpoint's files takes so long, as on a slow disk
 *   SK_FAULT_COUNT=FILE  counts there (8 bytes, at first 0), all processes together;
 *                        without it each counts for itself
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* What a call may do: take space, be interrupted. */
enum { NO_SPACE = 0, SPACE = 1, INTERRUPTED = 2 };
enum { NOTHING, BEFORE, AFTER, SHORT, EINTR_EACH, FAIL };

static atomic_long own, *calls = &own;
static char under[PATH_MAX];
static long at, slow;
static int how, number;

static __attribute__((constructor)) void begin(void)
{
    static const char *const words[] = {[BEFORE] = "before", [AFTER] = "after", [SHORT] = "short", [EINTR_EACH] = "eintr"};
    const char *s = getenv("SK_FAULT_UNDER");
    if (s && !realpath(s, under)) snprintf(under, sizeof under, "%s", s);
    if ((s = getenv("SK_FAULT_AT"))) at = atol(s);
    if ((s = getenv("SK_FAULT_SLOW"))) slow = atol(s);
    if (at && (s = getenv("SK_FAULT"))) {
        how = FAIL;
        number = atoi(s);
        for (int i = BEFORE; i < FAIL; i++)
            if (!strcmp(s, words[i])) how = i;
    }
    int fd = (s = getenv("SK_FAULT_COUNT")) ? open(s, O_RDWR) : -1;
    void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) calls = shared;
}

static int below(const char *path)
{
    size_t n = strlen(under);
    return n && !strncmp(path, under, n) && (path[n] == '/' || !path[n]);
}

static int name_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
    return n >= 0;
}

static int path_counts(int dir, const char *path)
{
    char full[2 * PATH_MAX], base[PATH_MAX];
    if (path[0] == '/') return below(path);
    if (dir == AT_FDCWD ? !getcwd(base, sizeof base) : !name_of(dir, base)) return 0;
    snprintf(full, sizeof full, "%s/%s", base, path);
    return below(full);
}

static int fd_counts(int fd)
{
    char path[PATH_MAX];
    return name_of(fd, path) && below(path);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* The number of the call, 0 if it does not count, -1 if it is to fail (errno set). */
static long turn(int counts, int may)
{
    if (!counts) return 0;
    long c = atomic_fetch_add(calls, 1) + 1;
    int stays = number == ENOSPC || number == EDQUOT;
    if (how == BEFORE && c == at) die();
    if (how == FAIL && (c == at || (c > at && stays && (may & SPACE)))) {
        errno = number;
        return -1;
    }
    if (how == EINTR_EACH && c >= at && (may & INTERRUPTED) && (c - at) % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return c;
}

static void done(long c)
{
    if (how == AFTER && c && c == at) die();
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
/* The body of a call of which nothing is done if it fails. */
#define CALL(counts, may, ...) \
    long c = turn(counts, may); \
    if (c < 0) return -1; \
    int result = real(__VA_ARGS__); \
    done(c); \
    return result
#define AT(dir, path) path_counts(dir, path)
#define HERE(path) path_counts(AT_FDCWD, path)

ssize_t write(int fd, const void *b, size_t n)
{
    REAL(ssize_t, write, int, const void *, size_t);
    int counts = fd_counts(fd);
    if (counts && how == BEFORE && n > 1 && atomic_load(calls) + 1 == at && real(fd, b, n / 2) < 0) _exit(99);
    long c = turn(counts, SPACE | INTERRUPTED);
    if (c < 0) return -1;
    ssize_t put = real(fd, b, how == SHORT && c >= at && n > 1 ? n / 2 : n);
    done(c);
    return put;
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t to)
{
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    long c = turn(fd_counts(fd), SPACE | INTERRUPTED);
    if (c < 0) return -1;
    ssize_t put = real(fd, b, how == SHORT && c >= at && c && n > 1 ? n / 2 : n, to);
    done(c);
    return put;
}
int open(const char *path, int flags, ...)
{
    REAL(int, open, const char *, int, mode_t);
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    CALL((flags & O_ACCMODE) != O_RDONLY && HERE(path), flags & O_CREAT ? SPACE : NO_SPACE, path, flags, mode);
}
/* It is closed, whatever it says; what a file server could not store it says here. */
int close(int fd)
{
    REAL(int, close, int);
    int flags = fcntl(fd, F_GETFL);
    long c = turn(flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fd_counts(fd), SPACE | INTERRUPTED);
    int why = errno, result = real(fd);
    done(c);
    if (c < 0) errno = why;
    return c < 0 ? -1 : result;
}
int fsync(int fd)
{
    REAL(int, fsync, int);
    char path[PATH_MAX];
    if (slow && name_of(fd, path) && below(path) && (strstr(path, "/.state.") || strstr(path, "/.params.")))
        usleep((useconds_t)(slow * 1000));
    CALL(fd_counts(fd), SPACE | INTERRUPTED, fd);
}
int fdatasync(int fd)
{
    REAL(int, fdatasync, int);
    CALL(fd_counts(fd), SPACE | INTERRUPTED, fd);
}
int ftruncate(int fd, off_t n)
{
    REAL(int, ftruncate, int, off_t);
    CALL(fd_counts(fd), SPACE, fd, n);
}
int rename(const char *a, const char *b)
{
    REAL(int, rename, const char *, const char *);
    CALL(HERE(b), SPACE, a, b);
}
int renameat(int da, const char *a, int db, const char *b)
{
    REAL(int, renameat, int, const char *, int, const char *);
    CALL(AT(db, b), SPACE, da, a, db, b);
}
int link(const char *a, const char *b)
{
    REAL(int, link, const char *, const char *);
    CALL(HERE(b), SPACE, a, b);
}
int linkat(int da, const char *a, int db, const char *b, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int);
    CALL(AT(db, b), SPACE, da, a, db, b, flags);
}
int unlink(const char *a)
{
    REAL(int, unlink, const char *);
    CALL(HERE(a), NO_SPACE, a);
}
int unlinkat(int d, const char *a, int flags)
{
    REAL(int, unlinkat, int, const char *, int);
    CALL(AT(d, a), NO_SPACE, d, a, flags);
}
int symlink(const char *a, const char *b)
{
    REAL(int, symlink, const char *, const char *);
    CALL(HERE(b), SPACE, a, b);
}
int symlinkat(const char *a, int d, const char *b)
{
    REAL(int, symlinkat, const char *, int, const char *);
    CALL(AT(d, b), SPACE, a, d, b);
}
int mkdir(const char *a, mode_t m)
{
    REAL(int, mkdir, const char *, mode_t);
    CALL(HERE(a), SPACE, a, m);
}
int rmdir(const char *a)
{
    REAL(int, rmdir, const char *);
    CALL(HERE(a), NO_SPACE, a);
}
