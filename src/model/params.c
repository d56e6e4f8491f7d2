#include "model/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"

void sk_params_add(struct sk_params *t, const char *name, enum sk_init init, int64_t rows, int64_t cols)
{
    SK_ENSURE(strlen(name) < SK_PARAM_NAME && rows > 0 && cols >= 0);
    t->p = sk_xrealloc(t->p, (size_t)t->n + 1, sizeof *t->p);
    struct sk_param *p = &t->p[t->n++];
    *p = (struct sk_param){.ndim = cols ? 2 : 1, .shape = {rows, cols}, .init = init};
    strcpy(p->name, name);
    p->size = (size_t)rows * (cols ? (size_t)cols : 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sk_param *)a)->name, ((const struct sk_param *)b)->name);
}

void sk_params_finish(struct sk_params *t)
{
    qsort(t->p, (size_t)t->n, sizeof *t->p, by_name);
    t->total = t->count = 0;
    for (int i = 0; i < t->n; i++) {
        if (i) SK_ENSURE(strcmp(t->p[i - 1].name, t->p[i].name) != 0);
        t->p[i].offset = t->total;
        t->total += (t->p[i].size + 15) / 16 * 16;
        t->count += t->p[i].size;
    }
}

void sk_params_free(struct sk_params *t)
{
    free(t->p);
    *t = (struct sk_params){0};
}

size_t sk_params_extent(const struct sk_params *t, const char *prefix, size_t *offset)
{
    size_t length = strlen(prefix), end = 0;
    *offset = 0;
    for (int i = 0; i < t->n; i++)
        if (!strncmp(t->p[i].name, prefix, length)) {
            if (!end) *offset = t->p[i].offset;
            end = i + 1 < t->n ? t->p[i + 1].offset : t->total;
        }
    return end - *offset;
}

const struct sk_param *sk_params_find(const struct sk_params *t, const char *name)
{
    int low = 0, high = t->n - 1;
    while (low <= high) {
        int middle = (low + high) / 2, c = strcmp(name, t->p[middle].name);
        if (!c) return &t->p[middle];
        if (c < 0) high = middle - 1;
        else low = middle + 1;
    }
    return NULL;
}

/* Box and Muller, in double. */
static double gaussian(struct sk_rng r)
{
    double u = ((double)r.v[0] + 0.5) * 0x1p-32, v = ((double)r.v[1] + 0.5) * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

static void fill(const struct sk_param *p, float *data, const struct sk_init_options *o)
{
    uint64_t key = XXH3_64bits_withSeed(p->name, strlen(p->name), o->seed);
    double fan_in = p->ndim > 1 ? (double)p->shape[1] : (double)p->shape[0], fan_out = (double)p->shape[0];
    double factor = o->factor == 'i' ? fan_in : o->factor == 'o' ? fan_out : (fan_in + fan_out) / 2;
    double scale = o->xavier ? sqrt(o->scale / factor) : o->scale;
    int normal = o->xavier && o->gaussian;
    if (p->init == SK_INIT_EMBED && o->embed_normal) {
        normal = 1;
        scale = 1 / sqrt((double)o->source_vocab);
    }
    for (size_t i = 0; i < p->size; i++) {
        struct sk_rng r = sk_philox(key, (uint32_t)i, (uint32_t)((uint64_t)i >> 32), 0, 0);
        double x = normal ? gaussian(r) : 2 * (double)sk_rng_uniform(r.v[0]) - 1;
        data[i] = (float)(x * scale);
    }
}

/* Columns of normal numbers made orthonormal one after the other (Gram and
 * Schmidt, twice each), times sqrt(2). */
static void orthogonal(const struct sk_param *p, float *data, const struct sk_init_options *o)
{
    uint64_t key = XXH3_64bits_withSeed(p->name, strlen(p->name), o->seed);
    size_t N = (size_t)p->shape[0], K = (size_t)p->shape[1];
    SK_ENSURE(N >= K);
    double *column = sk_xcalloc(N * K, sizeof *column);
    for (size_t k = 0; k < K; k++) {
        double *c = column + k * N, norm = 0;
        for (size_t i = 0; i < N; i++)
            c[i] = gaussian(sk_philox(key, (uint32_t)(k * N + i), (uint32_t)((uint64_t)(k * N + i) >> 32), 0, 0));
        for (size_t j = 0; j < 2 * k; j++) {
            const double *before = column + j % k * N;
            double dot = 0;
            for (size_t i = 0; i < N; i++) dot += before[i] * c[i];
            for (size_t i = 0; i < N; i++) c[i] -= dot * before[i];
        }
        for (size_t i = 0; i < N; i++) norm += c[i] * c[i];
        for (size_t i = 0; i < N; i++) {
            c[i] /= sqrt(norm);
            data[i * K + k] = (float)(c[i] * 1.41421356237309505);
        }
    }
    free(column);
}

/* Where the table says how a parameter starts, and the options do not say "as a weight". */
static int special(const struct sk_param *p, float *data, const struct sk_init_options *o)
{
    if (p->init == SK_INIT_ONE) {
        for (size_t k = 0; k < p->size; k++) data[k] = 1;
    } else if (p->init == SK_INIT_GATES) {
        for (size_t k = p->size / 4; k < p->size / 2; k++) data[k] = (float)o->forget_bias;
    } else if (p->init == SK_INIT_RECURRENT && o->recurrent == SK_RECURRENT_ORTHOGONAL) {
        orthogonal(p, data, o);
    } else if (p->init == SK_INIT_RECURRENT && o->recurrent == SK_RECURRENT_STACKED) {
        for (int64_t k = 0; k < p->shape[0]; k++) data[k * p->shape[1] + k % p->shape[1]] = 1;
    } else {
        return p->init == SK_INIT_ZERO;
    }
    return 1;
}

void sk_params_init(const struct sk_params *t, float *data, const struct sk_init_options *o)
{
    memset(data, 0, t->total * sizeof *data);
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        float *at = data + p->offset;
        if (!special(p, at, o)) fill(p, at, o);
    }
}
