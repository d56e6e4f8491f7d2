/* ops.h - the seam: layer-sized operations, each once per backend.
 *
 * All matrices in memory are float32, row-major; T rows of packed tokens, D model
 * width, H heads, d = D / H, F feed-forward width, V vocabulary size.
 * Pointers marked (device) come from ops->alloc. Outputs come first.
 * Calls on one device run in order; host reads need ops->download.
 *
 * EXACTNESS. A row of a result depends on its own inputs only: not on other
 * rows, their number, threads, or instruction set. On the CPU each product
 * element is one chain c = fma(a[k], b[k], c), k ascending from c = 0 (or
 * from what is accumulated onto): same bits on AVX2 and AVX-512. In bfloat16
 * a and b are rounded to it (to nearest, ties to even) before they are
 * multiplied, c is float32, and subnormal numbers count as zeros: the same
 * bits with and without instructions for it. tf32 is for GPUs: floats whose last 13
 * bits do not count (10 bits of precision); the CPU computes float32. In bfloat16-amx a and b are the
 * same numbers, summed as Intel's matrix instructions do (Intel SDM, TDPBF16PS):
 * of each 32 values of k from 0 on, even ones are one chain from 0, odd ones
 * another, and c += their sum; again the same bits everywhere. In int8 (translating) a row of x
 * and a row of W are multiples -127..127 of 1/127 of its largest value; their
 * products are summed exactly.
 *
 * LEAVES. Sums over tokens (gradients of weights, biases, norms, embeddings;
 * losses) are made per leaf, rows ascending, and the leaves' sums are
 * combined by a fixed binary tree ((0+1)+(2+3))+...: so that any number of
 * processes that own aligned ranges of leaves get the same bits. `struct
 * sk_leaves` gives a power-of-two number of leaves of this call; a leaf
 * without rows counts as zeros. Such an op *stores* (not adds) its result.
 *
 * DROPOUT. Whether value e of a row of n is kept is a pure function of
 * (seed, update, site, sentence's ordinal, position of the row in its
 * sentence); see sk_dropout. Kept values are scaled by 1 / (1 - p).
 *
 * ROWS. What is marked (rows) has a row of values for each token: float32, or, after
 * narrow_rows(dev, 1), bfloat16 where the device has that: then `float *` only says
 * where they are. Sums are made in float32, and each stored value is rounded.
 */
#ifndef SK_MATH_OPS_H
#define SK_MATH_OPS_H
#include <stddef.h>
#include <stdint.h>

struct sk_device;                        /* one backend instance: threads, scratch */

/* What numbers matrix products multiply. Everything else is float32. */
enum sk_dtype { SK_FLOAT32, SK_BFLOAT16, SK_BFLOAT16_AMX, SK_TF32, SK_INT8 };
/* Their names, for tables of options: those that training can use, and all. */
#define SK_DTYPES_TRAINING "float32|bfloat16|bfloat16-amx|tf32"
#define SK_DTYPES SK_DTYPES_TRAINING "|int8"
enum sk_dtype sk_dtype_named(const char *name);
const char *sk_dtype_name(enum sk_dtype dtype);

struct sk_leaves { int n; const int32_t *row; /* (n + 1) first rows, host */ };

/* Rows of packed sentences: the ragged shape of one stream. Host arrays; a
 * device backend keeps its own copies (ops->upload_rows). */
struct sk_rows {
    int rows, sentences;
    const int32_t *offset;               /* (sentences + 1) */
    const int64_t *ordinal;              /* (sentences): dropout key */
};

/* Dropout of one site. Row key: counter = (block j, position | site << 16,
 * ordinal's low 32 bits, update); key = seed. The row of n values has
 * B = ceil(n / 8) blocks; value e takes 16-bit lane e / B (lanes 0..7: low
 * then high half of Philox words 0..3) of block e % B; kept iff
 * lane >= (uint32_t)(p * 65536). p = 0: none. */
struct sk_dropout { float p; uint32_t site; uint32_t update; uint64_t seed; };
enum { SK_SITE_MAX = 65535 };            /* site < 65536, position < 65536 */

