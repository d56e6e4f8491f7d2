/* fibers.cc - runs kernels: blocks one after another, in shuffled order; the
 * threads of a block as fibers.
 *
 * A fiber runs threads, one after the other, until one has to wait; then
 * another fiber goes on with the next thread. So kernels without barriers
 * take one fiber and no switches at all.
 */
#include "fibers.h"
#include <map>
#include <stdio.h>
#include <sys/mman.h>
#include <utility>
#include <vector>
#ifdef CUDA_HOST_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

enum { WARP = 32, STACK = 256 << 10 };
enum wait { RUNNING, AT_BARRIER, AT_WARP, IDLE };

struct fiber { void *sp; char *stack; void *fake; int thread; enum wait wait; };

static std::vector<fiber *> &pool = *new std::vector<fiber *>();   /* all there are */
static std::vector<fiber *> ready;
static fiber *current;
static void *scheduler_sp;
static void *scheduler_fake;
static const void *scheduler_stack;
static size_t scheduler_size;
static const std::function<void()> *body;
static std::vector<int> order;
static size_t next_thread;
static int threads, ended;
static std::vector<int> warp_ended, warp_waiting;
static std::vector<int> turn;            /* of each thread: its exchanges so far */
static std::vector<uint64_t> slots;      /* (warps, 2, 32) */
static std::map<const void *, std::pair<char *, size_t>> shared;

unsigned sk_host_random(unsigned below)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32) % below;
}

static void die(const char *what)
{
    fprintf(stderr, "cuda-host: block %u,%u,%u: %s\n", blockIdx.x, blockIdx.y, blockIdx.z, what);
    abort();
}

/* Keeps what a call must preserve on the old stack, and takes it from the new one. */
extern "C" void sk_host_switch(void **from, void *to);
asm(".text\n.globl sk_host_switch\n.type sk_host_switch,@function\nsk_host_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
    ".size sk_host_switch,.-sk_host_switch\n");

static void start_switch(void **fake, const void *stack, size_t size)
{
#ifdef CUDA_HOST_ASAN
    __sanitizer_start_switch_fiber(fake, stack, size);
#else
    (void)fake, (void)stack, (void)size;
#endif
}

static void finish_switch(void *fake, const void **stack, size_t *size)
{
#ifdef CUDA_HOST_ASAN
    __sanitizer_finish_switch_fiber(fake, stack, size);
#else
    (void)fake, (void)stack, (void)size;
#endif
}

/* From the running fiber back to the scheduler. */
static void leave(enum wait why)
{
    fiber *f = current;
    f->wait = why;
    start_switch(&f->fake, scheduler_stack, scheduler_size);
    sk_host_switch(&f->sp, scheduler_sp);
    finish_switch(f->fake, NULL, NULL);
}

static void run_threads()
{
    finish_switch(NULL, &scheduler_stack, &scheduler_size);
    for (;;) {
        while (next_thread < order.size()) {
            current->thread = order[next_thread++];
            threadIdx.x = (unsigned)current->thread;
            (*body)();
            ended++;
            warp_ended[(size_t)current->thread / WARP]++;
        }
        leave(IDLE);
    }
}

static fiber *new_fiber()
{
    fiber *f = new fiber();
    f->stack = (char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->stack == MAP_FAILED)
        die("no memory for a stack");
    /* Six registers, the address to go to, and one that it would return to. Not all
     * stacks begin at the same place of a page: they would share few lines of the cache. */
    void **top = (void **)(f->stack + STACK - pool.size() % 61 * 192) - 2;
    top[0] = (void *)run_threads;
    top[1] = NULL;
    f->sp = top - 6;
    f->wait = IDLE;
    pool.push_back(f);
    return f;
}

static void go(fiber *f)
{
    current = f;
    f->wait = RUNNING;
    threadIdx.x = (unsigned)f->thread;
    start_switch(&scheduler_fake, f->stack, STACK);
    sk_host_switch(&scheduler_sp, f->sp);
    finish_switch(scheduler_fake, NULL, NULL);
    current = NULL;
}

