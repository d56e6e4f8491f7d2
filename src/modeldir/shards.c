#include "modeldir/shards.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

/* --- folders ------------------------------------------------------------------------ */

char *sk_shards_path(const char *dir, int generation, const char *name)
{
    char *inside = generation ? sk_xprintf(SK_MD_SHARDS "/%05d%s%s", generation, *name ? "/" : "", name)
                              : sk_xprintf(SK_MD_SHARDS "/%s", name);
    char *path = sk_path_join(dir, inside);
    free(inside);
    return path;
}

/* Number of a generation's folder; 0: another name. */
static int generation_of(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits < 5 || digits > 9 || name[digits] ? 0 : atoi(name);
}

/* Each generation there is: 0, or what each() returned, or -1. */
static int each_generation(const char *dir, int (*each)(const char *dir, int generation, void *ctx), void *ctx)
{
    char *path = sk_path_join(dir, SK_MD_SHARDS);
    DIR *d = opendir(path);
    int result = 0;
    if (!d && errno != ENOENT) result = sk_fail_errno("cannot open folder %s", path);
    for (struct dirent *e; d && result == 0 && (errno = 0, e = readdir(d));)
        if (generation_of(e->d_name) > 0) result = each(dir, generation_of(e->d_name), ctx);
    if (d) closedir(d);
    free(path);
    return result;
}

static int highest(const char *dir, int generation, void *ctx)
{
    int *most = ctx;
    (void)dir;
    if (generation > *most) *most = generation;
    return 0;
}

int sk_shards_generation(const char *dir)
{
    enum { NEVER = 900000000 };
    int most = 0;
    if (each_generation(dir, highest, &most)) return -1;
    return most < NEVER ? most : sk_fail(SK_EXIT_DATA, "%s/" SK_MD_SHARDS "/%05d: no training comes so far; remove that folder",
                                         dir, most);
}

int sk_shards_has(const char *dir, int generation, const char *name)
{
    char *folder = sk_shards_path(dir, generation, "");
    DIR *d = opendir(folder);
    int found = 0;
    if (!d && errno != ENOENT) found = sk_fail_errno("cannot open folder %s", folder);
    for (struct dirent *e; d && !found && (e = readdir(d));) found = !strcmp(e->d_name, name);
    if (d) closedir(d);
    free(folder);
    return found;
}

int sk_shards_open(const char *dir, int generation)
{
    char *path = sk_shards_path(dir, generation, "");
    int result = mkdir(path, 0700) == 0 ? 1 : errno == EEXIST ? 0 : sk_fail_errno("cannot make folder %s", path);
    free(path);
    return result;
}

static int remove_older(const char *dir, int generation, void *ctx)
{
    char *path = sk_shards_path(dir, generation, "");
    int result = generation < *(const int *)ctx ? sk_remove_tree(path) : 0;
    free(path);
    return result;
}

int sk_shards_sweep(const char *dir, int before)
{
    return each_generation(dir, remove_older, &before);
}

/* --- texts: lines of NAME<TAB>VALUE --------------------------------------------------- */

/* The next line: cuts it at its tab. 0: the text is at its end, or no such line follows. */
static int next_line(char **at, char **name, char **value)
{
    char *end = strchr(*at, '\n'), *tab;
    if (!end) return 0;
    *end = '\0';
    tab = strchr(*at, '\t');
    if (!tab) return 0;
    *tab = '\0';
    *name = *at;
    *value = tab + 1;
    *at = end + 1;
    return 1;
}

static int whole_number(const char *text, int64_t least, int64_t most, int64_t *n)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    *n = v;
    return !errno && end != text && !*end && v >= least && v <= most;
}

static int keep_text(char *into, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size) return 0;
    memcpy(into, text, n + 1);
    return 1;
}

static int keep_uuid(char into[SK_UUID_TEXT], const char *text)
{
    return strlen(text) == SK_UUID_TEXT - 1 && strspn(text, "0123456789abcdef-") == SK_UUID_TEXT - 1 &&
        keep_text(into, SK_UUID_TEXT, text);
}