enum sk_activation { SK_RELU, SK_GELU, SK_SWISH1 };
/* relu; gelu = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); swish1 = x sigmoid(x) */

/* Optimizers, as MXNet 1.5 has them. g: the gradient times `rescale`, clamped
 * to +-clip if clip > 0, plus decay w (not in AdaGrad and AdaDelta).
 *
 *   SGD       w -= rate g; with a momentum (m): m = a m - rate g, w += m
 *   NAG       m = a m + g; w -= rate (a m + g)                     (Nesterov 1983)
 *   ADAM      m = a m + (1 - a) g; v = b v + (1 - b) g^2;
 *             w -= rate m / (sqrt(v) + eps). `rate` has the bias corrections in
 *             it; so eps stands outside them (Kingma & Ba 2015, end of section 2)
 *   NADAM     m, v as ADAM; w -= rate (cg g + cm m) / (cv sqrt(v) + eps)  (Dozat 2016)
 *   RMSPROP   v = b v + (1 - b) g^2; w -= rate g / sqrt(v + eps)
 *   ADAGRAD   v += g^2; w -= rate (g / sqrt(v + eps) + decay w)
 *   ADADELTA  v = b v + (1 - b) g^2; d = sqrt(m + eps) / sqrt(v + eps) g;
 *             m = b m + (1 - b) d^2; w -= d + decay w: there is no rate (Zeiler 2012) */
enum sk_optimizer_kind {
    SK_SGD, SK_SGD_MOMENTUM, SK_NAG, SK_ADAM, SK_NADAM, SK_RMSPROP, SK_ADAGRAD, SK_ADADELTA
};
struct sk_optimizer_step {
    enum sk_optimizer_kind kind;
    float rescale, clip, decay, rate, a, b, eps, cg, cm, cv;
};

/* What is wanted of distributions over the vocabulary, row by row. Host
 * memory. The k best words, best first, of equals (as compared: of logits, where
 * an op makes them) the lower one; without those
 * in `never`, those of `ban` from ban_first[r] to ban_first[r + 1] - 1, and without any
 * whose log probability is no number; where there are fewer, -1 and -inf follow. And the
 * log probability of one given word, or of those of `label` that label_first bounds likewise. */
struct sk_top {
    int k;                               /* may be 0 */
    int32_t *id;                         /* (R, k) */
    float *logp;                         /* (R, k) */
    const int32_t *never;
    int nevers;
    const int32_t *ban, *ban_first;      /* (ban_first[R]), (R + 1) or both NULL */
    const int32_t *label;                /* (R), with label_first (label_first[R]), or NULL */
    const int32_t *label_first;          /* (R + 1) or NULL: one for each row */
    float *label_logp;                   /* as many as labels */
};

/* A weight matrix (N outputs, K inputs), stored out x in, as the backend
 * wants it for y = x W^T and dx = dy W; refreshed after each update. */
struct sk_weight;

/* What bounds the batches that a model is trained with; for ops->workspace. */
struct sk_work {
    int source_rows, target_rows, sentences, longest;   /* longest: of either side */
    int leaves;
    int V, D, H;                         /* output layer (V, D); most heads */
    const int (*weight)[2];              /* (N, K) of all weights */
    int weights;
    int narrow;                          /* rows are of 2 bytes: narrow_rows */
};

/* Cells of recurrent layers (Sockeye 1.18 and MXNet 1.5; x and h are the
 * products of input and state with their biases, gates in this order):
 *   LSTM  i, f, c, o of x + h: c = s(f) c' + s(i) tanh(c); h = s(o) tanh(c)
 *   GRU   r, z, n: r = s(xr + hr), z = s(xz + hz), n = tanh(xn + r hn);
 *         h = (1 - z) n + z h'                               (the form of cuDNN) */
enum sk_cell { SK_LSTM, SK_GRU };
enum { SK_CELL_GATES = 4 };              /* values kept of each unit: i f c o, or r z n hn */

/* Attention of single rows to keys that stand anywhere, one head: row r attends
 * to keys first[r] .. first[r] + n[r] - 1 (host arrays). Scores: scale q . k, or,
 * with v, v . tanh(y) with y = q + k, or y = gamma (q + k - mean) / sqrt(var + 1e-6) + beta. */
