#include "train/exchange/channel.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/msg.h"

/* Messages begun and not done; UCX's own request, or NULL while it is not known. */
struct message {
    struct sk_channel *c;
    void *request;
    int peer, receives;
    size_t bytes;
    int *awaited;
    struct message *next, **at;
};
struct peer { struct sk_channel *c; ucp_ep_h ep; int number; };

struct sk_channel {
    ucp_context_h context;
    ucp_worker_h worker;
    ucp_address_t *address;
    size_t address_bytes;
    int event, wake, peers, lost;
    ucs_status_t why;
    struct peer **peer;
    struct message *begun, *spare;
};

/* --- the library ---------------------------------------------------------------- */

#define FUNCTIONS(X) \
    X(ucp_get_version_string) X(ucp_init_version) X(ucp_cleanup) X(ucp_worker_create) X(ucp_worker_destroy) \
    X(ucp_worker_get_address) X(ucp_worker_release_address) X(ucp_worker_get_efd) X(ucp_worker_arm) \
    X(ucp_worker_progress) X(ucp_ep_create) X(ucp_ep_close_nbx) X(ucp_tag_send_nbx) X(ucp_tag_recv_nbx) \
    X(ucp_request_cancel) X(ucp_request_free) X(ucp_request_check_status) X(ucp_config_read) X(ucp_config_release)
static struct {
    int tried;
    char text[160];
    const char *(*error)(ucs_status_t);
#define X(name) __typeof__(&name) name;
    FUNCTIONS(X)
#undef X
} ucx;

