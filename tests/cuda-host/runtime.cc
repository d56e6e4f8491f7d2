/* runtime.cc - memory, streams and copies: see cuda_host.h. */
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdio.h>
#include <sys/mman.h>
#include <vector>
#include "fibers.h"
#ifdef CUDA_HOST_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* Work, or, if `until` is set, waiting for that. */
struct item { std::function<void()> work; std::shared_ptr<bool> until; };
struct sk_host_stream { std::deque<item> work; };
struct sk_host_event { std::shared_ptr<bool> happened; };    /* what its last record marks */

/* Device memory is cut from one range of addresses and never used again, so that
 * what was freed stays out of reach. */
static const size_t RANGE = (size_t)1 << 36, GAP = 4096;
static char *base;
static size_t used;
static std::map<void *, size_t> blocks;
static std::recursive_mutex lock;        /* devices may belong to several threads */

static int eager()
{
    static int is = -1;
    if (is < 0) {
        const char *s = getenv("SK_CUDA_HOST");
        is = s && strcmp(s, "eager") == 0;
    }
    return is;
}

static void reach(int prot)
{
    if (used && mprotect(base, used, prot) < 0) {
        perror("cuda-host: mprotect");
        abort();
    }
}

const char *cudaGetErrorString(cudaError_t error) { return error == cudaSuccess ? "no error" : "an error"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaGetDevice(int *device) { *device = 0; return cudaSuccess; }

/* SK_CUDA_HOST_ERROR=35, 100: as on hosts without driver or device. */
cudaError_t cudaGetDeviceCount(int *n)
{
    const char *error = getenv("SK_CUDA_HOST_ERROR");
    *n = error ? 0 : 1;
    return error ? (cudaError_t)atoi(error) : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
    *p = cudaDeviceProp();
    strcpy(p->name, "no GPU, but its stand-in");
    p->major = 9;
    cudaMemGetInfo(&p->totalGlobalMem, &p->totalGlobalMem);
    return cudaSuccess;
}

/* SK_CUDA_HOST_MEMORY: bytes of the device. */
cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    const char *s = getenv("SK_CUDA_HOST_MEMORY");
    *total = s ? strtoull(s, NULL, 10) : (size_t)1 << 33;
    size_t taken = 0;
    for (auto &b : blocks)
        taken += b.second;
    *free = *total > taken ? *total - taken : 0;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    size_t free, total, take = (bytes + GAP - 1) / GAP * GAP;
    cudaMemGetInfo(&free, &total);
    if (bytes > free)
        return cudaErrorMemoryAllocation;
    if (eager()) {
        *p = aligned_alloc(256, (bytes + 255) / 256 * 256);
        memset(*p, 0xff, bytes);
        UNPOISON(*p, bytes);
        POISON((char *)*p + bytes, (bytes + 255) / 256 * 256 - bytes);
        blocks[*p] = bytes;
        return cudaSuccess;
    }
    if (!base) {
        base = (char *)mmap(NULL, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            return cudaErrorMemoryAllocation;
    }
    if (used + take + GAP > RANGE)
        return cudaErrorMemoryAllocation;
    *p = base + used;
    used += take + GAP;
    reach(PROT_READ | PROT_WRITE);
    memset(*p, 0xff, bytes);
    POISON((char *)*p + bytes, take + GAP - bytes);
    reach(PROT_NONE);
    blocks[*p] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    auto b = blocks.find(p);
    if (b == blocks.end()) {
        fprintf(stderr, "cuda-host: cudaFree of what is no memory of the device\n");
        abort();
    }
    if (eager()) {
        free(p);
    } else {
        POISON(p, b->second);
        madvise(p, b->second, MADV_DONTNEED);
    }
    blocks.erase(b);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    *p = malloc(bytes);
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void *p)
{
    free(p);
    return cudaSuccess;
}

/* --- streams --------------------------------------------------------------------------- */

static std::vector<sk_host_stream *> &streams = *new std::vector<sk_host_stream *>();

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    streams.push_back(*s = new sk_host_stream());
    return cudaSuccess;
}

/* One step of a stream that can take one, any. */
static void step()
{
    std::vector<sk_host_stream *> able;
    for (sk_host_stream *s : streams)
        if (!s->work.empty() && (!s->work.front().until || *s->work.front().until))
            able.push_back(s);
    if (able.empty()) {
        fprintf(stderr, "cuda-host: streams wait for each other, or for an event that nobody records\n");
        abort();
    }
    sk_host_stream *s = able[sk_host_random((unsigned)able.size())];
    item first = std::move(s->work.front());
    s->work.pop_front();
    if (!first.until)
        first.work();
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    if (s->work.empty())
        return cudaSuccess;
    reach(PROT_READ | PROT_WRITE);
    while (!s->work.empty())
        step();
    reach(PROT_NONE);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    cudaStreamSynchronize(s);
    std::lock_guard<std::recursive_mutex> hold(lock);
    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i] == s)
            streams.erase(streams.begin() + (std::ptrdiff_t)i--);
    delete s;
    return cudaSuccess;
}

static void queue(cudaStream_t s, item what)
{
    std::lock_guard<std::recursive_mutex> hold(lock);
    s->work.push_back(std::move(what));
    if (eager())
        cudaStreamSynchronize(s);
}

void sk_host_queue(cudaStream_t s, std::function<void()> work) { queue(s, {std::move(work), nullptr}); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = new sk_host_event();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    std::shared_ptr<bool> mark(new bool(false));
    e->happened = mark;
    sk_host_queue(s, [mark] { *mark = true; });
    return cudaSuccess;
}

/* Waits for the last record; where there is none, for nothing. */
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    if (e->happened)
        queue(s, {nullptr, e->happened});
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t s)
{
    sk_host_queue(s, [=] { memcpy(to, from, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t s)
{
    sk_host_queue(s, [=] { memset(to, value, bytes); });
    return cudaSuccess;
}