struct sk_attend {
    int A, D;                            /* width of q and keys; of values */
    const float *q, *keys, *values;      /* (R, A), (., A), (., D) */
    const float *v, *gamma, *beta;       /* (A) or NULL; gamma and beta together */
    float scale;
    const int32_t *first, *n;            /* (R) host */
    float *prob;                         /* (R, ldp): kept for the backward pass; ldp >= all n */
    int ldp;
};
/* Gradients of sk_attend: dq, dv, dgamma, dbeta (R, A) of each row, stored; the
 * last three NULL where the attention has none. dkeys, dvalues: added to; they
 * may be one buffer. No two rows of a call share keys. */
struct sk_attend_gradients { float *dq, *dkeys, *dvalues, *dv, *dgamma, *dbeta; };

struct sk_ops {
    const char *name;                    /* "cpu", "cuda" */
    int host;                            /* the device's memory is this process's own */

    /* --- device ------------------------------------------------------- */
    /* NULL: sk_fail-like message in *why (static text). */
    struct sk_device *(*open)(int threads, const char **why);
    void (*close)(struct sk_device *dev);
    /* Threads of this host that compute for it: 1 if it has others. */
    int (*threads)(const struct sk_device *dev);
    /* A device of one thread that gives the same bits and reads dev's weights and
     * memory, for a thread of the caller's own; NULL if there is no such thing. */
    struct sk_device *(*twin)(const struct sk_device *dev);
    /* Products' numbers from now on; SK_FLOAT32 at first. Call it before the
     * first weight_new. NULL, or a remark (static text): it is slow here. */
    const char *(*set_dtype)(struct sk_device *dev, enum sk_dtype dtype);
    /* From now on rows are bfloat16, if on and products' numbers are and the device has
     * it; else float32, as at first. Returns the bytes of a value, 2 or 4. */
    size_t (*narrow_rows)(struct sk_device *dev, int on);
    void (*describe)(const struct sk_device *dev, char *text, size_t n);  /* "cpu: AVX2, 2 threads" */
    void *(*alloc)(struct sk_device *dev, size_t bytes);   /* 64-byte aligned, zeroed */
    void (*free)(struct sk_device *dev, void *p);
    void (*upload)(struct sk_device *dev, void *dst, const void *src, size_t bytes);
    void (*download)(struct sk_device *dev, void *dst, const void *src, size_t bytes);
    void (*copy)(struct sk_device *dev, void *dst, const void *src, size_t bytes);
    void (*zero)(struct sk_device *dev, void *dst, size_t bytes);

    /* --- weights ------------------------------------------------------ */
    /* backward 0: only products forward are wanted (translating). */
    struct sk_weight *(*weight_new)(struct sk_device *dev, int N, int K, int backward);
    void (*weight_load)(struct sk_device *dev, struct sk_weight *w, const float *data /* (N, K) device */);
    void (*weight_free)(struct sk_device *dev, struct sk_weight *w);

    /* --- memory, before it is taken ------------------------------------ */
    /* Bytes that alloc and weight_new make of a request. */
    size_t (*alloc_size)(const struct sk_device *dev, size_t bytes);
    size_t (*weight_size)(const struct sk_device *dev, int N, int K, int backward);
    /* Bytes that alloc can have; 0: the device's memory is the host's. */
    size_t (*memory)(const struct sk_device *dev);
    /* About the bytes that the ops keep for themselves while a model trains. */
    size_t (*workspace)(const struct sk_device *dev, const struct sk_work *work);

    /* --- products: y, x, dx, dy (rows) ---------------------------------- */
    /* y (T, N) = x (T, K) W^T [+ bias (N)] */
    void (*linear_forward)(struct sk_device *dev, float *y, const float *x, const struct sk_weight *w,
                           const float *bias, int T);
    /* dx (T, K) = dy (T, N) W; add != 0: dx += (as one chain onto dx) */
    void (*linear_backward_data)(struct sk_device *dev, float *dx, const float *dy,
                                 const struct sk_weight *w, int T, int add);
    /* dw (N, K) = sum over rows dy^T x; db (N) or NULL = sum over rows dy. By leaves. */
    void (*linear_backward_weight)(struct sk_device *dev, float *dw, float *db, const float *dy,
                                   const float *x, int N, int K, struct sk_leaves leaves);

