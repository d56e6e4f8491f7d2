/* The functions over 16 lanes, against the C library in double precision. */
#pragma GCC target("arch=x86-64-v3")
#include <math.h>
#include <string.h>
#include "math/cpu/math_inline.h"
#include "tap.h"

enum { EXP, LOG, TANH, SIGMOID, FUNCTIONS };
static const char *const name[] = { "exp", "log", "tanh", "sigmoid" };

static float ours(int f, float x)
{
    sk_v16 v = sk_set16(x);
    switch (f) {
    case EXP: return sk_first16(sk_exp16(v));
    case LOG: return sk_first16(sk_log16(v));
    case TANH: return sk_first16(sk_tanh16(v));
    default: return sk_first16(sk_sigmoid16(v));
    }
}

static double theirs(int f, double x)
{
    switch (f) {
    case EXP: return exp(x);
    case LOG: return log(x);
    case TANH: return tanh(x);
    default: return 1 / (1 + exp(-x));
    }
}

/* Largest error in units of the last place, over floats of all sizes. */
static void test_errors(void)
{
    double worst[FUNCTIONS] = { 0 };
    for (uint32_t bits = 0; bits < 0xffffe000u; bits += 7919) {
        float x;
        memcpy(&x, &bits, sizeof x);
        for (int f = 0; f < FUNCTIONS && isfinite(x); f++) {
            if ((f == LOG && x <= 0) || (f == SIGMOID && x < -87)) /* underflows */
                continue;
            double y = theirs(f, x);
            float nearest = (float)y, z = ours(f, x);
            double unit = fmax(fabsf(nearest), 1.2e-38) * 0x1p-23;
            if (isinf(nearest) || isinf(z))
                worst[f] = fmax(worst[f], nearest == z ? 0 : INFINITY);
            else
                worst[f] = fmax(worst[f], fabs(z - y) / unit);
        }
    }
    for (int f = 0; f < FUNCTIONS; f++)
        ok(worst[f] < 2, "%s: within 2 units of the last place (%.2f)", name[f], worst[f]);
}

static void test_ends(void)
{
    const float inf = INFINITY;
    ok(ours(EXP, -inf) == 0 && ours(EXP, inf) == inf && ours(EXP, 0) == 1, "exp at its ends");
    ok(ours(LOG, 0) == -inf && ours(LOG, inf) == inf && ours(LOG, 1) == 0, "log at its ends");
    ok(isnan(ours(LOG, -1)) && isnan(ours(LOG, -inf)), "no log below zero");
    ok(ours(TANH, -inf) == -1 && ours(TANH, inf) == 1, "tanh at its ends");
    ok(ours(SIGMOID, -inf) == 0 && ours(SIGMOID, inf) == 1, "sigmoid at its ends");
    int passed = 1;
    for (int f = 0; f < FUNCTIONS; f++)
        passed &= isnan(ours(f, NAN));
    ok(passed, "NaN passes through");
}

static void test_lanes(void)
{
    float in[16], out[18], expected = 0;
    int good = 1;
    for (int i = 0; i < 16; i++)
        in[i] = 1.0f / (float)(i + 1) * (i == 11 ? 50 : 1);
    for (int n = 1; n <= 16; n++) {
        for (int i = 0; i < 18; i++)
            out[i] = 9;
        sk_store_part16(out, n, sk_load_part16(in, n, -1));
        for (int i = 0; i < 18; i++)
            good &= out[i] == (i < n ? in[i] : 9);
        sk_store16(out, sk_load_part16(in, n, -1));
        for (int i = n; i < 16; i++)
            good &= out[i] == -1;
    }
    ok(good, "parts of 16 lanes are read and written, the rest left alone");
    float a[8], b[4];
    for (int i = 0; i < 8; i++)
        a[i] = in[i] + in[i + 8];
    for (int i = 0; i < 4; i++)
        b[i] = a[i] + a[i + 4];
    expected = (b[0] + b[2]) + (b[1] + b[3]);
    ok(sk_sum16(sk_load16(in)) == expected, "the sum is the fixed tree");
    ok(sk_max16(sk_load16(in)) == in[11], "the largest lane");
    ok(sk_bits16(sk_lt16(sk_load16(in), sk_set16(0.2f))) == 0xf7e0, "a comparison's mask");
    sk_store16(out, sk_select16(sk_mask16(0x8001), sk_set16(1), sk_set16(2)));
    ok(out[0] == 1 && out[1] == 2 && out[14] == 2 && out[15] == 1, "a selection by mask");
}

int main(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        skip_all("this processor lacks AVX2 or FMA");
    test_errors();
    test_ends();
    test_lanes();
    return done_testing();
}
