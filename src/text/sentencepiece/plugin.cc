/* plugin.cc - the library's C++ interface behind a C one. No exception leaves. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sentencepiece_processor.h>
#include <string>
#include <vector>

extern "C" {
#include "text/sentencepiece/plugin.h"
}

using sentencepiece::SentencePieceProcessor;

static void *open_model(const char *path, char *why, size_t n)
{
    try {
        SentencePieceProcessor *p = new SentencePieceProcessor;
        const auto status = p->Load(path);
        if (status.ok())
            return p;
        snprintf(why, n, "%s", status.ToString().c_str());
        delete p;
    } catch (...) {
        snprintf(why, n, "there is no memory for it");
    }
    return NULL;
}

static void close_model(void *model) { delete static_cast<SentencePieceProcessor *>(model); }

static char *encode(void *model, const char *text)
{
    try {
        std::vector<std::string> pieces;
        std::string all;
        if (!static_cast<SentencePieceProcessor *>(model)->Encode(text, &pieces).ok())
            return NULL;
        for (const std::string &piece : pieces) {
            if (!all.empty())
                all += ' ';
            all += piece;
        }
        return strdup(all.c_str());
    } catch (...) {
        return NULL;
    }
}

static char *decode(void *model, const char *text)
{
    try {
        std::vector<std::string> pieces;
        std::string all;
        for (const char *at = text; *at;) {
            const size_t n = strcspn(at, " ");
            if (n)
                pieces.emplace_back(at, n);
            at += n + (at[n] == ' ');
        }
        if (!static_cast<SentencePieceProcessor *>(model)->Decode(pieces, &all).ok())
            return NULL;
        return strdup(all.c_str());
    } catch (...) {
        return NULL;
    }
}

extern "C" __attribute__((visibility("default"))) const struct sk_sentencepiece sk_sentencepiece;
const struct sk_sentencepiece sk_sentencepiece = {SK_SENTENCEPIECE_VERSION, open_model, close_model, encode, decode};
