/* detail.c: the notes of the places that this thread is in. */
#include "core/base/detail.h"

#include "core/os/compiler.h"
#include "core/os/once.h"
#include "core/os/thread_value.h"

#include <stdlib.h>

const char caw__noting_name[] = "a Python coroutine";

static CAW__THREAD_LOCAL caw__notes *notes_innermost;

static void (*_Atomic notes_forget)(
    void); /* NULL without the bridge; release and acquire: all that it needs is there */

void
caw__raised_watch(void (*forget)(void))
{
    atomic_store_explicit(&notes_forget, forget, memory_order_release);
}

void
caw__raised_forget(void)
{
    void (*forget)(void) = atomic_load_explicit(&notes_forget, memory_order_acquire);
    if (forget) {
        forget();
    }
}

/* A thread's own notes, which are made when something is noted outside of all places. */
static caw__once notes_once = CAW__ONCE_INIT;
static caw__thread_value notes_of_thread;
static atomic_bool notes_have_key; /* the key is there: its release publishes it */

static void
notes_set(caw__notes *notes, caw__detail *detail, int status)
{
    caw__detail *old = notes->detail;
    notes->detail = caw__detail_retain(detail);
    notes->status = status;
    caw__detail_release(old); /* last: may run anything */
}

static void
notes_end_of_thread(void *user)
{
    caw__notes *notes = user;
    notes_set(notes, NULL, 0);
    free(notes);
}

static void
notes_make_key(void)
{
    bool made = caw__thread_value_init(&notes_of_thread, notes_end_of_thread) == 0;
    atomic_store_explicit(&notes_have_key, made, memory_order_release);
}

/* NULL: there are none, or there is no memory for them. */
static caw__notes *
notes_get_threads(bool makes)
{
    if (makes) {
        (void)caw__once_call(&notes_once, notes_make_key);
    }
    if (!atomic_load_explicit(&notes_have_key, memory_order_acquire)) {
        return NULL;
    }
    caw__notes *notes = caw__thread_value_get(notes_of_thread);
    if (notes || !makes || !(notes = calloc(1, sizeof *notes))) {
        return notes;
    }
    if (caw__thread_value_set(notes_of_thread, notes) < 0) {
        free(notes);
        return NULL;
    }
    return notes;
}

void
caw__notes_enter(caw__notes *notes)
{
    notes->outer = notes_innermost;
    notes_innermost = notes;
}

void
caw__notes_leave(const caw__notes *notes)
{
    notes_innermost = notes->outer;
}

void
caw__note(const caw_context *cx, caw__detail *detail, int status)
{
    if (cx && cx->host && cx->host->name == caw__noting_name) {
        CAW_CONTAINER_OF(cx->host, const caw__noting_host, host)->note(cx, detail, status);
        return;
    }
    caw__notes *notes = notes_innermost ? notes_innermost : notes_get_threads(true);
    if (notes) {
        notes_set(notes, detail, status);
    }
}

int
caw__note_raised(const caw_context *cx)
{
    bool notes = cx->host && cx->host->name == caw__noting_name;
    return notes ? CAW_CONTAINER_OF(cx->host, const caw__noting_host, host)->note_raised(cx) : 0;
}

caw__detail *
caw__noted(int status)
{
    caw__notes *notes = notes_innermost;
    if (!notes) {
        notes = notes_get_threads(false);
        return notes ? caw__notes_take(notes, status) : NULL;
    }
    if (notes->status != status) {
        return NULL;
    }
    return notes->make ? notes->make(notes) : caw__detail_retain(notes->detail);
}

caw__detail *
caw__notes_take(caw__notes *notes, int status)
{
    caw__detail *detail = notes->detail;
    notes->detail = NULL;
    if (notes->status == status) {
        return detail;
    }
    caw__detail_release(detail);
    return NULL;
}

void
caw__notes_hand_over(caw__notes *notes, int status)
{
    caw__detail *detail = caw__notes_take(notes, status);
    if (detail) {
        caw__note(NULL, detail, status);
        caw__detail_release(detail);
        return;
    }
    caw__notes *own = notes_innermost ? NULL : notes_get_threads(false);
    if (own) {
        notes_set(own, NULL, 0); /* what this thread has noted before is not the end of what comes after */
    }
}