static int keep_hash(char into[SK_HASH_HEX], const char *text)
{
    return (!*text || (strlen(text) == SK_HASH_HEX - 1 && strspn(text, "0123456789abcdef") == SK_HASH_HEX - 1)) &&
        keep_text(into, SK_HASH_HEX, text);
}

static int keep_address(struct sk_join *j, const char *hex)
{
    size_t n = strlen(hex);
    if (n == 0 || n % 2 || n / 2 > SK_ADDRESS_MAX || strspn(hex, "0123456789abcdef") != n || j->address) return 0;
    unsigned char *bytes = sk_xcalloc(n / 2, 1);
    for (size_t i = 0; i < n; i++) {
        int digit = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
        bytes[i / 2] = (unsigned char)(bytes[i / 2] << 4 | digit);
    }
    j->address = bytes;
    j->bytes = n / 2;
    return 1;
}

/* --- join ------------------------------------------------------------------------------- */

int sk_join_write(const char *dir, int generation, const struct sk_join *j)
{
    char *name = sk_xprintf("join.%s", j->uuid), *path = sk_shards_path(dir, generation, name);
    struct sk_str text = {0};
    sk_str_printf(&text, "shard\t%d\nshards\t%d\nuuid\t%s\nhost\t%s\npid\t%ld\nversion\t%s\nrun\t%s\nupdate\t%" PRId64
                  "\nhash\t%s\naddress\t",
                  j->shard, j->shards, j->uuid, j->host, j->pid, j->version, j->run, j->update, j->hash);
    for (size_t i = 0; i < j->bytes; i++) sk_str_printf(&text, "%02x", ((const unsigned char *)j->address)[i]);
    char check[SK_HASH_HEX];
    sk_str_add(&text, "\n", 1);
    sk_hash_bytes(text.text, text.len, check);
    sk_str_printf(&text, "check\t%s\n", check);
    int result = sk_file_save(path, text.text, text.len, SK_REPLACE);
    sk_str_free(&text);
    free(path);
    free(name);
    return result;
}

static int parse_join(struct sk_join *j, char *text)
{
    char *name, *value;
    int64_t n;
    int good = 1, seen = 0;
    while (good && next_line(&text, &name, &value)) {
        seen++;
        if (!strcmp(name, "shard")) good = whole_number(value, 0, SK_SHARDS_MAX - 1, &n), j->shard = (int)n;
        else if (!strcmp(name, "shards")) good = whole_number(value, 1, SK_SHARDS_MAX, &n), j->shards = (int)n;
        else if (!strcmp(name, "run")) good = keep_hash(j->run, value);
        else if (!strcmp(name, "uuid")) good = keep_uuid(j->uuid, value);
        else if (!strcmp(name, "host")) good = keep_text(j->host, sizeof j->host, value);
        else if (!strcmp(name, "pid")) good = whole_number(value, 1, INT64_MAX / 2, &n), j->pid = (long)n;
        else if (!strcmp(name, "version")) good = keep_text(j->version, sizeof j->version, value);
        else if (!strcmp(name, "update")) good = whole_number(value, 0, INT64_MAX / 2, &j->update);
        else if (!strcmp(name, "hash")) good = keep_hash(j->hash, value);
        else if (!strcmp(name, "address")) good = keep_address(j, value);
        else seen--;
    }
    return good && seen == 10 && j->address && *j->uuid && !*text;
}

/* Its last line is the checksum of those before it; UCX trusts addresses. */
static int is_checked(const char *text, size_t n)
{
    const size_t line = sizeof "check\t\n" - 1 + SK_HASH_HEX - 1;
    char check[SK_HASH_HEX];
    if (n < line || strncmp(text + n - line, "check\t", 6)) return 0;
    sk_hash_bytes(text, n - line, check);
    return !strncmp(text + n - line + 6, check, SK_HASH_HEX - 1);
}

