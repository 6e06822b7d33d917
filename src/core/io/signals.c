/* signals.c: deliveries of a signal as a stream.
 *
 * Promise. A delivery that begins after the first poll of a stream has been pending is in an item of that stream, and
 * whoever polls it is woken. Each stream of a signal is given each delivery.
 *
 * A handler may do next to nothing: ours counts, and rings a pipe. A thread of the library reads the pipe, finds the
 * streams whose count is behind, and wakes them. It is started with the first stream, and stays.
 *
 * Words and who may touch them:
 *
 *   signal_count[number]          deliveries of this signal: added to by the handler, read by all
 *   signal_hub_now                the hub of this process: set once in it, and again in a forked child
 *   the hub's live[number]        how many streams there are: written under the lock, read by the handler
 *   first, started of the hub     under its lock
 *   seen, waker, next, previous   of a stream: under its hub's lock. `hub` and `cancelled` are its owner's
 *
 * The race that looks bad: a signal comes after a poll has found nothing new, and before it has left its waker. The
 * poll does both under the lock. The handler counts first, then rings; so the thread, which takes the lock after it was
 * rung, either comes before the poll, which then sees the count, or after it, and finds the waker.
 *
 * The handler reads no list and takes no lock. It finds the hub by one atomic load, and a hub is never freed. In a
 * forked child there is a hub of the parent's, whose thread is not here and whose lock may be held for ever: by its
 * number of forks the handler sees that it is not this process's, and passes the signal on. So it does where no stream
 * is live: it may still be called when it had begun before, or when somebody has put it back who had put it aside.
 *
 * Another one: a stream begins, and sets the handler, between that look at `live` and the return of the former handler
 * to its place, which would make the stream deaf. So the handler looks again after that, and sets itself again. What is
 * left is a second delivery, to another thread, between these two: that one goes to the former handler, as the first
 * would have. It takes two at once, of which one came when no stream was there; a look in between would come too early.
 */
#include "cawait/process.h"

#include "core/os/fd.h"
#include "core/os/fork.h"
#include "core/os/mutex.h"
#include "core/os/pipe.h"
#include "core/os/signal.h"
#include "core/os/thread.h"
#include "core/reactor/shared.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct signal_stream signal_stream;

typedef struct signal_hub {
    unsigned forks; /* unchanged: caw__fork_count when it was made */
    int pipe[2];    /* unchanged; closed in a child that has a hub of its own */
    caw__pipe_id pipe_id;
    caw__mutex lock;
    bool started;         /* the thread was */
    signal_stream *first; /* linked by next */
    _Atomic unsigned live[CAW__SIGNALS];
    struct signal_hub *before; /* the parent's, in a forked child: kept, as memory that is still known */
} signal_hub;

struct signal_stream {
    caw_stream stream;
    int number;
    signal_hub *hub; /* NULL: not begun, or at its end */
    uint32_t seen;
    caw_waker waker; /* true while pending */
    signal_stream *next, *previous;
    bool cancelled;
};

static _Atomic uint32_t signal_count[CAW__SIGNALS];
static _Atomic(signal_hub *) signal_hub_now;

/* Whether there is a stream of this signal in this process. Sequentially consistent: pairs with signals_link, which
 * makes a stream live and then sets the handler, where signals_handle sets the former one and then looks here. */
static bool
signals_is_live(signal_hub *hub, int number)
{
    return hub && hub->forks == caw__fork_count() && atomic_load_explicit(&hub->live[number], memory_order_seq_cst) > 0;
}

static void
signals_handle(int number)
{
    /* Acquire: pairs with the release when the hub was made. */
    signal_hub *hub = atomic_load_explicit(&signal_hub_now, memory_order_acquire);
    if (signals_is_live(hub, number)) {
        /* Release: pairs with the acquire of polls. What matters more is that it comes before the ring. */
        atomic_fetch_add_explicit(&signal_count[number], 1, memory_order_release);
        caw__pipe_ring(hub->pipe[1]);
        return;
    }
    caw__signal_pass_on(number);
    if (signals_is_live(hub, number)) {
        caw__signal_set(number, signals_handle); /* a stream has begun meanwhile; it is given the signal after all */
    }
}

/* --- the thread --- */

