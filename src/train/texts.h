/* texts.h - texts that are given by name: NAME=SOURCE:TARGET, and of training
 * text also :WEIGHT.
 */
#ifndef SK_TRAIN_TEXTS_H
#define SK_TRAIN_TEXTS_H
#include "base/opt.h"

enum { SK_TEXTS_MAX = 32, SK_TEXT_NAME = 33 };
struct sk_named_text {
    char name[SK_TEXT_NAME];         /* letters, digits and . _ - */
    const char *path[2];
    double weight;                   /* 0: has none */
};
struct sk_named_texts { int n; struct sk_named_text *v; };
/* Reads the values of --OPTION; exits on misuse (64): another form, a name twice,
 * no positive weight. */
void sk_texts_read(struct sk_named_texts *t, const char *option, const struct sk_opt_list *values, int weighted);
#endif
