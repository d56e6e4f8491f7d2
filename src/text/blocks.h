/* blocks.h - a text as blocks of whole lines, private to this folder: what
 * sk_lines gives (same line ends, same errors and warnings), cut so that
 * several threads can work on one file.
 *
 *   sk_blocks_read    by one thread: the next block's bytes
 *   sk_block_clean    by any thread, in any order: bytes become text
 *   sk_blocks_take    in the order of the file: line numbers, what is wrong
 */
#ifndef SK_TEXT_BLOCKS_H
#define SK_TEXT_BLOCKS_H
#include <stddef.h>
#include <stdint.h>
#include "base/hash.h"

enum { SK_BLOCK_BYTES = 1 << 18 };   /* a block is a little smaller, or one long line */
enum { SK_BLOCK_SLACK = 64 };        /* bytes behind a block's end that may be read */

struct sk_block {
    char *text;                      /* n bytes and a 0; clean: lines, each with \n behind it */
    size_t n, cap;
    uint64_t lines;
    uint64_t first_crlf, first_invalid;   /* line in the block, from 1; 0: none */
    size_t invalid_byte;
    int invalid_nul;
    int file;                        /* pass.h: which of its files */
    void *own;                       /* what pass.h's work makes of it; kept from one use to the next */
};

struct sk_blocks;
/* flags: as for sk_lines_open, without SK_LINES_NEWLINE_ONLY. hash: sum the
 * file's bytes and the lines. NULL: sk_fail. */
struct sk_blocks *sk_blocks_open(const char *path, unsigned flags, int hash);
int sk_blocks_read(struct sk_blocks *b, struct sk_block *block);    /* 1, 0 at the end, -1 */
void sk_block_clean(struct sk_block *block);
int sk_blocks_take(struct sk_blocks *b, const struct sk_block *block);   /* 0 or -1 */
uint64_t sk_blocks_lines(const struct sk_blocks *b);                /* taken so far */
const char *sk_blocks_path(const struct sk_blocks *b);
void sk_blocks_progress(const struct sk_blocks *b, uint64_t *done, uint64_t *total);
/* After the last block: checksums of the file's bytes, and of its lines, each
 * with \n behind it. */
void sk_blocks_hashes(struct sk_blocks *b, char file[SK_HASH_HEX], char content[SK_HASH_HEX]);
void sk_blocks_close(struct sk_blocks *b);
#endif
