/* preload_kill.c - LD_PRELOAD: ends the process by SIGKILL at its n-th call
 * that changes files below a folder.
 *
 * Counted: write, pwrite, fsync, fdatasync, rename, link, unlink, symlink,
 * mkdir, rmdir, ftruncate (and their *at forms), when the path or descriptor
 * is below $SK_KILL_UNDER.
 *   SK_KILL_AT=n         die before the n-th call (from 1); a write puts half
 *                        of its bytes first
 *   SK_KILL_FAIL=n:errno the n-th call fails with this number instead (and
 *                        every later one that writes, as on a full disk)
 *   SK_KILL_SLOW=ms      fsync of a checkpoint's files takes so long, as on a slow disk
 *   SK_KILL_COUNT=FILE   write the number of calls there at exit
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
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;
static char under[PATH_MAX];
static long kill_at, fail_at, slow;
static int fail_errno;
static const char *count_file;

static __attribute__((constructor)) void begin(void)
{
    const char *s = getenv("SK_KILL_UNDER");
    if (s && !realpath(s, under)) snprintf(under, sizeof under, "%s", s);
    if ((s = getenv("SK_KILL_AT"))) kill_at = atol(s);
    if ((s = getenv("SK_KILL_FAIL"))) sscanf(s, "%ld:%d", &fail_at, &fail_errno);
    if ((s = getenv("SK_KILL_SLOW"))) slow = atol(s);
    count_file = getenv("SK_KILL_COUNT");
}

static __attribute__((destructor)) void end(void)
{
    if (!count_file) return;
    FILE *f = fopen(count_file, "w");
    if (f) {
        fprintf(f, "%ld\n", atomic_load(&calls));
        fclose(f);
    }
}

static int below(const char *path)
{
    size_t n = strlen(under);
    return n && !strncmp(path, under, n) && (path[n] == '/' || !path[n]);
}

static int path_counts(int dir, const char *path)
{
    char full[2 * PATH_MAX], base[PATH_MAX];
    if (path[0] == '/') return below(path);
    if (dir == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n < 0) return 0;
        base[n] = 0;
    }
    snprintf(full, sizeof full, "%s/%s", base, path);
    return below(full);
}

static int fd_counts(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return below(path);
}

/* 1: this call is to fail with errno set. Does not return where it kills. */
static int turn(int counts, int writes, int fd, const void *bytes, size_t n)
{
    if (!counts) return 0;
    long c = atomic_fetch_add(&calls, 1) + 1;
    if (kill_at && c == kill_at) {
        if (bytes && n > 1) {
            ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
            if (real(fd, bytes, n / 2) < 0) _exit(99);
        }
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (fail_at && (c == fail_at || (c > fail_at && writes))) {
        errno = fail_errno;
        return 1;
    }
    return 0;
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *b, size_t n)
{
    REAL(ssize_t, write, int, const void *, size_t);
    return turn(fd_counts(fd), 1, fd, b, n) ? -1 : real(fd, b, n);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at)
{
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return turn(fd_counts(fd), 1, fd, NULL, 0) ? -1 : real(fd, b, n, at);
}
int fsync(int fd)
{
    REAL(int, fsync, int);
    char link[64], path[PATH_MAX];
    if (slow) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        path[n < 0 ? 0 : n] = 0;
        if (below(path) && (strstr(path, "/.state.") || strstr(path, "/.params."))) usleep((useconds_t)(slow * 1000));
    }
    return turn(fd_counts(fd), 1, fd, NULL, 0) ? -1 : real(fd);
}
int fdatasync(int fd)
{
    REAL(int, fdatasync, int);
    return turn(fd_counts(fd), 1, fd, NULL, 0) ? -1 : real(fd);
}
int ftruncate(int fd, off_t n)
{
    REAL(int, ftruncate, int, off_t);
    return turn(fd_counts(fd), 1, fd, NULL, 0) ? -1 : real(fd, n);
}
int rename(const char *a, const char *b)
{
    REAL(int, rename, const char *, const char *);
    return turn(path_counts(AT_FDCWD, b), 0, -1, NULL, 0) ? -1 : real(a, b);
}
int renameat(int da, const char *a, int db, const char *b)
{
    REAL(int, renameat, int, const char *, int, const char *);
    return turn(path_counts(db, b), 0, -1, NULL, 0) ? -1 : real(da, a, db, b);
}
int link(const char *a, const char *b)
{
    REAL(int, link, const char *, const char *);
    return turn(path_counts(AT_FDCWD, b), 0, -1, NULL, 0) ? -1 : real(a, b);
}
int linkat(int da, const char *a, int db, const char *b, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int);
    return turn(path_counts(db, b), 0, -1, NULL, 0) ? -1 : real(da, a, db, b, flags);
}
int unlink(const char *a)
{
    REAL(int, unlink, const char *);
    return turn(path_counts(AT_FDCWD, a), 0, -1, NULL, 0) ? -1 : real(a);
}
int unlinkat(int d, const char *a, int flags)
{
    REAL(int, unlinkat, int, const char *, int);
    return turn(path_counts(d, a), 0, -1, NULL, 0) ? -1 : real(d, a, flags);
}
int symlink(const char *a, const char *b)
{
    REAL(int, symlink, const char *, const char *);
    return turn(path_counts(AT_FDCWD, b), 0, -1, NULL, 0) ? -1 : real(a, b);
}
int symlinkat(const char *a, int d, const char *b)
{
    REAL(int, symlinkat, const char *, int, const char *);
    return turn(path_counts(d, b), 0, -1, NULL, 0) ? -1 : real(a, d, b);
}
int mkdir(const char *a, mode_t m)
{
    REAL(int, mkdir, const char *, mode_t);
    return turn(path_counts(AT_FDCWD, a), 0, -1, NULL, 0) ? -1 : real(a, m);
}
int rmdir(const char *a)
{
    REAL(int, rmdir, const char *);
    return turn(path_counts(AT_FDCWD, a), 0, -1, NULL, 0) ? -1 : real(a);
}
