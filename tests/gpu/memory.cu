/* memory.cu - lets tests of operations hand their own arrays to a GPU: what they get
 * from malloc, and their static arrays, become memory that the device can read
 * and write at the same addresses. Linked with --wrap=malloc and so on, together with
 * the backend built with SK_CUDA_TEST (each operation waits for itself). */
#include <cuda_runtime.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t ARENA = (size_t)2 << 30;
static char *arena;
static size_t used;
static int starting;                     /* what CUDA itself wants meanwhile is malloc's */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
extern "C" char __data_start, _end;

extern "C" int __real_posix_memalign(void **p, size_t aligned, size_t bytes);
extern "C" void *__real_realloc(void *p, size_t bytes);
extern "C" void __real_free(void *p);

static void start()
{
    int n = 0;
    starting = 1;
    if (cudaGetDeviceCount(&n) != cudaSuccess || n == 0) {
        printf("1..0 # SKIP there is no GPU\n");
        exit(0);
    }
    if (cudaMallocHost((void **)&arena, ARENA) != cudaSuccess) {
        fprintf(stderr, "no pinned memory for the test\n");
        exit(1);
    }
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)&__data_start / page * page;
    uintptr_t end = ((uintptr_t)&_end + page - 1) / page * page;
    if (cudaHostRegister((void *)first, end - first, cudaHostRegisterMapped) != cudaSuccess) {
        fprintf(stderr, "static arrays cannot be shown to the GPU: %s\n", cudaGetErrorString(cudaGetLastError()));
        exit(1);
    }
    starting = 0;
}

static int ours(const void *p) { return arena && (const char *)p >= arena && (const char *)p < arena + ARENA; }

/* Never given back: tests are short. The size stands in front. */
static void *take(size_t bytes, size_t aligned)
{
    if (starting) {
        void *p = NULL;
        return __real_posix_memalign(&p, aligned, bytes) ? NULL : p;
    }
    if (!arena)
        start();
    pthread_mutex_lock(&lock);
    size_t at = (used + 64 + aligned - 1) / aligned * aligned;
    if (at + bytes > ARENA) {
        fprintf(stderr, "the test needs more than its arena\n");
        exit(1);
    }
    used = at + bytes;
    pthread_mutex_unlock(&lock);
    memcpy(arena + at - sizeof bytes, &bytes, sizeof bytes);
    return arena + at;
}

extern "C" void *__wrap_malloc(size_t bytes) { return take(bytes, 64); }
extern "C" void *__wrap_calloc(size_t n, size_t size)
{
    void *p = take(n * size, 64);
    memset(p, 0, n * size);
    return p;
}
extern "C" void *__wrap_aligned_alloc(size_t aligned, size_t bytes) { return take(bytes, aligned < 64 ? 64 : aligned); }
extern "C" int __wrap_posix_memalign(void **p, size_t aligned, size_t bytes)
{
    *p = take(bytes, aligned < 64 ? 64 : aligned);
    return 0;
}
extern "C" void *__wrap_realloc(void *p, size_t bytes)
{
    if (p && !ours(p))
        return __real_realloc(p, bytes);
    void *to = take(bytes, 64);
    size_t before = 0;
    if (p)
        memcpy(&before, (char *)p - sizeof before, sizeof before);
    if (p)
        memcpy(to, p, before < bytes ? before : bytes);
    return to;
}
extern "C" void __wrap_free(void *p)
{
    if (p && !ours(p))
        __real_free(p);
}
