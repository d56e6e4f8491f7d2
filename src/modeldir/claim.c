/* claim.c - kernel locks on checkpoints. */
#include "modeldir/claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "modeldir/scan.h"

int sk_claim_take(const char *dir, int checkpoint)
{
    char *folder = sk_path_join(dir, SK_MD_EVAL), *path = sk_md_eval(dir, checkpoint, "claim");
    int claim = sk_mkdir(folder) == 0 ? sk_lock_take(path) : (errno = 0, -1), number = errno;
    free(folder);
    free(path);
    errno = number;
    return claim;
}

void sk_claim_release(int claim)
{
    sk_lock_release(claim);
}

int sk_claim_fence(int claim, const char *dir, int checkpoint)
{
    if (sk_lock_fence(claim) < 0)
        return sk_fail(SK_EXIT_TEMP, "%s: the claim of checkpoint %d was lost: this host was cut off from the file "
                       "server", dir, checkpoint);
    return 0;
}

int sk_claim_any(const char *dir)
{
    struct sk_scan s;
    if (sk_scan_read(&s, dir) < 0)
        return -1;
    int held = 0;
    for (int i = s.claims.n - 1; i >= 0 && !held; i--) {
        if (sk_numbers_have(&s.scored, s.claims.v[i]))
            continue;
        char *path = sk_md_eval(dir, s.claims.v[i], "claim"), *who;
        held = sk_lock_held(path, &who) > 0;
        free(who);
        free(path);
    }
    sk_scan_free(&s);
    return held;
}

int sk_claim_trainer(const char *dir, double seconds)
{
    static const struct timespec instant = {.tv_nsec = 10000000};
    enum { PATIENCE = 500 };
    char *path = sk_path_join(dir, SK_MD_LOCK);
    int lock, number, trainer = 0;
    for (int tries = 0;; tries++) {
        lock = sk_lock_take(path);
        number = errno;
        if (lock >= 0 || number != EAGAIN)
            break;
        /* For a moment the text may still be that of who had it before. */
        trainer = strstr(sk_fail_message(), " by sk-train") ? trainer + 1 : 0;
        if (trainer >= 100 * seconds || tries >= PATIENCE)
            break;
        nanosleep(&instant, NULL);
    }
    free(path);
    errno = number;
    return lock;
}
