/* python_code.c: functions whose source is Python. Compiled and evaluated in two steps, because PyRun_String takes a Ctrl-C
 * that comes meanwhile for one that ends the program, and lets the process end by SIGINT even where it was caught. */
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
    if (function && PyDict_DelItemString(globals, name) < 0) { /* else each would keep the other */
        Py_CLEAR(function);
    }
    Py_XDECREF(done);
    Py_XDECREF(code);
    Py_XDECREF(globals);
    return function;
}
