/* bench.h: the benchmark extension, which uses only the public API, like a user's extension.
 *
 * A benchmark is one process with one interpreter: the worker thread and the list of held operations are static here.
 */
#ifndef CAWAIT_BENCH_H
#define CAWAIT_BENCH_H

#include <cawait.h>

/* Something for the worker thread to do. */
typedef struct bench_task bench_task;
struct bench_task {
    bench_task *next; /* valid while queued */
    void (*run)(bench_task *task);
};

/* Give the native worker thread a task; the first call starts the thread. 0 or -errno.
 *   any-thread · no-gil · borrows(task) until it ran · fails(-errno) · quiet */
int bench_submit(bench_task *task);

/* How often the worker looks for tasks; 0: all the time. Below 1 s.
 *   any-thread · no-gil · - · never fails · quiet */
void bench_set_period(uint64_t ns);

/* An operation that the worker thread completes at once.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
caw_future *bench_op(void);

/* Complete all operations that are held, in this thread. Returns their number.
 *   loop · drops-gil · - · never fails · wakes */
long bench_complete_held(void);

extern const caw_py_async_def bench_operations[]; /* operations.c */
extern const caw_py_async_def bench_awaits[];     /* awaits.c */
extern const caw_py_stream_def bench_streams[];   /* streams.c */
extern const caw_py_async_def bench_stream_functions[];
extern const caw_py_async_def bench_loops[]; /* loops.c */
extern PyMethodDef bench_loop_functions[];
extern const caw_py_async_def bench_many[];         /* many.c */
extern const caw_py_async_def bench_echo[];         /* echo.c */
extern PyMethodDef bench_baseline_functions[];      /* baseline.c */
extern const caw_py_async_def bench_count_awaits[]; /* count.c */
extern PyMethodDef bench_count_functions[];

#endif
