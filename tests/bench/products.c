/* products.c - GFLOP/s of the cpu backend's products, and their share of what
 * the registers alone could do. Usage: products [THREADS [T [NUMBERS]]]
 *                                      products peak THREADS
 * The second prints that peak alone, in float32, in bfloat16 and in bfloat16-amx
 * (0: there are no instructions for it). */
#include <immintrin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "math/cpu/device.h"

enum { LEAVES = 8 };
static const struct sk_ops *const ops = &sk_ops_cpu;
static double peak;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One thread's fused multiply-adds with nothing but registers: STEPS times twelve
 * of an instruction that does `flop` operations. GFLOP/s. */
enum { STEPS = 4000000, ROUNDS = 5 };
#define TWELVE(one) one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11)
#define CLOBBERED "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"
#define PEAK(name, isa, one, flop)                             \
    __attribute__((target(isa))) static double name(void)      \
    {                                                          \
        double best = 0;                                       \
        for (int round = 0; round < ROUNDS; round++) {         \
            double t = now();                                  \
            for (long i = 0; i < STEPS; i++)                   \
                __asm__ volatile(TWELVE(one) ::: CLOBBERED);   \
            double rate = STEPS * 12.0 * (flop) / (now() - t) * 1e-9; \
            best = rate > best ? rate : best;                  \
        }                                                      \
        return best;                                           \
    }
#define NARROW(r) "vfmadd213ps %%ymm14, %%ymm15, %%ymm" #r "\n\t"
#define BROAD(r) "vfmadd213ps %%zmm14, %%zmm15, %%zmm" #r "\n\t"
#define PAIRS(r) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" #r "\n\t"
PEAK(peak_avx2, "avx2,fma", NARROW, 16)
PEAK(peak_avx512, "avx512f", BROAD, 32)
PEAK(peak_bf16, "avx512bf16", PAIRS, 64)

/* Sixteen rows and columns, 32 values deep, onto each of six tiles in turn. */
__attribute__((target("amx-tile,amx-bf16"))) static double peak_amx(void)
{
    struct { uint8_t palette, start, zero[14]; uint16_t bytes[16]; uint8_t rows[16]; } c = { .palette = 1 };
    double best = 0, flop = 6.0 * 2 * 16 * 16 * 32;
    for (int i = 0; i < 8; i++) {
        c.bytes[i] = 64;
        c.rows[i] = 16;
    }
    _tile_loadconfig(&c);
    for (int round = 0; round < ROUNDS; round++) {
        double t = now();
        for (long i = 0; i < STEPS / 16; i++) {
            _tile_dpbf16ps(0, 6, 7);
            _tile_dpbf16ps(1, 6, 7);
            _tile_dpbf16ps(2, 6, 7);
            _tile_dpbf16ps(3, 6, 7);
            _tile_dpbf16ps(4, 6, 7);
            _tile_dpbf16ps(5, 6, 7);
        }
        double rate = (double)(STEPS / 16) * flop / (now() - t) * 1e-9;
        best = rate > best ? rate : best;
    }
    _tile_release();
    return best;
}

struct meter { pthread_t id; double (*measure)(void); double rate; };

static void *meter(void *arg)
{
    struct meter *m = arg;
    m->rate = m->measure();
    return NULL;
}

/* Of several threads at once. */
static double register_peak(const struct sk_device *dev, enum sk_dtype dtype)
{
    static struct meter m[64];
    int threads = dev->threads;
    double sum = 0;
    if ((dtype == SK_BFLOAT16 && !dev->bf16) || (dtype == SK_BFLOAT16_AMX && !dev->amx))
        return 0;
    threads = threads > 64 ? 64 : threads;
    for (int i = 0; i < threads; i++) {
        m[i].measure = dtype == SK_BFLOAT16_AMX ? peak_amx : dtype == SK_BFLOAT16 ? peak_bf16
                     : dev->isa == SK_ISA_AVX512 ? peak_avx512 : peak_avx2;
        if (pthread_create(&m[i].id, NULL, meter, &m[i]))
            abort();
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(m[i].id, NULL);
        sum += m[i].rate;
    }
    return sum;
}

static float *filled(struct sk_device *dev, size_t n)
{
    float *p = ops->alloc(dev, n * sizeof *p);
    uint32_t s = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        p[i] = ((float)(s >> 8) / 16777216.0f - 0.5f) * 0.2f;
    }
    return p;
}

/* Calls take these buffers in turn, so that rows come from memory, as in a training. */
enum { BUFFERS = 16 };

struct bench {
    struct sk_device *dev;
    int T, N, K;
    float *xs[BUFFERS], *ys[BUFFERS];
    float *x, *y, *dw, *db, *bias;
    struct sk_weight *w;
    int32_t *label;
    struct sk_leaves leaves;
};

