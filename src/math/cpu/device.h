/* device.h - what the files of the cpu backend share; private to this folder.
 *
 * One device is a pool of threads with scratch memory. Scratch grows at
 * first need and is kept, so that a step allocates nothing after the first.
 *
 * INSTRUCTION SETS. Files named *_isa.c are compiled twice, with SK_ISA=v3
 * (AVX2 and FMA) and SK_ISA=v4 (AVX-512); SK_ISA_NAME(f) names a function's
 * copy. Their functions are declared by SK_ISA_DECLARE and called through
 * SK_ISA_PICK(dev, f)(...). Both copies give the same bits. Files named
 * *_bf16.c, *_vnni.c and *_amx.c are compiled once, for AVX-512 with these instructions.
 */
#ifndef SK_MATH_CPU_DEVICE_H
#define SK_MATH_CPU_DEVICE_H
#include "base/pool.h"
#include "math/ops.h"

#define SK_ISA_PASTE2(f, isa) f##_##isa
#define SK_ISA_PASTE(f, isa) SK_ISA_PASTE2(f, isa)
#define SK_ISA_NAME(f) SK_ISA_PASTE(f, SK_ISA)
#define SK_ISA_DECLARE(type, f, args) type f##_v3 args; type f##_v4 args
#define SK_ISA_PICK(dev, f) ((dev)->isa == SK_ISA_AVX512 ? f##_v4 : f##_v3)

enum sk_isa { SK_ISA_AVX2, SK_ISA_AVX512 };

/* Memory shared by the threads of one op; each slot is one buffer. */
enum sk_cpu_slot {
    SK_SLOT_PANELS, SK_SLOT_ROWS, SK_SLOT_TREE, SK_SLOT_LOGITS,               /* products */
    SK_SLOT_LAYER0, SK_SLOT_LAYER1, SK_SLOT_LAYER2, SK_SLOT_LAYER3,           /* all other ops */
    SK_SLOTS
};

struct sk_cpu_buffer { void *p; size_t bytes; };

struct sk_device {
    struct sk_pool *pool;
    int threads;
    enum sk_isa isa;
    int bf16, vnni, amx;                      /* the processor has AVX512_BF16, AVX512_VNNI, AMX */
    enum sk_dtype dtype;
    struct sk_cpu_buffer *scratch;            /* one for each thread */
    struct sk_cpu_buffer shared[SK_SLOTS];
};

/* Does AMX make its products? */
static inline int sk_amx(const struct sk_device *dev)
{
    return dev->amx && dev->isa == SK_ISA_AVX512 && (dev->dtype == SK_BFLOAT16_AMX || dev->dtype == SK_INT8);
}

/* At least `bytes` of the thread's own scratch, 64-byte aligned; contents
 * undefined. Valid until the next call for this thread. Call in the job. */
void *sk_cpu_scratch(struct sk_device *dev, int thread, size_t bytes);
/* The same for a shared slot; call before the job, from the op's caller. */
void *sk_cpu_shared(struct sk_device *dev, enum sk_cpu_slot slot, size_t bytes);

/* --- device.c --------------------------------------------------------------- */
struct sk_device *sk_cpu_open(int threads, const char **why);
void sk_cpu_close(struct sk_device *dev);
int sk_cpu_threads(const struct sk_device *dev);
struct sk_device *sk_cpu_twin(const struct sk_device *dev);
const char *sk_cpu_set_dtype(struct sk_device *dev, enum sk_dtype dtype);
size_t sk_cpu_narrow_rows(struct sk_device *dev, int on);
void sk_cpu_describe(const struct sk_device *dev, char *text, size_t n);
void *sk_cpu_alloc(struct sk_device *dev, size_t bytes);
void sk_cpu_free(struct sk_device *dev, void *p);
void sk_cpu_copy(struct sk_device *dev, void *dst, const void *src, size_t bytes);   /* and upload, download */
void sk_cpu_zero(struct sk_device *dev, void *dst, size_t bytes);

/* --- workspace.c ------------------------------------------------------------ */
size_t sk_cpu_alloc_size(const struct sk_device *dev, size_t bytes);
size_t sk_cpu_weight_size(const struct sk_device *dev, int N, int K, int backward);
size_t sk_cpu_memory(const struct sk_device *dev);
size_t sk_cpu_workspace(const struct sk_device *dev, const struct sk_work *work);

/* --- products: linear.c, gradient.c, output.c ------------------------------- */
struct sk_weight *sk_cpu_weight_new(struct sk_device *dev, int N, int K, int backward);
void sk_cpu_weight_load(struct sk_device *dev, struct sk_weight *w, const float *data);
void sk_cpu_weight_free(struct sk_device *dev, struct sk_weight *w);
void sk_cpu_linear_forward(struct sk_device *dev, float *y, const float *x, const struct sk_weight *w,
                           const float *bias, int T);
void sk_cpu_linear_backward_data(struct sk_device *dev, float *dx, const float *dy,
                                 const struct sk_weight *w, int T, int add);
void sk_cpu_linear_backward_weight(struct sk_device *dev, float *dw, float *db, const float *dy,
                                   const float *x, int N, int K, struct sk_leaves leaves);
void sk_cpu_output_loss(struct sk_device *dev, float *dx, float *dw, float *dbias, float *nll, uint8_t *correct,
                        const float *x, const struct sk_weight *w, const float *bias, const int32_t *label,
                        float smoothing, float loss_scale, int V, int D, struct sk_leaves leaves);
void sk_cpu_output_logprob(struct sk_device *dev, float *logp, const float *x, const struct sk_weight *w,
                           const float *bias, int V, int R);

