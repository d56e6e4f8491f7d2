/* ops.cu - the cuda backend's table, and what the plug-in exports. */
#include "math/cuda/cuda.h"
#include "math/cuda/product.h"

/* --- memory, before it is taken: keep it true to sk_scratch's callers ------------ */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t sk_cuda_workspace(const struct sk_device *dev, const struct sk_work *w)
{
    size_t rows = larger((size_t)w->source_rows, (size_t)w->target_rows), V = (size_t)w->V, parts = 0, wide = 0;
    int levels = 0;
    while (1 << levels < w->leaves)
        levels++;
    size_t piece = larger((size_t)(512 << 20) / sizeof(float) / V, 64), leaf = (size_t)w->target_rows / (size_t)w->leaves;
    piece = piece < 4096 ? piece : 4096;
    piece = leaf + 256 < piece ? leaf + 256 : piece;         /* leaves are of nearly the same size */
    for (int i = 0; i < w->weights; i++) {
        size_t N = (size_t)w->weight[i][0], K = (size_t)w->weight[i][1];
        parts = larger(parts, (size_t)(N * K <= SK_SIDE_MOST && levels > 0 ? w->leaves : levels) * N * K);
        if (!w->narrow)                  /* else rows are operands as they are */
            wide = larger(wide, (N == V ? piece : rows) * larger(N, K));
    }
    /* Gradients of logits, and what else products take. */
    size_t operands = dev->dtype == SK_FLOAT32 ? 0 : (larger(piece * V, wide) + wide) * sizeof(uint16_t);
    size_t mask = (rows * (size_t)w->H * (size_t)w->longest + 7) / 8;
    return SK_GEMM_WORKSPACE + operands + piece * V * sizeof(float) + parts * sizeof(float) +
        2 * (size_t)w->leaves * larger(V, (size_t)w->D) * sizeof(float) + mask + ((size_t)24 << 20);
}

/* ----------------------------------------------------------------------------------- */

extern "C" {
void sk_cuda_begin(void (*to)(int code, const char *message));
int sk_cuda_devices(const char **why);

extern const struct sk_ops sk_ops_cuda;
const struct sk_ops sk_ops_cuda = {
    .name = "cuda",
    .host = 0,
    .open = sk_cuda_open,
    .close = sk_cuda_close,
    .threads = sk_cuda_threads,
    .twin = sk_cuda_twin,
    .set_dtype = sk_cuda_set_dtype,
    .narrow_rows = sk_cuda_narrow_rows,
    .describe = sk_cuda_describe,
    .alloc = sk_cuda_alloc,
    .free = sk_cuda_free,
    .upload = sk_cuda_upload,
    .download = sk_cuda_download,
    .copy = sk_cuda_copy,
    .zero = sk_cuda_zero,
    .weight_new = sk_cuda_weight_new,
    .weight_load = sk_cuda_weight_load,
    .weight_free = sk_cuda_weight_free,
    .alloc_size = sk_cuda_alloc_size,
    .weight_size = sk_cuda_weight_size,
    .memory = sk_cuda_memory,
    .workspace = sk_cuda_workspace,
    .linear_forward = sk_cuda_linear_forward,
    .linear_backward_data = sk_cuda_linear_backward_data,
    .linear_backward_weight = sk_cuda_linear_backward_weight,
    .activation_forward = sk_cuda_activation_forward,
    .activation_backward = sk_cuda_activation_backward,
    .embed_forward = sk_cuda_embed_forward,
    .dropout_backward = sk_cuda_dropout_backward,
    .embed_backward = sk_cuda_embed_backward,
    .position_backward = sk_cuda_position_backward,
    .dropout_add = sk_cuda_dropout_add,
    .norm_forward = sk_cuda_norm_forward,
    .norm_backward = sk_cuda_norm_backward,
    .dropout_add_norm = sk_cuda_dropout_add_norm,
    .norm_dropout_backward = sk_cuda_norm_dropout_backward,
    .add = sk_cuda_add,
    .attention_forward = sk_cuda_attention_forward,
    .attention_backward = sk_cuda_attention_backward,
    .attention_size = sk_cuda_attention_size,
    .rows_move = sk_cuda_rows_move,
    .multiply = sk_cuda_multiply,
    .tanh_forward = sk_cuda_tanh_forward,
    .tanh_backward = sk_cuda_tanh_backward,
    .cell_forward = sk_cuda_cell_forward,
    .cell_backward = sk_cuda_cell_backward,
    .attend_forward = sk_cuda_attend_forward,
    .attend_backward = sk_cuda_attend_backward,
    .rows_mean = sk_cuda_rows_mean,
    .rows_mean_backward = sk_cuda_rows_mean_backward,
    .output_loss = sk_cuda_output_loss,
    .output_logprob = sk_cuda_output_logprob,
    .attention_keep = sk_cuda_attention_keep,
    .attention_cross = sk_cuda_attention_cross,
    .attention_self = sk_cuda_attention_self,
    .output_top = sk_cuda_output_top,
    .logprob_top = sk_cuda_logprob_top,
    .logprob_mean = sk_cuda_logprob_mean,
    .sum_squares = sk_cuda_sum_squares,
    .optimize = sk_cuda_optimize,
    .find_nonfinite = sk_cuda_find_nonfinite,
};

extern const struct sk_plugin sk_plugin __attribute__((visibility("default")));
const struct sk_plugin sk_plugin = {SK_PLUGIN_VERSION, sizeof(struct sk_ops), &sk_ops_cuda, sk_cuda_begin,
                                    sk_cuda_devices};
}