static int load(void)
{
    static const struct { const char *name; void **into; } symbols[] = {
#define X(name) {#name, (void **)&ucx.name},
        FUNCTIONS(X)
#undef X
    };
    /* Read when the library is loaded. It would catch SIGSEGV and watch mmap. */
    static const char *const settings[][2] = {{"UCX_HANDLE_ERRORS", "none"}, {"UCX_MEM_EVENTS", "n"},
                                              {"UCX_TLS", "^sm"}, {"UCX_WARN_UNUSED_ENV_VARS", "n"},
                                              {"UCX_LOG_LEVEL", "fatal"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) setenv(settings[i][0], settings[i][1], 0);
    void *ucs = dlopen("libucs.so.0", RTLD_NOW | RTLD_GLOBAL), *ucp = ucs ? dlopen("libucp.so.0", RTLD_NOW) : NULL;
    if (!ucp) {
        snprintf(ucx.text, sizeof ucx.text, "%s", dlerror());
        return -1;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (!(*symbols[i].into = dlsym(ucp, symbols[i].name))) {
            snprintf(ucx.text, sizeof ucx.text, "libucp.so.0 has no %s: it is too old", symbols[i].name);
            return -1;
        }
    *(void **)&ucx.error = dlsym(ucs, "ucs_status_string");
    if (!ucx.error) return -1;
    snprintf(ucx.text, sizeof ucx.text, "UCX %s", ucx.ucp_get_version_string());
    return 0;
}

const char *sk_channel_library(void)
{
    if (!ucx.tried) ucx.tried = load() == 0 ? 1 : -1;
    return ucx.text;
}

static int failed(const char *what, ucs_status_t why)
{
    return sk_fail(SK_EXIT_TEMP, "%s between shards (%s): %s", what, ucx.text, ucx.error(why));
}

/* --- when the library gives up ---------------------------------------------------- */

/* Debian's UCX keeps its assertions, and in some orders of deaths and connections
 * one fails (tcp_ep.c: a peer that dies while it is being connected to). Nothing
 * of ours is lost then; to be started again is all that helps. */
static volatile sig_atomic_t inside;

static void aborted(int number)
{
    static const char text[] = "UCX has ended this shard by an assertion (its message is above): start it again\n";
    if (inside) {
        ssize_t wrote = write(2, text, sizeof text - 1);
        (void)wrote;
        _exit(SK_EXIT_TEMP);
    }
    signal(number, SIG_DFL);             /* abort() goes on */
}

/* --- opening and closing -------------------------------------------------------- */

static int open_worker(struct sk_channel *c)
{
    ucp_params_t params = {.field_mask = UCP_PARAM_FIELD_FEATURES, .features = UCP_FEATURE_TAG | UCP_FEATURE_WAKEUP};
    ucp_worker_params_t worker = {.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE,
                                  .thread_mode = UCS_THREAD_MODE_SINGLE};
    ucp_config_t *config;
    ucs_status_t s = ucx.ucp_config_read(NULL, NULL, &config);
    if (s == UCS_OK) {
        s = ucx.ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &c->context);
        ucx.ucp_config_release(config);
    }
    if (s == UCS_OK) s = ucx.ucp_worker_create(c->context, &worker, &c->worker);
    if (s == UCS_OK) s = ucx.ucp_worker_get_address(c->worker, &c->address, &c->address_bytes);
    if (s == UCS_OK) s = ucx.ucp_worker_get_efd(c->worker, &c->event);
    return s == UCS_OK ? 0 : failed("messages", s);
}

struct sk_channel *sk_channel_open(int wake)
{
    sk_channel_library();
    if (ucx.tried < 0) {
        sk_fail(SK_EXIT_TEMP, "several shards talk through UCX, which cannot be used here: %s; its Debian package is "
                "libucx0", ucx.text);
        return NULL;
    }
    struct sk_channel *c = sk_xcalloc(1, sizeof *c);
    signal(SIGABRT, aborted);
    c->lost = -1;
    c->wake = wake;
    inside = 1;
    int opened = open_worker(c);
    inside = 0;
    if (opened == 0) return c;
    sk_channel_close(c, 0);
    return NULL;
}

const void *sk_channel_address(const struct sk_channel *c, size_t *bytes)
{
    *bytes = c->address_bytes;
    return c->address;
}

static void lose(struct sk_channel *c, int peer, ucs_status_t why)
{
    if (c->lost >= 0) return;
    c->lost = peer;
    c->why = why;
}

static void on_error(void *arg, ucp_ep_h ep, ucs_status_t status)
{
    struct peer *p = arg;
    (void)ep;
    lose(p->c, p->number, status);
}

int sk_channel_connect(struct sk_channel *c, int peer, const void *address, size_t bytes)
{
    (void)bytes;
    struct peer *p = sk_xcalloc(1, sizeof *p);
    *p = (struct peer){c, NULL, peer};
    if (peer >= c->peers) {
        c->peer = sk_xrealloc(c->peer, (size_t)peer + 1, sizeof *c->peer);
        while (c->peers <= peer) c->peer[c->peers++] = NULL;
    }
    SK_ENSURE(!c->peer[peer]);
    c->peer[peer] = p;
    ucp_ep_params_t params = {
        .field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER,
        .address = address, .err_mode = UCP_ERR_HANDLING_MODE_PEER, .err_handler = {on_error, p}};
    inside = 1;
    ucs_status_t s = ucx.ucp_ep_create(c->worker, &params, &p->ep);
    inside = 0;
    if (s == UCS_OK) return 0;
    lose(c, peer, s);
    return failed("a connection (do all hosts have the same version of UCX?)", s);
}

static void close_peer(struct sk_channel *c, struct peer *p, int done)
{
    ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS, .flags = done ? 0 : UCP_EP_CLOSE_FLAG_FORCE};
    void *request = p->ep ? ucx.ucp_ep_close_nbx(p->ep, &param) : NULL;
    if (UCS_PTR_IS_PTR(request)) {
        double until = sk_now() + (done ? 2 : 0.2);
        while (ucx.ucp_request_check_status(request) == UCS_INPROGRESS && sk_now() < until)
            if (!ucx.ucp_worker_progress(c->worker)) poll(NULL, 0, 1);
        ucx.ucp_request_free(request);
    }
}

void sk_channel_close(struct sk_channel *c, int done)
{
    if (!c) return;
    inside = 1;
    for (struct message *m = c->begun, *next; m; m = next) {
        next = m->next;                  /* cancelling may end it at once */
        if (m->receives && m->request) ucx.ucp_request_cancel(c->worker, m->request);
    }
    for (int i = 0; i < c->peers; i++)
        if (c->peer[i]) close_peer(c, c->peer[i], done && c->lost < 0);
    if (c->address) ucx.ucp_worker_release_address(c->worker, c->address);
    if (c->worker) ucx.ucp_worker_destroy(c->worker);
    if (c->context) ucx.ucp_cleanup(c->context);
    inside = 0;
    for (int i = 0; i < c->peers; i++) free(c->peer[i]);
    for (struct message **list[] = {&c->begun, &c->spare}, ***l = list; l < list + 2; l++)
        for (struct message *m = **l, *next; m; m = next) {
            next = m->next;
            free(m);
        }
    free(c->peer);
    free(c);
}

