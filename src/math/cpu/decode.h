/* decode.h - kernels of translating; private to this folder. */
#ifndef SK_MATH_CPU_DECODE_H
#define SK_MATH_CPU_DECODE_H
#include "math/cpu/device.h"

/* Keys of one sentence as columns, (D, n rounded up to 16), from rows k (n, D). */
SK_ISA_DECLARE(void, sk_keep_keys, (float *columns, const float *k, int D, int n));

/* m queries (D each) of one sentence over its n keys (as columns) and values
 * (n, D). s: scratch, SK_QUERIES * (n rounded up to 16) floats. */
enum { SK_QUERIES = 6 };                 /* queries side by side, at most */
SK_ISA_DECLARE(void, sk_attend_cross, (float *context, const float *q, int m, const float *columns,
                                       const float *values, int H, int D, int n, float *s));

/* One query over n cells (key | value, D floats each); cell: n pointers and
 * more up to the next multiple of 16. s: scratch of as many floats. */
SK_ISA_DECLARE(void, sk_attend_self, (float *context, const float *q, const float *const *cell, int H, int D, int n,
                                      float *s));

/* The best words of row r of what is asked for; x (V): its logits, or its log
 * probabilities if normal. What stands in x afterwards is not defined. */
SK_ISA_DECLARE(void, sk_top_row, (const struct sk_top *t, int r, float *x, int V, int normal));
/* logp[0] (V) = the mean of n distributions: of probabilities,
 * or of their logarithms (without the norm). */
SK_ISA_DECLARE(void, sk_mean_row, (float *const *logp, int n, int log_linear, int V));
#endif
