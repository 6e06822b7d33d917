/* _cawait_bench.c: the module of the benchmark extension. */
#include "bench.h"

#ifndef BENCH_LTO
#  define BENCH_LTO 0
#endif

/* How it was compiled: for the table's caption, and so that counts are compared only with those of the same build. */
static const char *
build_text(void)
{
#ifdef NDEBUG
    const char *kind = "release";
#else
    const char *kind = "with assertions";
#endif
#ifndef __OPTIMIZE__
    kind = "not optimized";
#endif
    static char text[96];
    const char *source = BENCH_LTO ? "link-time optimization" : "file by file";
#ifdef __clang__
    (void)snprintf(text, sizeof text, "%s, %s, Clang %s", kind, source, __clang_version__);
#else
    (void)snprintf(text, sizeof text, "%s, %s, GCC %s", kind, source, __VERSION__);
#endif
    return text;
}

static int
module_exec(PyObject *module)
{
    const caw_py_async_def *tables[] = {bench_operations,   bench_awaits, bench_stream_functions,
                                        bench_count_awaits, bench_loops,  bench_many,
                                        bench_echo};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (caw_py_add_functions(module, tables[i]) < 0) {
            return -1;
        }
    }
    return caw_py_add_streams(module, bench_streams) < 0 || PyModule_AddFunctions(module, bench_count_functions) < 0 ||
                   PyModule_AddFunctions(module, bench_loop_functions) < 0 ||
                   PyModule_AddStringConstant(module, "BUILD", build_text()) < 0
               ? -1
               : 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, __extension__(void *) module_exec},
    {0, NULL},
};

static PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_cawait_bench",
    .m_methods = bench_baseline_functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__cawait_bench(void);

PyMODINIT_FUNC
PyInit__cawait_bench(void)
{
    return PyModuleDef_Init(&module_def);
}
