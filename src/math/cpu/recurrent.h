/* recurrent.h - recurrent layers: what recurrent.c and its kernels share. */
#ifndef SK_MATH_CPU_RECURRENT_H
#define SK_MATH_CPU_RECURRENT_H
#include "math/cpu/device.h"

/* Value by value: out = a b; tanh(a); a (1 - b^2). */
enum sk_flat_kind { SK_FLAT_MULTIPLY, SK_FLAT_TANH, SK_FLAT_TANH_GRADIENT };
SK_ISA_DECLARE(void, sk_flat, (enum sk_flat_kind kind, float *out, const float *a, const float *b, size_t n));

/* One row of a cell: see math/ops.h. */
struct sk_cell_row {
    float *h, *c, *gates;
    const float *x, *hx, *before;
    float *dx, *dhx, *dbefore;
    const float *dh;
};
SK_ISA_DECLARE(void, sk_cell_row, (enum sk_cell cell, const struct sk_cell_row *r, int H));
SK_ISA_DECLARE(void, sk_cell_row_gradient, (enum sk_cell cell, const struct sk_cell_row *r, int H));

/* Row r of an attention. scratch: sk_attend_scratch floats. */
size_t sk_attend_scratch(int A, int n);
SK_ISA_DECLARE(void, sk_attend_row, (float *context, const struct sk_attend *a, int r, float *scratch));
SK_ISA_DECLARE(void, sk_attend_row_gradient, (const struct sk_attend_gradients *g, const float *dcontext,
                                              const struct sk_attend *a, int r, float *scratch));
#endif
