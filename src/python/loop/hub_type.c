/* hub_type.c: the hub as an object: what the loop calls, and what the cycle collector sees of it. */
#include "python/loop/hub_type.h"

#include "python/loop/drain.h"

static int
hub_traverse(PyObject *self, visitproc visit, void *arg)
{
    caw__hub *hub = (caw__hub *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(hub->loop);
    Py_VISIT(hub->reschedule);
    for (uint32_t i = 0; i < hub->n_held && hub->framework->holds; i++) {
        Py_VISIT(hub->held[i]);
    }
    int visited = 0;
    for (const caw__tenant *tenant = hub->tenants; tenant && !visited; tenant = tenant->next) {
        visited = tenant->ops->traverse(tenant, visit, arg);
    }
    return visited;
}

static int
hub_clear(PyObject *self)
{
    caw__hub_close((caw__hub *)self);
    return 0;
}

static void
hub_dealloc(PyObject *self)
{
    caw__hub *hub = (caw__hub *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyObject *raised = caw__take_raised();
    caw__hub_close(hub);
    if (raised) {
        caw__raise(raised);
    }
    caw__inbox_release(hub->inbox);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
hub_close_method(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub_close((caw__hub *)self);
    Py_RETURN_NONE;
}

static PyMethodDef hub_methods[] = {
    {"drain", caw__hub_drain, METH_NOARGS, "Resume what was woken. Called by the loop."},
    {"close", hub_close_method, METH_NOARGS, "End what waits here. Called when the loop ends."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot hub_slots[] = {
    {Py_tp_doc, "The bridge's end of one event loop. Private."},
    {Py_tp_dealloc, CAW__SLOT(hub_dealloc)},
    {Py_tp_traverse, CAW__SLOT(hub_traverse)},
    {Py_tp_clear, CAW__SLOT(hub_clear)},
    {Py_tp_methods, hub_methods},
    {0, NULL},
};

PyType_Spec caw__hub_spec = {
    .name = "cawait.hub",
    .basicsize = sizeof(caw__hub),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = hub_slots,
};
