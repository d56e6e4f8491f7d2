/* kernels.c - which inner loops compute a device's products. */
#include <immintrin.h>
#include "math/cpu/product.h"

static const struct sk_kernels float32[] = {
    [SK_ISA_AVX2] = {1, 1, 0, sk_gemm_v3, NULL, sk_pack_v3, sk_pack_transposed_v3, sk_leaf_tile_v3, NULL},
    [SK_ISA_AVX512] = {1, 1, 0, sk_gemm_v4, NULL, sk_pack_v4, sk_pack_transposed_v4, sk_leaf_tile_v4, NULL},
};
static const struct sk_kernels rounded[] = {
    [SK_ISA_AVX2] = {1, 1, 1, sk_gemm_v3, sk_rows_narrow_v3, sk_pack_narrow_v3, sk_pack_transposed_narrow_v3,
                     sk_leaf_tile_narrow_v3, NULL},
    [SK_ISA_AVX512] = {1, 1, 1, sk_gemm_v4, sk_rows_narrow_v4, sk_pack_narrow_v4, sk_pack_transposed_narrow_v4,
                       sk_leaf_tile_narrow_v4, NULL},
};
static const struct sk_kernels bfloat16 = {2, SK_UNIT_BF16, 1, sk_gemm_bf16, sk_rows_bf16, sk_pack_bf16, sk_pack_transposed_bf16,
                                           sk_leaf_tile_bf16, NULL};

static const struct sk_kernels blocks[] = {
    [SK_ISA_AVX2] = {1, 1, 1, sk_gemm_blocks_v3, sk_rows_narrow_v3, sk_pack_narrow_v3, sk_pack_transposed_narrow_v3,
                     sk_leaf_tile_blocks_v3, NULL},
    [SK_ISA_AVX512] = {1, 1, 1, sk_gemm_blocks_v4, sk_rows_narrow_v4, sk_pack_narrow_v4, sk_pack_transposed_narrow_v4,
                       sk_leaf_tile_blocks_v4, NULL},
};
static const struct sk_kernels amx = {2, SK_UNIT_BF16, 1, sk_gemm_amx, sk_rows_bf16, sk_pack_bf16,
                                      sk_pack_transposed_bf16, sk_leaf_tile_amx, NULL};

static const struct sk_kernels int8[] = {
    [SK_ISA_AVX2] = {.values = 2, .unit = 1, .gemm = sk_gemm_int8_v3, .rows = sk_rows_int8_v3, .quantise = sk_quantise_int8_v3},
    [SK_ISA_AVX512] = {.values = 2, .unit = 1, .gemm = sk_gemm_int8_v4, .rows = sk_rows_int8_v4, .quantise = sk_quantise_int8_v4},
};
static const struct sk_kernels vnni = {.values = 4, .unit = SK_UNIT_VNNI, .gemm = sk_gemm_int8_vnni,
                                       .rows = sk_rows_int8_vnni, .quantise = sk_quantise_int8_vnni};
static const struct sk_kernels amx_int8 = {.values = 4, .unit = SK_UNIT_VNNI, .gemm = sk_gemm_int8_amx,
                                           .rows = sk_rows_int8_vnni, .quantise = sk_quantise_int8_vnni};

const struct sk_kernels *sk_kernels(const struct sk_device *dev)
{
    if (dev->dtype == SK_BFLOAT16)
        return dev->isa == SK_ISA_AVX512 && dev->bf16 ? &bfloat16 : &rounded[dev->isa];
    if (dev->dtype == SK_BFLOAT16_AMX)
        return sk_amx(dev) ? &amx : &blocks[dev->isa];
    return &float32[dev->isa];
}

const struct sk_kernels *sk_weight_kernels(const struct sk_device *dev, int K, int backward)
{
    enum { MOST = 65536 };               /* terms of which sums surely fit int32 */
    if (dev->dtype != SK_INT8 || backward || K > MOST)
        return sk_kernels(dev);
    if (sk_amx(dev))
        return &amx_int8;
    return dev->isa == SK_ISA_AVX512 && dev->vnni ? &vnni : &int8[dev->isa];
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