static void forward(struct bench *b) { ops->linear_forward(b->dev, b->y, b->x, b->w, b->bias, b->T); }
static void load(struct bench *b) { ops->weight_load(b->dev, b->w, b->dw); }
static void data(struct bench *b) { ops->linear_backward_data(b->dev, b->x, b->y, b->w, b->T, 0); }
static void weight(struct bench *b)
{
    ops->linear_backward_weight(b->dev, b->dw, b->db, b->y, b->x, b->N, b->K, b->leaves);
}
static void loss(struct bench *b)
{
    ops->output_loss(b->dev, b->y, b->dw, b->db, NULL, NULL, b->x, b->w, b->bias, b->label, 0.1f,
                     1.0f / (float)b->T, b->N, b->K, b->leaves);
}
static void validate(struct bench *b)
{
    ops->output_loss(b->dev, NULL, NULL, NULL, NULL, NULL, b->x, b->w, b->bias, b->label, 0.1f, 1.0f,
                     b->N, b->K, b->leaves);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, struct bench *b, void (*f)(struct bench *), double products)
{
    enum { CALLS = 200 };
    double flop = products * 2.0 * b->T * b->N * b->K, took[CALLS], until = now() + 0.5;
    int n = 0;
    f(b);
    do {
        b->x = b->xs[n % BUFFERS];
        b->y = b->ys[n % BUFFERS];
        double t = now();
        f(b);
        took[n++] = now() - t;
    } while (n < CALLS && now() < until);
    qsort(took, (size_t)n, sizeof *took, ascending);
    double middle = took[n / 2];
    printf("  %-9s %8.3f ms %7.1f GFLOP/s %5.1f %%\n", name, middle * 1e3, flop / middle * 1e-9,
           100 * flop / middle * 1e-9 / peak);
}

int main(int argc, char **argv)
{
    static const int size[][2] = { { 768, 256 }, { 256, 256 }, { 1024, 256 }, { 256, 1024 }, { 8000, 256 } };
    const char *why;
    int alone = argc > 2 && strcmp(argv[1], "peak") == 0;
    int threads = alone ? atoi(argv[2]) : argc > 1 ? atoi(argv[1]) : 1, T = !alone && argc > 2 ? atoi(argv[2]) : 2048;
    enum sk_dtype dtype = !alone && argc > 3 ? sk_dtype_named(argv[3]) : SK_FLOAT32;
    struct sk_device *dev = ops->open(threads, &why);
    if (!dev) {
        fprintf(stderr, "products: %s\n", why);
        return 1;
    }
    if (alone) {
        printf("%.1f %.1f %.1f\n", register_peak(dev, SK_FLOAT32), register_peak(dev, SK_BFLOAT16),
               register_peak(dev, SK_BFLOAT16_AMX));
        ops->close(dev);
        return 0;
    }
    if ((why = ops->set_dtype(dev, dtype)))
        fprintf(stderr, "products: %s\n", why);
    char text[100];
    ops->describe(dev, text, sizeof text);
    peak = register_peak(dev, dtype);
    printf("%s; peak of registers alone %.1f GFLOP/s\n", text, peak);
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        int N = size[i][0], K = size[i][1], vocabulary = N == 8000;
        size_t rows = (size_t)T, n = (size_t)N, k = (size_t)K;
        int32_t row[LEAVES + 1];
        for (int l = 0; l <= LEAVES; l++)
            row[l] = (int32_t)((long)T * l / LEAVES);
        struct bench b = { .dev = dev, .T = T, .N = N, .K = K, .leaves = { LEAVES, row } };
        for (int j = 0; j < BUFFERS; j++) {
            b.xs[j] = filled(dev, rows * k);
            b.ys[j] = filled(dev, vocabulary ? rows * k : rows * n);
        }
        b.x = b.xs[0];
        b.y = b.ys[0];
        b.dw = filled(dev, n * k);
        b.db = filled(dev, n);
        b.bias = filled(dev, n);
        b.label = ops->alloc(dev, rows * sizeof *b.label);
        for (int t = 0; t < T; t++)
            b.label[t] = (int32_t)((long)t * 7919 % N);
        b.w = ops->weight_new(dev, N, K, 1);
        ops->weight_load(dev, b.w, b.dw);
        printf("T=%d N=%d K=%d\n", T, N, K);
        measure("load", &b, load, 0);
        if (vocabulary) {
            measure("validate", &b, validate, 1);
            measure("loss", &b, loss, 3);
        } else {
            measure("forward", &b, forward, 1);
            measure("data", &b, data, 1);
            measure("weight", &b, weight, 1);
        }
        ops->weight_free(dev, b.w);
        for (int j = 0; j < BUFFERS; j++) {
            ops->free(dev, b.xs[j]);
            ops->free(dev, b.ys[j]);
        }
        float *all[] = { b.dw, b.db, b.bias };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            ops->free(dev, all[j]);
        ops->free(dev, b.label);
    }
    ops->close(dev);
    return 0;
}
