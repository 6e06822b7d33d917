/* value.c: Python's values as items, and the memory that a hub keeps for them. */
#include "python/loop/value.h"

#include "python/loop/hub.h"
#include "python/loop/job.h"

#include <stdlib.h>

typedef struct pyitem {
    caw_item item;
    caw__job job; /* drops the value in its loop's thread, where the item ends in another one */
    PyObject *value;
} pyitem;

static void
item_free(pyitem *item)
{
    caw__inbox_release(item->job.target.inbox);
    free(item);
}

static int
item_drop(caw__job *job, caw__job_place place, caw__hub *hub)
{
    pyitem *item = CAW_CONTAINER_OF(job, pyitem, job);
    (void)hub;
    PyObject *value = item->value;
    item_free(item);
    if (place != JOB_WITHOUT_PYTHON) {
        Py_DECREF(value); /* last: may run any Python code */
    }
    return 0;
}

static void
item_free_memory(caw_item *item)
{
    item_free(CAW_CONTAINER_OF(item, pyitem, item));
}

/* In the loop's thread, with the GIL: the memory is kept for the next item there, with its reference to the inbox. */
static void
item_end_at_home(pyitem *item)
{
    caw__hub *hub = item->job.target.inbox->hub;
    PyObject *raised = caw__take_raised(), *value = item->value;
    if (hub->n_free_items < CAW__FREELIST_MAX) {
        item->item.next = hub->free_items;
        hub->free_items = &item->item;
        hub->free_item = item_free_memory;
        hub->n_free_items++;
    }
    else {
        item_free(item);
    }
    Py_DECREF(value); /* may run any Python code */
    if (raised) {
        caw__raise(raised);
    }
}

static void
item_destroy(caw_item *i)
{
    pyitem *item = CAW_CONTAINER_OF(i, pyitem, item);
    const caw__inbox *inbox = item->job.target.inbox;
    if (caw__hub_is_here(inbox)) {
        item_end_at_home(item);
    }
    else if (caw__has_gil() && caw__orphans_is_of_this_interpreter(inbox->orphans) && !inbox->hub) {
        PyObject *raised = caw__take_raised(); /* no loop has to see to it */
        (void)item_drop(&item->job, JOB_ON_LOOP, NULL);
        if (raised) {
            caw__raise(raised);
        }
    }
    else {
        caw__job_push_or_orphan(&item->job);
    }
}

caw_item *
caw__value_new(caw__inbox *inbox, PyObject *value)
{
    caw__hub *hub = inbox->hub;
    pyitem *item;
    if (hub && hub->free_items) {
        item = CAW_CONTAINER_OF(hub->free_items, pyitem, item);
        hub->free_items = item->item.next;
        hub->n_free_items--;
    }
    else if ((item = malloc(sizeof *item))) {
        item->item.destroy = item_destroy;
        caw__job_init(&item->job, caw__inbox_retain(inbox), item_drop);
    }
    else {
        Py_DECREF(value);
        return NULL;
    }
    item->value = value;
    return &item->item;
}

PyObject *
caw__value_get(const caw_item *item)
{
    if (item->destroy != item_destroy) {
        Py_RETURN_NONE;
    }
    return Py_NewRef(CAW_CONTAINER_OF(item, const pyitem, item)->value);
}

PyObject *
caw_py_item_value(const caw_item *item)
{
    return caw__value_get(item);
}
