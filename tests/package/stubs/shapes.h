/* shapes.h: a module with all that a stub knows to say, and with mistakes in its docs. test_stubs.py compiles it. */
#include <cawait.h>

#include <stddef.h>
#include <structmember.h>

/* --- an operation that is ready, and a stream that has ended --- */

typedef struct ready {
    caw_async async;
} ready;

CAW_ASYNC_FUNCTION(ready)

static caw_step
ready_run(ready *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
    }
    CAW_FINALLY
    {
    }
}

static int
ready_arguments(caw_async *Py_UNUSED(a), PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kw))
{
    return 0;
}

static caw_stream *
ended_start(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    caw_channel *channel;
    if (caw_channel_new(&(caw_channel_spec){.capacity = 1}, &channel) < 0) {
        return NULL;
    }
    (void)caw_channel_close(channel, 0);
    return caw_channel_stream(channel);
}

#define READY(name_, doc_, ...) CAW_PY_ROUTINE(name_, ready, ready_arguments, NULL, doc_, __VA_ARGS__)

static const caw_py_async_def functions[] = {
    READY("draw",
          "draw(shape: Shape, *, size: int | None = None, mode: Literal['fill', 'line'] = 'fill') -> bytes\n--\n\nDraw "
          "it.",
          .sync_name = "draw_now"),
    READY("load", "load(path: str | os.PathLike[str], /, *rest: int, **options: 'Shape') -> shapes.Shape\n--\n\n", 0),
    READY("apply", "apply(f: Callable[[Shape], bytes], step: float = 0.5) -> dict[str, list[Shape]]\n--\n\n", 0),
    READY("plain", "No signature, some \\ text with \"quotes\"", 0),
    READY("unknown", "unknown(a: Nowhere, b: 3) -> shapes.Nothing\n--\n\n", 0),
    READY("broken", "broken(a: int) -> list[\n--\n\n", 0),
    CAW_PY_ASYNC_END,
};

static const caw_py_stream_def streams[] = {
    CAW_PY_STREAM("corners", ended_start, NULL, "corners(shape: Shape) -> AsyncIterator[tuple[int, int]]\n--\n\nAll."),
    CAW_PY_STREAM("edges", ended_start, NULL, "edges(shape: Shape) -> int\n--\n\n"),
    CAW_PY_STREAM("points", ended_start, NULL, NULL),
    CAW_PY_STREAM_END,
};

/* --- plain functions --- */

static PyObject *
none(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(arg))
{
    Py_RETURN_NONE;
}

static PyMethodDef plain[] = {
    {"area", none, METH_O, "area(shape, /)\n--\n\narea(shape: Shape, /) -> float\n\nHow large it is."},
    {"untyped", none, METH_O, "untyped($module, shape, /)\n--\n\nIts types are not known."},
    {"bare", none, METH_VARARGS, NULL},
    {"list", none, METH_NOARGS, "list()\n--\n\nlist() -> list[str]\n\nA name of Python's."},
    {NULL, NULL, 0, NULL},
};

/* --- Shape, and Square made of it --- */

typedef struct shape {
    PyObject_HEAD
    int sides;
} shape;

static int
shape_init(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return 0;
}

static void
shape_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t
shape_length(PyObject *Py_UNUSED(self))
{
    return 0;
}

static PyObject *
shape_compare(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(other), int Py_UNUSED(operation))
{
    Py_RETURN_NOTIMPLEMENTED;
}

static PyObject *
shape_name(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    return PyUnicode_FromString("shape");
}

