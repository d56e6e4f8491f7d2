/* gemm_blocks_isa.c - SK_BFLOAT16_AMX without AMX: values are rounded when they
 * are packed, as gemm_isa.c does it, and summed by blocks.
 */
#define NAME(f) SK_ISA_NAME(f##_blocks)
#define BLOCK SK_BLOCK
#include "math/cpu/gemm_float_inline.h"

void NAME(sk_leaf_tile)(const struct sk_leaf_tile *t) { leaf_tile(t, 1); }
