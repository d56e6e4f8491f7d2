/* dir.c - folders and links. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

static int make_dir(const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
        char *dir = sk_path_dir(path);
        int failed = sk_fsync_dir(dir);
        free(dir);
        return failed;
    }
    if (errno == EEXIST) {
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        errno = ENOTDIR;
    }
    return sk_fail_errno("cannot make folder %s", path);
}

int sk_mkdir(const char *path)
{
    char *name = sk_xstrdup(path);
    size_t n = strlen(name);
    int failed = 0;
    while (n > 1 && name[n - 1] == '/')
        name[--n] = '\0';
    for (char *slash = strchr(name + (name[0] != '\0'), '/'); slash && !failed; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        /* Looked for first: a parent we may not write to is no error if it is there. */
        struct stat st;
        if (stat(name, &st) < 0 || !S_ISDIR(st.st_mode))
            failed = make_dir(name);
        *slash = '/';
    }
    if (!failed)
        failed = make_dir(name);
    free(name);
    return failed;
}

int sk_file_sweep(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return sk_fail_errno("cannot open folder %s", dir);
    int failed = 0;
    struct dirent *entry;
    while (!failed && (errno = 0, entry = readdir(d)) != NULL)
        if (sk_temp_is(entry->d_name) && unlinkat(dirfd(d), entry->d_name, 0) < 0 && errno != ENOENT)
            failed = sk_fail_errno("cannot remove %s/%s", dir, entry->d_name);
    if (!failed && errno)
        failed = sk_fail_errno("cannot read folder %s", dir);
    closedir(d);
    return failed;
}

int sk_link_replace(const char *target, const char *path)
{
    char now[PATH_MAX];
    ssize_t n = readlink(path, now, sizeof now);
    if (n >= 0 && (size_t)n == strlen(target) && memcmp(now, target, (size_t)n) == 0)
        return 0;
    char *temp = sk_temp_name(path), *dir = sk_path_dir(path);
    int failed = 0;
    if (symlink(target, temp) < 0) {
        failed = sk_fail_errno("cannot create link %s", path);
    } else if (rename(temp, path) < 0) {
        failed = sk_fail_errno("cannot replace link %s", path);
        unlink(temp);
    } else {
        failed = sk_fsync_dir(dir);
    }
    free(dir);
    free(temp);
    return failed;
}

/* Empties the folder that fd names (and closes fd); path is for messages. */
static int empty(int fd, const char *path)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        sk_fail_errno("cannot open folder %s", path);
        close(fd);
        return -1;
    }
    int failed = 0;
    struct dirent *entry;
    while (!failed && (errno = 0, entry = readdir(d)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        char *inside = sk_path_join(path, name);
        int sub = openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0)
            failed = empty(sub, inside);
        else if (errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
            failed = sk_fail_errno("cannot open folder %s", inside);
        if (!failed && unlinkat(dirfd(d), name, sub >= 0 ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
            failed = sk_fail_errno("cannot remove %s", inside);
        free(inside);
    }
    if (!failed && errno)
        failed = sk_fail_errno("cannot read folder %s", path);
    closedir(d);
    return failed;
}

int sk_remove_tree(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOTDIR || errno == ELOOP)
            return sk_file_remove(path);
        return errno == ENOENT ? 0 : sk_fail_errno("cannot open folder %s", path);
    }
    if (empty(fd, path) < 0)
        return -1;
    return rmdir(path) < 0 && errno != ENOENT ? sk_fail_errno("cannot remove folder %s", path) : 0;
}
