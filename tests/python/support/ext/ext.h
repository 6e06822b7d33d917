/* ext.h: the test extension: operations that a test controls step by step, made with the public API only. */
#ifndef CAWAIT_TEST_EXT_H
#define CAWAIT_TEST_EXT_H

#include <cawait_testing.h>

#include <stdatomic.h>

/* How many native futures are alive: a test that leaves one behind fails. A sequentially consistent count, which
 * publishes nothing. */
extern _Atomic long ext_live_futures;

extern const caw_py_async_def ext_future_functions[];     /* futures.c */
extern const caw_py_async_def ext_await_functions[];      /* await.c */
extern const caw_py_async_def ext_posted_functions[];     /* posted.c */
extern const caw_py_async_def ext_bytes_functions[];      /* bytes.c */
extern const caw_py_async_def ext_call_functions[];       /* calls.c */
extern const caw_py_async_def ext_block_functions[];      /* blocking.c */
extern const caw_py_async_def ext_child_functions[];      /* child.c */
extern const caw_py_async_def ext_convention_functions[]; /* functions.c */
extern const caw_py_async_def ext_group_functions[];      /* group.c */
extern const caw_py_async_def ext_held_functions[];       /* held.c */
extern const caw_py_async_def ext_passed_on_functions[];  /* passed_on.c */
extern const caw_py_async_def ext_iterable_functions[];   /* streams.c */
extern const caw_py_async_def ext_return_functions[];     /* returns.c */
extern const caw_py_stream_def ext_return_streams[];      /* returns.c */
extern const caw_py_async_def ext_routine_functions[];    /* routine.c */
extern const caw_py_stream_def ext_routine_streams[];     /* routine.c */
extern const caw_py_async_def ext_final_functions[];      /* final.c */
extern const caw_py_stream_def ext_final_streams[];       /* final.c */
extern const caw_py_stream_def ext_streams[];             /* streams.c */
extern const caw_test ext_tests[];                        /* tests.c */
extern PyMethodDef ext_plain_functions[];                 /* functions.c */
extern PyMethodDef ext_block_plain_functions[];           /* blocking.c */

int ext_add_op_type(PyObject *module);                             /* op.c */
PyObject *ext_resolve_many(PyObject *module, PyObject *args);      /* op.c */
int ext_add_channel_type(PyObject *module);                        /* channels.c */
int ext_add_waker_type(PyObject *module);                          /* waker.c */
int ext_add_holder_type(PyObject *module);                         /* calls.c */
PyObject *ext_byte_stream(PyObject *module, PyObject *args);       /* bytes.c */
PyObject *ext_returning_bytes(PyObject *module, PyObject *number); /* returns.c */
PyObject *ext_share(PyObject *module, PyObject *object);           /* calls.c */
PyObject *ext_unshare(PyObject *module, PyObject *ignored);        /* calls.c */
PyObject *ext_hold(PyObject *module, PyObject *object);            /* held.c, as the next three */
PyObject *ext_hold_buffer(PyObject *module, PyObject *object);
PyObject *ext_held(PyObject *module, PyObject *capsule);
PyObject *ext_release_in_threads(PyObject *module, PyObject *args);
PyObject *ext_relayed(PyObject *module, PyObject *function); /* passed_on.c */

/* Numbers as items: channels.c. */
caw_item *ext_number_new(long long value);
long long ext_number_value(const caw_item *item);
PyObject *ext_number_object(caw_stream *s, caw_item *item);

/* Of two children, which are taken: 'r'ace, the end of the first; or 'j'oin, that of both, with the first error. The
 * next item but eight of a stream, which is taken. And map, merge, chunk and take around a stream: combined.c. */
caw_future *ext_several(char kind, caw_future *first, caw_future *second);
caw_future *ext_next_of(caw_stream *stream);
caw_stream *ext_around(caw_stream *stream);

/* A send that owns its memory; the item is taken also on failure: streams.c. */
caw_future *ext_sending_new(caw_channel *channel, caw_item *item);

#endif