/* --- messages ------------------------------------------------------------------- */

static struct message *begin(struct sk_channel *c, int peer, int receives)
{
    struct message *m = c->spare;
    if (m) c->spare = m->next;
    else m = sk_xcalloc(1, sizeof *m);
    *m = (struct message){.c = c, .peer = peer, .receives = receives, .next = c->begun, .at = &c->begun};
    if (m->next) m->next->at = &m->next;
    c->begun = m;
    return m;
}

static void end(struct message *m, ucs_status_t status)
{
    struct sk_channel *c = m->c;
    *m->at = m->next;
    if (m->next) m->next->at = m->at;
    m->next = c->spare;
    c->spare = m;
    if (status != UCS_OK) lose(c, m->peer, status);
    else if (m->awaited) --*m->awaited;
}

static void sent(void *request, ucs_status_t status, void *user)
{
    end(user, status);
    ucx.ucp_request_free(request);
}

static void received(void *request, ucs_status_t status, const ucp_tag_recv_info_t *info, void *user)
{
    const struct message *m = user;
    end(user, status == UCS_OK && info->length != m->bytes ? UCS_ERR_MESSAGE_TRUNCATED : status);
    ucx.ucp_request_free(request);
}

static void take_up(struct message *m, void *request)
{
    if (UCS_PTR_IS_ERR(request)) end(m, UCS_PTR_STATUS(request));
    else if (!request) end(m, UCS_OK);
    else m->request = request;
}

void sk_channel_send(struct sk_channel *c, int peer, uint64_t tag, const void *data, size_t bytes)
{
    struct message *m = begin(c, peer, 0);
    ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA,
                                 .cb.send = sent, .user_data = m};
    inside = 1;
    take_up(m, ucx.ucp_tag_send_nbx(c->peer[peer]->ep, data, bytes, tag, &param));
    inside = 0;
}

void sk_channel_receive(struct sk_channel *c, int peer, uint64_t tag, void *data, size_t bytes, int *awaited)
{
    struct message *m = begin(c, peer, 1);
    m->bytes = bytes;
    m->awaited = awaited;
    if (awaited) ++*awaited;
    ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA,
                                 .cb.recv = received, .user_data = m};
    inside = 1;
    take_up(m, ucx.ucp_tag_recv_nbx(c->worker, data, bytes, tag, ~(ucp_tag_t)0, &param));
    inside = 0;
}

int sk_channel_lost(const struct sk_channel *c)
{
    return c->lost;
}

void sk_channel_progress(struct sk_channel *c)
{
    inside = 1;
    while (c->lost < 0 && ucx.ucp_worker_progress(c->worker))
        ;
    inside = 0;
}

int sk_channel_wait(struct sk_channel *c, const int *awaited, int (*watch)(void *ctx), void *ctx)
{
    double next = sk_now() + 1;
    while (c->lost < 0) {
        sk_channel_progress(c);
        if (c->lost >= 0) break;
        if (awaited ? !*awaited : !c->begun) return 0;
        ucs_status_t s = ucx.ucp_worker_arm(c->worker);
        if (s != UCS_OK && s != UCS_ERR_BUSY) return failed("waiting for messages", s);
        struct pollfd p[2] = {{c->event, POLLIN, 0}, {c->wake, POLLIN, 0}};
        double left = next - sk_now();
        if (s == UCS_OK && left > 0 && poll(p, 2, (int)(1000 * left) + 1) < 0 && errno != EINTR)
            return sk_fail_errno("waiting for messages of other shards");
        if (p[1].revents || sk_now() >= next) {
            if (watch && watch(ctx)) return -1;
            next = sk_now() + 1;
        }
    }
    return failed("a connection was lost", c->why);
}
