/* claim.h - who evaluates which checkpoint: the kernel lock
 * eval/NNNNN.claim. It dies with its holder, so that nothing is left to clean
 * up, and two that both believe they hold it (a host that was cut off) do no
 * harm: what they publish is published by link.
 */
#ifndef SK_MODELDIR_CLAIM_H
#define SK_MODELDIR_CLAIM_H

/* Takes the claim of a checkpoint that is there (one on nothing would stay for
 * ever); makes eval/. The descriptor, or -1: errno EAGAIN, SK_EXIT_TEMP:
 * another holds it; others as they are. */
int sk_claim_take(const char *dir, int checkpoint);
void sk_claim_release(int claim);
/* Before publishing under it: 0, or -1 with SK_EXIT_TEMP if the file server
 * has given it away meanwhile. */
int sk_claim_fence(int claim, const char *dir, int checkpoint);
/* 1: somebody holds the claim of a checkpoint without a score; 0: nobody; -1. */
int sk_claim_any(const char *dir);
/* The lock of the trainer's files, DIR/lock. Evaluators, which hold it for an
 * instant, are waited for; a trainer for so many seconds: one that was killed
 * may take a moment to go. The descriptor; -1: EAGAIN, SK_EXIT_TEMP if a trainer
 * holds it; others as they are. */
int sk_claim_trainer(const char *dir, double seconds);
#endif