/* --- translating: decode.c --------------------------------------------------- */
void sk_cpu_attention_keep(struct sk_device *dev, float *keys, float *values, int W, const float *k, const float *v,
                           int D, struct sk_rows rows, const int32_t *slot);
void sk_cpu_attention_cross(struct sk_device *dev, float *context, const float *q, const float *keys,
                            const float *values, int W, int H, int D, int G, const int32_t *first,
                            const int32_t *slot, const int32_t *n);
void sk_cpu_attention_self(struct sk_device *dev, float *context, const float *qkv, float *const *cells,
                           int rows, int H, int D, int R, const int32_t *const *index, const int32_t *n);
void sk_cpu_output_top(struct sk_device *dev, const struct sk_top *top, const float *x, const struct sk_weight *w,
                       const float *bias, int V, int R);
void sk_cpu_logprob_top(struct sk_device *dev, const struct sk_top *top, float *logp, int V, int R);
void sk_cpu_logprob_mean(struct sk_device *dev, float *const *logp, int n, int log_linear, int V, int R);

/* --- recurrent layers: recurrent.c -------------------------------------------- */
void sk_cpu_rows_move(struct sk_device *dev, float *out, int ldo, const int32_t *to, const float *in, int ldi,
                      const int32_t *from, int n, int D, int add);
void sk_cpu_multiply(struct sk_device *dev, float *out, const float *a, const float *b, size_t n);
void sk_cpu_tanh_forward(struct sk_device *dev, float *y, const float *x, size_t n);
void sk_cpu_tanh_backward(struct sk_device *dev, float *dx, const float *dy, const float *y, size_t n);
void sk_cpu_cell_forward(struct sk_device *dev, enum sk_cell cell, float *h, float *c, float *gates, const float *x,
                         const float *hx, const float *before, int n, int H);
void sk_cpu_cell_backward(struct sk_device *dev, enum sk_cell cell, float *dx, float *dhx, float *dbefore,
                          const float *dh, const float *gates, const float *c, const float *before, int n, int H);
void sk_cpu_attend_forward(struct sk_device *dev, float *context, int ldc, const struct sk_attend *a, int R);
void sk_cpu_attend_backward(struct sk_device *dev, const struct sk_attend_gradients *g, const float *dcontext, int ldc,
                            const struct sk_attend *a, int R);
void sk_cpu_rows_mean(struct sk_device *dev, float *mean, const float *x, int D, struct sk_rows rows);
void sk_cpu_rows_mean_backward(struct sk_device *dev, float *dx, const float *dmean, int D, struct sk_rows rows);

/* --- all other ops --------------------------------------------------------- */
void sk_cpu_activation_forward(struct sk_device *dev, float *h, const float *a, enum sk_activation act,
                               int F, struct sk_rows rows, struct sk_dropout drop);
void sk_cpu_activation_backward(struct sk_device *dev, float *da, const float *dh, const float *kept,
                                enum sk_activation act, int F, struct sk_rows rows, struct sk_dropout drop);
void sk_cpu_embed_forward(struct sk_device *dev, float *x, const int32_t *id, const float *table, float scale,
                          const float *position, int D, struct sk_rows rows, const int32_t *at,
                          struct sk_dropout drop);
void sk_cpu_dropout_backward(struct sk_device *dev, float *dx, int D, struct sk_rows rows, struct sk_dropout drop);
void sk_cpu_embed_backward(struct sk_device *dev, float *dtable, int V, int D, int streams,
                           const int32_t *const *id, const float *const *dx, const float *scale,
                           const struct sk_leaves *leaves);
void sk_cpu_position_backward(struct sk_device *dev, float *dposition, int P, int D, const float *dx,
                              struct sk_rows rows, struct sk_leaves leaves);
void sk_cpu_dropout_add(struct sk_device *dev, float *out, const float *f, const float *residual,
                        int D, struct sk_rows rows, struct sk_dropout drop);
void sk_cpu_norm_forward(struct sk_device *dev, float *y, float *stat, const float *x,
                         const float *gamma, const float *beta, int T, int D);
void sk_cpu_norm_backward(struct sk_device *dev, float *dx, float *dgamma, float *dbeta, const float *dy,
                          const float *x, const float *stat, const float *gamma, int D,
                          struct sk_leaves leaves, int add);
void sk_cpu_dropout_add_norm(struct sk_device *dev, float *out, float *y, float *stat, const float *f,
                             const float *residual, const float *gamma, const float *beta, int D, struct sk_rows rows,
                             struct sk_dropout drop);
void sk_cpu_norm_dropout_backward(struct sk_device *dev, float *dx, float *df, float *dgamma, float *dbeta,
                                  const float *dy, const float *x, const float *stat, const float *gamma, int D,
                                  struct sk_rows rows, struct sk_leaves leaves, struct sk_dropout drop, int add);
void sk_cpu_add(struct sk_device *dev, float *a, const float *b, size_t n);
void sk_cpu_attention_forward(struct sk_device *dev, float *context, float *prob,
                              const float *q, int ldq, const float *k, const float *v, int ldk,
                              int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                              struct sk_dropout drop);
void sk_cpu_attention_backward(struct sk_device *dev, float *dq, float *dk, float *dv, const float *dcontext,
                               const float *prob, const float *q, int ldq, const float *k, const float *v,
                               int ldk, int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                               struct sk_dropout drop);
size_t sk_cpu_attention_size(int H, struct sk_rows query, struct sk_rows key);
double sk_cpu_sum_squares(struct sk_device *dev, const float *g, size_t n);
void sk_cpu_optimize(struct sk_device *dev, float *w, float *m, float *v, const float *g, size_t n,
                     const struct sk_optimizer_step *step);
int64_t sk_cpu_find_nonfinite(struct sk_device *dev, const float *x, size_t n);
#endif
