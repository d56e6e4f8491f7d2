/* cuda.h - what the files of the cuda backend share; private to this folder.
 *
 * WHERE WHAT IS
 *   device.cu      devices, memory, errors, copies of host arrays (sk_stage)
 *   ops.cu         the table of operations and the plug-in's one symbol
 *   kernel.h       for kernels: warps, sums, dropout, rows of sentences
 *   layer.cu       rows: dropout, activations, embeddings
 *   norm.cu        layer norm, with dropout and residual in one kernel
 *   sums.cu        sums over rows, by leaves: norms, biases, embeddings
 *   product.cu     weights and matrix products, their gradients by leaves
 *   gemm.h         one product, with two ways to compute it: gemm_lt.cu
 *                  (cuBLASLt) on a GPU, tests/cuda-host/gemm.cc on a host
 *   attention.cu   attention of whole sentences, forward and backward;
 *                  attention_tensor.cu: with tensor cores
 *   decode.cu      attention of single new rows
 *   output.cu      output layer: loss, probabilities, the best words
 *   recurrent.cu   cells and attention of recurrent layers
 *   flat.cu        passes over flat memory: optimizers, sums of squares
 *
 * The same text is compiled twice: by nvcc into the plug-in libsk-cuda.so
 * (`make cuda`), and by g++ over the stand-in for CUDA in tests/cuda-host,
 * where threads are fibers, so that the ordinary tests run it without a GPU.
 *
 * ONE STREAM. All that a device does is queued in one stream, but for products that
 * do not fill it, which go side by side between sk_fork and sk_join; only downloads,
 * and results on the host, wait for it. Host arrays that come with a call
 * (offsets, ids, leaves) are copied at once (sk_stage), so that the caller
 * may change them.
 *
 * ROWS (ops.h) are handed as float * whatever they are: kernels are templates over
 * their type, and nobody computes with such a pointer but by sk_value (product.h).
 *
 * NO ATOMICS. Each value is computed by one thread or warp in a fixed order,
 * so results repeat bit for bit on one kind of GPU; a row of a result
 * depends on its own inputs only. Multiplications and additions are not
 * contracted (nvcc --fmad=false); fused ones are written fmaf.
 *
 * ERRORS. What the runtime reports ends the process through sk_cuda_failed:
 * there is nothing left on the device that could be saved.
 */
#ifndef SK_MATH_CUDA_CUDA_H
#define SK_MATH_CUDA_CUDA_H
#ifdef __CUDACC__
#include <cuda_runtime.h>
#define SK_SHARED(type, name, n) __shared__ __align__(32) type name[n]
#else
#include <cuda_host.h>
#endif
extern "C" {
#include "math/ops.h"
#include "math/plugin.h"
}

/* Memory on the device that ops use between their kernels; each is one buffer
 * that grows at first need and is kept. */
enum sk_cuda_slot {
    SK_SLOT_A, SK_SLOT_B, SK_SLOT_C,                  /* operands of products as bfloat16; their bias */
    SK_SLOT_LOGITS, SK_SLOT_LEAVES, SK_SLOT_PARTS,    /* output layer; sums by leaves */
    SK_SLOT_MASK, SK_SLOT_RESULT,                     /* dropout of attention; what goes back to the host */
    SK_SLOTS
};

struct sk_buffer { void *p; size_t bytes; };

/* Host arrays that were copied lately: equal ones need no second copy. */
struct sk_staged { size_t at, bytes; };
enum { SK_STAGED = 64 };

struct sk_gemm_engine;
enum { SK_SIDES = 4 };

struct sk_device {
    int ordinal;
    char name[96];
    int sm;                                  /* 90: compute capability 9.0 */
    cudaStream_t stream;
    struct { cudaStream_t stream; cudaEvent_t done; } side[SK_SIDES];
    cudaEvent_t forked;
    enum sk_dtype dtype;                     /* SK_FLOAT32 or SK_BFLOAT16 */
    int tf32;                                /* products of floats use 10 bits of their precision */
    int unfused;                             /* SK_CUDA_UNFUSED=1: a kernel for each step */
    int plain_attention;                     /* SK_CUDA_ATTENTION=plain: without tensor cores */
    int narrow;                              /* rows are bfloat16 now (sk_cuda_narrow_rows) */
    struct sk_gemm_engine *gemm;
    struct sk_buffer slot[SK_SLOTS];
    struct { char *host, *device; size_t bytes, at; struct sk_staged last[SK_STAGED]; int next; } ring;
};

/* --- device.cu --------------------------------------------------------------- */
/* Ends the process: "what" with CUDA's words for the error. */
[[noreturn]] void sk_cuda_failed(const char *what, cudaError_t error);
/* Ends the process with a code and a message of our own. */
[[noreturn]] void sk_cuda_die(int code, const char *message);
static inline void sk_check(cudaError_t error, const char *what)
{
    if (error != cudaSuccess)
        sk_cuda_failed(what, error);
}
/* At least so many bytes of a slot, undefined; valid until the next call for it. */
void *sk_scratch(struct sk_device *dev, enum sk_cuda_slot slot, size_t bytes);
static inline float *sk_floats(struct sk_device *dev, enum sk_cuda_slot slot, size_t n)
{
    return (float *)sk_scratch(dev, slot, n * sizeof(float));
}
/* The array's copy on the device, in stream order valid for what is queued next. */
const void *sk_stage(struct sk_device *dev, const void *host, size_t bytes);
static inline const int32_t *sk_stage_ints(struct sk_device *dev, const int32_t *host, size_t n)
{
    return (const int32_t *)sk_stage(dev, host, n * sizeof *host);
}
/* Waits, then copies. */
void sk_fetch(struct sk_device *dev, void *host, const void *device, size_t bytes);

