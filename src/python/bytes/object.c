/* object.c: the object that Python reads and writes, with a reader and a writer of C behind it. */
#include "cawait/python_bytes.h"

#include "python/base/dealloc.h"
#include "python/bytes/bytes.h"
#include "python/bytes/read.h"
#include "python/bytes/write.h"
#include "python/module/module.h"

#include <stddef.h>
#include <structmember.h>

/* --- methods that wait for nothing --- */

static PyObject *
bytestream_write(PyObject *self, PyObject *args)
{
    caw__byte_stream *s = (caw__byte_stream *)self;
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "y*:write", &view)) {
        return NULL;
    }
    bool kept = caw__byte_stream_may_write(s);
    if (kept && !s->unsent) {
        s->unsent = PyByteArray_FromStringAndSize(view.buf, view.len);
        kept = s->unsent != NULL;
    }
    else if (kept) {
        Py_ssize_t before = PyByteArray_GET_SIZE(s->unsent);
        kept = PyByteArray_Resize(s->unsent, before + view.len) == 0;
        if (kept) {
            memcpy(PyByteArray_AS_STRING(s->unsent) + before, view.buf, (size_t)view.len);
        }
    }
    PyBuffer_Release(&view);
    return kept ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
bytestream_close(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    ((caw__byte_stream *)self)->closing = true;
    Py_RETURN_NONE;
}

static PyObject *
bytestream_is_closing(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(((caw__byte_stream *)self)->closing);
}

/* --- the type --- */

static int
bytestream_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void
bytestream_free(PyObject *self)
{
    caw__byte_stream *s = (caw__byte_stream *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (s->weakrefs) {
        PyObject_ClearWeakRefs(self);
    }
    PyObject *raised = caw__take_raised();
    s->over = true; /* reads and writes hold a reference, so none is under way */
    caw__byte_stream_settle(s);
    if (raised) {
        caw__raise(raised);
    }
    Py_CLEAR(s->kept);
    Py_CLEAR(s->unsent);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Its reader may read another one, and that one the next. */
static void
bytestream_dealloc(PyObject *self)
{
    if (caw__dealloc_begin(self)) {
        bytestream_free(self);
        caw__dealloc_end();
    }
}

static PyMethodDef bytestream_methods[] = {
    {"write", bytestream_write, METH_VARARGS, "write($self, data, /)\n--\n\nKeep bytes for drain()."},
    {"close", bytestream_close, METH_NOARGS,
     "close($self, /)\n--\n\nEnd reading and writing; wait_closed() waits for it."},
    {"is_closing", bytestream_is_closing, METH_NOARGS,
     "is_closing($self, /)\n--\n\nWhether it is closed or being closed."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef bytestream_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(caw__byte_stream, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot bytestream_slots[] = {
    {Py_tp_dealloc, CAW__SLOT(bytestream_dealloc)},
    {Py_tp_traverse, CAW__SLOT(bytestream_traverse)},
    {Py_tp_methods, bytestream_methods},
    {Py_tp_members, bytestream_members},
    {0, NULL},
};

static PyType_Spec bytestream_spec = {
    .name = "cawait.byte_stream",
    .basicsize = sizeof(caw__byte_stream),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = bytestream_slots,
};

/* The type, made when it is first needed: borrowed, or NULL with an exception. */
static PyTypeObject *
bytestream_type(caw__state *state, PyObject *module)
{
    if (!state->byte_stream_type) {
        PyObject *bridge = ((PyHeapTypeObject *)state->function_type)->ht_module;
        PyObject *type = PyType_FromModuleAndSpec(bridge, &bytestream_spec, NULL);
        if (!type || caw_py_add_methods(module, (PyTypeObject *)type, caw__byte_stream_inputs) < 0 ||
            caw_py_add_methods(module, (PyTypeObject *)type, caw__byte_stream_outputs) < 0) {
            Py_XDECREF(type);
            return NULL;
        }
        Py_XSETREF(state->byte_stream_type, (PyTypeObject *)type);
    }
    return state->byte_stream_type;
}

PyObject *
caw_py_byte_stream(PyObject *module, caw_reader *reader, caw_writer *writer)
{
    bool usable = module && PyModule_Check(module);
    caw__state *state = usable ? caw__state_of_module(module) : NULL;
    PyTypeObject *type = state ? bytestream_type(state, module) : NULL;
    caw__byte_stream *s = type ? (caw__byte_stream *)type->tp_alloc(type, 0) : NULL; /* all zero */
    if (!usable) {
        PyErr_SetString(PyExc_SystemError, "caw_py_byte_stream needs a module");
    }
    if (!s) {
        caw_reader_destroy(reader);
        caw_writer_destroy(writer);
        return NULL;
    }
    s->reader = reader;
    s->writer = writer;
    return (PyObject *)s;
}
