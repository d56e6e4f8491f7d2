#include "modeldir/tfrecord.h"

#include <string.h>

/* --- checksums ------------------------------------------------------------------ */

uint32_t sk_crc32c(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t crc = ~0u;
    /* Bit by bit: some kilobytes a checkpoint need no table. */
    while (n--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint32_t masked(const void *bytes, size_t n)
{
    uint32_t crc = sk_crc32c(bytes, n);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* --- writing ---------------------------------------------------------------------- */

static void put_little(struct sk_str *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        char c = (char)(value >> (8 * i));
        sk_str_add(out, &c, 1);
    }
}

static void put_varint(struct sk_str *out, uint64_t value)
{
    for (; value >= 128; value >>= 7) put_little(out, (value & 127) | 128, 1);
    put_little(out, value, 1);
}

static void put_bytes(struct sk_str *out, int field, const void *bytes, size_t n)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, n);
    sk_str_add(out, bytes, n);
}

static void put_time(struct sk_str *event, double time)
{
    uint64_t bits;
    memcpy(&bits, &time, sizeof bits);
    put_varint(event, 1 << 3 | 1);
    put_little(event, bits, 8);
}

static void put_step(struct sk_str *event, long long step)
{
    put_varint(event, 2 << 3);
    put_varint(event, (uint64_t)step);
}

/* Frames the message and frees it. */
static void put_record(struct sk_str *out, struct sk_str *event)
{
    size_t at = out->len;
    put_little(out, event->len, 8);
    put_little(out, masked(out->text + at, 8), 4);
    sk_str_add(out, event->text, event->len);
    put_little(out, masked(event->text, event->len), 4);
    sk_str_free(event);
}

void sk_tfrecord_version(struct sk_str *out, double time)
{
    static const char version[] = "brain.Event:2";
    struct sk_str event = {0};
    put_time(&event, time);
    put_bytes(&event, 3, version, sizeof version - 1);
    put_record(out, &event);
}

void sk_tfrecord_start(struct sk_str *out, double time, long long step)
{
    static const char start[] = {1 << 3, 1};
    struct sk_str event = {0};
    put_time(&event, time);
    put_step(&event, step);
    put_bytes(&event, 7, start, sizeof start);
    put_record(out, &event);
}

void sk_tfrecord_scalar(struct sk_str *out, double time, long long step, const char *tag, float value)
{
    struct sk_str event = {0}, summary = {0}, one = {0};
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_bytes(&one, 1, tag, strlen(tag));
    put_varint(&one, 2 << 3 | 5);
    put_little(&one, bits, 4);
    put_bytes(&summary, 1, one.text, one.len);
    put_time(&event, time);
    put_step(&event, step);
    put_bytes(&event, 5, summary.text, summary.len);
    put_record(out, &event);
    sk_str_free(&one);
    sk_str_free(&summary);
}

/* --- reading ------------------------------------------------------------------------ */

static uint64_t little(const char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | (unsigned char)p[i];
    return value;
}

int sk_tfrecord_next(const char *text, size_t len, size_t *at, const char **data, size_t *n)
{
    const char *p = text + *at;
    size_t left = len - *at;
    if (left == 0) return 0;
    if (left < 16 || little(p + 8, 4) != masked(p, 8) || little(p, 8) > left - 16) return -1;
    *n = (size_t)little(p, 8);
    *data = p + 12;
    if (little(*data + *n, 4) != masked(*data, *n)) return -1;
    *at += 16 + *n;
    return 1;
}

/* A field of a message: its number, its value or its bytes. */
struct field { int number, wire; uint64_t value; const char *bytes; size_t n; };

static int get_varint(const char **p, const char *end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        unsigned char c = (unsigned char)*(*p)++;
        *value |= (uint64_t)(c & 127) << shift;
        if (c < 128) return 0;
    }
    return -1;
}

/* 1, 0 at the end, -1: no message. */
static int get_field(const char **p, const char *end, struct field *f)
{
    uint64_t key;
    if (*p == end) return 0;
    if (get_varint(p, end, &key) || key >> 3 > 1000) return -1;
    f->number = (int)(key >> 3);
    f->wire = (int)(key & 7);
    if (f->wire == 0) return get_varint(p, end, &f->value) ? -1 : 1;
    uint64_t n = f->wire == 1 ? 8 : 4;
    if (f->wire != 1 && f->wire != 5 && (f->wire != 2 || get_varint(p, end, &n))) return -1;
    if (n > (uint64_t)(end - *p)) return -1;
    f->bytes = *p;
    f->n = (size_t)n;
    if (f->wire != 2) f->value = little(*p, (int)n);
    *p += n;
    return 1;
}

int sk_tfrecord_read_scalar(const char *data, size_t n, long long *step, char tag[SK_TAG], float *value)
{
    struct field f, summary = {0}, one = {0};
    const char *p = data;
    int got, values = 0, has_tag = 0, has_value = 0;
    *step = 0;
    while ((got = get_field(&p, data + n, &f)) > 0) {
        if (f.number == 2 && f.wire == 0) *step = (long long)f.value;
        if (f.number == 5 && f.wire == 2) summary = f;
    }
    if (got < 0 || !summary.bytes) return 0;
    for (p = summary.bytes; (got = get_field(&p, summary.bytes + summary.n, &f)) > 0; values++) one = f;
    if (got < 0 || values != 1 || one.number != 1 || one.wire != 2) return 0;
    for (p = one.bytes; (got = get_field(&p, one.bytes + one.n, &f)) > 0;) {
        if (f.number == 1 && f.wire == 2 && f.n < SK_TAG && !memchr(f.bytes, 0, f.n)) {
            memcpy(tag, f.bytes, f.n);
            tag[f.n] = 0;
            has_tag = 1;
        } else if (f.number == 2 && f.wire == 5) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(value, &bits, sizeof *value);
            has_value = 1;
        } else return 0;
    }
    return got == 0 && has_tag && has_value;
}
