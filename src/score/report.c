/* report.c - lines of scores. */
#include <math.h>
#include <stdlib.h>
#include "score/bootstrap.h"
#include "score/report.h"

static void add_value(const struct sk_scoring *s, int measure, int width, double value, struct sk_str *out)
{
    sk_measure_name(&s->measure[measure], out);
    sk_str_printf(out, "\t%.*f", width, value);
}

/* Mean and sample standard deviation over systems. */
static void report_mean(const struct sk_scoring *s, const struct sk_report *r, struct sk_str *out)
{
    for (int k = 0; k < s->measures; k++) {
        double sum = 0, squares = 0;
        for (int h = 0; h < s->systems; h++)
            sum += sk_scoring_value(s, h, k);
        double mean = sum / s->systems;
        for (int h = 0; h < s->systems; h++)
            squares += pow(sk_scoring_value(s, h, k) - mean, 2);
        add_value(s, k, r->width, mean, out);
        if (s->systems > 1)
            sk_str_printf(out, "\tsd=%.*f\n", r->width, sqrt(squares / (s->systems - 1)));
        else
            sk_str_printf(out, "\tsd=-\n");
    }
}

void sk_report(const struct sk_scoring *s, const struct sk_report *r, struct sk_str *out)
{
    if (r->mean) {
        report_mean(s, r, out);
        return;
    }
    double *samples = r->samples > 0 ? sk_bootstrap(s, r->samples, r->seed, r->threads) : NULL;
    for (int h = 0; h < s->systems; h++)
        for (int k = 0; k < s->measures; k++) {
            add_value(s, k, r->width, sk_scoring_value(s, h, k), out);
            if (s->systems > 1)
                sk_str_printf(out, "\t%s", r->name[h]);
            if (samples) {
                double mean, half;
                const double *own = samples + (size_t)(h * s->measures + k) * (size_t)r->samples;
                sk_bootstrap_interval(own, r->samples, &mean, &half);
                sk_str_printf(out, "\tmean=%.*f\tci=%.*f", r->width, mean, r->width, half);
                if (r->paired && h > 0)
                    sk_str_printf(out, "\tp=%.4f",
                                  sk_bootstrap_p(own, samples + (size_t)k * (size_t)r->samples, r->samples,
                                                 sk_scoring_value(s, h, k) - sk_scoring_value(s, 0, k)));
            }
            sk_str_add(out, "\n", 1);
        }
    free(samples);
}
