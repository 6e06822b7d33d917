/* timer_heap.c: a binary heap of timers, in an array. */
#include "core/reactor/timer_heap.h"

#include "cawait/error.h"

#include <stdlib.h>

static void
timer_heap_put(caw__timer_heap *heap, size_t index, caw__timer *timer)
{
    heap->timers[index] = timer;
    timer->index = index;
}

/* The place `index` is free; find where `timer` belongs between there and the top. */
static void
timer_heap_rise(caw__timer_heap *heap, size_t index, caw__timer *timer)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (heap->timers[parent]->deadline <= timer->deadline) {
            break;
        }
        timer_heap_put(heap, index, heap->timers[parent]);
        index = parent;
    }
    timer_heap_put(heap, index, timer);
}

/* The place `index` is free; find where `timer` belongs between there and the bottom. */
static void
timer_heap_sink(caw__timer_heap *heap, size_t index, caw__timer *timer)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->length) {
            break;
        }
        if (child + 1 < heap->length && heap->timers[child + 1]->deadline < heap->timers[child]->deadline) {
            child++;
        }
        if (timer->deadline <= heap->timers[child]->deadline) {
            break;
        }
        timer_heap_put(heap, index, heap->timers[child]);
        index = child;
    }
    timer_heap_put(heap, index, timer);
}

int
caw__timer_heap_add(caw__timer_heap *heap, caw__timer *timer)
{
    if (heap->length == heap->capacity) {
        size_t capacity = heap->capacity > 0 ? 2 * heap->capacity : 16;
        caw__timer **timers = realloc(heap->timers, capacity * sizeof *timers);
        if (!timers) {
            return CAW_ENOMEM;
        }
        heap->timers = timers;
        heap->capacity = capacity;
    }
    timer_heap_rise(heap, heap->length++, timer);
    return 0;
}

void
caw__timer_heap_remove(caw__timer_heap *heap, caw__timer *timer)
{
    size_t index = timer->index;
    caw__timer *last = heap->timers[--heap->length];
    if (last == timer) {
        return;
    }
    if (last->deadline < timer->deadline) {
        timer_heap_rise(heap, index, last);
    }
    else {
        timer_heap_sink(heap, index, last);
    }
}

void
caw__timer_heap_fini(caw__timer_heap *heap)
{
    free(heap->timers);
    *heap = (caw__timer_heap){NULL, 0, 0};
}
