#include "text/blocks.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "text/input.h"
#include "text/lines.h"
#include "text/utf8.h"

struct sk_blocks {
    struct sk_input *in;
    unsigned flags;
    int begun, end, warned_crlf, warned_invalid;
    struct sk_str rest;              /* behind the last line end of the block before */
    struct sk_hash *hash;            /* of the lines */
    uint64_t lines;
};

struct sk_blocks *sk_blocks_open(const char *path, unsigned flags, int hash)
{
    struct sk_input *in = sk_input_open(path, hash);
    if (!in) return NULL;
    struct sk_blocks *b = sk_xcalloc(1, sizeof *b);
    b->in = in;
    b->flags = flags;
    b->warned_crlf = b->warned_invalid = (flags & SK_LINES_NO_WARNINGS) != 0;
    b->hash = hash ? sk_hash_new() : NULL;
    return b;
}

static void reserve(struct sk_block *block, size_t bytes)
{
    if (bytes + 2 + SK_BLOCK_SLACK <= block->cap) return;   /* a last \n, the 0 */
    block->cap = bytes + 2 + SK_BLOCK_SLACK;
    block->text = sk_xrealloc(block->text, block->cap, 1);
    memset(block->text + block->cap - SK_BLOCK_SLACK, 0, SK_BLOCK_SLACK);
}

/* Reads behind what the block holds until it has `bytes`: 0 or -1. */
static int fill(struct sk_blocks *b, struct sk_block *block, size_t bytes)
{
    ssize_t r = 1;
    reserve(block, bytes);
    while (block->n < bytes && (r = sk_input_read(b->in, block->text + block->n, bytes - block->n)) > 0)
        block->n += (size_t)r;
    b->end = r == 0;
    return r < 0 ? -1 : 0;
}

/* Bytes up to the last line end; 0: there is none yet. A \r that is the last
 * byte may have its \n in what follows. */
static size_t whole_lines(const struct sk_block *block)
{
    const char *end = memrchr(block->text, '\n', block->n);
    if (!end && block->n > 1) end = memrchr(block->text, '\r', block->n - 1);
    return end ? (size_t)(end + 1 - block->text) : 0;
}

int sk_blocks_read(struct sk_blocks *b, struct sk_block *block)
{
    size_t cut = 0, bytes = SK_BLOCK_BYTES;
    while (bytes < 2 * b->rest.len) bytes *= 2;
    reserve(block, bytes);
    if (b->rest.len) memcpy(block->text, b->rest.text, b->rest.len);
    block->n = b->rest.len;
    sk_str_clear(&b->rest);
    for (;; bytes *= 2) {
        if (!b->end && fill(b, block, bytes)) return -1;
        if (b->end) break;
        if ((cut = whole_lines(block)) > 0) break;
        if (block->n > SK_LINES_LONGEST)
            return sk_fail(SK_EXIT_DATA, "%s: a line longer than %d MiB: is this text?", sk_blocks_path(b),
                           SK_LINES_LONGEST >> 20);
    }
    if (!b->end) {
        sk_str_add(&b->rest, block->text + cut, block->n - cut);
        block->n = cut;
    }
    if (!b->begun++ && block->n >= 3 && !memcmp(block->text, "\xef\xbb\xbf", 3)) {
        if (!(b->flags & SK_LINES_NO_WARNINGS))
            sk_warn("%s: a byte order mark at the start is dropped", sk_blocks_path(b));
        block->n -= 3;
        memmove(block->text, block->text + 3, block->n);
    }
    return block->n > 0;
}

static uint64_t count_lines(const char *text, size_t n)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    return lines;
}

/* Line by line: carriage returns, and what is not UTF-8. */
static void clean_lines(struct sk_block *block)
{
    struct sk_str out = {0};
    const char *p = block->text, *stop = p + block->n;
    while (p < stop) {
        size_t n = strcspn(p, "\r\n");
        while (p + n < stop && !p[n]) n += 1 + strcspn(p + n + 1, "\r\n");   /* over NUL bytes */
        block->lines++;
        size_t good = sk_utf8_valid(p, n, 0);
        if (good < n && !block->first_invalid) {
            block->first_invalid = block->lines;
            block->invalid_byte = good + 1;
            block->invalid_nul = !p[good];
        }
        sk_utf8_repair(&out, p, n, 0);
        sk_str_add(&out, "\n", 1);
        p += n;
        if (p < stop && *p == '\r') {
            if (!block->first_crlf) block->first_crlf = block->lines;
            p += p + 1 < stop && p[1] == '\n';
        }
        p++;
    }
    block->n = 0;
    reserve(block, out.len);
    memcpy(block->text, out.text, out.len + 1);
    block->n = out.len;
    sk_str_free(&out);
}

void sk_block_clean(struct sk_block *block)
{
    block->lines = block->first_crlf = block->first_invalid = 0;
    block->text[block->n] = 0;
    if (memchr(block->text, '\r', block->n) || sk_utf8_valid(block->text, block->n, 0) < block->n) {
        clean_lines(block);
        return;
    }
    if (block->text[block->n - 1] != '\n') block->text[block->n++] = '\n';
    block->text[block->n] = 0;
    block->lines = count_lines(block->text, block->n);
}

int sk_blocks_take(struct sk_blocks *b, const struct sk_block *block)
{
    if (block->first_crlf && !b->warned_crlf++) sk_lines_warn_crlf(sk_blocks_path(b), b->lines + block->first_crlf);
    if (block->first_invalid) {
        uint64_t line = b->lines + block->first_invalid;
        if (!(b->flags & SK_LINES_REPLACE_INVALID))
            return sk_lines_invalid(sk_blocks_path(b), line, block->invalid_byte, block->invalid_nul, 0);
        if (!b->warned_invalid++) sk_lines_warn_invalid(sk_blocks_path(b), line);
    }
    if (b->hash) sk_hash_add(b->hash, block->text, block->n);
    b->lines += block->lines;
    return 0;
}

uint64_t sk_blocks_lines(const struct sk_blocks *b) { return b->lines; }
const char *sk_blocks_path(const struct sk_blocks *b) { return sk_input_path(b->in); }

void sk_blocks_progress(const struct sk_blocks *b, uint64_t *done, uint64_t *total)
{
    sk_input_progress(b->in, done, total);
}

void sk_blocks_hashes(struct sk_blocks *b, char file[SK_HASH_HEX], char content[SK_HASH_HEX])
{
    SK_ENSURE(b->hash);
    sk_input_hash(b->in, file);
    sk_hash_end(b->hash, content);
    b->hash = NULL;
}

void sk_blocks_close(struct sk_blocks *b)
{
    char hex[SK_HASH_HEX];
    if (!b) return;
    sk_input_close(b->in);
    if (b->hash) sk_hash_end(b->hash, hex);
    sk_str_free(&b->rest);
    free(b);
}
