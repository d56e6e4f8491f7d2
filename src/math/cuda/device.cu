/* device.cu - the cuda device: its memory, its stream, copies of host arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "math/cuda/cuda.h"
#include "math/cuda/gemm.h"

/* --- errors ------------------------------------------------------------------- */

static void (*fatal)(int code, const char *message);

extern "C" void sk_cuda_begin(void (*to)(int code, const char *message)) { fatal = to; }

void sk_cuda_die(int code, const char *message)
{
    if (fatal)
        fatal(code, message);
    fprintf(stderr, "%s\n", message);
    _exit(code);
}

void sk_cuda_failed(const char *what, cudaError_t error)
{
    char text[512];
    snprintf(text, sizeof text, "the GPU failed (%s: %s, CUDA error %d). What the last checkpoint holds is safe; the "
             "same command goes on from there", what, cudaGetErrorString(error), (int)error);
    sk_cuda_die(75, text);
}

static void *allocate(struct sk_device *dev, size_t bytes)
{
    void *p = NULL;
#ifdef SK_CUDA_TEST
    cudaError_t error = cudaMallocManaged(&p, bytes ? bytes : 1);
#else
    cudaError_t error = cudaMalloc(&p, bytes ? bytes : 1);
#endif
    if (error == cudaErrorMemoryAllocation) {
        size_t left = 0, all = 0;
        char text[512];
        cudaGetLastError();
        cudaMemGetInfo(&left, &all);
        snprintf(text, sizeof text, "%s has no memory for %.0f MB more: %.0f of its %.0f MB are free. Give a smaller "
                 "--batch-size (or, when translating, a smaller --beam-size), or free the GPU of other processes",
                 dev->name, (double)bytes / 1e6, (double)left / 1e6, (double)all / 1e6);
        sk_cuda_die(1, text);
    }
    sk_check(error, "cudaMalloc");
    return p;
}

/* --- opening -------------------------------------------------------------------- */

static const char *reason(cudaError_t error)
{
    static char text[256];
    if (error == cudaErrorInsufficientDriver)
        return "this host has no NVIDIA driver, or one too old for this build (CUDA error 35)";
    if (error == cudaErrorNoDevice)
        return "this process sees no GPU: there is none, or CUDA_VISIBLE_DEVICES hides them (CUDA error 100)";
    snprintf(text, sizeof text, "%s (CUDA error %d)", cudaGetErrorString(error), (int)error);
    return text;
}

extern "C" int sk_cuda_devices(const char **why)
{
    int n = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    if (error == cudaSuccess && n == 0)
        error = cudaErrorNoDevice;
    if (error == cudaSuccess)
        return n;
    *why = reason(error);
    return error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver ? 0 : -1;
}

struct sk_device *sk_cuda_open(int threads, const char **why)
{
    int n = 0;
    cudaDeviceProp p;
    (void)threads;
    cudaError_t error = cudaGetDeviceCount(&n);
    if (error == cudaSuccess && n == 0)
        error = cudaErrorNoDevice;
    if (error == cudaSuccess)
        error = cudaSetDevice(0);
    if (error == cudaSuccess)
        error = cudaGetDeviceProperties(&p, 0);
    if (error != cudaSuccess) {
        *why = reason(error);
        return NULL;
    }
    if (p.major < 8) {
        *why = "this GPU is older than compute capability 8.0 (A100)";
        return NULL;
    }
    struct sk_device *dev = (struct sk_device *)calloc(1, sizeof *dev);
    if (!dev) {
        *why = "no memory";
        return NULL;
    }
    snprintf(dev->name, sizeof dev->name, "%.95s", p.name);
    dev->sm = 10 * p.major + p.minor;
    const char *unfused = getenv("SK_CUDA_UNFUSED");
    dev->unfused = unfused && strcmp(unfused, "1") == 0;
    const char *attention = getenv("SK_CUDA_ATTENTION");
    dev->plain_attention = attention && strcmp(attention, "plain") == 0;
    error = cudaStreamCreateWithFlags(&dev->stream, cudaStreamNonBlocking);
    if (error == cudaSuccess)
        error = cudaEventCreateWithFlags(&dev->forked, cudaEventDisableTiming);
    for (int i = 0; i < SK_SIDES && error == cudaSuccess; i++) {
        error = cudaStreamCreateWithFlags(&dev->side[i].stream, cudaStreamNonBlocking);
        if (error == cudaSuccess)
            error = cudaEventCreateWithFlags(&dev->side[i].done, cudaEventDisableTiming);
    }
    if (error != cudaSuccess || !(dev->gemm = sk_gemm_open(dev, why))) {
        if (error != cudaSuccess)
            *why = reason(error);
        free(dev);
        return NULL;
    }
    return dev;
}

