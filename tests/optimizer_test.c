/* The optimizers against plain versions in double precision, on both
 * instruction sets and any number of threads; which parameters decay and which
 * are fixed; the names of constants. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/msg.h"
#include "ops.h"
#include "tap.h"
#include "train/optimizer.h"

enum { N = TEST_CUDA ? 1501 : 150001, STEPS = 5, DEVICES = 3 };
static const struct sk_ops *const ops = &TEST_OPS;
static struct sk_device *device[DEVICES];

static uint32_t seed = 1;
static float uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

/* The formulas as their papers (and MXNet) write them, one value at a time. */
struct plain { double w, m, v, product; };

static void plain_step(const char *name, struct plain *p, double g, double rate, double wd, int t)
{
    if (strcmp(name, "adagrad") && strcmp(name, "adadelta"))
        g += wd * p->w;
    if (!strcmp(name, "sgd")) {
        p->m = 0.8 * p->m - rate * g;
        p->w += p->m;
    } else if (!strcmp(name, "nag")) {
        p->m = 0.8 * p->m + g;
        p->w -= rate * (g + 0.8 * p->m);
    } else if (!strcmp(name, "adam")) {
        p->m = 0.9 * p->m + 0.1 * g;
        p->v = 0.99 * p->v + 0.01 * g * g;
        p->w -= rate * sqrt(1 - pow(0.99, t)) / (1 - pow(0.9, t)) * p->m / (sqrt(p->v) + 1e-3);
    } else if (!strcmp(name, "nadam")) {
        double now = 0.9 * (1 - 0.5 * pow(0.96, t * 0.5)), next = 0.9 * (1 - 0.5 * pow(0.96, (t + 1) * 0.5));
        p->product *= now;
        p->m = 0.9 * p->m + 0.1 * g;
        p->v = 0.99 * p->v + 0.01 * g * g;
        double mean = (1 - now) * g / (1 - p->product) + next * p->m / (1 - p->product * next);
        p->w -= rate * mean / (sqrt(p->v / (1 - pow(0.99, t))) + 1e-3);
    } else if (!strcmp(name, "rmsprop")) {
        p->v = 0.7 * p->v + 0.3 * g * g;
        p->w -= rate * g / sqrt(p->v + 1e-3);
    } else if (!strcmp(name, "adagrad")) {
        p->v += g * g;
        p->w -= rate * (g / sqrt(p->v + 1e-3) + wd * p->w);
    } else {
        p->v = 0.7 * p->v + 0.3 * g * g;
        double d = sqrt(p->m + 1e-3) / sqrt(p->v + 1e-3) * g;
        p->m = 0.7 * p->m + 0.3 * d * d;
        p->w -= d + wd * p->w;
    }
}

static void check(const char *name, const char *params, double momentum, double clip)
{
    static float w0[N], g[STEPS][N], w[DEVICES][N], m[N], v[N];
    static struct plain want[N];
    struct sk_optimizer o;
    const double wd = 0.1, rate = 0.05, rescale = 0.5;
    is_int(sk_optimizer_init(&o, name, params, momentum, wd), 0, "%s: the constants are read", name);
    for (int i = 0; i < N; i++) {
        w0[i] = uniform();
        want[i] = (struct plain){(double)w0[i], 0, 0, 1};
    }
    for (int t = 1; t <= STEPS; t++)
        for (int i = 0; i < N; i++) {
            g[t - 1][i] = 3 * uniform();
            double x = (double)g[t - 1][i] * rescale;
            plain_step(name, &want[i], clip > 0 ? fmax(-clip, fmin(clip, x)) : x, rate, wd, t);
        }
    for (int d = 0; d < DEVICES; d++) {
        memcpy(w[d], w0, sizeof w0);
        memset(m, 0, sizeof m);
        memset(v, 0, sizeof v);
        for (int t = 1; t <= STEPS; t++) {
            struct sk_optimizer_step s = sk_optimizer_constants(&o, t, rate);
            s.rescale = (float)rescale;
            s.clip = (float)clip;
            s.decay = (float)wd;
            ops->optimize(device[d], w[d], sk_optimizer_uses_m(&o) ? m : NULL, sk_optimizer_uses_v(&o) ? v : NULL,
                          g[t - 1], N, &s);
        }
    }
    double worst = 0;
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)w[0][i] - want[i].w));
    ok(worst < 2e-6, "%s: %d steps, largest difference %.2g", name, STEPS, worst);
    ok(!memcmp(w[0], w[1], sizeof w0) && !memcmp(w[0], w[2], sizeof w0), "%s: the same bits on all devices", name);
}