    /* --- feed-forward activation (rows) --------------------------------- */
    /* h (T, F) = dropout(act(a)); a (T, F) holds the biased product; h may be a. */
    void (*activation_forward)(struct sk_device *dev, float *h, const float *a, enum sk_activation act,
                               int F, struct sk_rows rows, struct sk_dropout drop);
    /* da (T, F) = act'(a) * dropout'(dh); da may be dh. kept: a, or, of SK_RELU, h:
     * what is positive there was neither cut nor dropped. */
    void (*activation_backward)(struct sk_device *dev, float *da, const float *dh, const float *kept,
                                enum sk_activation act, int F, struct sk_rows rows, struct sk_dropout drop);

    /* --- embeddings: x, dx (rows) --------------------------------------- */
    /* x (T, D) = dropout(table[id] * scale + position[t]); position: fixed
     * sinusoids (T_max, D) or learned rows, or NULL. t = at[row], or, where at is
     * NULL, row - its sentence's first row. */
    void (*embed_forward)(struct sk_device *dev, float *x, const int32_t *id /* (T) host */,
                          const float *table /* (V, D) */, float scale, const float *position,
                          int D, struct sk_rows rows, const int32_t *at /* (T) host */, struct sk_dropout drop);
    /* dx (T, D) <- dropout'(dx), in place: what the two below take. */
    void (*dropout_backward)(struct sk_device *dev, float *dx, int D, struct sk_rows rows, struct sk_dropout drop);
    /* dtable (V, D) = sum of scale * dx rows by id, over `streams` streams
     * one after the other inside each leaf (tied embeddings); by leaves (all
     * streams have the same number). Id i's of a leaf are added in row order. */
    void (*embed_backward)(struct sk_device *dev, float *dtable, int V, int D, int streams,
                           const int32_t *const *id, const float *const *dx, const float *scale,
                           const struct sk_leaves *leaves);
    /* dposition (P, D) = sum of dx rows by position; by leaves. */
    void (*position_backward)(struct sk_device *dev, float *dposition, int P, int D, const float *dx,
                              struct sk_rows rows, struct sk_leaves leaves);

    /* --- between sub-layers (rows) --------------------------------------- */
    /* out (T, D) = [residual +] dropout(f); residual NULL: none; out may be f or residual. */
    void (*dropout_add)(struct sk_device *dev, float *out, const float *f, const float *residual,
                        int D, struct sk_rows rows, struct sk_dropout drop);
    /* y (T, D) = gamma (x - mean) / sqrt(var + 1e-6) + beta; stat (T, 2) = mean, 1/sqrt(var + 1e-6).
     * Means: 16 partial sums (lane e % 16), then a fixed tree. */
    void (*norm_forward)(struct sk_device *dev, float *y, float *stat, const float *x,
                         const float *gamma, const float *beta, int T, int D);
    /* dx (T, D), add != 0: dx += ; dgamma, dbeta (D) by leaves. x: the input of the forward. */
    void (*norm_backward)(struct sk_device *dev, float *dx, float *dgamma, float *dbeta, const float *dy,
                          const float *x, const float *stat, const float *gamma, int D,
                          struct sk_leaves leaves, int add);
    /* dropout_add, then norm_forward of its result; out may be f. */
    void (*dropout_add_norm)(struct sk_device *dev, float *out, float *y, float *stat, const float *f,
                             const float *residual, const float *gamma, const float *beta, int D, struct sk_rows rows,
                             struct sk_dropout drop);
    /* norm_backward, then df (T, D) = dropout'(dx), what reaches f; df is no other's memory. */
    void (*norm_dropout_backward)(struct sk_device *dev, float *dx, float *df, float *dgamma, float *dbeta,
                                  const float *dy, const float *x, const float *stat, const float *gamma, int D,
                                  struct sk_rows rows, struct sk_leaves leaves, struct sk_dropout drop, int add);
    /* a (n) += b (n), of floats */
    void (*add)(struct sk_device *dev, float *a, const float *b, size_t n);

