#include "train/optimizer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"

/* --- names and constants ------------------------------------------------------- */

struct kind { const char *name; enum sk_optimizer_kind kind; };
static const struct kind kinds[] = {
    {"sgd", SK_SGD}, {"nag", SK_NAG}, {"adam", SK_ADAM}, {"nadam", SK_NADAM}, {"rmsprop", SK_RMSPROP},
    {"adagrad", SK_ADAGRAD}, {"adadelta", SK_ADADELTA}};

/* What --optimizer-params knows, with MXNet's names and defaults. */
struct constant { enum sk_optimizer_kind kind; const char *name; size_t at; double initial, low, high; };
#define AT(field) offsetof(struct sk_optimizer, field)
static const struct constant constants[] = {
    {SK_SGD, "momentum", AT(momentum), 0, 0, 0.9999999},
    {SK_NAG, "momentum", AT(momentum), 0, 0, 0.9999999},
    {SK_ADAM, "beta1", AT(beta1), 0.9, 0, 0.9999999},
    {SK_ADAM, "beta2", AT(beta2), 0.999, 0, 0.9999999},
    {SK_ADAM, "epsilon", AT(epsilon), 1e-8, 1e-38, 1},
    {SK_NADAM, "beta1", AT(beta1), 0.9, 0, 0.9999999},
    {SK_NADAM, "beta2", AT(beta2), 0.999, 0, 0.9999999},
    {SK_NADAM, "epsilon", AT(epsilon), 1e-8, 1e-38, 1},
    {SK_NADAM, "schedule_decay", AT(schedule_decay), 0.004, 0, 1},
    {SK_RMSPROP, "gamma1", AT(beta2), 0.9, 0, 0.9999999},
    {SK_RMSPROP, "epsilon", AT(epsilon), 1e-8, 1e-38, 1},
    {SK_ADAGRAD, "eps", AT(epsilon), 1e-7, 1e-38, 1},
    {SK_ADADELTA, "rho", AT(beta2), 0.9, 0, 0.9999999},
    {SK_ADADELTA, "epsilon", AT(epsilon), 1e-5, 1e-38, 1}};
enum { CONSTANTS = sizeof constants / sizeof *constants };

static double *field(struct sk_optimizer *o, const struct constant *c)
{
    return (double *)((char *)o + c->at);
}

/* One `name:value` of --optimizer-params. */
static int set_constant(struct sk_optimizer *o, const char *optimizer, char *item)
{
    char *value = strchr(item, ':'), *end;
    if (!value)
        return sk_fail(SK_EXIT_USAGE, "--optimizer-params: '%s' is not of the form name:value", item);
    *value++ = '\0';
    struct sk_str known = {0};
    for (int i = 0; i < CONSTANTS; i++) {
        const struct constant *c = &constants[i];
        if (c->kind != o->kind)
            continue;
        sk_str_printf(&known, "%s%s", known.len ? ", " : "", c->name);
        if (strcmp(c->name, item) != 0)
            continue;
        sk_str_free(&known);
        errno = 0;
        double x = strtod(value, &end);
        if (end == value || *end || errno || !(x >= c->low && x <= c->high))
            return sk_fail(SK_EXIT_USAGE, "--optimizer-params %s: '%s' is no number from %.15g to %.15g", item, value,
                           c->low, c->high);
        *field(o, c) = x;
        return 0;
    }
    sk_fail(SK_EXIT_USAGE, "--optimizer-params: '%s' is not one of %s, which --optimizer %s knows", item, known.text,
            optimizer);
    sk_str_free(&known);
    return -1;
}

int sk_optimizer_init(struct sk_optimizer *o, const char *name, const char *params, double momentum,
                      double weight_decay)
{
    *o = (struct sk_optimizer){.kind = SK_ADAM, .weight_decay = weight_decay};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            o->kind = kinds[i].kind;
    for (int i = 0; i < CONSTANTS; i++)
        if (constants[i].kind == o->kind)
            *field(o, &constants[i]) = constants[i].initial;
    if (momentum > 0 && o->kind != SK_SGD && o->kind != SK_NAG)
        return sk_fail(SK_EXIT_USAGE, "--momentum is for --optimizer sgd and nag; %s has none", name);
    o->momentum = momentum;
    char *copy = sk_xstrdup(params ? params : ""), *rest = copy, *item;
    int result = 0;
    while (result == 0 && (item = strsep(&rest, ",")) != NULL)
        if (*item || rest)
            result = set_constant(o, name, item);
    free(copy);
    if (o->kind == SK_SGD && o->momentum > 0)
        o->kind = SK_SGD_MOMENTUM;
    return result;
}

int sk_optimizer_uses_m(const struct sk_optimizer *o)
{
    return o->kind != SK_SGD && o->kind != SK_RMSPROP && o->kind != SK_ADAGRAD;
}

int sk_optimizer_uses_v(const struct sk_optimizer *o)
{
    return o->kind != SK_SGD && o->kind != SK_SGD_MOMENTUM && o->kind != SK_NAG;
}