static void sync(struct sk_device *dev) { sk_check(cudaStreamSynchronize(dev->stream), "waiting for it"); }

void sk_fork(struct sk_device *dev)
{
    sk_check(cudaEventRecord(dev->forked, dev->stream), "forking");
    for (int i = 0; i < SK_SIDES; i++)
        sk_check(cudaStreamWaitEvent(dev->side[i].stream, dev->forked, 0), "forking");
}

void sk_join(struct sk_device *dev)
{
    for (int i = 0; i < SK_SIDES; i++) {
        sk_check(cudaEventRecord(dev->side[i].done, dev->side[i].stream), "joining");
        sk_check(cudaStreamWaitEvent(dev->stream, dev->side[i].done, 0), "joining");
    }
    sk_queued(dev, "joining");
}

void sk_cuda_close(struct sk_device *dev)
{
    if (!dev)
        return;
    sync(dev);
    sk_gemm_close(dev->gemm);
    for (int i = 0; i < SK_SLOTS; i++)
        if (dev->slot[i].p)
            cudaFree(dev->slot[i].p);
    if (dev->ring.bytes) {
        cudaFree(dev->ring.device);
        cudaFreeHost(dev->ring.host);
    }
    for (int i = 0; i < SK_SIDES; i++) {
        cudaStreamDestroy(dev->side[i].stream);
        cudaEventDestroy(dev->side[i].done);
    }
    cudaEventDestroy(dev->forked);
    cudaStreamDestroy(dev->stream);
    free(dev);
}

int sk_cuda_threads(const struct sk_device *dev)
{
    (void)dev;
    return 1;
}

/* Threads of the caller would share one stream: they gain nothing. */
struct sk_device *sk_cuda_twin(const struct sk_device *dev)
{
    (void)dev;
    return NULL;
}

const char *sk_cuda_set_dtype(struct sk_device *dev, enum sk_dtype dtype)
{
    dev->dtype = dtype == SK_FLOAT32 || dtype == SK_TF32 ? SK_FLOAT32 : SK_BFLOAT16;
    dev->tf32 = dtype == SK_TF32;
    return dtype == SK_INT8 ? "on GPUs it is computed as bfloat16, which is faster there"
           : dtype == SK_BFLOAT16_AMX ? "on GPUs it is computed as bfloat16" : NULL;
}

/* SK_CUDA_ROWS=float32: never, for comparison. */
size_t sk_cuda_narrow_rows(struct sk_device *dev, int on)
{
    const char *rows = getenv("SK_CUDA_ROWS");
    dev->narrow = on && dev->dtype == SK_BFLOAT16 && !(rows && strcmp(rows, "float32") == 0);
    return dev->narrow ? sizeof(uint16_t) : sizeof(float);
}

void sk_cuda_describe(const struct sk_device *dev, char *text, size_t n)
{
    snprintf(text, n, "cuda: %s, sm_%d, %s", dev->name, dev->sm, dev->dtype == SK_BFLOAT16 ? "bfloat16" : dev->tf32 ? "tf32" : "float32");
}

/* --- memory ----------------------------------------------------------------------- */

size_t sk_cuda_alloc_size(const struct sk_device *dev, size_t bytes)
{
    const size_t page = (size_t)2 << 20, small = 512;      /* small blocks share pages */
    (void)dev;
    size_t unit = bytes >= page / 2 ? page : small;
    return (bytes + unit - 1) / unit * unit;
}

