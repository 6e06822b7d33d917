/* passed_on.c: a call of Python fails, and its status gets to the awaiter by a way. */
#include "ext.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- what all ways share: the call, counted, since a way may leave it to a thread --- */

typedef struct trip trip;
typedef int (*trip_fn)(void *trip);

struct trip {
    caw_promise promise; /* of the ways that end by one */
    _Atomic int refs;
    caw_py_locals *locals;
    caw_py_ref *function, *other; /* what is called; `other` may be NULL */
    caw_channel *channel;         /* of the ways through one */
    caw_future *children[2];
    bool late; /* the promise is resolved after another call of this thread has ended well */
};

static void
trip_release(void *user)
{
    trip *t = user;
    if (atomic_fetch_sub(&t->refs, 1) == 1) {
        caw_py_ref_release(t->function);
        caw_py_ref_release(t->other);
        caw_py_locals_release(t->locals);
        free(t);
        atomic_fetch_sub(&ext_live_futures, 1);
    }
}

static void
trip_free(caw_promise *p)
{
    trip_release(CAW_CONTAINER_OF(p, trip, promise));
}

static trip *
trip_retain(trip *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

static PyObject *
trip_call_function(void *user)
{
    return PyObject_CallNoArgs(caw_py_ref_get(((trip *)user)->function));
}

static PyObject *
trip_call_other(void *user)
{
    return PyObject_CallNoArgs(caw_py_ref_get(((trip *)user)->other));
}

static PyObject *
trip_call_nothing(void *Py_UNUSED(user))
{
    Py_RETURN_NONE;
}

static const caw_py_call_spec trip_function = {trip_call_function, NULL, trip_release};
static const caw_py_call_spec trip_other = {trip_call_other, NULL, trip_release};
static const caw_py_call_spec trip_nothing = {trip_call_nothing, NULL, trip_release};

static caw_future *
trip_call(trip *t)
{
    return caw_py_call(t->locals, &trip_function, trip_retain(t));
}

/* Wait on this thread for the future, which is destroyed. */
static int
wait_for(caw_future *f)
{
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

/* --- on the pool --- */

static int
run_call(void *t)
{
    return wait_for(trip_call(t));
}

/* The function fails, and then the other one, which is what the call ends with. */
static int
run_both(void *t)
{
    (void)run_call(t);
    return wait_for(caw_py_call(((trip *)t)->locals, &trip_other, trip_retain(t)));
}

static int
run_replaced(void *t)
{
    return run_call(t) < 0 ? -EIO : 0;
}

static int
run_forgotten(void *t)
{
    (void)run_call(t);
    return 0;
}

static int
run_nested(void *t)
{
    return wait_for(caw_blocking(NULL, run_call, trip_retain(t), trip_release));
}

static int
run_spawned(void *t)
{
    return wait_for(caw_spawn(NULL, trip_call(t)));
}

static caw_future *
on_pool(trip *t, trip_fn run)
{
    return caw_blocking(NULL, run, trip_retain(t), trip_release);
}

typedef struct trip_work {
    caw_work work;
    trip *trip;
} trip_work;

static int
work_run(caw_work *w)
{
    return run_call(CAW_CONTAINER_OF(w, trip_work, work)->trip);
}

static void
work_free(caw_work *w)
{
    trip_work *work = CAW_CONTAINER_OF(w, trip_work, work);
    trip_release(work->trip);
    free(work);
}

static caw_future *
way_work(trip *t)
{
    trip_work *work = malloc(sizeof *work);
    if (!work) {
        abort();
    }
    work->trip = trip_retain(t);
    caw_work_init(&work->work, NULL, work_run, work_free);
    return &work->work.promise.future;
}

/* --- several children --- */

static caw_future *
way_race(trip *t)
{
    return ext_several('r', caw_sleep(60000000000), trip_call(t));
}

static caw_future *
way_join(trip *t)
{
    return ext_several('j', on_pool(t, run_call), caw_sleep(1000000));
}

static int
run_race(void *t)
{
    return wait_for(way_race(t));
}

/* --- a promise that something else resolves --- */

/* A future that polls another one, and resolves the promise as it ends. */
typedef struct relay {
    caw_future future;
    caw_future *child;
    trip *trip;
} relay;

static caw_poll
relay_poll(caw_future *f, caw_context *cx)
{
    relay *r = CAW_CONTAINER_OF(f, relay, future);
    if (caw_future_poll(r->child, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    caw_promise_resolve(&r->trip->promise, r->child->status);
    return caw_future_finish(f, 0);
}

static void
relay_destroy(caw_future *f)
{
    relay *r = CAW_CONTAINER_OF(f, relay, future);
    caw_future_destroy(r->child);
    trip_release(r->trip);
    free(r);
}

static const caw_future_ops relay_ops = {"test.relay", relay_poll, NULL, relay_destroy};

static caw_future *
relay_new(trip *t, caw_future *child)
{
    relay *r = malloc(sizeof *r);
    if (!r || !child) {
        abort();
    }
    caw_future_init(&r->future, &relay_ops);
    r->trip = trip_retain(t);
    r->child = child;
    return &r->future;
}

static int
detached_start(caw_promise *p)
{
    trip *t = CAW_CONTAINER_OF(p, trip, promise);
    return caw_spawn_detached(NULL, relay_new(t, trip_call(t)));
}

static void *
thread_main(void *user)
{
    trip *t = user;
    int status = run_call(t);
    if (t->late) {
        (void)wait_for(caw_py_call(t->locals, &trip_nothing, trip_retain(t)));
    }
    caw_promise_resolve(&t->promise, status);
    trip_release(t);
    return NULL;
}

static int
thread_start(caw_promise *p)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, thread_main, trip_retain(CAW_CONTAINER_OF(p, trip, promise)));
    if (!error) {
        pthread_detach(thread);
    }
    return -error;
}

static const caw_promise_ops detached_ops = CAW_PROMISE_OPS("test.detached", detached_start, trip_free);
static const caw_promise_ops thread_ops = CAW_PROMISE_OPS("test.thread", thread_start, trip_free);

static caw_future *
by_promise(trip *t, const caw_promise_ops *ops)
{
    caw_promise_init(&t->promise, ops);
    return &trip_retain(t)->promise.future;
}

/* --- streams --- */

static int
channel_main(void *user)
{
    trip *t = user;
    (void)caw_channel_close(t->channel, run_call(t));
    caw_channel_release(t->channel);
    return 0;
}

/* A channel that a call on the pool closes with its status. */
static caw_stream *
failing_channel(trip *t)
{
    const caw_channel_spec spec = {.capacity = 4};
    if (caw_channel_new(&spec, &t->channel) < 0) {
        abort();
    }
    caw_stream *stream = caw_channel_stream(t->channel);
    (void)caw_spawn_detached(NULL, on_pool(t, channel_main));
    return stream;
}

/* What the function makes is an async iterable, iterated for somebody elsewhere; or in place. */
static caw_stream *
iterated(trip *t, bool in_place)
{
    return caw_py_iterate(in_place ? NULL : t->locals, PyObject_CallNoArgs(caw_py_ref_get(t->function)), NULL);
}

static int
run_child(void *user)
{
    trip *t = user;
    caw_future *child = t->children[0];
    t->children[0] = NULL;
    return wait_for(child);
}

/* The future, waited for on the pool. */
static caw_future *
waited_for(trip *t, caw_future *child)
{
    t->children[0] = child;
    return on_pool(t, run_child);
}

/* --- the ways by name --- */

static caw_future *
trip_future(trip *t, const char *way)
{
    static const struct {
        const char *way;
        trip_fn run;
    } runs[] = {
        {"blocking", run_call},       {"replaced", run_replaced},      {"forgotten", run_forgotten}, {"both", run_both},
        {"nested calls", run_nested}, {"call on a task", run_spawned}, {"race in a call", run_race},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        if (strcmp(way, runs[i].way) == 0) {
            return on_pool(t, runs[i].run);
        }
    }
    t->late = strcmp(way, "thread, late") == 0;
    return strcmp(way, "work") == 0                 ? way_work(t)
           : strcmp(way, "task") == 0               ? caw_spawn(NULL, trip_call(t))
           : strcmp(way, "nested tasks") == 0       ? caw_spawn(NULL, caw_spawn(NULL, on_pool(t, run_call)))
           : strcmp(way, "race") == 0               ? way_race(t)
           : strcmp(way, "race on a task") == 0     ? caw_spawn(NULL, way_race(t))
           : strcmp(way, "join") == 0               ? way_join(t)
           : strcmp(way, "detached task") == 0      ? by_promise(t, &detached_ops)
           : strncmp(way, "thread", 6) == 0         ? by_promise(t, &thread_ops)
           : strcmp(way, "channel") == 0            ? ext_next_of(failing_channel(t))
           : strcmp(way, "channel on a task") == 0  ? caw_spawn(NULL, ext_next_of(ext_around(failing_channel(t))))
           : strcmp(way, "iterable") == 0           ? ext_next_of(ext_around(iterated(t, false)))
           : strcmp(way, "iterable in place") == 0  ? ext_next_of(iterated(t, true))
           : strcmp(way, "iterable in a call") == 0 ? waited_for(t, ext_next_of(ext_around(iterated(t, false))))
           : strcmp(way, "iterable on a task") == 0 ? caw_spawn(NULL, ext_next_of(ext_around(iterated(t, false))))
                                                    : NULL;
}

static trip *
trip_new(PyObject *module, PyObject *function, PyObject *other)
{
    trip *t = calloc(1, sizeof *t);
    if (!t || !(t->locals = caw_py_locals_new(module)) || !(t->function = caw_py_ref_new(t->locals, function)) ||
        (other && !(t->other = caw_py_ref_new(t->locals, other)))) {
        abort();
    }
    t->refs = 1;
    atomic_fetch_add(&ext_live_futures, 1);
    return t;
}

/* passed_on(way, function, other=None) */
static caw_future *
passed_on_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    const char *way;
    PyObject *function, *other = NULL;
    if (!PyArg_ParseTuple(args, "sO|O", &way, &function, &other)) {
        return NULL;
    }
    trip *t = trip_new(module, function, other);
    caw_future *f = trip_future(t, way);
    trip_release(t);
    if (!f && !PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "no way is called %s", way);
    }
    return f;
}

