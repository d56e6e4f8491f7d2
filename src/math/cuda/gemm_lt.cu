/* gemm_lt.cu - products with cuBLASLt. A matrix whose rows lie one after the
 * other is, to cuBLAS, the transposed one by columns: so c^T = b a^T is asked for.
 *
 * An algorithm is chosen once for each kind of product, from what cuBLASLt
 * thinks best for a typical number of tokens, among those that do not split sums
 * over K; it then computes this product for any number of tokens.
 */
#include <cublasLt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "math/cuda/gemm.h"

enum { TYPICAL = 4096, TRIED = 16, MOST = 512 };

struct key { int kind, side, dtype, out, tf32, a, b, bias, add, odd; };    /* a, b: the sizes that are not tokens */
struct chosen { struct key key; cublasLtMatmulAlgo_t algo; };

struct sk_gemm_engine {
    cublasLtHandle_t lt;
    char *workspace;                     /* the main stream's, then the sides' */
    struct chosen *of;
    int n;
};

static void check(cublasStatus_t status, const char *what)
{
    char text[256];
    if (status == CUBLAS_STATUS_SUCCESS)
        return;
    snprintf(text, sizeof text, "the GPU failed (cuBLASLt, %s: %s). The same command goes on from the last checkpoint",
             what, cublasLtGetStatusString(status));
    sk_cuda_die(75, text);
}

struct sk_gemm_engine *sk_gemm_open(struct sk_device *dev, const char **why)
{
    struct sk_gemm_engine *e = (struct sk_gemm_engine *)calloc(1, sizeof *e);
    (void)dev;
    if (e)
        e->of = (struct chosen *)calloc(MOST, sizeof *e->of);
    if (!e || !e->of || cublasLtCreate(&e->lt) != CUBLAS_STATUS_SUCCESS) {
        *why = "cuBLASLt does not start (is the GPU's memory full?)";
        free(e);
        return NULL;
    }
    if (cudaMalloc((void **)&e->workspace, SK_GEMM_WORKSPACE) != cudaSuccess) {
        cudaGetLastError();
        *why = "the GPU's memory is full";
        cublasLtDestroy(e->lt);
        free(e->of);
        free(e);
        return NULL;
    }
    return e;
}

void sk_gemm_close(struct sk_gemm_engine *e)
{
    cublasLtDestroy(e->lt);
    cudaFree(e->workspace);
    free(e->of);
    free(e);
}

/* What cuBLASLt is asked: its D (m, n) = op(A) op(B), by columns; its A is our b. */
struct problem {
    cublasLtMatmulDesc_t what;
    cublasLtMatrixLayout_t a, b, c;
};

