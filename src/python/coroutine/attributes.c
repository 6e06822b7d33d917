/* attributes.c: what can be seen of a coroutine: names, states, origin, repr. As `Objects/genobject.c` has them. */
#include "python/coroutine/attributes.h"

#include "python/coroutine/traceback.h"
#include "python/framework/trio_frame.h"
#include "python/function/code.h"

static PyObject *
coroutine_get_name(PyObject *self, void *Py_UNUSED(closure))
{
    caw__coroutine *c = (caw__coroutine *)self;
    return Py_NewRef(c->extras && c->extras->name ? c->extras->name : c->function->name);
}

static PyObject *
coroutine_get_qualname(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(caw__coroutine_qualname((caw__coroutine *)self));
}

/* Which of the two names a setter means. */
static int
coroutine_set_string(PyObject *self, PyObject *value, const char *attribute, size_t offset)
{
    if (!value || !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to a string object", attribute);
        return -1;
    }
    caw__coroutine_extras *extras = caw__coroutine_extras_get((caw__coroutine *)self);
    if (!extras) {
        return -1;
    }
    PyObject **field = (PyObject **)(void *)((char *)extras + offset);
    Py_XSETREF(*field, Py_NewRef(value));
    return 0;
}

static int
coroutine_set_name(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return coroutine_set_string(self, value, "__name__", offsetof(caw__coroutine_extras, name));
}

static int
coroutine_set_qualname(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return coroutine_set_string(self, value, "__qualname__", offsetof(caw__coroutine_extras, qualname));
}

static PyObject *
coroutine_get_running(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((caw__coroutine *)self)->waiter.running);
}

static PyObject *
coroutine_get_suspended(PyObject *self, void *Py_UNUSED(closure))
{
    caw__coroutine *c = (caw__coroutine *)self;
    return PyBool_FromLong(c->waiter.state == CORO_SUSPENDED && !c->waiter.running);
}

/* What inspect.getcoroutinestate() reads since Python 3.15. */
static PyObject *
coroutine_get_state(PyObject *self, void *Py_UNUSED(closure))
{
    static const char *const names[] = {"CORO_CREATED", "CORO_SUSPENDED", "CORO_CLOSED"};
    const caw__coroutine *c = (caw__coroutine *)self;
    return PyUnicode_InternFromString(c->waiter.running ? "CORO_RUNNING" : names[c->waiter.state]);
}

static PyObject *
coroutine_get_await(PyObject *self, void *Py_UNUSED(closure))
{
    return caw__coroutine_awaits((caw__coroutine *)self);
}

static PyObject *
coroutine_get_frame(PyObject *self, void *Py_UNUSED(closure))
{
    caw__coroutine *c = (caw__coroutine *)self;
    caw__state *state = caw__coroutine_state_of(c);
    PyObject *running = c->waiter.running && state ? caw__trio_running_frame(state, self) : NULL;
    if (running || c->waiter.state != CORO_CLOSED) {
        return running ? running : caw__coroutine_frame(c);
    }
    Py_RETURN_NONE;
}

static PyObject *
coroutine_get_code(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_XNewRef(caw__function_code(((caw__coroutine *)self)->function));
}

static PyObject *
coroutine_get_origin(PyObject *self, void *Py_UNUSED(closure))
{
    caw__coroutine *c = (caw__coroutine *)self;
    return Py_NewRef(c->extras && c->extras->origin ? c->extras->origin : Py_None);
}

PyGetSetDef caw__coroutine_getset[] = {
    {"__name__", coroutine_get_name, coroutine_set_name, NULL, NULL},
    {"__qualname__", coroutine_get_qualname, coroutine_set_qualname, NULL, NULL},
    {"cr_running", coroutine_get_running, NULL, NULL, NULL},
    {"cr_suspended", coroutine_get_suspended, NULL, NULL, NULL},
    {"cr_state", coroutine_get_state, NULL, "CORO_CREATED, CORO_RUNNING, CORO_SUSPENDED or CORO_CLOSED", NULL},
    {"cr_await", coroutine_get_await, NULL, "what it waits for, or None", NULL},
    {"cr_frame", coroutine_get_frame, NULL,
     "a frame that names the C function; in a task of trio that runs, the outermost frame of what it runs", NULL},
    {"cr_code", coroutine_get_code, NULL, "a code object that names the C function", NULL},
    {"cr_origin", coroutine_get_origin, NULL, "where it was created, or None", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char *
coroutine_state_text(const caw__coroutine *c)
{
    if (c->waiter.running) {
        return "running";
    }
    switch (c->waiter.state) {
    case CORO_CREATED:
        return "created";
    case CORO_SUSPENDED:
        return c->waiter.cancelling || c->waiter.detached ? "being cancelled"
               : c->waiter.delegates                      ? "suspended in place"
               : c->waiter.woken                          ? "resuming"
                                                          : "suspended";
    default:
        return "closed";
    }
}

/* "fetch at fetch.c:20 > read at read.c:30": the functions that wait for each other. */
static PyObject *
coroutine_places_text(const caw__places *places)
{
    PyObject *text = NULL;
    for (size_t i = 0; i < places->n && (i == 0 || text); i++) {
        PyObject *before = text;
        text = PyUnicode_FromFormat("%V%s%s at %s:%d", before, "", before ? " > " : "", places->at[i].function,
                                    places->at[i].file, places->at[i].line);
        Py_XDECREF(before);
    }
    return text;
}

PyObject *
caw__coroutine_repr(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    PyObject *qualname = caw__coroutine_qualname(c);
    caw__places places;
    caw__coroutine_places(c, &places);
    if (places.n > 0) {
        PyObject *text = coroutine_places_text(&places);
        PyObject *repr = text ? PyUnicode_FromFormat("<coroutine %V (%U, %s) at %p>", qualname, "?", text,
                                                     coroutine_state_text(c), self)
                              : NULL;
        Py_XDECREF(text);
        return repr;
    }
    if (c->future) {
        return PyUnicode_FromFormat("<coroutine %V (%s, %s) at %p>", qualname, "?", c->future->ops->name,
                                    coroutine_state_text(c), self);
    }
    return PyUnicode_FromFormat("<coroutine %V (%s) at %p>", qualname, "?", coroutine_state_text(c), self);
}
