/* bytes.c: which uses of a byte stream are allowed when, and the end of its reader and writer. */
#include "python/bytes/bytes.h"

static bool
bytestream_may(const caw__byte_stream *s, const char *refusal)
{
    refusal = s->closing ? "the stream is closed" : refusal;
    if (refusal) {
        PyErr_SetString(PyExc_RuntimeError, refusal);
    }
    return !refusal;
}

bool
caw__byte_stream_may_read(const caw__byte_stream *s)
{
    return bytestream_may(s, s->reading   ? "another coroutine is already waiting for bytes of this stream"
                             : !s->reader ? "there is nothing to read from in this stream"
                                          : NULL);
}

bool
caw__byte_stream_may_write(const caw__byte_stream *s)
{
    return bytestream_may(s, s->no_writes ? "nothing can be written after send_eof()"
                             : !s->writer ? "there is nothing to write to in this stream"
                                          : NULL);
}

void
caw__byte_stream_settle(caw__byte_stream *s)
{
    caw_reader *reader = s->over && !s->reading ? s->reader : NULL;
    caw_writer *writer = s->over && !s->writing ? s->writer : NULL;
    s->reader = reader ? NULL : s->reader;
    s->writer = writer ? NULL : s->writer;
    caw_reader_destroy(reader);
    caw_writer_destroy(writer);
}