static int warp_size(int warp)
{
    return threads - warp * WARP < WARP ? threads - warp * WARP : WARP;
}

/* Who waits for something that has come. */
static void wake(std::vector<fiber *> &waiting)
{
    size_t barrier = 0;
    for (fiber *f : waiting)
        barrier += f->wait == AT_BARRIER;
    std::vector<fiber *> rest;
    for (fiber *f : waiting) {
        int w = f->thread / WARP;
        if (f->wait == AT_BARRIER ? barrier == (size_t)threads : warp_waiting[(size_t)w] == warp_size(w))
            ready.push_back(f);
        else
            rest.push_back(f);
    }
    for (fiber *f : ready)
        if (f->wait == AT_WARP)
            warp_waiting[(size_t)(f->thread / WARP)] = 0;
    waiting.swap(rest);
}

static void run_block()
{
    std::vector<fiber *> waiting, idle(pool);
    ended = 0;
    next_thread = 0;
    for (size_t i = order.size() - 1; i > 0; i--)
        std::swap(order[i], order[sk_host_random((unsigned)i + 1)]);
    warp_ended.assign((size_t)(threads + WARP - 1) / WARP, 0);
    warp_waiting.assign(warp_ended.size(), 0);
    turn.assign((size_t)threads, 0);
    slots.assign(warp_ended.size() * 2 * WARP, 0);
    while (ended < threads) {
        fiber *f;
        if (!ready.empty()) {
            std::swap(ready[sk_host_random((unsigned)ready.size())], ready.back());
            f = ready.back();
            ready.pop_back();
        } else if (next_thread < order.size()) {
            if (idle.empty())
                idle.push_back(new_fiber());
            f = idle.back();
            idle.pop_back();
        } else {
            die("a barrier or a shuffle is not reached by all threads");
        }
        go(f);
        if (f->wait == IDLE)
            idle.push_back(f);
        else
            waiting.push_back(f);
        if (f->wait == AT_WARP)
            warp_waiting[(size_t)(f->thread / WARP)]++;
        if (ready.empty() && next_thread == order.size())
            wake(waiting);
    }
    for (auto &s : shared)
        free(s.second.first);
    shared.clear();
}

void sk_host_run(dim3 grid, int n, const std::function<void()> &thread)
{
    std::vector<uint3> blocks;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++)
                blocks.push_back({x, y, z});
    for (size_t i = blocks.size() - 1; i > 0; i--)
        std::swap(blocks[i], blocks[sk_host_random((unsigned)i + 1)]);
    gridDim = grid;
    blockDim = dim3((unsigned)n);
    threadIdx = {0, 0, 0};
    threads = n;
    body = &thread;
    order.resize((size_t)n);
    for (int i = 0; i < n; i++)
        order[(size_t)i] = i;
    for (uint3 b : blocks) {
        blockIdx = b;
        run_block();
    }
}

/* --- what threads call --------------------------------------------------------------- */

void __syncthreads() { leave(AT_BARRIER); }
void __syncwarp(unsigned) { leave(AT_WARP); }
int sk_host_lane() { return (int)threadIdx.x % WARP; }

uint64_t sk_host_exchange(uint64_t value, int from)
{
    int thread = current->thread;
    uint64_t *slot = &slots[((size_t)(thread / WARP) * 2 + (size_t)(turn[(size_t)thread]++ % 2)) * WARP];
    slot[thread % WARP] = value;
    leave(AT_WARP);
    if (from < 0 || from >= WARP)
        die("a shuffle from a lane that there is not");
    return slot[from];
}

void *sk_host_shared(const void *key, size_t bytes)
{
    auto found = shared.find(key);
    if (found == shared.end()) {
        char *p = (char *)aligned_alloc(64, (bytes + 63) / 64 * 64);
        memset(p, 0xff, (bytes + 63) / 64 * 64);
#ifdef CUDA_HOST_ASAN
        __asan_poison_memory_region(p + bytes, (bytes + 63) / 64 * 64 - bytes);
#endif
        found = shared.insert({key, {p, bytes}}).first;
    }
    if (found->second.second != bytes)
        die("shared memory of two sizes");
    return found->second.first;
}