static struct problem describe(const struct sk_device *dev, const struct sk_gemm *g, int M, int K)
{
    struct problem p;
    cudaDataType_t in = g->dtype == SK_FLOAT32 ? CUDA_R_32F : CUDA_R_16BF;
    cudaDataType_t out = g->out == SK_FLOAT32 ? CUDA_R_32F : CUDA_R_16BF;
    cublasOperation_t a = g->kind == SK_GEMM_FORWARD ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t b = g->kind == SK_GEMM_WEIGHT ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasComputeType_t how = dev->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check(cublasLtMatmulDescCreate(&p.what, how, CUDA_R_32F), "describing a product");
    cublasLtMatmulDescSetAttribute(p.what, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof a);
    cublasLtMatmulDescSetAttribute(p.what, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof b);
    if (g->bias) {
        cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
        cublasLtMatmulDescSetAttribute(p.what, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
        cublasLtMatmulDescSetAttribute(p.what, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &out, sizeof out);
        cublasLtMatmulDescSetAttribute(p.what, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &g->bias, sizeof g->bias);
    }
    uint64_t rows_a = (uint64_t)(a == CUBLAS_OP_T ? K : g->N), columns_a = (uint64_t)(a == CUBLAS_OP_T ? g->N : K);
    uint64_t rows_b = (uint64_t)(b == CUBLAS_OP_T ? M : K), columns_b = (uint64_t)(b == CUBLAS_OP_T ? K : M);
    check(cublasLtMatrixLayoutCreate(&p.a, in, rows_a, columns_a, g->ldb), "describing a matrix");
    check(cublasLtMatrixLayoutCreate(&p.b, in, rows_b, columns_b, g->lda), "describing a matrix");
    check(cublasLtMatrixLayoutCreate(&p.c, out, (uint64_t)g->N, (uint64_t)M, g->ldc), "describing a matrix");
    return p;
}

static void forget(struct problem p)
{
    cublasLtMatrixLayoutDestroy(p.a);
    cublasLtMatrixLayoutDestroy(p.b);
    cublasLtMatrixLayoutDestroy(p.c);
    cublasLtMatmulDescDestroy(p.what);
}

/* Bytes that pointers and rows are multiples of, 16 at most. */
static uint32_t alignment(const void *p, int ld, size_t item)
{
    uintptr_t bits = (uintptr_t)p | (uintptr_t)ld * item | 16;
    return (uint32_t)(bits & -bits);
}

static cublasLtMatmulAlgo_t choose(const struct sk_device *dev, const struct sk_gemm *g, const uint32_t aligned[4])
{
    struct problem p = describe(dev, g, g->kind == SK_GEMM_WEIGHT ? g->M : TYPICAL,
                                g->kind == SK_GEMM_WEIGHT ? TYPICAL : g->K);
    cublasLtMatmulPreference_t wish;
    cublasLtMatmulHeuristicResult_t found[TRIED];
    size_t workspace = g->side ? SK_GEMM_SIDE : SK_GEMM_MAIN;
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
    int n = 0, at = -1;
    check(cublasLtMatmulPreferenceCreate(&wish), "choosing an algorithm");
    cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes);
    static const cublasLtMatmulPreferenceAttributes_t names[4] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    for (int i = 0; i < 4; i++)
        cublasLtMatmulPreferenceSetAttribute(wish, names[i], &aligned[i], sizeof aligned[i]);
    check(cublasLtMatmulAlgoGetHeuristic(dev->gemm->lt, p.what, p.a, p.b, p.c, p.c, wish, TRIED, found, &n),
          "choosing an algorithm");
    for (int i = 0; i < n && at < 0; i++) {
        int32_t split = 1;
        cublasLtMatmulAlgoConfigGetAttribute(&found[i].algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &split, sizeof split, NULL);
        if (found[i].state == CUBLAS_STATUS_SUCCESS && split <= 1)
            at = i;
    }
    if (at < 0)
        check(CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm without split sums");
    cublasLtMatmulPreferenceDestroy(wish);
    forget(p);
    return found[at].algo;
}

void sk_gemm_run(struct sk_device *dev, const struct sk_gemm *g)
{
    struct sk_gemm_engine *e = dev->gemm;
    size_t item = g->dtype == SK_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
    uint32_t c = alignment(g->c, g->ldc, g->out == SK_FLOAT32 ? sizeof(float) : sizeof(uint16_t));
    uint32_t aligned[4] = {alignment(g->b, g->ldb, item), alignment(g->a, g->lda, item), c, c};
    struct key key;
    memset(&key, 0, sizeof key);
    key.kind = g->kind, key.side = g->side > 0, key.dtype = g->dtype, key.out = g->out, key.tf32 = dev->tf32, key.bias = g->bias != NULL, key.add = g->add, key.a = g->N;
    key.b = g->kind == SK_GEMM_WEIGHT ? g->M : g->K;
    for (int i = 0; i < 3; i++)
        key.odd |= (int)aligned[i] << 8 * i;
    int i = 0;
    while (i < e->n && memcmp(&e->of[i].key, &key, sizeof key))
        i++;
    if (i == MOST)
        sk_cuda_die(70, "more kinds of products than one model can have");
    if (i == e->n) {
        e->of[i].algo = choose(dev, g, aligned);
        e->of[i].key = key;
        e->n++;
    }
    char *workspace = g->side ? e->workspace + SK_GEMM_MAIN + (g->side - 1) * (size_t)SK_GEMM_SIDE : e->workspace;
    const float one = 1, factor = g->add ? 1.0f : 0.0f;
    struct problem p = describe(dev, g, g->M, g->K);
    check(cublasLtMatmul(e->lt, p.what, &one, g->b, p.a, g->a, p.b, &factor, g->c, p.c, g->c, p.c, &e->of[i].algo,
                         workspace, g->side ? SK_GEMM_SIDE : SK_GEMM_MAIN, sk_gemm_stream(dev, g)),
          "a product");
    if (!g->side)
        sk_queued(dev, "a product");
    forget(p);
}
