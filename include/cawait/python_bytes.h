/* cawait/python_bytes.h: byte streams between C and Python, both ways.
 *
 * Python's streams for C: asyncio's StreamReader and StreamWriter, trio's ReceiveStream and SendStream, anyio's
 * ByteReceiveStream and ByteSendStream, and objects that have the same methods. The methods of its class say what kind
 * a stream is. They are looked for in this order; a class that has none of them is a TypeError, at once:
 *
 *   to read     receive_some(n) of trio; read(n) of asyncio; receive(n) of anyio, whose EndOfStream is the end
 *   to write    send_all(data) and aclose() of trio; write(data) with drain(), and close() with wait_closed(), of
 *               asyncio; send(data) and aclose() of anyio
 *
 * At most 64 KiB are requested or written at a time. An exception of the stream ends the poll with CAW_EPYTHON, or with
 * CAW_ECANCELED where it is a cancellation. A coroutine whose future ends with that status raises it, as with
 * caw_py_await.
 *
 * Each call of a method is awaited in place or as a task, as python_await.h says. In place, until the call has ended,
 * the coroutine must not wait for anything else with the same waker. To destroy a caw_read_op leaves the call waiting;
 * to end the call, destroy the reader.
 *
 * With NULL for the locals a reader or a writer may move: from one coroutine of this library to another, and to a
 * future inside a caw_py_scope. From its first poll inside a scope on, a task on the loop of the scope's locals calls
 * the methods. With locals, a task on their loop calls them from the beginning. The name then ends with "as a task",
 * and the bytes pass through memory of their own.
 *
 * A reader or a writer cannot move while a call is under way, or while it has received bytes that are not read yet. The
 * poll then ends with CAW_EINVAL.
 */
#ifndef CAWAIT_PYTHON_BYTES_H
#define CAWAIT_PYTHON_BYTES_H

#include "cawait/python_await.h"

#ifndef CAW_NO_PYTHON

CAW_BEGIN_DECLS

/* A reader of a Python stream. Locals of another interpreter are a RuntimeError. It may be destroyed on any thread if
 * it was given locals or runs as a task; else with the GIL, or in a poll of a coroutine of this library or of a
 * caw_py_scope.
 *   any-thread · gil · borrows(locals, stream), which are retained · returns-new, raises · runs-python */
CAW_API caw_reader *caw_py_reader(caw_py_locals *locals, PyObject *stream);

/* A writer to a Python stream; it may be destroyed where a reader may. Bytes are copied, and count as taken when the
 * stream has accepted them. So the writer is pending while the stream holds back what is written.
 *   any-thread · gil · borrows(locals, stream), which are retained · returns-new, raises · runs-python */
CAW_API caw_writer *caw_py_writer(caw_py_locals *locals, PyObject *stream);

/* A Python object with these two behind it; either may be NULL. It can be used as a stream of asyncio, trio and anyio:
 *
 *   await read(n=-1)                  n bytes at most, or all until the end; b"" is the end
 *   await receive_some(max_bytes=None), await receive(max_bytes=65536)
 *                                     what is there; at the end b"", or anyio.EndOfStream
 *   await send_all(data), await send(data)
 *                                     write all of it, after what write() has kept
 *   write(data), await drain()        keep the data; write what was kept. Kept data is not written by itself
 *   await wait_send_all_might_not_block()
 *                                     returns at once: it can promise nothing
 *   await send_eof()                  write what was kept, then close the writer; reading goes on
 *   close(), is_closing(), await wait_closed(), await aclose()
 *                                     write what was kept, close the writer, destroy both; `async with` does it at its
 *                                     end. A read that is pending ends with an error, where its reader can be cancelled
 *
 * One read and one write at a time. A second one is a RuntimeError, and so is one after the end. A read that is
 * cancelled loses no bytes. There are no lines and no `async for`, since the three frameworks do not agree about them.
 * Bytes are read into the object that Python gets. The data of a write is held, not copied, until the write is over.
 *   any-thread · gil · takes(reader, writer), borrows(module) · returns-new, raises · quiet */
CAW_API PyObject *caw_py_byte_stream(PyObject *module, caw_reader *reader, caw_writer *writer);

CAW_END_DECLS

#endif
#endif
