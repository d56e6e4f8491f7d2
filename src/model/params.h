/* params.h - the table of parameters: each declared once, with name, shape
 * and initialiser; it drives allocation, initialisation, the optimizer,
 * averaging and files.
 *
 * All values stand in one flat float32 buffer in table order (sorted by
 * name), each parameter at a multiple of 16 floats; gaps are zero. Gradients
 * and Adam moments have the same layout, so the optimizer is one loop.
 */
#ifndef SK_MODEL_PARAMS_H
#define SK_MODEL_PARAMS_H
#include <stddef.h>
#include <stdint.h>

enum sk_init { SK_INIT_ZERO, SK_INIT_ONE, SK_INIT_WEIGHT, SK_INIT_EMBED, SK_INIT_RECURRENT, SK_INIT_GATES };
enum { SK_PARAM_NAME = 128, SK_PARAM_DIMS = 4 };
struct sk_param {
    char name[SK_PARAM_NAME];        /* Sockeye's name */
    int ndim;
    int64_t shape[SK_PARAM_DIMS];
    enum sk_init init;
    size_t offset, size;             /* floats in the flat buffer */
};
struct sk_params {
    int n;
    struct sk_param *p;              /* sorted by name */
    size_t total;                    /* floats with gaps */
    size_t count;                    /* parameters proper */
};
void sk_params_add(struct sk_params *t, const char *name, enum sk_init init, int64_t rows, int64_t cols /* 0: vector */);
void sk_params_finish(struct sk_params *t);          /* sorts, gives offsets */
void sk_params_free(struct sk_params *t);
/* Where the parameters stand whose names begin so: floats, gaps with them; 0: none. */
size_t sk_params_extent(const struct sk_params *t, const char *prefix, size_t *offset);
const struct sk_param *sk_params_find(const struct sk_params *t, const char *name);   /* NULL: absent */

/* Initialisation (Sockeye 1.18, initializer.py): Xavier over the stored
 * matrix with fan_in = shape[1], fan_out = shape[0]; biases 0, gamma 1.
 * Pure function of (seed, name). */
enum sk_init_recurrent {
    SK_RECURRENT_ORTHOGONAL,         /* orthonormal columns times sqrt(2) (Saxe et al. 2013) */
    SK_RECURRENT_STACKED,            /* an identity matrix for each gate */
    SK_RECURRENT_WEIGHT              /* as other weights */
};
struct sk_init_options {
    uint64_t seed;
    int xavier;                      /* 0: uniform(+-scale) */
    double scale;                    /* --weight-init-scale */
    char factor;                     /* 'i', 'o', 'a': in, out, avg */
    int gaussian;                    /* --weight-init-xavier-rand-type gaussian */
    int embed_normal;                /* --embed-weight-init normal: N(0, |V_src|^-1/2) */
    int64_t source_vocab;
    enum sk_init_recurrent recurrent;    /* of SK_INIT_RECURRENT: --rnn-h2h-init */
    double forget_bias;              /* SK_INIT_GATES, a bias of gates i, f, c, o: 0, this, 0, 0 */
};
void sk_params_init(const struct sk_params *t, float *data, const struct sk_init_options *o);
#endif