static bool
signals_is_behind(const signal_stream *s)
{
    return atomic_load_explicit(&signal_count[s->number], memory_order_acquire) != s->seen;
}

/* Wake those that are behind. Their wakers are taken, so this comes to an end. */
static void
signals_wake(signal_hub *hub)
{
    bool more = true;
    while (more) {
        caw__wakes wakes;
        caw__wakes_init(&wakes);
        caw__mutex_lock(&hub->lock);
        for (signal_stream *s = hub->first; s && !caw__wakes_full(&wakes); s = s->next) {
            if (s->waker.ops && signals_is_behind(s)) {
                wakes.wakers[wakes.length++] = s->waker;
                s->waker = CAW_WAKER_NONE;
            }
        }
        caw__mutex_unlock(&hub->lock);
        more = caw__wakes_full(&wakes);
        (void)caw__wakes_send(&wakes);
    }
}

static void *
signals_run(void *argument)
{
    signal_hub *hub = argument;
    for (;;) {
        caw__fd_wait_readable(hub->pipe[0]);
        caw__pipe_drain(hub->pipe[0]);
        signals_wake(hub);
    }
    return NULL;
}

/* --- the hub --- */

static bool
signals_is_of_parent(const signal_hub *hub)
{
    return hub->forks != caw__fork_count();
}

static void
signals_hub_free(signal_hub *hub)
{
    caw__pipe_close(hub->pipe[0]);
    caw__pipe_close(hub->pipe[1]);
    caw__mutex_fini(&hub->lock);
    free(hub);
}

static int
signals_hub_new(signal_hub *before, signal_hub **out)
{
    int error = caw__fork_watch();
    if (error) {
        return error;
    }
    signal_hub *hub = calloc(1, sizeof *hub);
    if (!hub) {
        return CAW_ENOMEM;
    }
    hub->before = before;
    hub->forks = caw__fork_count();
    error = caw__mutex_init(&hub->lock);
    if (!error) {
        error = caw__pipe_open(hub->pipe);
        if (!error) {
            hub->pipe_id = caw__pipe_identify(hub->pipe[0]);
            *out = hub;
            return 0;
        }
        caw__mutex_fini(&hub->lock);
    }
    free(hub);
    return error;
}

/* The hub of this process has taken the place of the parent's, whose pipe nobody rings here any more. */
static void
signals_close_pipe(const signal_hub *before)
{
    if (before) {
        caw__pipe_close_if(before->pipe[0], before->pipe_id);
        caw__pipe_close_if(before->pipe[1], before->pipe_id);
    }
}

/* The hub of this process. */
static int
signals_hub(signal_hub **out)
{
    signal_hub *seen = atomic_load_explicit(&signal_hub_now, memory_order_acquire);
    while (!seen || signals_is_of_parent(seen)) {
        signal_hub *hub = NULL;
        int error = signals_hub_new(seen, &hub);
        if (error) {
            return error;
        }
        /* Release: the handler sees it whole. */
        if (atomic_compare_exchange_strong_explicit(&signal_hub_now, &seen, hub, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            signals_close_pipe(hub->before);
            seen = hub;
            break;
        }
        signals_hub_free(hub); /* another thread was first; `seen` is its hub */
    }
    *out = seen;
    return 0;
}

/* Under the lock. */
static int
signals_start_thread(signal_hub *hub)
{
    if (hub->started) {
        return 0;
    }
    caw__thread thread;
    int error = caw__thread_start(signals_run, hub, &thread);
    if (!error) {
        caw__thread_detach(thread);
        hub->started = true;
    }
    return error;
}

/* Under the lock. The stream is live before the handler is set, so that no signal is passed on. */
static int
signals_link(signal_hub *hub, signal_stream *s)
{
    s->seen = atomic_load_explicit(&signal_count[s->number], memory_order_relaxed);
    atomic_fetch_add_explicit(&hub->live[s->number], 1, memory_order_seq_cst); /* as above */
    int error = caw__signal_take(s->number, signals_handle);
    if (error) {
        atomic_fetch_sub_explicit(&hub->live[s->number], 1, memory_order_release);
        return error;
    }
    s->next = hub->first;
    s->previous = NULL;
    if (s->next) {
        s->next->previous = s;
    }
    hub->first = s;
    return 0;
}

/* Under the lock. With the last stream the former handler comes back. A signal in between is passed on to it. */
static void
signals_unlink(signal_hub *hub, signal_stream *s)
{
    *(s->previous ? &s->previous->next : &hub->first) = s->next;
    if (s->next) {
        s->next->previous = s->previous;
    }
    if (atomic_fetch_sub_explicit(&hub->live[s->number], 1, memory_order_release) == 1) {
        caw__signal_give_back(s->number, signals_handle);
    }
}

/* --- the stream --- */

static signal_stream *
signal_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, signal_stream, stream);
}