/* Momentum of Nadam's update t. */
static double nadam_momentum(const struct sk_optimizer *o, int64_t t)
{
    return o->beta1 * (1 - 0.5 * pow(0.96, (double)t * o->schedule_decay));
}

static void nadam(const struct sk_optimizer *o, int64_t t, struct sk_optimizer_step *s)
{
    double now = nadam_momentum(o, t), next = nadam_momentum(o, t + 1), product = 1;
    /* Factors are below 1: soon the product no longer matters beside 1. */
    for (int64_t i = 1; i <= t && product > 1e-20; i++)
        product *= nadam_momentum(o, i);
    s->cg = (float)((1 - now) / (1 - product));
    s->cm = (float)(next / (1 - product * next));
    s->cv = (float)(1 / sqrt(1 - pow(o->beta2, (double)t)));
}

struct sk_optimizer_step sk_optimizer_constants(const struct sk_optimizer *o, int64_t t, double rate)
{
    struct sk_optimizer_step s = {.kind = o->kind, .rescale = 1, .rate = (float)rate, .b = (float)o->beta2,
                                  .eps = (float)o->epsilon};
    s.a = (float)(o->kind == SK_ADAM || o->kind == SK_NADAM ? o->beta1 : o->momentum);
    if (o->kind == SK_ADAM)
        s.rate = (float)(rate * sqrt(1 - pow(o->beta2, (double)t)) / (1 - pow(o->beta1, (double)t)));
    else if (o->kind == SK_NADAM)
        nadam(o, t, &s);
    return s;
}

/* --- stretches --------------------------------------------------------------------- */

static int ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

int sk_optimizer_ranges(const struct sk_params *t, const unsigned char *fixed, int decay,
                        struct sk_param_range **ranges)
{
    struct sk_param_range *r = *ranges = sk_xcalloc((size_t)t->n, sizeof *r);
    int n = 0;
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        size_t end = i + 1 < t->n ? t->p[i + 1].offset : t->total;
        struct sk_param_range next = {.offset = p->offset, .n = end - p->offset, .fixed = fixed && fixed[i]};
        next.decays = decay && !next.fixed && (ends_with(p->name, "_weight") || ends_with(p->name, "_gamma"));
        if (n > 0 && r[n - 1].fixed == next.fixed && r[n - 1].decays == next.decays)
            r[n - 1].n += next.n;
        else
            r[n++] = next;
    }
    return n;
}

/* --- fixed parameters ------------------------------------------------------------------ */

static int begins_with(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/* Layers are counted from 0; the RNN's first one of the encoder is the
 * bidirectional one, the names of those above it count from 0 again. */
static int in_layer(const char *name, const char *stack, int layer)
{
    char transformer[64], rnn[64];
    int encoder = strcmp(stack, "encoder") == 0;
    snprintf(transformer, sizeof transformer, "%s_transformer_%d_", stack, layer);
    if (encoder && layer == 0)
        snprintf(rnn, sizeof rnn, "encoder_birnn_");
    else
        snprintf(rnn, sizeof rnn, "%s_rnn_l%d_", stack, layer - encoder);
    return begins_with(name, transformer) || begins_with(name, rnn);
}

static int learned(const char *name, const int layers[2], const char *strategy)
{
    static const char *const tables[] = {"source_embed_", "target_embed_", "source_pos_embed_", "target_pos_embed_",
                                         "source_target_embed_"};
    int found = 0;
    if (strcmp(strategy, "all_except_decoder") == 0)
        return begins_with(name, "decoder_");
    if (strcmp(strategy, "all_except_output_proj") == 0)
        return begins_with(name, "target_output_");
    if (strcmp(strategy, "all_except_outer_layers") == 0)
        return in_layer(name, "encoder", 0) || in_layer(name, "encoder", layers[0] - 1) ||
            in_layer(name, "decoder", 0) || in_layer(name, "decoder", layers[1] - 1);
    SK_ENSURE(strcmp(strategy, "all_except_embeddings") == 0);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        found |= begins_with(name, tables[i]);
    return found;
}

int64_t sk_optimizer_fix(const struct sk_params *t, const int layers[2], const char *strategy,
                         const char *const *names, int n_names, unsigned char *fixed)
{
    int64_t values = 0;
    for (int k = 0; k < n_names; k++) {
        const struct sk_param *p = sk_params_find(t, names[k]);
        if (!p)
            return sk_fail(SK_EXIT_USAGE, "--fixed-param-names: the model has no parameter '%s' (--dry-run lists them)",
                           names[k]);
        fixed[p - t->p] = 1;
    }
    for (int i = 0; i < t->n; i++) {
        if (strategy && !learned(t->p[i].name, layers, strategy))
            fixed[i] = 1;
        values += fixed[i] ? (int64_t)t->p[i].size : 0;
    }
    if (values == (int64_t)t->count)
        return sk_fail(SK_EXIT_USAGE, "--fixed-param-names and --fixed-param-strategy leave nothing to learn");
    return values;
}
