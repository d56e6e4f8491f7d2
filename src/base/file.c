/* file.c - files that are whole or absent. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/msg.h"

enum { BUFFER = 1 << 16 };

static int close_fd(int fd)
{
    /* On Linux the descriptor is gone even after EINTR. */
    return close(fd) < 0 && errno != EINTR ? -1 : 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

int sk_write_all(int fd, const void *bytes, size_t n)
{
    if (write_all(fd, bytes, n) == 0)
        return 0;
    return fd == STDOUT_FILENO ? sk_fail_errno("cannot write to standard output")
                               : sk_fail_errno("cannot write to descriptor %d", fd);
}

int sk_file_create(struct sk_file *f, const char *path)
{
    *f = (struct sk_file){.fd = -1};
    struct stat there, name;
    int known = stat(path, &there) == 0;
    if (known && S_ISDIR(there.st_mode))
        return sk_fail(SK_EXIT_NOINPUT, "cannot write %s: it is a folder", path);
    if (known && !S_ISREG(there.st_mode)) {
        f->path = sk_xstrdup(path);
        f->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        if (known && lstat(path, &name) == 0 && S_ISLNK(name.st_mode))
            f->path = realpath(path, NULL);
        if (!f->path)
            f->path = sk_xstrdup(path);
        f->fd = sk_temp_create(f->path, &f->temp);
    }
    if (f->fd < 0) {
        sk_fail_errno("cannot create %s", path);
        free(f->path);
        *f = (struct sk_file){.fd = -1};
        return -1;
    }
    f->buffer = sk_xmalloc(BUFFER);
    return 0;
}

int sk_file_flush(struct sk_file *f)
{
    size_t n = f->buffered;
    f->buffered = 0;
    return write_all(f->fd, f->buffer, n) < 0 ? sk_fail_errno("cannot write %s", f->path) : 0;
}

int sk_file_write(struct sk_file *f, const void *bytes, size_t n)
{
    f->written += n;
    if (f->buffered + n > BUFFER && sk_file_flush(f) < 0)
        return -1;
    if (n >= BUFFER)
        return write_all(f->fd, bytes, n) < 0 ? sk_fail_errno("cannot write %s", f->path) : 0;
    if (n > 0)
        memcpy(f->buffer + f->buffered, bytes, n);
    f->buffered += n;
    return 0;
}

