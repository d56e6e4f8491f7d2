/* scan.h - what a model directory holds at this moment, by listing it and its
 * eval/ anew: on a network file system a name that was looked up in vain stays
 * absent for long, but not to who lists its folder.
 */
#ifndef SK_MODELDIR_SCAN_H
#define SK_MODELDIR_SCAN_H

struct sk_numbers { int *v, n; };            /* ascending */
struct sk_scan {
    int there;                               /* the folder exists */
    int finished, metrics, config, eval;     /* these names do */
    struct sk_numbers params;                /* checkpoints */
    struct sk_numbers scored;                /* eval/NNNNN.json */
    struct sk_numbers claims;                /* eval/NNNNN.claim, held or not */
    struct sk_numbers values;                /* eval/NNNNN.values */
};
/* 0, also if there is no such folder; -1 (sk_fail). */
int sk_scan_read(struct sk_scan *s, const char *dir);
void sk_scan_free(struct sk_scan *s);
int sk_numbers_have(const struct sk_numbers *all, int number);
#endif
