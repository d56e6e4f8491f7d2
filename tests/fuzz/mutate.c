/* mutate.c - a fuzzer of few words, for machines without libFuzzer:
 *
 *   fuzz TARGET FOLDER RUNS SEED
 *
 * Each file of the folder as it is, then RUNS mutations of these, drawn by SEED: bits,
 * bytes and numbers changed, pieces cut out, doubled, or taken from another file. The
 * inputs are the same each time. One that takes a minute ends it.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

enum { SEEDS = 64, LARGEST = 1 << 16 };
static struct { unsigned char *bytes; size_t n; } seed[SEEDS];
static int seeds;
static uint64_t draw_key;
static uint32_t drawn;

/* 0..n-1 */
static size_t draw(size_t n)
{
    return n ? sk_philox(draw_key, drawn++, 0, 0, 0).v[0] % n : 0;
}

static void load(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && seeds < SEEDS && (e = readdir(d));) {
        char *path = sk_path_join(folder, e->d_name);
        if (e->d_name[0] != '.' && (seed[seeds].bytes = (unsigned char *)sk_file_load(path, LARGEST, &seed[seeds].n)))
            seeds++;
        free(path);
    }
    if (d)
        closedir(d);
}

static size_t mutate(unsigned char *b, size_t n)
{
    static const uint64_t numbers[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                       0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffff8};
    static const char *const words[] = {"-1", "4294967296", "9223372036854775807", "1e999", "nan", "\\u0000", "\"", "{", "[[",
                                        "\t", "\n", "\xff", "\xc3", "null", "0"};
    size_t at = draw(n), length = draw(n - at < 64 ? n - at + 1 : 64);
    if (!n)
        return 0;
    switch (draw(7)) {
    case 0: b[at] ^= (unsigned char)(1u << draw(8)); return n;
    case 1: b[at] = (unsigned char)draw(256); return n;
    case 2: {
        size_t width = (size_t)1 << draw(4);
        uint64_t v = numbers[draw(sizeof numbers / sizeof *numbers)] + draw(3) - 1;
        for (size_t i = 0; i < width && at + i < n; i++)
            b[at + i] = (unsigned char)(v >> (8 * i));
        return n;
    }
    case 3: return draw(4) ? n : at;
    case 4: memmove(b + at, b + at + length, n - at - length); return n - length;
    case 5: {
        const char *w = words[draw(sizeof words / sizeof *words)];
        if (n + 32 > LARGEST)
            return n;
        memmove(b + at + strlen(w), b + at, n - at);
        memcpy(b + at, w, strlen(w));
        return n + strlen(w);
    }
    default: {
        size_t other = draw((size_t)seeds), from = draw(seed[other].n);
        if (length > seed[other].n - from)
            length = seed[other].n - from;
        if (n + length > LARGEST)
            return n;
        memmove(b + at + length, b + at, n - at);
        memcpy(b + at, seed[other].bytes + from, length);
        return n + length;
    }
    }
}

/* In memory of just that size, so that a byte beyond is noticed. */
static void run(const struct fuzz_target *t, const unsigned char *bytes, size_t n)
{
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    alarm(60);
    t->run(copy, n);
    alarm(0);
    free(copy);
}

int main(int argc, char **argv)
{
    const struct fuzz_target *t = argc == 5 ? fuzz_begin(argv[1]) : NULL;
    if (!t)
        return 64;
    load(argv[2]);
    draw_key = strtoull(argv[4], NULL, 10);
    if (!seeds) {
        fprintf(stderr, "fuzz: %s has no files\n", argv[2]);
        return 66;
    }
    unsigned char *b = malloc(2 * LARGEST);
    long runs = atol(argv[3]);
    for (int i = 0; i < seeds; i++)
        run(t, seed[i].bytes, seed[i].n);
    for (long i = 0; i < runs; i++) {
        size_t from = draw((size_t)seeds), n = seed[from].n;
        memcpy(b, seed[from].bytes, n);
        for (size_t k = draw(6) + 1; k > 0; k--)
            n = mutate(b, n);
        run(t, b, n);
    }
    printf("%ld\n", runs + seeds);
    free(b);
    for (int i = 0; i < seeds; i++)
        free(seed[i].bytes);
    return 0;
}
