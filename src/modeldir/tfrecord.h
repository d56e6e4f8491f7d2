/* tfrecord.h - event files as TensorBoard reads them.
 *
 * FORMAT of a file: records; each is its length (u64, little endian), the masked
 * checksum of these eight bytes, the bytes, their masked checksum. Checksums
 * are CRC-32C (Castagnoli), masked: rotated right by 15 bits, plus 0xa282ead8
 * (TensorFlow, tsl/lib/io/record_writer.h).
 *
 * Each record is a message Event of Protocol Buffers (tensorflow/core/util/
 * event.proto): 1 wall_time (double), 2 step (int64), and one of 3 file_version
 * (string, of the first record: "brain.Event:2"), 5 summary, 7 session_log
 * (1 status = 1: START; what was seen of this step and later steps is void).
 * A Summary has values (1), each with a tag (1) and a simple_value (2, float).
 */
#ifndef SK_MODELDIR_TFRECORD_H
#define SK_MODELDIR_TFRECORD_H
#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

uint32_t sk_crc32c(const void *bytes, size_t n);
/* Records, appended to out; time: seconds since 1970. */
void sk_tfrecord_version(struct sk_str *out, double time);
void sk_tfrecord_start(struct sk_str *out, double time, long long step);
void sk_tfrecord_scalar(struct sk_str *out, double time, long long step, const char *tag, float value);

/* The next record of a file in memory: 1 with *data (inside text) and *n, *at moved
 * on; 0 at the end; -1 it is torn or damaged. */
int sk_tfrecord_next(const char *text, size_t len, size_t *at, const char **data, size_t *n);
enum { SK_TAG = 200 };
/* 1: the record is one scalar; 0: anything else (hostile input). */
int sk_tfrecord_read_scalar(const char *data, size_t n, long long *step, char tag[SK_TAG], float *value);
#endif
