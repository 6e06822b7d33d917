/* pyitem.c: see pyitem.h. */
#include "python/pyitem.h"

#include "python/job.h"

#include <stdlib.h>

typedef struct pyitem {
    caw_item item;
    caw__job job; /* drops the value in its loop's thread, where the item ends in another one */
    PyObject *value;
} pyitem;

static int
item_drop(caw__job *job, caw__job_place place, caw__hub *hub)
{
    pyitem *item = CAW_CONTAINER_OF(job, pyitem, job);
    (void)hub;
    PyObject *value = item->value;
    caw__inbox_release(item->job.node.inbox);
    free(item);
    if (place != JOB_WITHOUT_PYTHON) {
        Py_DECREF(value); /* last: may run any Python code */
    }
    return 0;
}

static void
item_destroy(caw_item *i)
{
    pyitem *item = CAW_CONTAINER_OF(i, pyitem, item);
    if (caw__job_is_at_home(&item->job)) {
        PyObject *raised = caw__take_raised();
        (void)item_drop(&item->job, JOB_ON_LOOP, NULL);
        if (raised) {
            caw__raise(raised);
        }
    }
    else {
        caw__job_push_or_late(&item->job);
    }
}

caw_item *
caw__pyitem_new(caw__inbox *inbox, PyObject *value)
{
    pyitem *item = malloc(sizeof *item);
    if (!item) {
        Py_DECREF(value);
        return NULL;
    }
    item->item.destroy = item_destroy;
    item->value = value;
    caw__job_init(&item->job, caw__inbox_retain(inbox), item_drop);
    return &item->item;
}

PyObject *
caw__pyitem_value(const caw_item *item)
{
    if (item->destroy != item_destroy) {
        Py_RETURN_NONE;
    }
    return Py_NewRef(CAW_CONTAINER_OF(item, const pyitem, item)->value);
}

PyObject *
caw_py_item_value(const caw_item *item)
{
    return caw__pyitem_value(item);
}
