/* python_code.c: functions whose source is Python. They are compiled and evaluated in two steps: after a Ctrl-C during
 * PyRun_String the process would end by SIGINT, even if the KeyboardInterrupt was caught. */
#include "python/base/python_code.h"

PyObject *
caw__python_function(const char *source, const char *name)
{
    PyObject *globals = PyDict_New(), *code = NULL, *done = NULL, *function = NULL;
    if (globals && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0) {
        code = Py_CompileString(source, "<cawait>", Py_file_input);
    }
    if (code) {
        done = PyEval_EvalCode(code, globals, globals);
    }
    if (done) {
        function = PyMapping_GetItemString(globals, name);
    }
    if (function && PyDict_DelItemString(globals, name) < 0) { /* else they would be a reference cycle */
        Py_CLEAR(function);
    }
    Py_XDECREF(done);
    Py_XDECREF(code);
    Py_XDECREF(globals);
    if (!function && !PyErr_Occurred()) {
        PyErr_NoMemory(); /* the compiler of CPython 3.10 may say nothing */
    }
    return function;
}

PyObject *
caw__call_imported(const char *module, const char *function)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed, as is its item */
    PyObject *imported = modules ? Py_XNewRef(PyDict_GetItemString(modules, module)) : NULL;
    PyObject *answer = imported ? PyObject_CallMethod(imported, function, NULL) : NULL;
    Py_XDECREF(imported);
    caw__forget_raised();
    return answer;
}

int
caw__at_python_exit(PyMethodDef *function, PyObject *self)
{
    PyObject *callback = PyCFunction_New(function, self);
    PyObject *atexit = callback ? PyImport_ImportModule("atexit") : NULL;
    PyObject *done = atexit ? PyObject_CallMethod(atexit, "register", "O", callback) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(atexit);
    Py_XDECREF(callback);
    return done ? 0 : -1;
}
