/* locks.c - what stands in locks and claims, and in those of GPUs, is for people: any
 * bytes may. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "lockd/files.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    const char *path = fuzz_file("lock", bytes, n);
    struct sk_lock_note note;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *who;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &whole) < 0 || sk_lock_held(path, &who) != 1)
        abort();
    for (const char *c = who; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            abort();
    free(who);
    if (sk_lock_take(path) >= 0)
        abort();
    sk_lock_note(fd, &note);
    close(fd);
}
const struct fuzz_target fuzz_locks = {"locks", run};
