/* cawait/python_bytes.h: byte streams between C and Python, both ways.
 *
 * Python's streams for C: asyncio's StreamReader and StreamWriter, trio's ReceiveStream and SendStream, anyio's
 * ByteReceiveStream and ByteSendStream, and what looks like one of them. What a stream is goes by the methods of its
 * class, looked for in this order; anything else is a TypeError at once:
 *
 *   to read     receive_some(n) of trio; read(n) of asyncio; receive(n) of anyio, whose EndOfStream is the end
 *   to write    send_all(data) and aclose() of trio; write(data) with drain(), and close() with wait_closed(), of
 *               asyncio; send(data) and aclose() of anyio
 *
 * At most 64 KiB are asked for or written at a time. An exception of the stream's ends the poll with CAW_EPYTHON, or
 * CAW_ECANCELED for a cancellation, and is raised by a coroutine whose future ends so too, as with caw_py_await.
 *
 * Each call of a method is awaited in place or as a task, by the table of python_await.h and with all that is said
 * there. In place, until it has ended, the coroutine waits for nothing else with the same waker, and giving up a
 * caw_read_op leaves it waiting; to end that, destroy the reader.
 *
 * With NULL for the locals a reader or a writer may move: from one coroutine of this library to another, and to a
 * future inside a caw_py_scope. From the first poll there on the loop of the scope's locals calls the methods, as that
 * of the given locals does from the beginning. The name then ends with "as a task", and the bytes pass through memory
 * of their own. It cannot move while a call is under way, or while there are bytes that a call has received and nobody
 * has taken: the poll ends with CAW_EINVAL.
 */
#ifndef CAWAIT_PYTHON_BYTES_H
#define CAWAIT_PYTHON_BYTES_H

#include "cawait/python_await.h"

#ifndef CAW_NO_PYTHON

CAW_BEGIN_DECLS

/* A reader of a Python stream. Locals of another interpreter are a RuntimeError. With NULL for them it is destroyed
 * with the GIL, or in a poll of a coroutine of this library or of a caw_py_scope, unless it runs as a task.
 *   any-thread · gil · borrows(locals, stream), which are retained · returns-new, raises · runs-python */
CAW_API caw_reader *caw_py_reader(caw_py_locals *locals, PyObject *stream);

/* A writer to a Python stream, likewise. What is written is copied, and is taken when the stream has it: so this one is
 * pending while the stream holds its writers back.
 *   any-thread · gil · borrows(locals, stream), which are retained · returns-new, raises · runs-python */
CAW_API caw_writer *caw_py_writer(caw_py_locals *locals, PyObject *stream);

/* An object for Python with these behind it; either may be NULL. It can be used as a stream of asyncio, trio and anyio:
 *
 *   await read(n=-1)                  n bytes at most, or all until the end; b"" is the end
 *   await receive_some(max_bytes=None), await receive(max_bytes=65536)
 *                                     what is there; at the end b"", or anyio.EndOfStream
 *   await send_all(data), await send(data)
 *                                     write all of it; what write() has kept goes first
 *   write(data), await drain()        keep it; write what was kept. Nothing that is kept goes by itself
 *   await wait_send_all_might_not_block()
 *                                     returns; what it says is never certain
 *   await send_eof()                  write what was kept, then close the writer; reading goes on
 *   close(), is_closing(), await wait_closed(), await aclose()
 *                                     write what was kept, close the writer, destroy both; `async with` does it at its
 *                                     end. A read that is pending ends with an error, where its reader can be cancelled
 *
 * One read and one write at a time; a second one is a RuntimeError, and so is what comes after the end. A read that is
 * cancelled loses no bytes. It has no lines and no `async for`, which the three do not agree about. Bytes are read into
 * the object that Python gets; the data of a write is held, not copied, until the write is over.
 *   any-thread · gil · takes(reader, writer), borrows(module) · returns-new, raises · quiet */
CAW_API PyObject *caw_py_byte_stream(PyObject *module, caw_reader *reader, caw_writer *writer);

CAW_END_DECLS

#endif
#endif
