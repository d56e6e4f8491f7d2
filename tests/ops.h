/* ops.h - the backend that a test of operations or models runs on: the CPU, or,
 * in tests built with SK_TEST_CUDA, the cuda backend on the stand-in of
 * tests/cuda-host, eager, so that ordinary arrays can be handed to it. */
#ifndef TESTS_OPS_H
#define TESTS_OPS_H
#include <stdlib.h>
#include "math/ops.h"
#ifdef SK_TEST_CUDA
extern const struct sk_ops sk_ops_cuda;
#define TEST_OPS sk_ops_cuda
enum { TEST_CUDA = 1 };
/* For the stand-in; on a GPU (tests/gpu/memory.cu) it means nothing. */
static __attribute__((constructor)) void be_eager(void) { setenv("SK_CUDA_HOST", "eager", 1); }
static __attribute__((unused)) void hold_to_avx2(struct sk_device *dev) { (void)dev; }
#else
#include "math/cpu/device.h"
#define TEST_OPS sk_ops_cpu
enum { TEST_CUDA = 0 };
static __attribute__((unused)) void hold_to_avx2(struct sk_device *dev) { dev->isa = SK_ISA_AVX2; }
#endif
#endif
