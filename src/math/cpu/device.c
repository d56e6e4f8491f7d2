/* device.c - the cpu device: its threads, its memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cpuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/mem.h"
#include "math/cpu/device.h"

/* In front of each block: what to give back. */
struct header { void *base; size_t mapped; /* 0: of malloc */ char line[48]; };

/* Large blocks are address space that takes memory where it is written to:
 * batches seldom fill theirs. They ask for huge pages, since products walk down
 * columns, and with small pages most of such steps miss the TLB. */
static void *map(size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__              /* which watches the ends of what malloc gives */
    (void)bytes;
    return NULL;
#endif
    const size_t huge = (size_t)1 << 21;
    size_t length = (bytes + huge - 1) / huge * huge + huge + sizeof(struct header);
    char *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    char *p = base + sizeof(struct header);
    p += (huge - (uintptr_t)p % huge) % huge;
    madvise(p, bytes, MADV_HUGEPAGE);
    *((struct header *)(void *)p - 1) = (struct header){ .base = base, .mapped = length };
    return p;
}

/* Zeroed, 64-byte aligned. */
static void *allocate(size_t bytes)
{
    void *p = bytes >= (size_t)1 << 21 ? map(bytes) : NULL;
    if (p)
        return p;
    struct header *h = sk_xaligned(sizeof *h + bytes);
    *h = (struct header){ .base = h };
    return h + 1;
}

static void release(void *p)
{
    if (!p)
        return;
    struct header h = *((struct header *)p - 1);
    if (h.mapped)
        munmap(h.base, h.mapped);
    else
        free(h.base);
}

/* Has the processor AMX for bfloat16 and int8, and lets the kernel this process use it?
 * Its registers are large, so Linux (5.16) wants to be asked. */
static int has_amx(void)
{
    enum { BFLOAT16 = 1 << 22, TILES = 1 << 24, INT8 = 1 << 25, ASK = 0x1023 /* ARCH_REQ_XCOMP_PERM */, TILE_DATA = 18 };
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & TILES) && (d & BFLOAT16) && (d & INT8) &&
           syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
}

struct sk_device *sk_cpu_open(int threads, const char **why)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2")) {
        *why = "this processor lacks AVX2, FMA or BMI2 (x86-64-v3): use a host that has them";
        return NULL;
    }
    struct sk_device *dev = sk_xcalloc(1, sizeof *dev);
    int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512cd");
    dev->isa = wide ? SK_ISA_AVX512 : SK_ISA_AVX2;
    dev->bf16 = wide && __builtin_cpu_supports("avx512bf16");
    dev->vnni = wide && __builtin_cpu_supports("avx512vnni");
    dev->amx = dev->bf16 && dev->vnni && has_amx();
    dev->threads = threads < 1 ? 1 : threads;
    dev->pool = sk_pool_new(dev->threads);
    dev->scratch = sk_xcalloc((size_t)dev->threads, sizeof *dev->scratch);
    return dev;
}

void sk_cpu_close(struct sk_device *dev)
{
    if (!dev)
        return;
    sk_pool_free(dev->pool);
    for (int i = 0; i < dev->threads; i++)
        release(dev->scratch[i].p);
    for (int i = 0; i < SK_SLOTS; i++)
        release(dev->shared[i].p);
    free(dev->scratch);
    free(dev);
}

int sk_cpu_threads(const struct sk_device *dev) { return dev->threads; }

struct sk_device *sk_cpu_twin(const struct sk_device *dev)
{
    struct sk_device *twin = sk_xcalloc(1, sizeof *twin);
    *twin = *dev;                        /* what decides bits */
    twin->threads = 1;
    twin->pool = sk_pool_new(1);
    twin->scratch = sk_xcalloc(1, sizeof *twin->scratch);
    memset(twin->shared, 0, sizeof twin->shared);
    return twin;
}

const char *sk_cpu_set_dtype(struct sk_device *dev, enum sk_dtype dtype)
{
    dev->dtype = dtype == SK_TF32 ? SK_FLOAT32 : dtype;
    if (dtype == SK_TF32)
        return "these numbers are for GPUs; the CPU computes float32";
    if (dtype == SK_BFLOAT16 && dev->amx && dev->isa == SK_ISA_AVX512)
        return "this processor multiplies several times as fast with bfloat16-amx, which rounds in another order";
    if (dtype == SK_BFLOAT16_AMX && !sk_amx(dev))
        return "this processor has no AMX: results are as elsewhere, but no sooner than in float32";
    if (dtype == SK_BFLOAT16 && !(dev->isa == SK_ISA_AVX512 && dev->bf16))
        return "this processor has no bfloat16 instructions: results are as elsewhere, but no sooner than in float32";
    return NULL;
}

/* Rows stay float32: what would be gained is in the caches. */
size_t sk_cpu_narrow_rows(struct sk_device *dev, int on)
{
    (void)dev;
    (void)on;
    return sizeof(float);
}

void sk_cpu_describe(const struct sk_device *dev, char *text, size_t n)
{
    static const char *const dtype[] = { "", ", bfloat16", ", bfloat16-amx", "", ", int8" };
    snprintf(text, n, "cpu: %s%s, %d thread%s", dev->isa == SK_ISA_AVX512 ? "AVX-512" : "AVX2", dtype[dev->dtype],
             dev->threads, dev->threads == 1 ? "" : "s");
}

/* Makes the buffer large enough; what it held is lost. */
static void *grow(struct sk_cpu_buffer *b, size_t bytes)
{
    if (b->bytes < bytes) {
        release(b->p);
        b->p = allocate(bytes);
        b->bytes = bytes;
    }
    return b->p;
}

void *sk_cpu_scratch(struct sk_device *dev, int thread, size_t bytes)
{
    return grow(&dev->scratch[thread], bytes);
}

void *sk_cpu_shared(struct sk_device *dev, enum sk_cpu_slot slot, size_t bytes)
{
    return grow(&dev->shared[slot], bytes);
}

void *sk_cpu_alloc(struct sk_device *dev, size_t bytes)
{
    (void)dev;
    return allocate(bytes);
}

void sk_cpu_free(struct sk_device *dev, void *p)
{
    (void)dev;
    release(p);
}

void sk_cpu_copy(struct sk_device *dev, void *dst, const void *src, size_t bytes)
{
    (void)dev;
    if (bytes)
        memmove(dst, src, bytes);
}

void sk_cpu_zero(struct sk_device *dev, void *dst, size_t bytes)
{
    (void)dev;
    if (bytes)
        memset(dst, 0, bytes);
}
