/* module.c: the test extension's module, with multi-phase initialisation. Its only static state is a counter of live
 * futures. */
#include "ext.h"

static int
module_exec(PyObject *module)
{
    if (caw_py_add_functions(module, ext_future_functions) < 0 ||
        caw_py_add_functions(module, ext_await_functions) < 0 ||
        caw_py_add_functions(module, ext_block_functions) < 0 ||
        PyModule_AddFunctions(module, ext_block_plain_functions) < 0 ||
        caw_py_add_functions(module, ext_posted_functions) < 0 ||
        caw_py_add_functions(module, ext_routine_functions) < 0 ||
        caw_py_add_streams(module, ext_routine_streams) < 0 || caw_py_add_functions(module, ext_final_functions) < 0 ||
        caw_py_add_streams(module, ext_final_streams) < 0 || caw_py_add_functions(module, ext_call_functions) < 0 ||
        caw_py_add_functions(module, ext_passed_on_functions) < 0 ||
        caw_py_add_functions(module, ext_group_functions) < 0 || caw_py_add_functions(module, ext_held_functions) < 0 ||
        caw_py_add_functions(module, ext_child_functions) < 0 ||
        caw_py_add_functions(module, ext_bytes_functions) < 0 ||
        caw_py_add_functions(module, ext_convention_functions) < 0 ||
        caw_py_add_functions(module, ext_iterable_functions) < 0 || caw_py_add_streams(module, ext_streams) < 0 ||
        caw_py_add_functions(module, ext_return_functions) < 0 || caw_py_add_streams(module, ext_return_streams) < 0 ||
        ext_add_op_type(module) < 0 || ext_add_channel_type(module) < 0 || caw_test_add(module, ext_tests) < 0) {
        return -1;
    }
    return ext_add_waker_type(module) < 0 ? -1 : ext_add_holder_type(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, __extension__(void *) module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_cawait_test",
    .m_methods = ext_plain_functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__cawait_test(void);

PyMODINIT_FUNC
PyInit__cawait_test(void)
{
    return PyModuleDef_Init(&module_def);
}
