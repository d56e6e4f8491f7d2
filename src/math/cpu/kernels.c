/* kernels.c - which inner loops compute a device's products. */
#include <immintrin.h>
#include "math/cpu/product.h"

static const struct sk_kernels float32[] = {
    [SK_ISA_AVX2] = {1, 0, sk_gemm_v3, NULL, sk_pack_v3, sk_pack_transposed_v3, sk_leaf_tile_v3},
    [SK_ISA_AVX512] = {1, 0, sk_gemm_v4, NULL, sk_pack_v4, sk_pack_transposed_v4, sk_leaf_tile_v4},
};
static const struct sk_kernels rounded[] = {
    [SK_ISA_AVX2] = {1, 1, sk_gemm_v3, sk_rows_narrow_v3, sk_pack_narrow_v3, sk_pack_transposed_narrow_v3,
                     sk_leaf_tile_narrow_v3},
    [SK_ISA_AVX512] = {1, 1, sk_gemm_v4, sk_rows_narrow_v4, sk_pack_narrow_v4, sk_pack_transposed_narrow_v4,
                       sk_leaf_tile_narrow_v4},
};
static const struct sk_kernels bfloat16 = {2, 1, sk_gemm_bf16, sk_rows_bf16, sk_pack_bf16, sk_pack_transposed_bf16,
                                           sk_leaf_tile_bf16};

const struct sk_kernels *sk_kernels(const struct sk_device *dev)
{
    if (dev->dtype == SK_BFLOAT16)
        return dev->isa == SK_ISA_AVX512 && dev->bf16 ? &bfloat16 : &rounded[dev->isa];
    return &float32[dev->isa];
}

unsigned sk_flush_begin(const struct sk_kernels *k)
{
    enum { FLUSH_RESULTS = 0x8000, FLUSH_OPERANDS = 0x0040 };
    unsigned before = _mm_getcsr();
    if (k->flush)
        _mm_setcsr(before | FLUSH_RESULTS | FLUSH_OPERANDS);
    return before;
}

void sk_flush_end(unsigned before)
{
    if (_mm_getcsr() != before)
        _mm_setcsr(before);
}
