/* module.c: the bridge's own module object, which makes the types and holds the state (base/state.h). It is not in
 * sys.modules: the user's module and the types hold it. */
#include "python/module/module.h"

#include "python/coroutine/coroutine.h"
#include "python/coroutine/held_up.h"
#include "python/coroutine/iterator.h"
#include "python/coroutine/park.h"
#include "python/coroutine/poll.h"
#include "python/coroutine/type.h"
#include "python/framework/trio_api.h"
#include "python/function/attributes.h"
#include "python/function/function.h"
#include "python/generator/type.h"
#include "python/loop/hub.h"
#include "python/loop/hub_type.h"
#include "python/loop/job.h"

/* The attribute of the user's module that keeps the bridge alive. */
#define MODULE_ATTRIBUTE "__cawait__"

static int
module_make_type(PyObject *module, PyType_Spec *spec, PyTypeObject **out)
{
    *out = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *out ? 0 : -1;
}

static int
module_exec(PyObject *module)
{
    caw__state *state = PyModule_GetState(module);
    if (module_make_type(module, &caw__coroutine_spec, &state->coroutine_type) < 0 ||
        module_make_type(module, &caw__iterator_spec, &state->iterator_type) < 0 ||
        module_make_type(module, &caw__park_spec, &state->park_type) < 0 ||
        module_make_type(module, &caw__hub_spec, &state->hub_type) < 0 ||
        module_make_type(module, &caw__function_spec, &state->function_type) < 0 ||
        module_make_type(module, &caw__method_spec, &state->method_type) < 0 ||
        caw__function_describe(state->function_type, state->method_type) < 0) {
        return -1;
    }
    caw__coroutine_type_made(state->coroutine_type);
#define MODULE_INTERN(name)                                                                                            \
    if (!(state->names.name = PyUnicode_InternFromString(#name))) {                                                    \
        return -1;                                                                                                     \
    }
    CAW__NAMES(MODULE_INTERN)
#undef MODULE_INTERN
    caw__held_up_watch();
    caw__poll_watch_drops();
    state->call_soon_kwnames = PyTuple_Pack(1, state->names.context);
    state->functions = PyDict_New();
    state->orphans = caw__orphans_new();
    if (!state->orphans) {
        return -1;
    }
    return state->call_soon_kwnames && state->functions ? 0 : -1;
}

/* tp_traverse for the free lists: an object in there still holds a reference to its type. */
static int
module_visit_free_lists(const caw__state *state, visitproc visit, void *arg)
{
    for (const caw__coroutine *c = state->free_coroutines; c; c = (caw__coroutine *)c->waiter.self) {
        Py_VISIT(Py_TYPE(c));
    }
    for (const caw__coroutine *c = state->free_steps; c; c = (caw__coroutine *)c->waiter.self) {
        Py_VISIT(Py_TYPE(c));
    }
    for (const caw__park *park = state->free_parks; park; park = (caw__park *)park->waiter) {
        Py_VISIT(Py_TYPE(park));
    }
    for (const caw__park *park = state->trio.free_parks; park; park = (caw__park *)park->waiter) {
        Py_VISIT(Py_TYPE(park));
    }
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    caw__state *state = PyModule_GetState(module);
    int visited = module_visit_free_lists(state, visit, arg);
    if (visited) {
        return visited;
    }
    Py_VISIT(state->coroutine_type);
    Py_VISIT(state->iterator_type);
    Py_VISIT(state->park_type);
    Py_VISIT(state->hub_type);
    Py_VISIT(state->function_type);
    Py_VISIT(state->method_type);
    Py_VISIT(state->plain_function_type);
    Py_VISIT(state->plain_method_type);
    Py_VISIT(state->generator_type);
    Py_VISIT(state->step_type);
    Py_VISIT(state->byte_stream_type);
    Py_VISIT(state->in_events);
    Py_VISIT(state->in_asyncio);
    Py_VISIT(state->cancelled_error);
    Py_VISIT(state->functions);
    Py_VISIT(state->bare_type);
    Py_VISIT(state->posted);
    Py_VISIT(state->trio_posted);
    return caw__trio_visit(&state->trio, visit, arg);
}

static int
module_clear(PyObject *module)
{
    caw__state *state = PyModule_GetState(module);
    /* The free lists first, while their types still exist. */
    caw__coroutine_free_list_clear(state);
    caw__park_free_list_clear(state);
    /* so that nothing is put in any more */
    state->n_free_coroutines = state->n_free_steps = state->n_free_parks = CAW__FREELIST_MAX;
    state->trio.n_free_parks = CAW__FREELIST_MAX;
    Py_CLEAR(state->coroutine_type);
    Py_CLEAR(state->iterator_type);
    Py_CLEAR(state->park_type);
    Py_CLEAR(state->hub_type);
    Py_CLEAR(state->function_type);
    Py_CLEAR(state->method_type);
    Py_CLEAR(state->plain_function_type);
    Py_CLEAR(state->plain_method_type);
    Py_CLEAR(state->generator_type);
    Py_CLEAR(state->step_type);
    Py_CLEAR(state->byte_stream_type);
#define MODULE_CLEAR_NAME(name) Py_CLEAR(state->names.name);
    CAW__NAMES(MODULE_CLEAR_NAME)
#undef MODULE_CLEAR_NAME
    Py_CLEAR(state->call_soon_kwnames);
    Py_CLEAR(state->in_events);
    Py_CLEAR(state->in_asyncio);
    Py_CLEAR(state->cancelled_error);
    caw__trio_forget(&state->trio);
    Py_CLEAR(state->bare_type);
    Py_CLEAR(state->posted);
    Py_CLEAR(state->trio_posted);
    Py_CLEAR(state->functions);
    Py_CLEAR(state->asyncio_threads);
    Py_CLEAR(state->stop_iteration);
    return 0;
}

static void
module_free(void *module)
{
    caw__state *state = PyModule_GetState(module);
    if (!state) {
        return;
    }
    module_clear(module);
    if (state->orphans) {
        caw__orphans_close(state->orphans);
        caw__orphans_release(state->orphans);
        state->orphans = NULL;
    }
    /* Hubs that outlive the state must not use it any more. */
    for (caw__hub *hub = state->hubs; hub; hub = hub->next) {
        hub->state = NULL;
    }
    state->hubs = NULL;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, CAW__SLOT(module_exec)},
    CAW__ANY_INTERPRETER{0, NULL},
};

static PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_cawait",
    .m_size = sizeof(caw__state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

static PyObject *
module_new(void)
{
    PyObject *machinery = PyImport_ImportModule("importlib.machinery");
    PyObject *spec = machinery ? PyObject_CallMethod(machinery, "ModuleSpec", "sO", "_cawait", Py_None) : NULL;
    PyObject *module = spec ? PyModule_FromDefAndSpec(&module_def, spec) : NULL;
    Py_XDECREF(spec);
    Py_XDECREF(machinery);
    if (module && PyModule_ExecDef(module, &module_def) < 0) {
        Py_CLEAR(module);
    }
    return module;
}

caw__state *
caw__state_of_module(PyObject *module)
{
    PyObject *dict = PyModule_GetDict(module); /* borrowed */
    PyObject *name = dict ? PyUnicode_InternFromString(MODULE_ATTRIBUTE) : NULL;
    PyObject *bridge = name ? PyDict_GetItemWithError(dict, name) : NULL; /* borrowed */
    Py_XDECREF(name);
    if (bridge && PyModule_Check(bridge) && PyModule_GetDef(bridge) == &module_def) {
        return PyModule_GetState(bridge);
    }
    bridge = PyErr_Occurred() ? NULL : module_new();
    if (!bridge) {
        return NULL;
    }
    int failed = PyDict_SetItemString(dict, MODULE_ATTRIBUTE, bridge);
    Py_DECREF(bridge);
    return failed ? NULL : PyModule_GetState(bridge);
}

caw__state *
caw__state_with_generators(PyObject *module)
{
    caw__state *state = caw__state_of_module(module);
    if (state && !state->generator_type) {
        PyObject *bridge = ((PyHeapTypeObject *)state->coroutine_type)->ht_module;
        PyTypeObject *type, *step_type;
        if (module_make_type(bridge, &caw__step_spec, &step_type) < 0) {
            return NULL;
        }
        Py_XSETREF(state->step_type, step_type); /* the collector may have run other code, which has made one */
        if (module_make_type(bridge, &caw__generator_spec, &type) < 0) {
            return NULL;
        }
        Py_XSETREF(state->generator_type, type);
    }
    return state;
}

int
caw__state_add_plain_functions(caw__state *state)
{
    PyObject *module = ((PyHeapTypeObject *)state->coroutine_type)->ht_module;
    if (!state->plain_function_type &&
        module_make_type(module, &caw__plain_function_spec, &state->plain_function_type)) {
        return -1;
    }
    if (!state->plain_method_type && module_make_type(module, &caw__plain_method_spec, &state->plain_method_type)) {
        return -1;
    }
    return 0;
}