size_t sk_cuda_memory(const struct sk_device *dev)
{
    size_t left = 0, all = 0;
    (void)dev;
    sk_check(cudaMemGetInfo(&left, &all), "asking for its memory");
    return left ? left : 1;
}

void *sk_cuda_alloc(struct sk_device *dev, size_t bytes)
{
    void *p = allocate(dev, bytes);
    sk_cuda_zero(dev, p, bytes);
    return p;
}

void sk_cuda_free(struct sk_device *dev, void *p)
{
    if (!p)
        return;
    sync(dev);
    sk_check(cudaFree(p), "cudaFree");
}

void *sk_scratch(struct sk_device *dev, enum sk_cuda_slot slot, size_t bytes)
{
    struct sk_buffer *b = &dev->slot[slot];
    if (b->bytes < bytes) {
        if (b->p)
            sk_cuda_free(dev, b->p);
        b->bytes = 0;                    /* what is there no longer, should the next fail */
        b->p = allocate(dev, bytes);
        b->bytes = bytes;
    }
    return b->p;
}

void sk_cuda_copy(struct sk_device *dev, void *dst, const void *src, size_t bytes)
{
    if (bytes)
        sk_check(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDefault, dev->stream), "copying");
    sk_queued(dev, "copying");
}

void sk_cuda_zero(struct sk_device *dev, void *dst, size_t bytes)
{
    if (bytes)
        sk_check(cudaMemsetAsync(dst, 0, bytes, dev->stream), "writing zeros");
    sk_queued(dev, "writing zeros");
}

void sk_fetch(struct sk_device *dev, void *host, const void *device, size_t bytes)
{
    if (bytes)
        sk_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, dev->stream), "downloading");
    sync(dev);
}

void sk_cuda_download(struct sk_device *dev, void *dst, const void *src, size_t bytes)
{
    sk_fetch(dev, dst, src, bytes);
}

/* The caller may change src at once. */
void sk_cuda_upload(struct sk_device *dev, void *dst, const void *src, size_t bytes)
{
    if (bytes)
        sk_check(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, dev->stream), "uploading");
    sync(dev);
}

/* --- host arrays ------------------------------------------------------------------- */

enum { RING = 8 << 20 };

/* A ring that can hold two arrays of such a size. */
static void new_ring(struct sk_device *dev, size_t bytes)
{
    size_t size = dev->ring.bytes ? dev->ring.bytes : (size_t)RING;
    while (size < 2 * bytes)
        size *= 2;
    if (dev->ring.bytes) {
        sk_cuda_free(dev, dev->ring.device);
        sk_check(cudaFreeHost(dev->ring.host), "cudaFreeHost");
    }
    memset(&dev->ring, 0, sizeof dev->ring);
    dev->ring.device = (char *)allocate(dev, size);
    sk_check(cudaMallocHost((void **)&dev->ring.host, size), "cudaMallocHost");
    dev->ring.bytes = size;
}

const void *sk_stage(struct sk_device *dev, const void *host, size_t bytes)
{
    if (bytes == 0)
        bytes = 1, host = "";
    for (int i = 0; i < SK_STAGED; i++) {
        const struct sk_staged *s = &dev->ring.last[i];
        if (s->bytes == bytes && memcmp(dev->ring.host + s->at, host, bytes) == 0)
            return dev->ring.device + s->at;
    }
    size_t place = (bytes + 255) / 256 * 256;
    if (place > dev->ring.bytes / 2)
        new_ring(dev, place);
    if (dev->ring.at + place > dev->ring.bytes) {
        sync(dev);                       /* what stands there is needed no more */
        dev->ring.at = 0;
        memset(dev->ring.last, 0, sizeof dev->ring.last);
    }
    size_t at = dev->ring.at;
    dev->ring.at += place;
    memcpy(dev->ring.host + at, host, bytes);
    sk_check(cudaMemcpyAsync(dev->ring.device + at, dev->ring.host + at, bytes, cudaMemcpyHostToDevice, dev->stream),
             "uploading");
    dev->ring.last[dev->ring.next] = (struct sk_staged){at, bytes};
    dev->ring.next = (dev->ring.next + 1) % SK_STAGED;
    return dev->ring.device + at;
}
