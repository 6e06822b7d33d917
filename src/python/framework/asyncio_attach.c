/* asyncio_attach.c: how a loop comes to call the drain, and to own the hub.
 *
 * asyncio's own selector loop and uvloop's get loop.add_reader(fd, drain), and drop their readers when they are closed.
 * Of any other loop only the protocol is known:
 *
 *   - Its readers may run where its callbacks do not: in a task of trio whose context does not know the loop
 *     (trio-asyncio), or while the notifier is off, so that no dialog inside a step would see a wake (qasync). So the
 *     reader asks for a turn, loop.call_soon(drain).
 *   - It may have no readers (PySide6's QtAsyncio), or only ones that it ends before it has ended its tasks, which may
 *     wait for an operation to let go (trio-asyncio): a thread stands in, asyncio_thread.c.
 *   - It may keep its readers and timers when it is closed (rloop, QtAsyncio), and its timers may be C ints of
 *     milliseconds. So the loop's attribute `close` becomes a function that closes the hub too. It owns the hub.
 */
#include "python/framework/asyncio_attach.h"

#include "python/base/python_code.h"
#include "python/framework/asyncio_thread.h"
#include "python/loop/hub.h"

#include <string.h>

/* `owned` is emptied so that a closed loop keeps no hub; some forget their readers only when told. A loop that takes no
 * attribute owns the hub by a timer of a day, which is set again and again. */
static const char asyncio_own_source[] = "def cawait_own(loop, close_hub, fd):\n"
                                         "    close, owned = loop.close, [close_hub]\n"
                                         "    def cawait_close(*args, **kwargs):\n"
                                         "        try:\n"
                                         "            return close(*args, **kwargs)\n"
                                         "        finally:\n"
                                         "            if owned and loop.is_closed():\n"
                                         "                cawait_closed(owned.pop())\n"
                                         "    def cawait_closed(close_hub):\n"
                                         "        try:\n"
                                         "            if fd is not None:\n"
                                         "                loop.remove_reader(fd)\n"
                                         "        except Exception:\n"
                                         "            pass\n"
                                         "        finally:\n"
                                         "            close_hub()\n"
                                         "    def cawait_stay():\n"
                                         "        if owned:\n"
                                         "            loop.call_later(86400, cawait_stay)\n"
                                         "    try:\n"
                                         "        loop.close = cawait_close\n"
                                         "    except (AttributeError, TypeError):\n"
                                         "        cawait_stay()\n";

/* The module that has defined the loop's method, which may be one of a base class: a new reference, or NULL. Never
 * raises. */
static PyObject *
asyncio_method_module(PyObject *loop, const char *name)
{
    PyObject *method = PyObject_GetAttrString(loop, name);
    PyObject *module = method ? PyObject_GetAttrString(method, "__module__") : NULL;
    if (module && !PyUnicode_Check(module)) {
        Py_CLEAR(module);
    }
    Py_XDECREF(method);
    caw__forget_raised();
    return module;
}

/* Whether it is asyncio's or uvloop's; false also where that is not certain. */
static bool
asyncio_is_plain(PyObject *module, const char *asyncios)
{
    return module && (PyUnicode_CompareWithASCIIString(module, asyncios) == 0 ||
                      PyUnicode_CompareWithASCIIString(module, "uvloop.loop") == 0);
}

/* Whether its readers are tasks of trio, cancelled with the others. */
static bool
asyncio_is_trios(PyObject *module)
{
    const char *name = module ? PyUnicode_AsUTF8(module) : NULL;
    caw__forget_raised();
    return name && strncmp(name, "trio_asyncio", strlen("trio_asyncio")) == 0;
}

/* The reader of another loop. */
static PyObject *
asyncio_drain_soon(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub *hub = (caw__hub *)self;
    if (!hub->loop) {
        Py_RETURN_NONE;
    }
    Py_INCREF(hub);
    PyObject *loop = Py_NewRef(hub->loop), *drain = PyObject_GetAttrString(self, "drain");
    PyObject *handle = drain ? PyObject_CallMethodOneArg(loop, hub->state->names.call_soon, drain) : NULL;
    if (!handle) { /* a signal handler's exception: again */
        caw_reactor_ring(hub->inbox->reactor);
    }
    Py_XDECREF(drain);
    Py_DECREF(loop);
    Py_DECREF(hub);
    return handle;
}