    /* --- attention: all (rows) but prob ----------------------------------- */
    /* context (Tq, D): for each sentence and head, softmax((q d^-1/2) k^T [causal]),
     * dropout on probabilities, times v. q, k, v have row strides ldq, ldk
     * (k and v), so that fused projections are read in place. q, k may come
     * from different streams of the same sentences. prob: workspace of
     * ops->attention_size floats, kept for the backward pass: probabilities after
     * softmax and before dropout, or what a backend makes them from again. Row key of dropout: site, query's position; the row has
     * n = H * (keys visible or not: the sentence's key count) values, head-major. */
    void (*attention_forward)(struct sk_device *dev, float *context, float *prob,
                              const float *q, int ldq, const float *k, const float *v, int ldk,
                              int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                              struct sk_dropout drop);
    /* dq, dk, dv (strides as q, k) are stored, not added. */
    void (*attention_backward)(struct sk_device *dev, float *dq, float *dk, float *dv, const float *dcontext,
                               const float *prob, const float *q, int ldq, const float *k, const float *v,
                               int ldk, int H, int D, struct sk_rows query, struct sk_rows key, int causal,
                               struct sk_dropout drop);
    /* Floats of prob: H * sum over sentences of queries * keys, or less. A sum over
     * sentences of what does not fall as either grows. */
    size_t (*attention_size)(int H, struct sk_rows query, struct sk_rows key);

    /* --- recurrent layers ------------------------------------------------ */
    /* Row to[i] of out (row stride ldo) = row from[i] of in (ldi), add != 0: += it;
     * n rows of D values; to, from (host): NULL: i itself; from[i] < 0: zeros. No
     * row of out comes twice. */
    void (*rows_move)(struct sk_device *dev, float *out, int ldo, const int32_t *to, const float *in, int ldi,
                      const int32_t *from, int n, int D, int add);
    /* out (n) = a b, value by value; out may be a or b. */
    void (*multiply)(struct sk_device *dev, float *out, const float *a, const float *b, size_t n);
    /* y (n) = tanh(x); y may be x. dx (n) = dy (1 - y^2); dx may be dy. */
    void (*tanh_forward)(struct sk_device *dev, float *y, const float *x, size_t n);
    void (*tanh_backward)(struct sk_device *dev, float *dx, const float *dy, const float *y, size_t n);
    /* One step of n rows of a cell with H units. h (n, H); c (n, H), LSTM only;
     * gates (n, 4H) kept for the backward pass; x, hx (n, 4H or 3H) products;
     * before: c (LSTM) or h (GRU) of the step before, (n, H). */
    void (*cell_forward)(struct sk_device *dev, enum sk_cell cell, float *h, float *c, float *gates, const float *x,
                         const float *hx, const float *before, int n, int H);
    /* dx, dhx (n, 4H or 3H) gradients of the products (LSTM: equal; dhx may be NULL);
     * dbefore (n, H): LSTM: in: gradient of c from the step after, out: of `before`;
     * GRU: out: of `before`, what does not go through hx. */
    void (*cell_backward)(struct sk_device *dev, enum sk_cell cell, float *dx, float *dhx, float *dbefore,
                          const float *dh, const float *gates, const float *c, const float *before, int n, int H);
    /* context (R, D), row stride ldc. */
    void (*attend_forward)(struct sk_device *dev, float *context, int ldc, const struct sk_attend *a, int R);
    void (*attend_backward)(struct sk_device *dev, const struct sk_attend_gradients *g, const float *dcontext, int ldc,
                            const struct sk_attend *a, int R);
    /* mean (S, D) of each sentence's rows of x; dx rows += dmean / their number. */
    void (*rows_mean)(struct sk_device *dev, float *mean, const float *x, int D, struct sk_rows rows);
    void (*rows_mean_backward)(struct sk_device *dev, float *dx, const float *dmean, int D, struct sk_rows rows);