/* What is queued in dev->side from here on comes after all that is queued now; what is
 * queued in dev->stream after sk_join, after all of that. */
void sk_fork(struct sk_device *dev);
void sk_join(struct sk_device *dev);

/* After work is queued. In tests on a GPU (tests/gpu) it waits, so that tests may look
 * at results as they do on the CPU. */
static inline void sk_queued(struct sk_device *dev, const char *what)
{
    sk_check(cudaGetLastError(), what);
#ifdef SK_CUDA_TEST
    sk_check(cudaStreamSynchronize(dev->stream), what);
#else
    (void)dev;
#endif
}

/* Queues a kernel; nothing if the grid is empty. */
template <class... P, class... A>
static inline void sk_launch(struct sk_device *dev, void (*kernel)(P...), dim3 grid, int threads, A... arguments)
{
    if (grid.x == 0 || grid.y == 0 || grid.z == 0)
        return;
#ifdef __CUDACC__
    kernel<<<grid, threads, 0, dev->stream>>>(static_cast<P>(arguments)...);
#else
    sk_host_launch(dev->stream, grid, threads, kernel, static_cast<P>(arguments)...);
#endif
    sk_queued(dev, "a kernel");
}
static inline unsigned sk_count(size_t n, size_t size) { return (unsigned)((n + size - 1) / size); }

