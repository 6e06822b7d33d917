/* poll.c: how a poll gets at the reactor of its loop, and what is noted of the Python awaitables in it. */
#include "python/coroutine/poll.h"

#include "python/framework/detect.h"
#include "python/loop/hub.h"
#include "python/loop/ref.h"

CAW__THREAD_LOCAL PyThreadState *caw__gil_released;

/* Have a place for what comes after the poll. */
static void
poll_have_after(caw__poll_place *place)
{
    if (!place->has_after) {
        place->has_after = true;
        place->is_entered = false;
        place->raised = NULL;
    }
}

void
caw__poll_failed(caw__poll_place *place)
{
    poll_have_after(place);
    Py_XSETREF(place->raised, caw__take_raised());
}

static caw_reactor *
poll_reactor(const caw_context *cx, int *error)
{
    caw__poll_place *place = cx->place;
    caw__gil_take(place->released);
    caw__hub *hub = caw__hub_current(place->state, &place->coroutine->waiter, error);
    caw_reactor *reactor = hub ? hub->inbox->reactor : NULL;
    if (!hub) {
        caw__poll_failed(place);
    }
    caw__gil_give(place->released);
    return reactor;
}

static caw_reactor *
poll_blocking_reactor(const caw_context *cx, int *error)
{
    return caw__sleeper_reactor(CAW_CONTAINER_OF(cx->place, caw__poll_blocking, place)->sleeper, error);
}

void
caw__poll_note(caw__coroutine *c, PyObject *exception, int status)
{
    if (caw__coroutine_extras_get(c)) {
        c->extras->noted_status = status;
        Py_XSETREF(c->extras->noted, Py_XNewRef(exception));
    }
    PyErr_Clear();
}

int
caw__poll_note_status(caw__coroutine *c, PyObject *exception)
{
    caw__state *state = caw__coroutine_state_of(c);
    int status = state && caw__is_cancellation_of_any(state, exception) ? CAW_ECANCELED : CAW_EPYTHON;
    caw__poll_note(c, exception, status);
    return status;
}

/* What is noted as a detail, for another place. */
static caw__detail *
poll_make_detail(caw__notes *notes)
{
    const caw__poll_place *place = CAW_CONTAINER_OF(notes, caw__poll_place, notes);
    PyThreadState *released = caw__has_gil() ? NULL : place->released;
    caw__gil_take(released);
    PyObject *noted = caw__poll_noted(place->coroutine, notes->status);
    caw_py_ref *ref = noted ? caw__ref_new_free(place->state->orphans, NULL, noted) : NULL;
    if (ref) {
        Py_INCREF(noted);
    }
    caw__gil_give(released);
    return ref ? caw__ref_detail(ref) : NULL;
}

void
caw__poll_enter_notes(caw__poll_place *place)
{
    const caw__coroutine_extras *extras = place->coroutine->extras;
    if (!extras || !extras->noted) {
        return;
    }
    poll_have_after(place);
    place->notes.status = extras->noted_status;
    if (!place->is_entered) {
        place->is_entered = true;
        place->notes.detail = NULL;
        place->notes.make = poll_make_detail;
        caw__notes_enter(&place->notes);
    }
}

/* What comes as a detail. Nothing where it is not one of this interpreter. */
static void
poll_note_detail(const caw_context *cx, caw__detail *detail, int status)
{
    caw__poll_place *place = cx->place;
    caw__gil_take(place->released);
    PyObject *exception = caw__ref_object_of(detail);
    if (exception) {
        caw__poll_note((caw__coroutine *)place->coroutine, exception, status);
        caw__poll_enter_notes(place);
    }
    caw__gil_give(place->released);
}

/* A poll that has released the GIL has raised nothing. */
static int
poll_note_raised(const caw_context *cx)
{
    caw__poll_place *place = cx->place;
    if (place->released || !PyErr_Occurred()) {
        return 0;
    }
    PyObject *exception = caw__take_raised();
    int status = caw__poll_note_status((caw__coroutine *)place->coroutine, exception);
    Py_DECREF(exception);
    caw__poll_enter_notes(place);
    return status;
}

/* On a thread without the GIL nothing was raised. */
static void
poll_forget_raised(void)
{
    if (caw__has_gil()) {
        caw__forget_raised();
    }
}

void
caw__poll_watch_drops(void)
{
    caw__raised_watch(poll_forget_raised);
}

const caw__noting_host caw__noting_poll_host = {{caw__noting_name, poll_reactor}, poll_note_detail, poll_note_raised};
const caw__noting_host caw__noting_blocking_host = {
    {caw__noting_name, poll_blocking_reactor}, poll_note_detail, poll_note_raised};
