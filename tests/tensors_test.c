/* tensors_test.c - tensor files know their content: no byte of one can change
 * unnoticed, header included. */
#include "base/msg.h"
#include "model/tensors.h"
#include "tap.h"

static const float a[3] = {1, 2, 3}, b[3] = {4, 5, 6};
static const struct sk_tensor list[2] = {{.name = "b", .ndim = 1, .shape = {3}, .data = b, .size = 3},
                                         {.name = "a", .ndim = 1, .shape = {3}, .data = a, .size = 3}};
static const struct sk_meta meta = {"state", "{\"position\":2,\"xxh3-file\":\"00\"}"};

/* What becomes of a file: -1 refused, else whether it has a checksum. */
static int look(const char *path)
{
    struct sk_tensors *f = sk_tensors_open(path);
    int result = f && sk_tensors_verify(f) == 0 ? sk_tensors_has_checksum(f) : -1;
    sk_tensors_close(f);
    return result;
}

static void put(const char *path, const void *bytes, size_t n)
{
    sk_file_save(path, bytes, n, SK_REPLACE);
}

/* A file by hand: the data of `list`, in the order of names. */
static void write_by_hand(const char *path, const char *metadata)
{
    char header[400] = {0}, whole[500];
    int n = snprintf(header, sizeof header, "{%s\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
                     "\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]}}", metadata);
    uint64_t length = (uint64_t)n;
    memcpy(whole, &length, 8);
    memcpy(whole + 8, header, (size_t)n);
    memcpy(whole + 8 + n, a, 12);
    memcpy(whole + 20 + n, b, 12);
    put(path, whole, 32 + (size_t)n);
}

static void every_byte(const char *path)
{
    char hash[SK_HASH_HEX], same[SK_HASH_HEX], found[SK_HASH_HEX];
    is_int(sk_tensors_save(path, list, 2, &meta, 1, SK_REPLACE, hash), 0, "a file is saved");
    sk_tensors_hash(list, 2, &meta, 1, same);
    is_str(same, hash, "its checksum is known without a file");
    struct sk_tensors *f = sk_tensors_open(path);
    is_int(sk_tensors_checksum(f, found), 0, "it has a checksum");
    is_str(found, hash, "this one");
    sk_tensors_close(f);
    is_int(look(path), 1, "it is whole");

    size_t n, key = 0;
    char *bytes = sk_file_load(path, 10000, &n);
    for (size_t i = 0; i + 11 < n; i++)
        if (memcmp(bytes + i, "\"xxh3-file\"", 11) == 0) key = i;
    ok(key > 0, "the key is found");
    int unnoticed = 0, keyless = 0;
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            put(path, bytes, n);
            int result = look(path);
            unnoticed += result > 0;
            keyless += result == 0 && !(i > key && i < key + 10);
            bytes[i] ^= (char)(1 << bit);
        }
    is_int(unnoticed, 0, "no bit of it changes unnoticed");
    is_int(keyless, 0, "nor does the checksum get lost but by its name");
    free(bytes);
}

static void others(const char *path)
{
    char hash[SK_HASH_HEX], same[SK_HASH_HEX], data[24], metadata[200];
    write_by_hand(path, "");
    is_int(look(path), 0, "a file without checksum, of another program, is read");
    struct sk_tensors *f = sk_tensors_open(path);
    is_int(sk_tensors_checksum(f, hash), 0, "its content is known");
    sk_tensors_close(f);
    sk_hash_file(path, same);
    is_str(hash, same, "by all its bytes");

    memcpy(data, a, 12);
    memcpy(data + 12, b, 12);
    sk_hash_bytes(data, sizeof data, hash);
    snprintf(metadata, sizeof metadata, "\"__metadata__\":{\"xxh3\":\"%s\"},", hash);
    write_by_hand(path, metadata);
    is_int(look(path), 0, "a file of an earlier version, with a checksum of its data, is read");
    f = sk_tensors_open(path);
    sk_tensors_checksum(f, same);
    is_str(same, hash, "its checksum is that one");
    sk_tensors_close(f);
    hash[0] = hash[0] == '0' ? '1' : '0';
    snprintf(metadata, sizeof metadata, "\"__metadata__\":{\"xxh3\":\"%s\"},", hash);
    write_by_hand(path, metadata);
    is_int(look(path), -1, "with another checksum it is refused");
    is_int(sk_fail_code(), SK_EXIT_DATA, "as bad content");
    ok(strstr(sk_fail_message(), path) != NULL, "by name");
    write_by_hand(path, "\"__metadata__\":{\"xxh3-file\":\"\"},");
    is_int(look(path), -1, "an empty checksum is refused");
}

int main(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/tensors", temp_folder());
    every_byte(path);
    others(path);
    return done_testing();
}