static PyMemberDef shape_members[] = {
    {"sides", T_INT, offsetof(shape, sides), 0, "int: How many sides it has."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef shape_getset[] = {
    {"name", shape_name, NULL, "str: What it is called.", NULL},
    {"other", shape_name, NULL, "Note: this is no type.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef shape_methods[] = {
    {"scale", none, METH_O, "scale($self, by, /)\n--\n\nscale(by: float, /) -> Shape\n\nLarger, or smaller."},
    {"unit", none, METH_NOARGS | METH_CLASS, "unit($type, /)\n--\n\nunit() -> Self\n\nOf size one."},
    {"known", none, METH_NOARGS | METH_STATIC, "known()\n--\n\nknown() -> list[str]\n\nAll names."},
    {"list", none, METH_NOARGS, "list($self, /)\n--\n\nlist() -> list[Shape]\n\nWhat it is made of."},
    {NULL, NULL, 0, NULL},
};

static const caw_py_async_def shape_async[] = {
    READY("draw", "draw($self, to: os.PathLike[str] | None = None) -> None\n--\n\nTo a file.", 0),
    CAW_PY_ASYNC_END,
};

static const caw_py_stream_def shape_streams[] = {
    CAW_PY_STREAM("corners", ended_start, NULL, "corners($self) -> AsyncGenerator[tuple[int, int], None]\n--\n\n"),
    CAW_PY_STREAM_END,
};

static PyType_Slot shape_slots[] = {
    {Py_tp_doc, "Shape(sides=4)\n--\n\nShape(sides: int = 4)\n\nA shape."},
    {Py_tp_new, __extension__(void *) PyType_GenericNew},
    {Py_tp_init, __extension__(void *) shape_init},
    {Py_tp_dealloc, __extension__(void *) shape_dealloc},
    {Py_sq_length, __extension__(void *) shape_length},
    {Py_tp_richcompare, __extension__(void *) shape_compare},
    {Py_tp_hash, __extension__(void *) PyObject_HashNotImplemented},
    {Py_tp_members, shape_members},
    {Py_tp_getset, shape_getset},
    {Py_tp_methods, shape_methods},
    {0, NULL},
};
static PyType_Spec shape_spec = {.name = "shapes.Shape",
                                 .basicsize = sizeof(shape),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                 .slots = shape_slots};

static PyType_Slot square_slots[] = {{Py_tp_dealloc, __extension__(void *) shape_dealloc}, {0, NULL}};
static PyType_Spec square_spec = {
    .name = "shapes.Square", .basicsize = sizeof(shape), .flags = Py_TPFLAGS_DEFAULT, .slots = square_slots};

/* --- the module --- */

static int
add_types(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &shape_spec, NULL);
    PyObject *square = type ? PyType_FromModuleAndSpec(module, &square_spec, type) : NULL;
    int failed = !square || caw_py_add_methods(module, (PyTypeObject *)type, shape_async) < 0 ||
                 caw_py_add_stream_methods(module, (PyTypeObject *)type, shape_streams) < 0 ||
                 PyModule_AddObjectRef(module, "Square", square) < 0 || /* before what it is made of */
                 PyModule_AddObjectRef(module, "Shape", type) < 0 || PyModule_AddObjectRef(module, "Form", type) < 0;
    Py_XDECREF(square);
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static int
add_object(PyObject *module, const char *name, PyObject *value)
{
    int failed = value ? PyModule_AddObjectRef(module, name, value) : -1;
    Py_XDECREF(value);
    return failed;
}

static int
shapes_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions) < 0 || caw_py_add_streams(module, streams) < 0 ||
                   add_types(module) < 0 || PyModule_AddIntConstant(module, "MOST", 7) < 0 ||
                   PyModule_AddStringConstant(module, "__version__", "1.2") < 0 ||
                   add_object(module, "LIMITS", Py_BuildValue("(ids)", 1, 0.5, "x")) < 0 ||
                   add_object(module, "NAMES", Py_BuildValue("{s:i,s:O}", "a", 1, "b", Py_None)) < 0 ||
                   add_object(module, "NOTHING", Py_BuildValue("[]")) < 0 ||
                   add_object(module, "Error", PyErr_NewException("shapes.Error", PyExc_ValueError, NULL)) < 0 ||
                   PyModule_AddObjectRef(module, "Failure", PyExc_OSError) < 0
               ? -1
               : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) shapes_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "shapes", .m_slots = slots, .m_methods = plain};

PyMODINIT_FUNC
PyInit_shapes(void)
{
    return PyModuleDef_Init(&definition);
}
