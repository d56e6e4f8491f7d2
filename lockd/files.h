/* files.h - the lock files of a host; private to this folder. README.md here
 * describes the protocol.
 *
 * A lock directory holds, for each GPU that was ever wanted, `sk-gpu.NAME`,
 * and `sk-gpu.queue`. They are never removed. All locks are open file
 * description locks (F_OFD_SETLK) on single bytes.
 */
#ifndef SK_LOCKD_FILES_H
#define SK_LOCKD_FILES_H
#include <stddef.h>
#include <stdint.h>

/* Bytes of a GPU's file: the GPU itself; from 1 on, tickets that wait for it.
 * Of the queue's file: whoever draws a ticket; from 1 on, all tickets. */
enum { SK_BYTE_GPU = 0, SK_BYTE_DRAW = 0 };

/* The directory: dir, else SK_LOCK_DIR, else /run/lock, /dev/shm, /tmp,
 * the first that is there. Malloced; NULL (sk_fail) if it is no folder that
 * all may write to and nobody may remove others' files from (mode 1777), or
 * owned by the caller alone. A dir that was named and is missing is made. */
char *sk_lock_dir(const char *dir);

/* Opens (makes, if create) a lock file of the directory: its descriptor,
 * close-on-exec; -1 (sk_fail; absent and not create: errno ENOENT). Links and
 * what is no plain file are refused. */
int sk_lock_file(const char *dir, const char *name, int create);

/* Locks a byte exclusively without waiting. 1, 0 if somebody else holds it,
 * -1 (sk_fail). */
int sk_byte_lock(int fd, int64_t byte);
void sk_byte_unlock(int fd, int64_t byte);
/* Is any byte of [first, last] locked by others? 1, 0. last -1: to the end. */
int sk_byte_held(int fd, int64_t first, int64_t last);
/* The highest byte from `first` on that others hold; first - 1 if none. */
int64_t sk_byte_highest(int fd, int64_t first);
/* How many locks others hold from there on; at most `most` are counted. */
int sk_byte_count(int fd, int64_t first, int most);

/* Who took a GPU, for people: written to and read from its file. Nobody acts on it. */
struct sk_lock_note { long pid; char host[80], user[48], since[24], command[200]; };
void sk_lock_sign(int fd, char *const *command);
/* Whatever the file holds, as printable text; 0, or -1 if it is no note. */
int sk_lock_note(int fd, struct sk_lock_note *note);
#endif
