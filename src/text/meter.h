/* What a program that works through a text shows on a terminal: lines done, rate, share of the input and time left. */
#ifndef SK_TEXT_METER_H
#define SK_TEXT_METER_H
#include <stdint.h>
#include "text/lines.h"

struct sk_meter {
    const char *what;                /* "lines translated" */
    double start, shown;             /* by sk_now() */
    int64_t lines;                   /* finished, the chunk in work not counted */
    uint64_t taken;                  /* bytes of lines handed out */
    double before, after;            /* share of the input up to the chunk in work, and with it; 0: not known */
};

void sk_meter_start(struct sk_meter *m, const char *what);
/* A line of so many bytes was read; a chunk of lines has been read and is taken up; of it, n lines, a share is done. */
void sk_meter_line(struct sk_meter *m, size_t bytes);
void sk_meter_chunk(struct sk_meter *m, const struct sk_lines *in);
void sk_meter_show(struct sk_meter *m, int64_t n, double share);
double sk_meter_seconds(const struct sk_meter *m);

#endif
