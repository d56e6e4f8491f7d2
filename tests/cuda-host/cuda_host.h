/* cuda_host.h - enough of CUDA's language and runtime for g++, so that the
 * kernels of src/math/cuda run in tests on hosts without a GPU.
 *
 * A block's threads are fibers of one thread of the host. They run in shuffled
 * order and change only at barriers and warp shuffles, so a missing
 * barrier shows as a wrong value; so do blocks that wait for each other, since
 * blocks run one after another in shuffled order. A barrier that not all threads
 * reach ends the process.
 *
 * Memory from cudaMalloc and shared memory start as NaN (every byte 0xff).
 * Work in a stream is kept until somebody waits for a stream (lazy), so
 * that host memory which changes too early shows; streams then take turns at
 * random, so that one which should wait for another's event shows. While it does not run,
 * device memory cannot be touched by the host at all.
 *
 * SK_CUDA_HOST=eager: work is done at once, and device memory is the
 * host's: for tests that hand ordinary arrays to operations.
 */
#ifndef CUDA_HOST_H
#define CUDA_HOST_H
#include <float.h>
#include <functional>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tuple>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct __attribute__((may_alias, aligned(16))) uint4 { unsigned x, y, z, w; };
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

/* --- inside kernels ------------------------------------------------------------ */

void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);
/* Value of another lane; all lanes of the warp take part. */
uint64_t sk_host_exchange(uint64_t value, int from);
int sk_host_lane();
template <class T> static inline T sk_host_shuffle(T v, int from)
{
    uint64_t bits = 0;
    static_assert(sizeof v <= sizeof bits, "8 bytes at most");
    memcpy(&bits, &v, sizeof v);
    bits = sk_host_exchange(bits, from);
    memcpy(&v, &bits, sizeof v);
    return v;
}
template <class T> static inline T __shfl_xor_sync(unsigned, T v, int mask)
{
    return sk_host_shuffle(v, sk_host_lane() ^ mask);
}
template <class T> static inline T __shfl_sync(unsigned, T v, int lane) { return sk_host_shuffle(v, lane); }
/* Shared memory of the running block, of the place in the text that `key` stands for. */
void *sk_host_shared(const void *key, size_t bytes);
#define SK_SHARED(type, name, n)            \
    static const char name##_key = 0;       \
    type *const name = (type *)sk_host_shared(&name##_key, (size_t)(n) * sizeof(type))

/* --- the runtime ----------------------------------------------------------------- */

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorInsufficientDriver = 35,
                   cudaErrorNoDevice = 100 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDefault = 4 };
struct sk_host_stream;
struct sk_host_event;
typedef sk_host_stream *cudaStream_t;
typedef sk_host_event *cudaEvent_t;
struct cudaDeviceProp { char name[256]; int major, minor; size_t totalGlobalMem; };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };

const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t s);

/* Queues work, a kernel or anything else. */
void sk_host_queue(cudaStream_t s, std::function<void()> work);
void sk_host_run(dim3 grid, int threads, const std::function<void()> &thread);
template <class... P>
static inline void sk_host_launch(cudaStream_t s, dim3 grid, int threads, void (*kernel)(P...), P... arguments)
{
    std::tuple<P...> all(arguments...);
    sk_host_queue(s, [=] { sk_host_run(grid, threads, [&] { std::apply(kernel, all); }); });
}
#endif
