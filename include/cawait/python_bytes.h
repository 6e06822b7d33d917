/* cawait/python_bytes.h: byte streams between C and Python, both ways.
 *
 * Python's streams for C: asyncio's StreamReader and StreamWriter, trio's ReceiveStream and SendStream, anyio's
 * ByteReceiveStream and ByteSendStream, and what looks like one of them. What a stream is goes by the methods of its class,
 * looked for in this order; anything else is a TypeError at once:
 *
 *   to read     receive_some(n) of trio; read(n) of asyncio; receive(n) of anyio, whose EndOfStream is the end
 *   to write    send_all(data) and aclose() of trio; write(data) with drain(), and close() with wait_closed(), of asyncio;
 *               send(data) and aclose() of anyio
 *
 * At most 64 KiB are asked for or written at a time. An exception of the stream's ends the poll with CAW_EPYTHON, or
 * CAW_ECANCELED for a cancellation, and is raised by a coroutine whose future ends so too, as with caw_py_await.
 *
 * caw_py_reader and caw_py_writer are polled by a coroutine of this library. The stream's method is then awaited in place,
 * as by caw_py_await, with all that is said there: until it has ended the coroutine waits for nothing else with the same
 * waker, and giving up a caw_read_op leaves it waiting; to end that, destroy the reader. Polled elsewhere they end with
 * CAW_ENOREACTOR. They are destroyed with the GIL, or in a poll.
 *
 * caw_py_reader_on and caw_py_writer_on are for any place, such as a thread of your own: the method is called and awaited by a
 * task on the loop of the locals, and the bytes pass through memory of their own.
 */
#ifndef CAWAIT_PYTHON_BYTES_H
#define CAWAIT_PYTHON_BYTES_H

#include "cawait/python_await.h"

#ifndef CAW_NO_PYTHON

CAW_BEGIN_DECLS

/* A reader of a Python stream; for a coroutine of this library.
 *   any-thread · gil · borrows(stream), which is retained · returns-new, raises TypeError, MemoryError · runs-python */
CAW_API caw_reader *caw_py_reader(PyObject *stream);

/* The same for any place.
 *   any-thread · gil · borrows(locals, stream), which are retained · returns-new, raises TypeError, MemoryError, RuntimeError for
 *   locals of another interpreter · runs-python */
CAW_API caw_reader *caw_py_reader_on(caw_py_locals *locals, PyObject *stream);

/* A writer to a Python stream; for a coroutine of this library. What is written is copied, and is taken when the stream has
 * it: so this one is pending while the stream holds its writers back.
 *   any-thread · gil · borrows(stream), which is retained · returns-new, raises TypeError, MemoryError · runs-python */
CAW_API caw_writer *caw_py_writer(PyObject *stream);

/* The same for any place.
 *   any-thread · gil · borrows(locals, stream), which are retained · returns-new, raises TypeError, MemoryError, RuntimeError for
 *   locals of another interpreter · runs-python */
CAW_API caw_writer *caw_py_writer_on(caw_py_locals *locals, PyObject *stream);

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
 *                                     write what was kept, close the writer, destroy both; `async with` does it at its end.
 *                                     A read that is pending ends with an error, where its reader can be cancelled
 *
 * One read and one write at a time; a second one is a RuntimeError, and so is what comes after the end. A read that is
 * cancelled loses no bytes. It has no lines and no `async for`, which the three do not agree about. Bytes are read into the
 * object that Python gets; the data of a write is held, not copied, until the write is over.
 *   any-thread · gil · borrows(module); takes(reader, writer), also on failure · returns-new, raises · quiet */
CAW_API PyObject *caw_py_byte_stream(PyObject *module, caw_reader *reader, caw_writer *writer);

CAW_END_DECLS

#endif
#endif