static int
signal_begin(signal_stream *s)
{
    if (!caw__signal_can_be_caught(s->number)) {
        return CAW_EINVAL;
    }
    signal_hub *hub = NULL;
    int error = signals_hub(&hub);
    if (error) {
        return error;
    }
    caw__mutex_lock(&hub->lock);
    error = signals_start_thread(hub);
    error = error ? error : signals_link(hub, s);
    caw__mutex_unlock(&hub->lock);
    if (!error) {
        s->hub = hub;
    }
    return error;
}

/* Leave the hub, and give the waker, to wake or to drop. In a forked child it is left alone. */
static caw_waker
signal_leave(signal_stream *s)
{
    caw_waker waker = CAW_WAKER_NONE;
    signal_hub *hub = s->hub;
    s->hub = NULL;
    if (hub && !signals_is_of_parent(hub)) {
        caw__mutex_lock(&hub->lock);
        signals_unlink(hub, s);
        waker = s->waker;
        s->waker = CAW_WAKER_NONE;
        caw__mutex_unlock(&hub->lock);
    }
    return waker;
}

static caw_poll
signal_end(signal_stream *s, int status, caw_item **out)
{
    caw_waker_drop(signal_leave(s));
    return caw_stream_finish(&s->stream, status, out);
}

static void
signal_item_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, caw_signal_item, item));
}

/* How many there were since the last time. Where none, the waker is left. */
static uint32_t
signal_take_count(signal_stream *s, caw_waker waker)
{
    caw_waker old = CAW_WAKER_NONE;
    caw__mutex_lock(&s->hub->lock);
    uint32_t now = atomic_load_explicit(&signal_count[s->number], memory_order_acquire), count = now - s->seen;
    s->seen = now;
    if (count > 0 || !caw_waker_same(s->waker, waker)) {
        old = s->waker;
        s->waker = count > 0 ? CAW_WAKER_NONE : caw_waker_clone(waker);
    }
    caw__mutex_unlock(&s->hub->lock);
    caw_waker_drop(old);
    return count;
}

static caw_poll
signal_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    signal_stream *s = signal_of(stream);
    int error = s->cancelled ? CAW_ECANCELED : s->hub ? 0 : signal_begin(s);
    if (!error && signals_is_of_parent(s->hub)) {
        error = CAW_EFORKED;
    }
    if (error) {
        return signal_end(s, error, out);
    }
    uint32_t count = signal_take_count(s, cx->waker);
    if (count == 0) {
        return CAW_PENDING;
    }
    caw_signal_item *item = malloc(sizeof *item);
    if (!item) {
        return signal_end(s, CAW_ENOMEM, out);
    }
    *item = (caw_signal_item){.item = {.destroy = signal_item_destroy}, .number = s->number, .count = count};
    *out = &item->item;
    return CAW_READY;
}

static void
signal_cancel(caw_stream *stream)
{
    signal_stream *s = signal_of(stream);
    s->cancelled = true;
    caw_waker_wake(signal_leave(s));
}

static void
signal_destroy(caw_stream *stream)
{
    signal_stream *s = signal_of(stream);
    caw_waker_drop(signal_leave(s));
    free(s);
}

static const caw_stream_ops signal_ops = {"signal", signal_poll_next, signal_cancel, signal_destroy, NULL};

caw_stream *
caw_signal(int number)
{
    signal_stream *s = malloc(sizeof *s);
    if (!s) {
        return NULL;
    }
    *s = (signal_stream){.number = number};
    caw_stream_init(&s->stream, &signal_ops);
    return &s->stream;
}
