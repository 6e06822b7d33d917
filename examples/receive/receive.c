/* receive.c: a recv() method. Messages come from a native thread, and each await of recv() takes the next one. A recv()
 * that is cancelled, by a time limit for instance, loses none: the next one gets it.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/receive/receive.c -o receive.so
 */
#include <cawait.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct message {
    caw_item item;
    long number;
} message;

static void
message_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, message, item));
}

/* [inbox] */
typedef struct inbox {
    PyObject_HEAD
    caw_stream *messages;
    caw_item *kept; /* what a recv() had received whose awaiter was gone; or NULL */
    bool receiving; /* one at a time: a stream has one poller */
    bool ended;     /* a stream that has ended is not polled again */
} inbox;

typedef struct receiving {
    caw_future future;
    caw_next_op next;
    inbox *inbox; /* borrowed: the coroutine holds it */
    bool begun;
} receiving;

static int
receiving_begin(receiving *r)
{
    inbox *box = r->inbox;
    if (box->receiving || box->ended) {
        return box->receiving ? -EBUSY : -EPIPE;
    }
    box->receiving = r->begun = true;
    caw_next_init(&r->next, box->messages);
    r->next.item = box->kept;
    box->kept = NULL;
    return 0;
}

static caw_poll
receiving_poll(caw_future *f, caw_context *cx)
{
    receiving *r = CAW_CONTAINER_OF(f, receiving, future);
    int error = r->begun ? 0 : receiving_begin(r);
    if (error < 0 || r->next.item) {
        return caw_future_finish(f, error);
    }
    if (caw_future_poll(&r->next.future, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    r->inbox->ended = !r->next.item;
    return caw_future_finish(f, r->next.item ? 0 : r->next.future.status < 0 ? r->next.future.status : -EPIPE);
}

static void
receiving_destroy(caw_future *f) /* also when its awaiter is cancelled: the stream stays as it is */
{
    receiving *r = CAW_CONTAINER_OF(f, receiving, future);
    if (r->begun) {
        r->inbox->kept = r->next.item;
        r->next.item = NULL;
        caw_future_destroy(&r->next.future);
        r->inbox->receiving = false;
    }
    free(r);
}

/* Without a cancel function: who is cancelled resumes at once, and nobody is told. */
static const caw_future_ops receiving_ops = {"inbox.recv", receiving_poll, NULL, receiving_destroy};
/* [/inbox] */

static caw_future *
inbox_recv_start(PyObject *self)
{
    receiving *r = calloc(1, sizeof *r);
    if (r) {
        caw_future_init(&r->future, &receiving_ops);
        r->inbox = (inbox *)self;
    }
    return r ? &r->future : NULL;
}

static PyObject *
inbox_recv_result(caw_future *f)
{
    receiving *r = CAW_CONTAINER_OF(f, receiving, future);
    PyObject *value = PyLong_FromLong(CAW_CONTAINER_OF(r->next.item, const message, item)->number);
    if (value) {
        caw_item_destroy(r->next.item);
        r->next.item = NULL;
    }
    return value;
}

/* --- where the messages come from: Inbox(n) gets n of them, one each millisecond --- */

typedef struct sender {
    caw_channel *channel; /* a reference, once it runs */
    long n;
} sender;

static void *
sender_main(void *user)
{
    const sender *s = user;
    caw_channel *channel = s->channel;
    int status = 0;
    for (long i = 0; i < s->n && status == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        message *m = malloc(sizeof *m);
        if (!m) {
            (void)caw_channel_close(channel, CAW_ENOMEM);
            break;
        }
        *m = (message){.item = {.destroy = message_destroy}, .number = i};
        status = caw_channel_send(channel, &m->item);
    }
    caw_channel_release(channel); /* after that `s` may be gone */
    return NULL;
}

static int
sender_start(caw_channel *channel, void *user) /* by the first recv() */
{
    sender *s = user;
    pthread_t thread;
    s->channel = channel;
    int error = pthread_create(&thread, NULL, sender_main, s);
    if (error == 0) {
        (void)pthread_detach(thread);
    }
    return -error;
}

static PyObject *
inbox_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"n", NULL};
    long n;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "l:Inbox", keywords, &n)) {
        return NULL;
    }
    inbox *self = (inbox *)type->tp_alloc(type, 0);
    sender *s = self ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        Py_XDECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    s->n = n;
    caw_channel *channel;
    caw_channel_spec spec = {.capacity = 16, .start = sender_start, .free = free, .user = s};
    int error = caw_channel_new(&spec, &channel);
    if (error) {
        Py_DECREF((PyObject *)self);
        return caw_py_set_error(error);
    }
    self->messages = caw_channel_stream(channel);
    return (PyObject *)self;
}

static void
inbox_dealloc(PyObject *object)
{
    inbox *self = (inbox *)object;
    PyTypeObject *type = Py_TYPE(object);
    caw_stream_destroy(self->messages); /* the thread's sends fail from now on */
    caw_item_destroy(self->kept);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot inbox_slots[] = {
    {Py_tp_doc, "Inbox(n)\n--\n\nn messages, the numbers from 0."},
    {Py_tp_new, __extension__(void *) inbox_new},
    {Py_tp_dealloc, __extension__(void *) inbox_dealloc},
    {0, NULL},
};
static PyType_Spec inbox_spec = {
    .name = "receive.Inbox", .basicsize = sizeof(inbox), .flags = Py_TPFLAGS_DEFAULT, .slots = inbox_slots};

static const caw_py_async_def methods[] = {
    CAW_PY_ASYNC_NOARGS("recv", inbox_recv_start, inbox_recv_result,
                        "recv($self)\n--\n\nThe next message. BrokenPipeError: there are no more."),
    CAW_PY_ASYNC_END,
};

static int
receive_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &inbox_spec, NULL);
    bool failed = !type || caw_py_add_methods(module, (PyTypeObject *)type, methods) < 0 ||
                  PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) receive_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "receive", .m_slots = slots};

PyMODINIT_FUNC
PyInit_receive(void)
{
    return PyModuleDef_Init(&definition);
}
