/* file.h - files that are whole or absent, and kernel locks.
 *
 * Writing: sk_file_create opens DIR/.NAME.UUID.tmp; writes are buffered;
 * sk_file_commit does write-out, fsync, close, then rename (SK_REPLACE) or link (SK_PUBLISH: the
 * first one wins) to NAME, then fsync of the folder. A crash leaves either
 * the old file or the new one; what it left under a temporary name is swept
 * by sk_file_sweep of the program that holds the folder's lock.
 *
 * A path that is a symbolic link means the file it points to. What is no
 * regular file (/dev/stdout, a pipe) is written directly.
 *
 * Every descriptor is close-on-exec. EINTR and short writes are handled.
 */
#ifndef SK_BASE_FILE_H
#define SK_BASE_FILE_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/path.h"

enum sk_commit { SK_REPLACE, SK_PUBLISH };
struct sk_file { char *path, *temp, *buffer; size_t buffered; int fd; uint64_t written; };

/* 0 or -1 (sk_fail). */
int sk_file_create(struct sk_file *f, const char *path);
int sk_file_write(struct sk_file *f, const void *bytes, size_t n);
/* Overwrites what was written before at offset `at` (a header whose values are
 * known only at the end). */
int sk_file_patch(struct sk_file *f, const void *bytes, size_t n, uint64_t at);
/* Hands what is buffered to the system: before pwrite(2) on f->fd, or when
 * somebody waits at the other end of a pipe. */
int sk_file_flush(struct sk_file *f);
/* 0; 1 if SK_PUBLISH found another file with equal content under the name
 * (agreement); -1 with SK_EXIT_TEMP if its content differs, or on errors.
 * The temporary is removed in every case. A file system without link(2)
 * (EPERM, ENOTSUP) gets rename after a check for existence. */
int sk_file_commit(struct sk_file *f, enum sk_commit how);
void sk_file_abandon(struct sk_file *f);
/* create + write + commit of a whole buffer. */
int sk_file_save(const char *path, const void *bytes, size_t n, enum sk_commit how);

/* Opens a plain file for reading: its descriptor, or -1; anything else (a pipe,
 * for which one would wait) is SK_EXIT_NOINPUT. */
int sk_file_open(const char *path);
/* 0 if it is a plain file, or absent; else -1, as above. */
int sk_file_check_plain(const char *path);
/* Whole plain file into memory (terminated by a 0 that n does not count); at
 * most limit bytes, else -1 with SK_EXIT_DATA. Missing file: SK_EXIT_NOINPUT. */
char *sk_file_load(const char *path, size_t limit, size_t *n);
/* The same of whatever can be read. */
char *sk_file_load_any(const char *path, size_t limit, size_t *n);
/* 1 if there, 0 if absent, -1 on errors: by open, never by stat (NFS). */
int sk_file_exists(const char *path);
int sk_file_remove(const char *path);          /* absent is success */
int sk_fsync_dir(const char *dir);
int sk_mkdir(const char *path);                /* exists is success; makes parents */
/* Removes temporaries (.*.tmp) in a folder whose lock the caller holds. */
int sk_file_sweep(const char *dir);
/* Programs without a folder of their own, which nobody would sweep: SIGTERM,
 * SIGINT and SIGHUP remove their temporaries, then end them; what a kill left is
 * removed when a program writes the same file again. (guard.c) */
void sk_temp_catch_signals(void);
/* For sk_file: opens DIR/.NAME.UUID.tmp, whose name is malloced in *temp, to be
 * removed by signals until it is released; -1: errno. */
int sk_temp_create(const char *path, char **temp);
void sk_temp_release(const char *path);
/* Atomically makes or moves the relative symbolic link PATH -> TARGET. */
int sk_link_replace(const char *target, const char *path);
/* Removes a folder and all in it. */
int sk_remove_tree(const char *path);

/* Open-file-description lock on a file that is created if absent and never
 * removed. Returns the descriptor, or -1: errno EAGAIN with SK_EXIT_TEMP if
 * somebody else holds it (the message quotes the file's text: who), other
 * errors as they are; a file system without locks says so. The holder's pid,
 * host, time and program are written into it for humans.
 * The lock dies with its last descriptor. */
int sk_lock_take(const char *path);
void sk_lock_release(int fd);
/* Is it still ours? A host that was cut off from a file server keeps a lock that
 * others may have by now. 0; -1: errno EIO, it was lost. */
int sk_lock_fence(int fd);
/* Does somebody hold that lock? 1: yes, and who (its text) malloced in *who;
 * 0: no; -1 (sk_fail). An absent file is not locked. */
int sk_lock_held(const char *path, char **who);

/* printf on a commit-able file. */
int sk_file_printf(struct sk_file *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes all of it to a descriptor (stdout): 0 or -1. */
int sk_write_all(int fd, const void *bytes, size_t n);
#endif
