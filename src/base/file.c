#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include "base/mem.h"
#include "base/msg.h"

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return sk_xstrdup(".");
    return slash == path ? sk_xstrdup("/") : sk_xstrndup(path, (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* DIR/.NAME.UUID.tmp */
static char *temp_of(const char *path)
{
    uuid_t u;
    char id[37];
    uuid_generate(u);
    uuid_unparse_lower(u, id);
    char *dir = dir_of(path), *temp = sk_xprintf("%s/.%.150s.%s.tmp", dir, name_of(path), id);
    free(dir);
    return temp;
}

char *sk_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return sk_xprintf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

int sk_write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) {
            if (w == 0) errno = ENOSPC;
            return sk_fail_errno("cannot write");
        }
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int sk_file_create(struct sk_file *f, const char *path)
{
    *f = (struct sk_file){.path = sk_xstrdup(path), .temp = temp_of(path), .fd = -1};
    f->fd = open(f->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd >= 0) return 0;
    int e = errno;
    free(f->path);
    free(f->temp);
    *f = (struct sk_file){.fd = -1};
    errno = e;
    return sk_fail_errno("%s: cannot create a file beside it", path);
}

int sk_file_write(struct sk_file *f, const void *bytes, size_t n)
{
    if (sk_write_all(f->fd, bytes, n)) return sk_fail_prefix("%s: ", f->path);
    f->written += n;
    return 0;
}

int sk_file_printf(struct sk_file *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    SK_ENSURE(n >= 0);
    int r = sk_file_write(f, text, (size_t)n);
    free(text);
    return r;
}

void sk_file_abandon(struct sk_file *f)
{
    if (f->fd >= 0) close(f->fd);
    if (f->temp) unlink(f->temp);
    free(f->path);
    free(f->temp);
    *f = (struct sk_file){.fd = -1};
}

int sk_fsync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return sk_fail_errno("%s", dir);
    int r = fsync(fd);
    /* Some file systems have nothing to do for folders and say EINVAL. */
    if (r && errno != EINVAL && errno != ENOTSUP) sk_fail_errno("%s: fsync", dir);
    else r = 0;
    close(fd);
    return r;
}

static int same_content(const char *a, const char *b)
{
    enum { CHUNK = 1 << 16 };
    FILE *f = fopen(a, "re"), *g = fopen(b, "re");
    char *x = sk_xmalloc(CHUNK), *y = sk_xmalloc(CHUNK);
    int same = f && g;
    while (same) {
        size_t n = fread(x, 1, CHUNK, f), m = fread(y, 1, CHUNK, g);
        if (n != m || memcmp(x, y, n) || ferror(f) || ferror(g)) same = 0;
        else if (!n) break;
    }
    if (f) fclose(f);
    if (g) fclose(g);
    free(x);
    free(y);
    return same;
}

/* link(2): the first one wins. Over NFS a reply can get lost, so after an
 * error the link count of our own file decides. */
static int publish(struct sk_file *f)
{
    struct stat st;
    if (link(f->temp, f->path) == 0) return 0;
    int e = errno;
    if (e == EEXIST) {
        if (fstat(f->fd, &st) == 0 && st.st_nlink == 2) return 0;
        if (same_content(f->temp, f->path)) return 1;
        return sk_fail(SK_EXIT_TEMP, "%s: another process has published a different file under this name", f->path);
    }
    if (e == EPERM || e == ENOTSUP || e == ENOSYS || e == EMLINK) {
        int there = sk_file_exists(f->path);
        if (there < 0) return -1;
        if (there)
            return same_content(f->temp, f->path) ? 1 : sk_fail(SK_EXIT_TEMP,
                "%s: another process has published a different file under this name", f->path);
        if (rename(f->temp, f->path) == 0) return 0;
        e = errno;
    }
    errno = e;
    return sk_fail_errno("%s: cannot publish", f->path);
}