    /* --- output layer ---------------------------------------------------- */
    /* Softmax cross entropy over x (T, D) W^T + bias with label smoothing:
     * q_y = 1 - smoothing, others smoothing / (V - 1); gradient (p - q) *
     * loss_scale (1 / the update's number of labels). Works in chunks of rows
     * inside each leaf: T * V floats never stand in memory. dx (T, D) stored;
     * dw (V, D), dbias (V) by leaves. x, dx: (rows). NULL dx: no gradients (validation).
     * Per row (host, may be NULL): nll[t] = -log max(1e-10, p_y), unsmoothed,
     * and correct[t] = arg max is the label (lowest index on ties). */
    void (*output_loss)(struct sk_device *dev, float *dx, float *dw, float *dbias, float *nll, uint8_t *correct,
                        const float *x, const struct sk_weight *w, const float *bias,
                        const int32_t *label /* (T) host */, float smoothing, float loss_scale,
                        int V, int D, struct sk_leaves leaves);
    /* logp (R, V) device = log softmax(x (R, D) W^T + bias). */
    void (*output_logprob)(struct sk_device *dev, float *logp, const float *x, const struct sk_weight *w,
                           const float *bias, int V, int R);

    /* --- translating: one row more for each hypothesis --------------------- */
    /* Results have the bits that attention_forward and output_logprob give.
     *
     * Attention to the source: the keys and values of a sentence of n <= W rows
     * (W a multiple of 16) are kept in a slot, slot i of `keys` at i * W * D, as
     * the backend likes them, slot i of `values` at i * W * D likewise.
     * attention_keep puts sentence s of the rows (k, v: (T, D)) into slot[s]. */
    void (*attention_keep)(struct sk_device *dev, float *keys, float *values, int W, const float *k, const float *v,
                           int D, struct sk_rows rows, const int32_t *slot);
    /* context (R, D), q (R, D): rows first[g]..first[g + 1] attend to the n[g]
     * keys of slot[g], G groups. */
    void (*attention_cross)(struct sk_device *dev, float *context, const float *q, const float *keys,
                            const float *values, int W, int H, int D, int G, const int32_t *first,
                            const int32_t *slot, const int32_t *n);
    /* Attention to the words before: row r of qkv (R, 3D) has cells index[r][0..n[r])
     * (host). A cell is 2D floats, a key and a value; cell c is number c % rows of
     * cells[c / rows]. The row's own key and value are stored in the last of its
     * cells first; no other row has that. */
    void (*attention_self)(struct sk_device *dev, float *context /* (R, D) */, const float *qkv, float *const *cells,
                           int rows, int H, int D, int R, const int32_t *const *index, const int32_t *n);
    /* The best words of each row of x (R, D) W^T + bias. */
    void (*output_top)(struct sk_device *dev, const struct sk_top *top, const float *x, const struct sk_weight *w,
                       const float *bias, int V, int R);
    /* The same of log probabilities (R, V), which are overwritten. */
    void (*logprob_top)(struct sk_device *dev, const struct sk_top *top, float *logp, int V, int R);
    /* logp[0] (R, V) = the mean of n distributions logp[0..n): log mean p, or,
     * log_linear, mean log p, normalised. */
    void (*logprob_mean)(struct sk_device *dev, float *const *logp, int n, int log_linear, int V, int R);

    /* --- optimizer --------------------------------------------------------- */
    /* sum of squares in double over fixed chunks of 65536 values, in order. */
    double (*sum_squares)(struct sk_device *dev, const float *g, size_t n);
    /* One update of n parameters, in one pass: see struct sk_optimizer_step. m
     * and v may be NULL where the kind does not use them. */
    void (*optimize)(struct sk_device *dev, float *w, float *m, float *v, const float *g, size_t n,
                     const struct sk_optimizer_step *step);
    /* Index of the first value that is not finite, or -1. */
    int64_t (*find_nonfinite)(struct sk_device *dev, const float *x, size_t n);
};

extern const struct sk_ops sk_ops_cpu;

/* Opens a device as options say: threads 0 means one for each CPU, dtype is
 * one of SK_DTYPES. What set_dtype remarks becomes a warning. NULL: sk_fail. */
struct sk_device *sk_device_open(const struct sk_ops *ops, int threads, const char *dtype);
#endif
