/* preload_xstate.c - for user-mode Linux on processors with more vector state than it knows (AMX): the kernel takes
 * a process's extended state back only whole, and as large as this processor has it. */
#include <cpuid.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { MOST = 65536 };

long ptrace(enum __ptrace_request request, ...)
{
    static long (*next)(enum __ptrace_request, ...);
    static unsigned char whole[MOST];
    va_list list;
    va_start(list, request);
    pid_t pid = va_arg(list, pid_t);
    void *address = va_arg(list, void *), *data = va_arg(list, void *);
    va_end(list);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "ptrace");
    struct iovec *io = data;
    unsigned size, used, c, d;
    if (request != PTRACE_SETREGSET || (unsigned long)address != NT_X86_XSTATE ||
        !__get_cpuid_count(0xd, 0, &used, &size, &c, &d) || c <= io->iov_len || c > MOST)
        return next(request, pid, address, data);
    memset(whole, 0, c);
    memcpy(whole, io->iov_base, io->iov_len);
    struct iovec all = {whole, c};
    return next(request, pid, address, &all);
}
