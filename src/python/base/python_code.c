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