static int read_join(const char *path, struct sk_join *j)
{
    size_t n;
    char *text = sk_file_load(path, 4 * SK_ADDRESS_MAX, &n);
    *j = (struct sk_join){0};
    if (!text) return sk_fail_code() == SK_EXIT_NOINPUT ? sk_file_check_plain(path) : -1;
    int good = strlen(text) == n && is_checked(text, n) && parse_join(j, text);
    free(text);
    if (good) return 1;
    free(j->address);
    return sk_fail(SK_EXIT_DATA, "%s is no shard's request to take part; remove it", path);
}

int sk_joins_read(const char *dir, int generation, struct sk_join **join)
{
    char *folder = sk_shards_path(dir, generation, "");
    DIR *d = opendir(folder);
    int n = 0, result = 0;
    *join = NULL;
    if (!d) result = sk_fail_errno("cannot open folder %s", folder);
    for (struct dirent *e; d && result >= 0 && (e = readdir(d));) {
        if (strncmp(e->d_name, "join.", 5)) continue;
        char *path = sk_path_join(folder, e->d_name);
        struct sk_join j;
        result = read_join(path, &j);
        free(path);
        if (result <= 0) continue;
        *join = sk_xrealloc(*join, (size_t)n + 1, sizeof **join);
        (*join)[n++] = j;
    }
    if (d) closedir(d);
    free(folder);
    if (result >= 0) return n;
    sk_joins_free(*join, n);
    *join = NULL;
    return -1;
}

void sk_joins_free(struct sk_join *join, int n)
{
    for (int i = 0; i < n; i++) free(join[i].address);
    free(join);
}

/* --- members -------------------------------------------------------------------------------- */

int sk_members_write(const char *dir, const struct sk_members *m)
{
    char *path = sk_shards_path(dir, m->generation, "members");
    struct sk_str text = {0};
    sk_str_printf(&text, "version\t%s\nrun\t%s\nshards\t%d\nleader\t%d\nsource\t%d\nupdate\t%" PRId64 "\nhash\t%s\nbehind\t%d\nsecret\t%016"
                  PRIx64 "\n", m->version, m->run, m->shards, m->leader, m->source, m->update, m->hash, m->behind, m->secret);
    for (int i = 0; i < m->n; i++)
        sk_str_printf(&text, "member\t%d %s %s\n", m->member[i].shard, m->member[i].uuid, m->member[i].host);
    int result = sk_file_save(path, text.text, text.len, SK_PUBLISH);
    if (result < 0 && sk_fail_code() == SK_EXIT_TEMP) result = 1;
    sk_str_free(&text);
    free(path);
    return result;
}

static int parse_member(struct sk_members *m, char *value)
{
    struct sk_member *x = &m->member[m->n];
    char *uuid = strchr(value, ' '), *host = uuid ? strchr(uuid + 1, ' ') : NULL;
    int64_t n;
    if (!host || m->n == SK_SHARDS_MAX) return 0;
    *uuid++ = *host++ = '\0';
    if (!whole_number(value, 0, SK_SHARDS_MAX - 1, &n) || !keep_uuid(x->uuid, uuid) ||
        !keep_text(x->host, sizeof x->host, host))
        return 0;
    x->shard = (int)n;
    m->n++;
    return 1;
}

static int parse_members(struct sk_members *m, char *text)
{
    char *name, *value, *end;
    int64_t n;
    int good = 1, seen = 0;
    while (good && next_line(&text, &name, &value)) {
        seen++;
        if (!strcmp(name, "leader")) good = whole_number(value, 0, SK_SHARDS_MAX - 1, &n), m->leader = (int)n;
        else if (!strcmp(name, "source")) good = whole_number(value, 0, SK_SHARDS_MAX - 1, &n), m->source = (int)n;
        else if (!strcmp(name, "version")) good = keep_text(m->version, sizeof m->version, value);
        else if (!strcmp(name, "run")) good = keep_hash(m->run, value);
        else if (!strcmp(name, "shards")) good = whole_number(value, 1, SK_SHARDS_MAX, &n), m->shards = (int)n;
        else if (!strcmp(name, "update")) good = whole_number(value, 0, INT64_MAX / 2, &m->update);
        else if (!strcmp(name, "hash")) good = keep_hash(m->hash, value);
        else if (!strcmp(name, "behind")) good = whole_number(value, 0, 1, &n), m->behind = (int)n;
        else if (!strcmp(name, "secret")) {
            m->secret = strtoull(value, &end, 16);
            good = strlen(value) == 16 && !*end;
        } else {
            seen--;
            if (!strcmp(name, "member")) good = parse_member(m, value);
        }
    }
    return good && seen == 9 && m->n > 0 && !*text;
}