/* --- relayed(function): a coroutine that awaits what the function makes, in place, and one that ends as it ends --- */

static int
relayed_start(caw_promise *Py_UNUSED(p))
{
    return 0;
}

PyObject *
ext_relayed(PyObject *module, PyObject *function)
{
    static const caw_promise_ops ops = CAW_PROMISE_OPS("test.relayed", relayed_start, trip_free);
    trip *t = trip_new(module, function, NULL);
    caw_future *ends = by_promise(t, &ops);
    caw_future *relays = relay_new(t, caw_py_await(NULL, PyObject_CallNoArgs(function)));
    trip_release(t);
    return Py_BuildValue("NN", caw_py_coroutine(module, relays, NULL), caw_py_coroutine(module, ends, NULL));
}

/* --- exception_of(way, function): the status and the exception as caw_py_exception gives it --- */

static PyObject *
exception_of_result(caw_future *f)
{
    const relay *r = CAW_CONTAINER_OF(f, const relay, future);
    PyObject *exception = caw_py_exception(r->child);
    return Py_BuildValue("iN", r->child->status, exception ? exception : Py_NewRef(Py_None));
}

static caw_poll
exception_of_poll(caw_future *f, caw_context *cx)
{
    relay *r = CAW_CONTAINER_OF(f, relay, future);
    return caw_future_poll(r->child, cx) == CAW_READY ? caw_future_finish(f, 0) : CAW_PENDING;
}

static const caw_future_ops exception_of_ops = {"test.exception_of", exception_of_poll, NULL, relay_destroy};

static caw_future *
exception_of_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    const char *way;
    PyObject *function;
    if (!PyArg_ParseTuple(args, "sO", &way, &function)) {
        return NULL;
    }
    trip *t = trip_new(module, function, NULL);
    caw_future *f = relay_new(t, trip_future(t, way));
    f->ops = &exception_of_ops;
    trip_release(t);
    return f;
}

const caw_py_async_def ext_passed_on_functions[] = {
    CAW_PY_ASYNC("passed_on", passed_on_start, NULL, NULL),
    CAW_PY_ASYNC("exception_of", exception_of_start, exception_of_result, NULL),
    CAW_PY_ASYNC_END,
};
