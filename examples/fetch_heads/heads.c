/* heads.c: one async function for each URL, and one for all of them: a group with a limit, and time limits around. */
#include "heads.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- one URL --- */

typedef struct fetch {
    caw_async async;
    head *head; /* borrowed: of the future for all */
    int fd, status, name_error;
    char host[256], port[6], request[2048];
    caw_future *names, *connect, *read;
    struct addrinfo *addresses, *next;
} fetch;

CAW_ASYNC_FUNCTION(fetch)

/* The port is a number from 1 to 65535, or empty. */
static int
fetch_set_port(fetch *self, const char *digits, size_t length)
{
    unsigned long port = length > 0 ? strtoul(digits, NULL, 10) : 80;
    if (length > 5 || strspn(digits, "0123456789") < length || port < 1 || port > UINT16_MAX) {
        return CAW_EINVAL;
    }
    (void)snprintf(self->port, sizeof self->port, "%u", (unsigned)(uint16_t)port);
    return 0;
}

static bool
has_control_bytes(const char *url)
{
    while ((unsigned char)*url > ' ' && *url != 0x7f) {
        url++;
    }
    return *url;
}

/* The host, the port and the request. */
static int
fetch_prepare(fetch *self)
{
    const char *url = self->head->url, *host = url + strlen("http://");
    if (strncmp(url, "http://", strlen("http://")) != 0 || has_control_bytes(url)) {
        return CAW_EINVAL;
    }
    size_t place = strcspn(host, "/?#"), length = strcspn(host, ":/?#");
    if (length == 0 || length >= sizeof self->host) {
        return CAW_EINVAL;
    }
    (void)snprintf(self->host, sizeof self->host, "%.*s", (int)length, host);
    size_t colon = host[length] == ':';
    int error = fetch_set_port(self, host + length + colon, place - length - colon);
    const char *path = host + place;
    int n =
        snprintf(self->request, sizeof self->request, "HEAD %s%.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n",
                 *path == '/' ? "" : "/", (int)strcspn(path, "#"), path, (int)place, host);
    return n < (int)sizeof self->request ? error : CAW_EINVAL;
}

/* [fetch] */
static caw_step
fetch_run(fetch *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_TRY(fetch_prepare(self));
        self->names = caw_getaddrinfo(NULL, self->host, self->port, &(struct addrinfo){.ai_socktype = SOCK_STREAM});
        CAW_AWAIT_REF(self->names);
        self->addresses = self->next = caw_getaddrinfo_take(self->names);
        for (; self->fd < 0 && self->next; self->next = self->next->ai_next) {
            self->fd = socket(self->next->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
            self->status = self->fd < 0 ? -errno : 0;
            if (self->status == 0) {
                caw_future_destroy(self->connect);
                self->connect = caw_connect(self->fd, self->next->ai_addr, self->next->ai_addrlen);
                self->fd = -1; /* that future's, until it is taken */
                CAW_AWAIT_REF_STATUS(self->status, self->connect);
                self->fd = self->status < 0 ? -1 : caw_connect_take(self->connect);
            }
        }
        CAW_TRY(self->status);
        CAW_AWAIT(caw_write_all(self->fd, self->request, strlen(self->request)));
        while (!memmem(self->head->text, self->head->length, "\r\n\r\n", 4)) {
            CAW_TRY(self->head->length < sizeof self->head->text ? 0 : -EMSGSIZE);
            caw_future_destroy(self->read);
            self->read =
                caw_read(self->fd, self->head->text + self->head->length, sizeof self->head->text - self->head->length);
            CAW_AWAIT_REF(self->read);
            CAW_TRY(caw_io_count(self->read) > 0 ? 0 : -EPIPE);
            self->head->length += caw_io_count(self->read);
        }
    }
    CAW_FINALLY
    {
        self->name_error = self->names ? caw_getaddrinfo_error(self->names) : 0;
        caw_future_destroy(self->read);
        caw_future_destroy(self->connect);
        caw_future_destroy(self->names);
        if (self->addresses) {
            freeaddrinfo(self->addresses);
        }
        if (self->fd >= 0) {
            close(self->fd);
        }
    }
}
/* [/fetch] */

static int
head_parse(head *one)
{
    const char *end = memmem(one->text, one->length, "\r\n\r\n", 4);
    const char *code = one->text + strlen("HTTP/1.1 ");
    if (end - one->text < 12 || memcmp(one->text, "HTTP/1.", 7) != 0 || code[-1] != ' ' ||
        strspn(code, "0123456789") != 3 || *code == '0') {
        return -EBADMSG;
    }
    one->length = (size_t)(end - one->text);
    one->code = atoi(code);
    return 0;
}

/* Note how it has ended, also by the time limit around it. One that fails ends no other. */
static int
fetch_ended(void *user, caw_future *limited)
{
    (void)user;
    const caw_future *f = caw_child(limited, 0);
    const fetch *self = CAW_CONTAINER_OF(f, const fetch, async.future);
    int status = limited->status == 0 ? head_parse(self->head) : limited->status;
    self->head->reason = self->name_error ? gai_strerror(self->name_error) : caw_error_text(status);
    return status == CAW_ECANCELED ? status : 0; /* by what has ended all, or cancelled it */
}

/* --- all of them --- */

typedef struct heads {
    caw_async async;
    heads_spec spec;
    size_t n;
    head *heads;
    caw_future *all;
} heads;

static void
heads_fini(heads *self)
{
    for (size_t i = 0; self->heads && i < self->n; i++) {
        free(self->heads[i].url);
    }
    free(self->heads);
}

CAW_ASYNC_FUNCTION_FINI(heads, heads_fini)

static int
heads_begin(heads *self)
{
    caw_group_spec spec = {.limit = self->spec.limit, .ended = fetch_ended};
    caw_group *group;
    caw_future *all;
    int error = caw_group_new(&spec, &group, &all);
    self->all = caw_timeout(self->spec.all_ns, all);
    for (size_t i = 0; self->all && i < self->n && error == 0; i++) {
        caw_future *f = CAW_ASYNC_NEW(fetch, .head = &self->heads[i], .fd = -1);
        caw_future *limited = caw_timeout(self->spec.each_ns, f);
        error = caw_group_add(group, limited);
    }
    caw_group_release(group); /* the last reference: no more come */
    return self->all ? error : CAW_ENOMEM;
}

static caw_step
heads_run(heads *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_TRY(heads_begin(self));
        CAW_AWAIT_REF(self->all);
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->all);
    }
}

caw_future *
heads_new(const heads_spec *spec, size_t n)
{
    head *all = calloc(n + 1, sizeof *all);
    return all ? CAW_ASYNC_NEW(heads, .spec = *spec, .n = n, .heads = all) : NULL;
}

int
heads_set(caw_future *f, size_t i, const char *url)
{
    head *one = &CAW_CONTAINER_OF(f, heads, async.future)->heads[i];
    one->url = strdup(url);
    return one->url ? 0 : CAW_ENOMEM;
}

const head *
heads_get(const caw_future *f, size_t i)
{
    const heads *self = CAW_CONTAINER_OF(f, const heads, async.future);
    return i < self->n ? &self->heads[i] : NULL;
}
