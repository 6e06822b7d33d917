/* trampoline.c: coroutines of ours that await each other in place, without a C stack.
 *
 * The outermost one is what a task, or a coroutine of Python, drives. Each but the innermost delegates to the `inner`
 * of its future, whose iterator is the next coroutine; that one has it as its `outer`. A resume goes straight to the
 * innermost: step.c takes it as far as it alone can go. When it ends, its result is put into the future of the one
 * above, which is polled again; when it comes to await another one of ours, that one is next. So the C stack has one
 * step, however long the chain is. (A coroutine of Python in between is driven by a call, and the interpreter counts
 * those.)
 *
 * While a step runs all that are above it are `running`, so that nobody resumes or closes them. Code that runs inside
 * one of them may resume what awaits it: then the one above fails. What runs, and all below it, belongs to the resume
 * that runs it.
 */
#include "python/coroutine/trampoline.h"

#include "python/coroutine/checkpoint.h"
#include "python/coroutine/end.h"
#include "python/coroutine/step.h"
#include "python/framework/trio_api.h"

/* The one that it waits for, if that is one of ours: borrowed. */
static caw__coroutine *
trampoline_inner(const caw__coroutine *c)
{
    return c->waiter.delegates && c->extras->inner->is_ours ? (caw__coroutine *)c->extras->inner->object : NULL;
}

/* From there up to the first one: they run no more. */
static void
trampoline_rest(caw__coroutine *first, caw__coroutine *c)
{
    while (c != first) {
        c = c->extras->outer;
        c->waiter.running = false;
    }
}

/* Whether this one can be awaited; else an exception is set. */
static bool
trampoline_may_enter(caw__coroutine *inner)
{
    if (inner->waiter.running || inner->waiter.state == CORO_SUSPENDED) {
        caw__coroutine_refuse(inner);
        return false;
    }
    return caw__coroutine_extras_get(inner) != NULL;
}

/* What it awaited has ended so. */
static PySendResult
trampoline_go_on(caw__coroutine *c, PySendResult outcome, PyObject **result)
{
    c->waiter.running = true; /* dropping what it awaited may run any Python code */
    c->extras->inner->end(c->extras->inner, outcome == PYGEN_RETURN ? *result : NULL);
    c->waiter.running = false;
    return caw__step_on(c, result);
}

/* The step of `c` ended so: take it as far as it goes. `exit` is the GeneratorExit that was thrown in, or NULL: as with
 * Python's, who awaits gets that also where what it awaits has returned instead. Not what is begun meanwhile. */
static PySendResult
trampoline_run(caw__coroutine *first, caw__coroutine *c, PySendResult outcome, PyObject *exit, PyObject **result)
{
    for (int begun = 0;;) {
        caw__coroutine *inner = outcome == PYGEN_NEXT && !*result ? trampoline_inner(c) : NULL;
        if (inner && trampoline_may_enter(inner)) {
            inner->extras->outer = c;
            c->waiter.running = true;
            c = inner;
            begun++;
            outcome = caw__step_send(c, NULL, result);
        }
        else if (inner) {
            outcome = trampoline_go_on(c, PYGEN_ERROR, result);
        }
        else if (outcome == PYGEN_NEXT || c == first) {
            break;
        }
        else {
            caw__coroutine *outer = c->extras->outer;
            c->extras->outer = NULL;
            c = outer;
            if (begun > 0) {
                begun--;
            }
            else if (exit && outcome == PYGEN_RETURN) {
                Py_CLEAR(*result);
                caw__raise(Py_NewRef(exit));
                outcome = PYGEN_ERROR;
            }
            outcome = trampoline_go_on(c, outcome, result);
        }
    }
    trampoline_rest(first, c);
    return outcome;
}

/* What the coroutine awaits is one of ours: go on there, and where that leads to. */
CAW__APART static PySendResult
trampoline_descend(caw__coroutine *c, PyObject **result)
{
    return trampoline_run(c, c, PYGEN_NEXT, NULL, result);
}

/* Resume the innermost one. As with Python's, one that is CLOSED already, by the collector or by hand, is not asked to
 * exit: what awaits it is. */
static PySendResult
trampoline_step(caw__coroutine *first, caw__coroutine *c, PyObject *value, PyObject *exception, bool exits,
                PyObject **result)
{
    if (exits && c != first && c->waiter.state == CORO_CLOSED) {
        caw__raise(exception);
        return PYGEN_ERROR;
    }
    return exception ? caw__step_throw(c, exception, result) : caw__step_send(c, value, result);
}

