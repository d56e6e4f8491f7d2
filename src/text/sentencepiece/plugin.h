/* plugin.h - what libsk-sentencepiece.so exports: one symbol, sk_sentencepiece. */
#ifndef SK_TEXT_SENTENCEPIECE_PLUGIN_H
#define SK_TEXT_SENTENCEPIECE_PLUGIN_H
#include <stddef.h>

#define SK_SENTENCEPIECE_VERSION "1"     /* goes up when the struct changes its meaning */

struct sk_sentencepiece {
    const char *version;
    /* A model out of a file; NULL: *why (n bytes) says why. */
    void *(*open)(const char *path, char *why, size_t n);
    void (*close)(void *model);
    /* Malloced results; NULL: no memory. Pieces are separated by blanks. */
    char *(*encode)(void *model, const char *text);
    char *(*decode)(void *model, const char *pieces);
};
#endif