/* --- the operations: ops.h says what each does ------------------------------- */
extern "C" {
struct sk_device *sk_cuda_open(int threads, const char **why);
void sk_cuda_close(struct sk_device *dev);
int sk_cuda_threads(const struct sk_device *dev);
struct sk_device *sk_cuda_twin(const struct sk_device *dev);
const char *sk_cuda_set_dtype(struct sk_device *dev, enum sk_dtype dtype);
size_t sk_cuda_narrow_rows(struct sk_device *dev, int on);
void sk_cuda_describe(const struct sk_device *dev, char *text, size_t n);
void *sk_cuda_alloc(struct sk_device *dev, size_t bytes);
void sk_cuda_free(struct sk_device *dev, void *p);
void sk_cuda_upload(struct sk_device *dev, void *dst, const void *src, size_t bytes);
void sk_cuda_download(struct sk_device *dev, void *dst, const void *src, size_t bytes);
void sk_cuda_copy(struct sk_device *dev, void *dst, const void *src, size_t bytes);
void sk_cuda_zero(struct sk_device *dev, void *dst, size_t bytes);
size_t sk_cuda_memory(const struct sk_device *dev);
size_t sk_cuda_alloc_size(const struct sk_device *dev, size_t bytes);

struct sk_weight *sk_cuda_weight_new(struct sk_device *dev, int N, int K, int backward);
void sk_cuda_weight_load(struct sk_device *dev, struct sk_weight *w, const float *data);
void sk_cuda_weight_free(struct sk_device *dev, struct sk_weight *w);
size_t sk_cuda_weight_size(const struct sk_device *dev, int N, int K, int backward);
size_t sk_cuda_workspace(const struct sk_device *dev, const struct sk_work *work);
void sk_cuda_linear_forward(struct sk_device *dev, float *y, const float *x, const struct sk_weight *w,
                            const float *bias, int T);
void sk_cuda_linear_backward_data(struct sk_device *dev, float *dx, const float *dy, const struct sk_weight *w, int T,
                                  int add);
void sk_cuda_linear_backward_weight(struct sk_device *dev, float *dw, float *db, const float *dy, const float *x,
                                    int N, int K, struct sk_leaves leaves);

void sk_cuda_activation_forward(struct sk_device *dev, float *h, const float *a, enum sk_activation act, int F,
                                struct sk_rows rows, struct sk_dropout drop);
void sk_cuda_activation_backward(struct sk_device *dev, float *da, const float *dh, const float *kept,
                                 enum sk_activation act, int F, struct sk_rows rows, struct sk_dropout drop);
void sk_cuda_embed_forward(struct sk_device *dev, float *x, const int32_t *id, const float *table, float scale,
                           const float *position, int D, struct sk_rows rows, const int32_t *at,
                           struct sk_dropout drop);
void sk_cuda_dropout_backward(struct sk_device *dev, float *dx, int D, struct sk_rows rows, struct sk_dropout drop);
void sk_cuda_embed_backward(struct sk_device *dev, float *dtable, int V, int D, int streams, const int32_t *const *id,
                            const float *const *dx, const float *scale, const struct sk_leaves *leaves);
void sk_cuda_position_backward(struct sk_device *dev, float *dposition, int P, int D, const float *dx,
                               struct sk_rows rows, struct sk_leaves leaves);
void sk_cuda_dropout_add(struct sk_device *dev, float *out, const float *f, const float *residual, int D,
                         struct sk_rows rows, struct sk_dropout drop);
void sk_cuda_norm_forward(struct sk_device *dev, float *y, float *stat, const float *x, const float *gamma,
                          const float *beta, int T, int D);
void sk_cuda_dropout_add_norm(struct sk_device *dev, float *out, float *y, float *stat, const float *f,
                              const float *residual, const float *gamma, const float *beta, int D, struct sk_rows rows,
                              struct sk_dropout drop);
void sk_cuda_norm_dropout_backward(struct sk_device *dev, float *dx, float *df, float *dgamma, float *dbeta,
                                   const float *dy, const float *x, const float *stat, const float *gamma, int D,
                                   struct sk_rows rows, struct sk_leaves leaves, struct sk_dropout drop, int add);
void sk_cuda_norm_backward(struct sk_device *dev, float *dx, float *dgamma, float *dbeta, const float *dy,
                           const float *x, const float *stat, const float *gamma, int D, struct sk_leaves leaves,
                           int add);
void sk_cuda_add(struct sk_device *dev, float *a, const float *b, size_t n);

void sk_cuda_attention_forward(struct sk_device *dev, float *context, float *prob, const float *q, int ldq,
                               const float *k, const float *v, int ldk, int H, int D, struct sk_rows query,
                               struct sk_rows key, int causal, struct sk_dropout drop);
void sk_cuda_attention_backward(struct sk_device *dev, float *dq, float *dk, float *dv, const float *dcontext,
                                const float *prob, const float *q, int ldq, const float *k, const float *v, int ldk,
                                int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                                struct sk_dropout drop);
size_t sk_cuda_attention_size(int H, struct sk_rows query, struct sk_rows key);

void sk_cuda_rows_move(struct sk_device *dev, float *out, int ldo, const int32_t *to, const float *in, int ldi,
                       const int32_t *from, int n, int D, int add);
void sk_cuda_multiply(struct sk_device *dev, float *out, const float *a, const float *b, size_t n);
void sk_cuda_tanh_forward(struct sk_device *dev, float *y, const float *x, size_t n);
void sk_cuda_tanh_backward(struct sk_device *dev, float *dx, const float *dy, const float *y, size_t n);
void sk_cuda_cell_forward(struct sk_device *dev, enum sk_cell cell, float *h, float *c, float *gates, const float *x,
                          const float *hx, const float *before, int n, int H);
void sk_cuda_cell_backward(struct sk_device *dev, enum sk_cell cell, float *dx, float *dhx, float *dbefore,
                           const float *dh, const float *gates, const float *c, const float *before, int n, int H);
void sk_cuda_attend_forward(struct sk_device *dev, float *context, int ldc, const struct sk_attend *a, int R);
void sk_cuda_attend_backward(struct sk_device *dev, const struct sk_attend_gradients *g, const float *dcontext,
                             int ldc, const struct sk_attend *a, int R);
void sk_cuda_rows_mean(struct sk_device *dev, float *mean, const float *x, int D, struct sk_rows rows);
void sk_cuda_rows_mean_backward(struct sk_device *dev, float *dx, const float *dmean, int D, struct sk_rows rows);

void sk_cuda_output_loss(struct sk_device *dev, float *dx, float *dw, float *dbias, float *nll, uint8_t *correct,
                         const float *x, const struct sk_weight *w, const float *bias, const int32_t *label,
                         float smoothing, float loss_scale, int V, int D, struct sk_leaves leaves);
void sk_cuda_output_logprob(struct sk_device *dev, float *logp, const float *x, const struct sk_weight *w,
                            const float *bias, int V, int R);
void sk_cuda_attention_keep(struct sk_device *dev, float *keys, float *values, int W, const float *k, const float *v,
                            int D, struct sk_rows rows, const int32_t *slot);
void sk_cuda_attention_cross(struct sk_device *dev, float *context, const float *q, const float *keys,
                             const float *values, int W, int H, int D, int G, const int32_t *first,
                             const int32_t *slot, const int32_t *n);
void sk_cuda_attention_self(struct sk_device *dev, float *context, const float *qkv, float *const *cells, int rows,
                            int H, int D, int R, const int32_t *const *index, const int32_t *n);
void sk_cuda_output_top(struct sk_device *dev, const struct sk_top *top, const float *x, const struct sk_weight *w,
                        const float *bias, int V, int R);
void sk_cuda_logprob_top(struct sk_device *dev, const struct sk_top *top, float *logp, int V, int R);
void sk_cuda_logprob_mean(struct sk_device *dev, float *const *logp, int n, int log_linear, int V, int R);

double sk_cuda_sum_squares(struct sk_device *dev, const float *g, size_t n);
void sk_cuda_optimize(struct sk_device *dev, float *w, float *m, float *v, const float *g, size_t n,
                      const struct sk_optimizer_step *step);
int64_t sk_cuda_find_nonfinite(struct sk_device *dev, const float *x, size_t n);
}
#endif