int sk_members_read(const char *dir, int generation, struct sk_members *m)
{
    int there = sk_shards_has(dir, generation, "members");
    memset(m, 0, sizeof *m);
    m->generation = generation;
    if (there <= 0) return there;
    char *path = sk_shards_path(dir, generation, "members");
    size_t n;
    char *text = sk_file_load(path, (size_t)SK_SHARDS_MAX * 256, &n);
    int result = text ? 1 : sk_fail_code() == SK_EXIT_NOINPUT ? sk_file_check_plain(path) : -1;
    if (text && (strlen(text) != n || !parse_members(m, text)))
        result = sk_fail(SK_EXIT_DATA, "%s does not say who takes part; remove the folder it is in", path);
    free(text);
    free(path);
    return result;
}

/* --- life ------------------------------------------------------------------------------------ */

static char *of_shard(const char *dir, int shard, const char *what)
{
    char *name = sk_xprintf("%d.%s", shard, what), *path = sk_shards_path(dir, 0, name);
    free(name);
    return path;
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int sk_shards_list(const char *dir, int **shard)
{
    char *path = sk_path_join(dir, SK_MD_SHARDS);
    DIR *d = opendir(path);
    int n = 0;
    *shard = NULL;
    if (!d && errno != ENOENT) n = sk_fail_errno("cannot open folder %s", path);
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t digits = strspn(e->d_name, "0123456789");
        if (digits == 0 || digits > 4 || strcmp(e->d_name + digits, ".alive")) continue;
        *shard = sk_xrealloc(*shard, (size_t)n + 1, sizeof **shard);
        (*shard)[n++] = atoi(e->d_name);
    }
    if (d) closedir(d);
    free(path);
    if (n > 0) qsort(*shard, (size_t)n, sizeof **shard, ascending);
    return n;
}

int sk_shard_alive(const char *dir, int shard)
{
    char *path = of_shard(dir, shard, "alive"), *who = NULL;
    int held = sk_lock_held(path, &who);
    free(who);
    free(path);
    return held;
}

int sk_beat_write(const char *dir, int shard, const char *uuid, int64_t count, int waits)
{
    char *path = of_shard(dir, shard, "beat"), text[80];
    int n = snprintf(text, sizeof text, "%s %019" PRId64 " %c\n", uuid, count, waits ? 'w' : '-');
    /* Opened and closed each time: that is when NFS hands it on. */
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    int good = fd >= 0 && pwrite(fd, text, (size_t)n, 0) == n;
    if (fd >= 0) good = close(fd) == 0 && good;
    free(path);
    return good ? 0 : -1;
}

int sk_beat_read(const char *dir, int shard, char uuid[SK_UUID_TEXT], int64_t *count, int *waits)
{
    char *path = of_shard(dir, shard, "beat"), text[80];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    free(path);
    if (n != SK_UUID_TEXT + 22 || text[SK_UUID_TEXT - 1] != ' ' || text[n - 3] != ' ' || text[n - 1] != '\n') return 0;
    text[SK_UUID_TEXT - 1] = text[n - 3] = '\0';
    *waits = text[n - 2] == 'w';
    return keep_uuid(uuid, text) && whole_number(text + SK_UUID_TEXT, 0, INT64_MAX, count);
}