int sk_file_patch(struct sk_file *f, const void *bytes, size_t n, uint64_t at)
{
    const char *p = bytes;
    if (sk_file_flush(f) < 0)
        return -1;
    while (n > 0) {
        ssize_t put = pwrite(f->fd, p, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return sk_fail_errno("cannot write %s", f->path);
        p += put;
        n -= (size_t)put;
        at += (uint64_t)put;
    }
    return 0;
}

int sk_file_printf(struct sk_file *f, const char *fmt, ...)
{
    va_list args;
    char *text;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        sk_out_of_memory(strlen(fmt));
    int failed = sk_file_write(f, text, (size_t)n);
    free(text);
    return failed;
}

/* Reads up to n bytes, fewer only at the end. */
static ssize_t read_all(int fd, char *bytes, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, bytes + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* 1 if both files have the same bytes, 0 if not, -1 on errors. */
static int same_content(const char *a, const char *b)
{
    int fd[2] = {sk_file_open(a), -1}, same = -1;
    char *bytes = sk_xmalloc(2 * BUFFER);
    if (fd[0] >= 0 && (fd[1] = sk_file_open(b)) >= 0) {
        ssize_t n;
        do {
            n = read_all(fd[0], bytes, BUFFER);
            ssize_t m = n < 0 ? -1 : read_all(fd[1], bytes + BUFFER, BUFFER);
            if (n < 0 || m < 0) {
                sk_fail_errno("cannot read %s", n < 0 ? a : b);
                same = -1;
                break;
            }
            same = n == m && memcmp(bytes, bytes + BUFFER, (size_t)n) == 0;
        } while (same && n == BUFFER);
    }
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    free(bytes);
    return same;
}

/* The name is taken. By this very file, if an answer of the file server was
 * lost and the request repeated; or by another's. */
static int settle(const struct sk_file *f)
{
    struct stat ours, theirs;
    if (stat(f->temp, &ours) == 0 && stat(f->path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
        ours.st_dev == theirs.st_dev)
        return 0;
    int same = same_content(f->temp, f->path);
    if (same == 0)
        return sk_fail(SK_EXIT_TEMP, "%s exists already with other content: another process writes here", f->path);
    return same;
}

static int publish(const struct sk_file *f)
{
    if (link(f->temp, f->path) == 0)
        return 0;
    if (errno == EEXIST)
        return settle(f);
    if (errno == EPERM || errno == ENOTSUP || errno == ENOSYS) {
        int exists = sk_file_exists(f->path);
        if (exists != 0)
            return exists < 0 ? -1 : settle(f);
        if (rename(f->temp, f->path) == 0)
            return 0;
    }
    return sk_fail_errno("cannot create %s", f->path);
}

/* A file system that cannot sync has nothing to lose. */
static int sync_fd(int fd)
{
    while (fsync(fd) < 0)
        if (errno != EINTR)
            return errno == EINVAL || errno == EROFS || errno == ENOTSUP ? 0 : -1;
    return 0;
}

int sk_fsync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sk_fail_errno("cannot open %s", dir);
    int failed = sync_fd(fd) < 0 ? sk_fail_errno("cannot write folder %s", dir) : 0;
    close(fd);
    return failed;
}

static void release(struct sk_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    if (f->temp)
        sk_temp_release(f->temp);
    free(f->path);
    free(f->temp);
    free(f->buffer);
    *f = (struct sk_file){.fd = -1};
}

int sk_file_commit(struct sk_file *f, enum sk_commit how)
{
    int result = sk_file_flush(f);
    if (result == 0 && f->temp && sync_fd(f->fd) < 0)
        result = sk_fail_errno("cannot write %s", f->path);
    int fd = f->fd;
    f->fd = -1;
    if (close_fd(fd) < 0 && result == 0)
        result = sk_fail_errno("cannot write %s", f->path);
    if (f->temp) {
        if (result == 0 && how == SK_PUBLISH)
            result = publish(f);
        else if (result == 0 && rename(f->temp, f->path) < 0)
            result = sk_fail_errno("cannot replace %s", f->path);
        /* After a rename it is gone; after a failure only space is at stake. */
        if (how == SK_PUBLISH || result < 0)
            unlink(f->temp);
        if (result >= 0) {
            char *dir = sk_path_dir(f->path);
            if (sk_fsync_dir(dir) < 0)
                result = -1;
            free(dir);
        }
    }
    release(f);
    return result;
}

void sk_file_abandon(struct sk_file *f)
{
    if (f->temp)
        unlink(f->temp);
    release(f);
}

int sk_file_save(const char *path, const void *bytes, size_t n, enum sk_commit how)
{
    struct sk_file f;
    if (sk_file_create(&f, path) < 0)
        return -1;
    if (sk_file_write(&f, bytes, n) < 0) {
        sk_file_abandon(&f);
        return -1;
    }
    return sk_file_commit(&f, how);
}

static char *load_failed(const char *path, size_t limit, char *text, int fd)
{
    sk_fail(SK_EXIT_DATA, "%s is too large: more than %zu bytes are no sensible size for it", path, limit);
    free(text);
    close(fd);
    return NULL;
}

int sk_file_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sk_fail_errno("cannot open %s", path);
    if (fstat(fd, &st) < 0)
        sk_fail_errno("cannot read %s", path);
    else if (S_ISREG(st.st_mode))
        return fd;
    else
        sk_fail(SK_EXIT_NOINPUT, "%s is no plain file", path);
    close(fd);
    return -1;
}

int sk_file_check_plain(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : sk_fail_errno("%s", path);
    return S_ISREG(st.st_mode) ? 0 : sk_fail(SK_EXIT_NOINPUT, "%s is no plain file", path);
}

/* From a descriptor, which it closes. */
static char *load(int fd, const char *path, size_t limit, size_t *n)
{
    if (fd < 0)
        return NULL;
    struct stat st;
    size_t expected = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 0;
    if (expected > limit)
        return load_failed(path, limit, NULL, fd);
    /* One byte more than expected shows the end; /proc and pipes tell no size. */
    size_t cap = expected ? expected + 1 : BUFFER, have = 0;
    char *text = sk_xmalloc(cap + 1);
    for (;;) {
        ssize_t got = read_all(fd, text + have, cap - have);
        if (got < 0) {
            sk_fail_errno("cannot read %s", path);
            free(text);
            close(fd);
            return NULL;
        }
        have += (size_t)got;
        if (have > limit)
            return load_failed(path, limit, text, fd);
        if (have < cap)
            break;
        cap *= 2;
        text = sk_xrealloc(text, cap + 1, 1);
    }
    close(fd);
    text[have] = '\0';
    if (n)
        *n = have;
    return text;
}

char *sk_file_load(const char *path, size_t limit, size_t *n)
{
    return load(sk_file_open(path), path, limit, n);
}

char *sk_file_load_any(const char *path, size_t limit, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        sk_fail_errno("cannot open %s", path);
    return load(fd, path, limit, n);
}

int sk_file_exists(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return 1;
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    return sk_fail_errno("cannot open %s", path);
}

int sk_file_remove(const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    return sk_fail_errno("cannot remove %s", path);
}