static PyMethodDef asyncio_drain_soon_def = {"cawait_drain_soon", asyncio_drain_soon, METH_NOARGS, NULL};

/* After add_reader failed half way (no memory, Ctrl-C): a loop that still has the fd in its table would never watch
 * the next one of that number. */
static void
asyncio_remove_reader(caw__hub *hub, PyObject *fd)
{
    PyObject *raised = caw__take_raised();
    PyObject *removed = PyObject_CallMethod(hub->loop, "remove_reader", "O", fd);
    Py_XDECREF(removed);
    PyErr_Clear();
    caw__raise(raised);
}

/* loop.add_reader(fd, reader). 0: it cannot watch fds. */
static int
asyncio_add_reader(caw__hub *hub, PyObject *reader)
{
    PyObject *fd = PyLong_FromLong(caw_reactor_fd(hub->inbox->reactor));
    if (!fd) {
        return -1;
    }
    int result = 1;
    PyObject *added = PyObject_CallMethodObjArgs(hub->loop, hub->state->names.add_reader, fd, reader, NULL);
    if (!added && PyErr_ExceptionMatches(PyExc_NotImplementedError)) {
        PyErr_Clear();
        result = 0;
    }
    else if (!added) {
        asyncio_remove_reader(hub, fd);
        result = -1;
    }
    Py_XDECREF(added);
    Py_DECREF(fd);
    return result;
}

/* See to it that the hub ends with a loop that may keep what it was given. */
static int
asyncio_own(caw__hub *hub)
{
    PyObject *close = PyObject_GetAttrString((PyObject *)hub, "close");
    PyObject *fd = hub->attached ? Py_NewRef(Py_None) : PyLong_FromLong(caw_reactor_fd(hub->inbox->reactor));
    PyObject *own = close && fd ? caw__python_function(asyncio_own_source, "cawait_own") : NULL;
    PyObject *owned = own ? PyObject_CallFunctionObjArgs(own, hub->loop, close, fd, NULL) : NULL;
    Py_XDECREF(owned);
    Py_XDECREF(fd);
    Py_XDECREF(own);
    Py_XDECREF(close);
    return owned ? 0 : -1;
}

static int
asyncio_attach_other(caw__hub *hub, bool has_readers)
{
    int added = 0;
    if (has_readers) {
        PyObject *reader = PyCFunction_New(&asyncio_drain_soon_def, (PyObject *)hub);
        added = reader ? asyncio_add_reader(hub, reader) : -1;
        Py_XDECREF(reader);
    }
    if (added == 0) {
        added = caw__asyncio_thread_start(hub);
    }
    if (added >= 0 && asyncio_own(hub) < 0) {
        PyObject *raised = caw__take_raised();
        caw__hub_close(hub);
        caw__raise(raised);
        return -1;
    }
    return added < 0 ? -1 : 0;
}

static int
asyncio_attach_plain(caw__hub *hub)
{
    PyObject *drain = PyObject_GetAttrString((PyObject *)hub, "drain");
    int added = drain ? asyncio_add_reader(hub, drain) : -1;
    Py_XDECREF(drain);
    if (added == 0) {
        PyErr_SetString(PyExc_NotImplementedError, "the loop does not watch file descriptors");
    }
    return added > 0 ? 0 : -1;
}

int
caw__asyncio_attach(caw__hub *hub)
{
    PyObject *readers = asyncio_method_module(hub->loop, "add_reader");
    PyObject *tasks = asyncio_method_module(hub->loop, "create_task");
    bool plain = asyncio_is_plain(readers, "asyncio.selector_events"), has_readers = !asyncio_is_trios(readers);
    hub->plain_tasks = asyncio_is_plain(tasks, "asyncio.base_events");
    Py_XDECREF(readers);
    Py_XDECREF(tasks);
    /* In an empty context: the loop keeps the context that it is called in for as long as it keeps the callback. */
    PyObject *context = PyContext_New();
    if (!context || PyContext_Enter(context) < 0) {
        Py_XDECREF(context);
        return -1;
    }
    int attached = plain ? asyncio_attach_plain(hub) : asyncio_attach_other(hub, has_readers);
    PyObject *raised = attached < 0 ? caw__take_raised() : NULL;
    int left = PyContext_Exit(context);
    Py_DECREF(context);
    if (raised) {
        caw__raise(raised);
    }
    return attached < 0 || left < 0 ? -1 : 0;
}
