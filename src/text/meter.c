/* Rate and time left of a program that works through a text. */
#include <stdio.h>
#include "base/clock.h"
#include "base/msg.h"
#include "text/meter.h"

void sk_meter_start(struct sk_meter *m, const char *what)
{
    *m = (struct sk_meter){.what = what, .start = sk_now()};
}

void sk_meter_line(struct sk_meter *m, size_t bytes)
{
    m->taken += bytes + 1;
}

/* How much of the input's bytes have been read; 0: not known. */
static double share_read(const struct sk_lines *in, uint64_t taken)
{
    uint64_t consumed, size;
    sk_lines_progress(in, &consumed, &size);
    if (size == 0)
        return 0;
    if (taken > size)                /* compressed: a small file is read at once, which says nothing */
        return consumed < size ? (double)consumed / (double)size : 0;
    return (double)taken / (double)size;
}

void sk_meter_chunk(struct sk_meter *m, const struct sk_lines *in)
{
    m->before = m->after;
    m->after = share_read(in, m->taken);
}

double sk_meter_seconds(const struct sk_meter *m)
{
    return sk_now() - m->start;
}

void sk_meter_show(struct sk_meter *m, int64_t n, double part)
{
    enum { LEFT = 64 };
    double t = sk_now();
    if (!sk_live_wanted() || t - m->shown < 0.2)
        return;
    double lines = (double)(m->lines + n), seconds = t - m->start;
    double share = m->before + (m->after - m->before) * part;
    char left[LEFT] = "";
    if (share > 0 && share < 1) {
        long s = (long)(seconds * (1 - share) / share + 0.5);
        snprintf(left, sizeof left, ", %.0f%%, %ld:%02ld:%02ld left", 100 * share, s / 3600, s / 60 % 60, s % 60);
    }
    m->shown = t;
    sk_live("%.0f %s, %.1f/s%s", lines, m->what, lines / seconds, left);
}