static struct sk_params table(int rnn)
{
    struct sk_params t = {0};
    static const char *const rnn_names[] = {
        "encoder_birnn_forward_l0_i2h_weight", "encoder_birnn_reverse_l0_h2h_bias", "encoder_rnn_l0_i2h_weight",
        "encoder_rnn_l1_i2h_weight", "encoder_rnn_l10_i2h_weight", "decoder_rnn_l0_i2h_weight",
        "decoder_rnn_l1_h2h_weight", "decoder_rnn_l10_h2h_weight", "decoder_rnn_enc2decinit_0_weight",
        "decoder_rnn_hidden_weight", "source_target_embed_weight", "target_output_bias", "target_output_weight"};
    static const char *const names[] = {
        "encoder_transformer_0_ff_i2h_weight", "encoder_transformer_1_ff_i2h_weight",
        "encoder_transformer_2_ff_i2h_weight", "encoder_transformer_10_ff_i2h_weight",
        "encoder_transformer_final_process_norm_gamma", "decoder_transformer_0_ff_i2h_bias",
        "decoder_transformer_1_ff_pre_norm_gamma", "decoder_transformer_1_ff_pre_norm_beta", "source_embed_weight",
        "source_pos_embed_weight", "target_embed_weight", "target_output_bias", "target_output_weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sk_params_add(&t, rnn ? rnn_names[i] : names[i], SK_INIT_ZERO, 5, 0);
    sk_params_finish(&t);
    return t;
}

/* The parameters that learn, in the table's order. */
static void learns(int rnn, const char *strategy, const char *want)
{
    struct sk_params t = table(rnn);
    unsigned char fixed[32] = {0};
    int layers[2] = {3, 2};
    char got[512] = "";
    int64_t n = sk_optimizer_fix(&t, layers, strategy, NULL, 0, fixed);
    int learned = 0;
    for (int i = 0; i < t.n; i++)
        if (!fixed[i]) {
            learned += 5;
            sprintf(got + strlen(got), "%s ", t.p[i].name);
        }
    is_str(got, want, "%s%s", strategy, rnn ? ", RNN" : "");
    is_int(n, 5 * t.n - learned, "%s: the values are counted", strategy);
    sk_params_free(&t);
}

static void ranges(void)
{
    struct sk_params t = table(0);
    struct sk_param_range *r;
    unsigned char fixed[32] = {0};
    int layers[2] = {3, 2}, n = sk_optimizer_ranges(&t, NULL, 0, &r);
    is_int(n, 1, "without decay there is one stretch");
    ok(r[0].offset == 0 && r[0].n == t.total && !r[0].decays && !r[0].fixed, "which is all");
    free(r);
    n = sk_optimizer_ranges(&t, NULL, 1, &r);
    size_t covered = 0;
    int right = 1;
    for (int k = 0; k < n; k++) {
        right &= r[k].offset == covered;
        covered += r[k].n;
        for (int i = 0; i < t.n; i++)
            if (t.p[i].offset >= r[k].offset && t.p[i].offset < r[k].offset + r[k].n)
                right &= r[k].decays == (!strstr(t.p[i].name, "_bias") && !strstr(t.p[i].name, "_beta"));
    }
    ok(right && covered == t.total, "weights and gammas decay, biases and betas do not");
    free(r);
    static const char *const names[] = {"source_embed_weight"};
    is_int(sk_optimizer_fix(&t, layers, NULL, names, 1, fixed), 5, "one parameter is fixed by name");
    n = sk_optimizer_ranges(&t, fixed, 1, &r);
    int k = 0;
    while (k < n && !r[k].fixed)
        k++;
    ok(k < n && r[k].offset == sk_params_find(&t, names[0])->offset && r[k].n == 16 && !r[k].decays,
       "its stretch is fixed and does not decay");
    free(r);
    static const char *const unknown[] = {"target_embed"};
    is_int(sk_optimizer_fix(&t, layers, NULL, unknown, 1, fixed), -1, "an unknown name is refused");
    ok(strstr(sk_fail_message(), "no parameter 'target_embed'") != NULL, "and named: %s", sk_fail_message());
    memset(fixed, 0, sizeof fixed);
    const char *all[32];
    for (int i = 0; i < t.n; i++)
        all[i] = t.p[i].name;
    is_int(sk_optimizer_fix(&t, layers, NULL, all, t.n, fixed), -1, "nothing left to learn is refused");
    is_int(sk_fail_code(), SK_EXIT_USAGE, "as wrong usage");
    sk_params_free(&t);
}

static void refuse(const char *name, const char *params, double momentum, const char *says)
{
    struct sk_optimizer o;
    is_int(sk_optimizer_init(&o, name, params, momentum, 0), -1, "%s %s: refused", name, params ? params : "");
    ok(strstr(sk_fail_message(), says) != NULL, "and why: %s", sk_fail_message());
}

int main(void)
{
    static const int threads[DEVICES] = {1, 3, 2};
    const char *why;
    sk_msg_program("optimizer_test");
    for (int d = 0; d < DEVICES; d++) {
        device[d] = ops->open(threads[d], &why);
        if (!device[d])
            skip_all(why);
    }
    hold_to_avx2(device[2]);
    check("sgd", NULL, 0.8, 0);
    check("sgd", "momentum:0.8", 0, 0.4);
    check("nag", NULL, 0.8, 0.4);
    check("adam", "beta2:0.99,epsilon:1e-3", 0, 0);
    check("adam", "beta2:0.99,epsilon:1e-3", 0, 0.4);
    check("nadam", "beta2:0.99,epsilon:1e-3,schedule_decay:0.5", 0, 0);
    check("rmsprop", "gamma1:0.7,epsilon:1e-3", 0, 0.4);
    check("adagrad", "eps:1e-3", 0, 0);
    check("adadelta", "rho:0.7,epsilon:1e-3", 0, 0);

    struct sk_optimizer o;
    sk_optimizer_init(&o, "sgd", NULL, 0, 0);
    ok(o.kind == SK_SGD && !sk_optimizer_uses_m(&o) && !sk_optimizer_uses_v(&o), "SGD without momentum keeps nothing");
    sk_optimizer_init(&o, "nadam", NULL, 0, 0);
    struct sk_optimizer_step late = sk_optimizer_constants(&o, 4000000000LL, 1);
    ok(fabsf(late.cg - 0.1f) < 1e-6f && fabsf(late.cm - 0.9f) < 1e-6f, "Nadam's momentum ends at beta1");

    ranges();
    learns(0, "all_except_decoder", "decoder_transformer_0_ff_i2h_bias decoder_transformer_1_ff_pre_norm_beta "
           "decoder_transformer_1_ff_pre_norm_gamma ");
    learns(0, "all_except_outer_layers", "decoder_transformer_0_ff_i2h_bias decoder_transformer_1_ff_pre_norm_beta "
           "decoder_transformer_1_ff_pre_norm_gamma encoder_transformer_0_ff_i2h_weight "
           "encoder_transformer_2_ff_i2h_weight ");
    learns(0, "all_except_embeddings", "source_embed_weight source_pos_embed_weight target_embed_weight ");
    learns(0, "all_except_output_proj", "target_output_bias target_output_weight ");
    learns(1, "all_except_decoder", "decoder_rnn_enc2decinit_0_weight decoder_rnn_hidden_weight decoder_rnn_l0_i2h_weight "
           "decoder_rnn_l10_h2h_weight decoder_rnn_l1_h2h_weight ");
    learns(1, "all_except_outer_layers", "decoder_rnn_l0_i2h_weight decoder_rnn_l1_h2h_weight "
           "encoder_birnn_forward_l0_i2h_weight encoder_birnn_reverse_l0_h2h_bias encoder_rnn_l1_i2h_weight ");
    learns(1, "all_except_embeddings", "source_target_embed_weight ");
    learns(1, "all_except_output_proj", "target_output_bias target_output_weight ");

    refuse("adam", "gamma1:0.9", 0, "'gamma1' is not one of beta1, beta2, epsilon");
    refuse("adam", "beta1", 0, "name:value");
    refuse("adam", "beta1:1", 0, "'1' is no number from 0");
    refuse("adam", "beta1:x", 0, "'x' is no number");
    refuse("rmsprop", NULL, 0.9, "--momentum is for");
    for (int d = 0; d < DEVICES; d++)
        ops->close(device[d]);
    return done_testing();
}
