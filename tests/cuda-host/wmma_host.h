/* wmma_host.h - nvcuda::wmma on a host: products of 16 x 16 x 16, of bfloat16 into float.
 * A lane holds 8 values of each matrix, scattered, so that what is read before
 * other lanes have stored it, or from a place of its own, shows. */
#ifndef WMMA_HOST_H
#define WMMA_HOST_H
#include <type_traits>
#include <cuda_host.h>

typedef uint16_t __nv_bfloat16;
namespace nvcuda { namespace wmma {
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment { T x[8]; };

/* Row and column of value i of a lane. */
static inline int place(int i) { return (sk_host_lane() * 8 + i) * 37 % 256; }

static inline float number(uint16_t bits)
{
    union { uint32_t u; float f; } v = {(uint32_t)bits << 16};
    return v.f;
}
/* As the hardware has it. */
static inline void need_aligned(const void *p, unsigned ld, size_t item)
{
    if ((uintptr_t)p % 32 || ld * item % 16)
        __builtin_trap();
}

template <class Use, class L>
static inline void load_matrix_sync(fragment<Use, 16, 16, 16, __nv_bfloat16, L> &f, const __nv_bfloat16 *p, unsigned ld)
{
    need_aligned(p, ld, sizeof *p);
    for (int i = 0; i < 8; i++) {
        unsigned r = (unsigned)place(i) / 16, c = (unsigned)place(i) % 16;
        f.x[i] = std::is_same<L, row_major>::value ? p[r * ld + c] : p[c * ld + r];
    }
    __syncwarp();
}
static inline void load_matrix_sync(fragment<accumulator, 16, 16, 16, float> &f, const float *p, unsigned ld, layout_t)
{
    need_aligned(p, ld, sizeof *p);
    for (int i = 0; i < 8; i++)
        f.x[i] = p[(unsigned)place(i) / 16 * ld + (unsigned)place(i) % 16];
    __syncwarp();
}
static inline void store_matrix_sync(float *p, const fragment<accumulator, 16, 16, 16, float> &f, unsigned ld, layout_t)
{
    need_aligned(p, ld, sizeof *p);
    __syncwarp();
    for (int i = 0; i < 8; i++)
        p[(unsigned)place(i) / 16 * ld + (unsigned)place(i) % 16] = f.x[i];
}
static inline void fill_fragment(fragment<accumulator, 16, 16, 16, float> &f, float v)
{
    for (int i = 0; i < 8; i++)
        f.x[i] = v;
}

template <class LA, class LB>
static inline void mma_sync(fragment<accumulator, 16, 16, 16, float> &d,
                            const fragment<matrix_a, 16, 16, 16, __nv_bfloat16, LA> &a,
                            const fragment<matrix_b, 16, 16, 16, __nv_bfloat16, LB> &b,
                            const fragment<accumulator, 16, 16, 16, float> &c)
{
    enum { WARPS = 32 };
    SK_SHARED(float, all, WARPS * 512);
    float *of_a = all + threadIdx.x / 32 * 512, *of_b = of_a + 256;
    for (int i = 0; i < 8; i++) {
        of_a[place(i)] = number(a.x[i]);
        of_b[place(i)] = number(b.x[i]);
    }
    __syncwarp();
    for (int i = 0; i < 8; i++) {
        float s = c.x[i];
        for (int k = 0; k < 16; k++)
            s = fmaf(of_a[place(i) / 16 * 16 + k], of_b[k * 16 + place(i) % 16], s);
        d.x[i] = s;
    }
    __syncwarp();
}
} }
#endif
