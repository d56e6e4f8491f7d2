/* guard.c - temporaries go when a signal ends the program, and those of programs
 * that were killed when the same file is written again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* The handler reads these: no memory that could be freed meanwhile. */
enum { SLOTS = 32, FREE = 0, FILLING, GUARDED };
static struct { atomic_int state; char path[PATH_MAX]; } slot[SLOTS];

static void guard(const char *path)
{
    for (int i = 0; i < SLOTS; i++) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&slot[i].state, &expected, FILLING))
            continue;
        int fits = snprintf(slot[i].path, PATH_MAX, "%s", path) < PATH_MAX;
        atomic_store(&slot[i].state, fits ? GUARDED : FREE);
        return;
    }
}

void sk_temp_release(const char *path)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slot[i].state) == GUARDED && strcmp(slot[i].path, path) == 0) {
            atomic_store(&slot[i].state, FREE);
            return;
        }
}

/* --- temporaries of the dead ----------------------------------------------------- */

/* Programs without a folder of their own lock what they write: what nobody has
 * locked is of one that was killed. */
static int alone;

/* 0: ours now; else somebody has it, or the file system has no locks. */
static int lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole);
}

static void sweep_dead(const char *path)
{
    char *dir = sk_path_dir(path), *like = sk_temp_name(path);
    const char *slash = strrchr(like, '/'), *model = slash ? slash + 1 : like;
    size_t length = strlen(model), same = strlen(path) - (size_t)(model - like) + 2;   /* .NAME. */
    DIR *d = opendir(dir);
    struct dirent *entry;
    while (d && (entry = readdir(d)) != NULL) {
        const char *name = entry->d_name;
        if (strlen(name) != length || strncmp(name, model, same) != 0 || !sk_temp_is(name))
            continue;
        int fd = openat(dirfd(d), name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0 && lock(fd) == 0)
            unlinkat(dirfd(d), name, 0);
        if (fd >= 0)
            close(fd);
    }
    if (d)
        closedir(d);
    free(dir);
    free(like);
}

/* Another's sweep may come between our open and our lock. */
static int swept(int fd)
{
    struct stat st;
    return lock(fd) < 0 ? errno == EAGAIN || errno == EACCES : fstat(fd, &st) == 0 && st.st_nlink == 0;
}

int sk_temp_create(const char *path, char **temp)
{
    if (alone)
        sweep_dead(path);
    for (;;) {
        *temp = sk_temp_name(path);
        guard(*temp);
        int fd = open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), number = errno;
        if (fd >= 0 && (!alone || !swept(fd)))
            return fd;
        if (fd >= 0)
            close(fd);
        sk_temp_release(*temp);
        free(*temp);
        *temp = NULL;
        errno = number;
        if (fd < 0)
            return -1;
    }
}

/* --- signals ----------------------------------------------------------------------- */

static void end(int number)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slot[i].state) == GUARDED)
            unlink(slot[i].path);
    /* SA_RESETHAND: now it ends us. */
    raise(number);
}

void sk_temp_catch_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction before, action = {.sa_handler = end, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    alone = 1;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        /* What nohup or a shell made us ignore stays ignored. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}