/* Resume what the coroutine waits for in the end: with a value, or with an exception, which is taken. */
CAW__APART static PySendResult
trampoline_resume(caw__coroutine *first, PyObject *value, PyObject *exception, PyObject **result)
{
    *result = NULL;
    if (first->waiter.running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        Py_XDECREF(exception);
        return PYGEN_ERROR;
    }
    Py_INCREF(first);
    bool exits = exception && PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit);
    PyObject *exit = exits ? Py_NewRef(exception) : NULL;
    PySendResult outcome;
    caw__coroutine *c = first, *inner;
    while ((inner = trampoline_inner(c)) && !inner->waiter.running) {
        c->waiter.running = true;
        c = inner;
    }
    if (inner) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        Py_XDECREF(exception);
        outcome = trampoline_go_on(c, PYGEN_ERROR, result);
    }
    else {
        outcome = trampoline_step(first, c, value, exception, exits, result);
    }
    outcome = trampoline_run(first, c, outcome, exit, result);
    Py_XDECREF(exit);
    Py_DECREF(first);
    return outcome;
}

PySendResult
caw__coroutine_send(PyObject *self, PyObject *value, PyObject **result)
{
    caw__coroutine *c = (caw__coroutine *)self;
    caw__state *state = caw__coroutine_state_of(c);
    bool begins = c->waiter.state == CORO_CREATED && !c->waiter.running && state && (!value || value == Py_None);
    PySendResult outcome;
    if (begins && c->waiter.steps && (outcome = caw__child_ops_of(c->future)->at_once(c, result)) != PYGEN_NEXT) {
        return outcome;
    }
    if (begins && caw__trio_is_absent(state)) {
        outcome = caw__step_first(state, c, result); /* the shortest way */
    }
    else if (c->waiter.delegates) {
        return trampoline_resume(c, value, NULL, result);
    }
    else {
        outcome = caw__step_send(c, value, result);
    }
    return outcome == PYGEN_NEXT && !*result ? trampoline_descend(c, result) : outcome;
}

PySendResult
caw__coroutine_throw(caw__coroutine *c, PyObject *exception, PyObject **result)
{
    if (c->waiter.delegates) {
        return trampoline_resume(c, NULL, exception, result);
    }
    PySendResult outcome = caw__step_throw(c, exception, result);
    return outcome == PYGEN_NEXT && !*result ? trampoline_descend(c, result) : outcome;
}

/* --- closing --- */

/* Give all of them up, the innermost first. Meanwhile all are `running`: what is dropped may run any Python code. */
static void
trampoline_abandon(caw__coroutine *first)
{
    caw__coroutine *c = first, *inner;
    c->waiter.running = true;
    while ((inner = trampoline_inner(c)) && !inner->waiter.running) {
        inner->waiter.running = true;
        c = inner;
    }
    for (caw__coroutine *outer = c; outer; c = outer) {
        outer = c != first ? c->extras->outer : NULL;
        Py_INCREF(c);
        if (outer) {
            caw__coroutine_free_awaiter(c);
        }
        caw__coroutine_abandon(c);
        c->waiter.running = false;
        Py_DECREF(c);
    }
}

/* The innermost coroutine of a chain waits for an awaitable of somebody else, which has just yielded. */
static bool
trampoline_ignores_exit(const caw__coroutine *c)
{
    for (const caw__coroutine *inner = trampoline_inner(c); inner; inner = trampoline_inner(c)) {
        c = inner;
    }
    return c->waiter.delegates;
}

/* It waits for nothing of Python's. One that would be a step of an async generator, and has not begun, ends that: -1
 * with an exception where another step has begun. */
static int
trampoline_close_own(caw__coroutine *c)
{
    bool begins = c->waiter.state == CORO_CREATED && c->waiter.steps;
    int closed = begins ? caw__child_ops_of(c->future)->throw_in(c->future, NULL) : 0;
    PyObject *raised = caw__take_raised();
    caw__checkpoint_leave(c);
    caw__coroutine_free_awaiter(c);
    caw__coroutine_abandon(c);
    if (raised) {
        caw__raise(raised);
    }
    return closed;
}

int
caw__coroutine_close(caw__coroutine *c)
{
    if (!c->waiter.delegates) {
        return trampoline_close_own(c);
    }
    PyObject *exit = PyObject_CallNoArgs(PyExc_GeneratorExit), *result;
    if (!exit) {
        return -1;
    }
    switch (trampoline_resume(c, NULL, exit, &result)) {
    case PYGEN_NEXT:
        Py_DECREF(result);
        if (trampoline_ignores_exit(c)) {
            PyErr_SetString(PyExc_RuntimeError, "coroutine ignored GeneratorExit");
            return -1;
        }
        trampoline_abandon(c); /* its cleanup waits for something native, which ends by itself */
        return 0;
    case PYGEN_RETURN:
        Py_DECREF(result);
        return 0;
    default:
        if (!PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
}