int sk_file_commit(struct sk_file *f, enum sk_commit how)
{
    int r = 0;
    char *dir = dir_of(f->path);
    if (fsync(f->fd) && errno != EINVAL) r = sk_fail_errno("%s: fsync", f->path);
    if (!r && how == SK_PUBLISH) {
        r = publish(f);
    } else if (!r) {
        r = rename(f->temp, f->path);
        if (r) sk_fail_errno("%s: cannot rename a finished file to this name", f->path);
    }
    if (close(f->fd) && r >= 0) r = sk_fail_errno("%s: close", f->path);
    f->fd = -1;
    if (how == SK_PUBLISH || r) unlink(f->temp);
    if (r >= 0 && sk_fsync_dir(dir)) r = -1;
    free(dir);
    sk_file_abandon(f);
    return r;
}

int sk_file_save(const char *path, const void *bytes, size_t n, enum sk_commit how)
{
    struct sk_file f;
    if (sk_file_create(&f, path)) return -1;
    if (sk_file_write(&f, bytes, n)) {
        sk_file_abandon(&f);
        return -1;
    }
    return sk_file_commit(&f, how);
}

char *sk_file_load(const char *path, size_t limit, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        sk_fail_errno("%s", path);
        return NULL;
    }
    struct sk_str s = {0};
    char *buffer = sk_xmalloc(1 << 16);
    ssize_t r;
    sk_str_add(&s, "", 0);
    while ((r = read(fd, buffer, 1 << 16)) != 0) {
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) {
            sk_fail_errno("%s: cannot read", path);
            break;
        }
        if (s.len + (size_t)r > limit) {
            sk_fail(SK_EXIT_DATA, "%s: larger than the %zu bytes such a file can have", path, limit);
            r = -1;
            break;
        }
        sk_str_add(&s, buffer, (size_t)r);
    }
    free(buffer);
    close(fd);
    if (r < 0) {
        sk_str_free(&s);
        return NULL;
    }
    if (n) *n = s.len;
    return s.text;
}

int sk_file_exists(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        close(fd);
        return 1;
    }
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    return sk_fail_errno("%s", path);
}

int sk_file_remove(const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT) return 0;
    return sk_fail_errno("%s: cannot remove", path);
}

int sk_mkdir(const char *path)
{
    if (mkdir(path, 0777) == 0) return 0;
    if (errno == ENOENT && strchr(path, '/')) {
        char *parent = dir_of(path);
        int r = strcmp(parent, path) ? sk_mkdir(parent) : -1;
        free(parent);
        if (r) return -1;
        if (mkdir(path, 0777) == 0) return 0;
    }
    if (errno == EEXIST) {
        DIR *d = opendir(path);
        if (d) {
            closedir(d);
            return 0;
        }
    }
    return sk_fail_errno("%s: cannot make this folder", path);
}

int sk_file_sweep(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d) return errno == ENOENT ? 0 : sk_fail_errno("%s", dir);
    int r = 0;
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (e->d_name[0] != '.' || n < 5 || strcmp(e->d_name + n - 4, ".tmp")) continue;
        char *path = sk_path_join(dir, e->d_name);
        if (sk_file_remove(path)) r = -1;
        free(path);
    }
    closedir(d);
    return r;
}

int sk_link_replace(const char *target, const char *path)
{
    char old[PATH_MAX];
    ssize_t n = readlink(path, old, sizeof old - 1);
    if (n >= 0 && (size_t)n == strlen(target) && !memcmp(old, target, (size_t)n)) return 0;
    char *temp = temp_of(path), *dir = dir_of(path);
    int r = symlink(target, temp);
    if (!r && (r = rename(temp, path))) {
        int e = errno;
        unlink(temp);
        errno = e;
    }
    if (r) sk_fail_errno("%s: cannot link to %s", path, target);
    else r = sk_fsync_dir(dir);
    free(temp);
    free(dir);
    return r;
}

static int remove_at(int parent, const char *name, const char *shown)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM) return sk_fail_errno("%s: cannot remove", shown);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        sk_fail_errno("%s: cannot remove", shown);
        if (fd >= 0) close(fd);
        return -1;
    }
    int r = 0;
    for (struct dirent *e; !r && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *path = sk_path_join(shown, e->d_name);
        r = remove_at(fd, e->d_name, path);
        free(path);
    }
    closedir(d);
    if (!r && unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT) r = sk_fail_errno("%s: cannot remove", shown);
    return r;
}

int sk_remove_tree(const char *path) { return remove_at(AT_FDCWD, path, path); }
