/* optimizer.h - which optimizer, with which constants, and on which
 * parameters. The formulas stand in math/ops.h.
 */
#ifndef SK_TRAIN_OPTIMIZER_H
#define SK_TRAIN_OPTIMIZER_H
#include "math/ops.h"
#include "model/params.h"

struct sk_optimizer {
    enum sk_optimizer_kind kind;
    double momentum;                 /* SGD, NAG */
    double beta1, beta2;             /* Adam, Nadam; beta2 also stands for RMSProp's gamma1, AdaDelta's rho */
    double epsilon, schedule_decay;
    double weight_decay;
};
/* --optimizer, --optimizer-params ("name:value,name:value" or NULL), --momentum
 * (0: none), --weight-decay. 0, or -1 with SK_EXIT_USAGE. */
int sk_optimizer_init(struct sk_optimizer *o, const char *name, const char *params, double momentum,
                      double weight_decay);
/* Whether the kind keeps a moment m, a moment v. */
int sk_optimizer_uses_m(const struct sk_optimizer *o);
int sk_optimizer_uses_v(const struct sk_optimizer *o);
/* Constants of update t, 1 being the first after the moments were zero, at a
 * learning rate. rescale is 1, clip and decay are 0: the caller's. */
struct sk_optimizer_step sk_optimizer_constants(const struct sk_optimizer *o, int64_t t, double rate);

/* A stretch of the flat buffers that is treated alike. */
struct sk_param_range { size_t offset, n; int decays, fixed; };
/* Stretches of the whole table, neighbours of a kind joined: fixed parameters
 * (fixed[i] != 0; NULL: none) are left alone, weight decay (if `decay`) goes to
 * names that end in _weight or _gamma. *ranges is malloced; returns how many. */
int sk_optimizer_ranges(const struct sk_params *t, const unsigned char *fixed, int decay,
                        struct sk_param_range **ranges);

/* --fixed-param-names and --fixed-param-strategy (NULL: none): sets fixed[i] of
 * the table's parameters, which must be 0. Strategies are Sockeye's:
 *   all_except_decoder       learns what begins with decoder_
 *   all_except_outer_layers  learns the first and last layers of both stacks (the
 *                            RNN's first one of the encoder has both directions)
 *   all_except_embeddings    learns tables of words and positions
 *   all_except_output_proj   learns what begins with target_output_
 * Returns how many values are fixed, or -1 with SK_EXIT_USAGE: a name that the
 * model does not have; nothing left to learn. */
int64_t sk_optimizer_fix(const struct sk_params *t, const int layers[2], const char *strategy,
                         const char *const *names, int n_names, unsigned char *fixed);
#endif
