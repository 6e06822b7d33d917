/* cawait/async_frame.h: the frames of functions that suspend: what is in them, and how they are made. async.h says how
 * such a function is written.
 */
#ifndef CAWAIT_ASYNC_FRAME_H
#define CAWAIT_ASYNC_FRAME_H

#include "cawait/stream.h"

#ifdef __cplusplus
#  include <new>
#endif

#if CAW__HAS_COMPUTED_GOTO && !defined(CAW_ASYNC_SWITCH)
#  define CAW__ASYNC_GOTO 1
#else
#  define CAW__ASYNC_GOTO 0
#endif

/* What a body returns: a struct, so that `return 0;` is an error. */
typedef struct caw_step {
    int ended; /* private */
} caw_step;

/* A place where a function can be suspended, or can fail: a constant. */
typedef struct caw_point {
#if CAW__ASYNC_GOTO
    void *resume; /* private */
#else
    int resume; /* private */
#endif
    const char *file; /* read-only, and so are the next two */
    const char *text; /* the awaited expression */
    int line;
    bool borrows; /* private: the child is not destroyed */
} caw_point;

/* The first member of your struct. All of it is the poller's. */
typedef struct caw_async {
    caw_future future;       /* public; its word is private: the flags */
    const caw_point *point;  /* read-only: where it is suspended; NULL at the beginning of the body or the final part */
    caw_future *child;       /* read-only: what it waits for, or NULL */
    const caw_point *failed; /* read-only: where the body failed, or NULL */
} caw_async;

/* The table that CAW_ASYNC_FUNCTION makes. */
typedef struct caw_async_ops {
    caw_future_ops future;
    caw_step (*run)(caw_async *a, caw_context *cx);
    void (*fini)(caw_async *a); /* or NULL */
    size_t size;                /* of the frame */
} caw_async_ops;

/* A frame that gives items: the first member of your struct, in place of a caw_async. */
typedef struct caw_generator {
    caw_async async;
    caw_stream stream; /* public */
    caw_item *item;    /* private */
} caw_generator;

/* The table that CAW_GENERATOR_FUNCTION makes. */
typedef struct caw_generator_ops {
    caw_async_ops async;
    caw_stream_ops stream;
} caw_generator_ops;

CAW_BEGIN_DECLS

/* The functions of the tables, as caw_future_ops and caw_stream_ops say. A future is an async function if its `poll` is
 * this one.
 *   poller · no-gil · borrows(f, cx), takes(f) for destroy · never fails · calls-user */
CAW_API caw_poll caw_async_poll(caw_future *f, caw_context *cx);
CAW_API void caw_async_cancel(caw_future *f);
CAW_API void caw_async_destroy(caw_future *f);
CAW_API caw_poll caw_generator_poll_next(caw_stream *s, caw_context *cx, caw_item **out);
CAW_API void caw_generator_cancel(caw_stream *s);
CAW_API void caw_generator_destroy(caw_stream *s);

/* A frame on the heap, all zero but for its table: set its arguments, then give its future away. For large frames: what
 * CAW_ASYNC_NEW makes is copied once. NULL when out of memory: then nothing of yours was taken.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_async *caw_async_alloc(const caw_async_ops *ops);
CAW_API caw_generator *caw_generator_alloc(const caw_generator_ops *ops);

/* The copy of a frame on the heap; what CAW_ASYNC_NEW and CAW_GENERATOR_NEW call. When out of memory the final part of
 * the frame itself runs.
 *   any-thread · no-gil · takes(what the frame has) · returns-new, NULL when out of memory · calls-user */
CAW_API caw_future *caw_async_new(const caw_async *frame);
CAW_API caw_stream *caw_generator_new(const caw_generator *frame);

/* Whether it was asked to stop.
 *   poller · no-gil · borrows(a) · never fails · quiet */
CAW_API bool caw_async_cancelled(const caw_async *a);

/* Where a future is suspended, or where it failed: a line for the function, and one for each that it waits for in turn,
 * or waited for when it failed, as "fetch at fetch.c:20: caw_readable(self->fd)\n"; of a future that is no async
 * function only the name. Returns the length; what `size` has no room for is left out.
 *   poller · no-gil · borrows(f, out) · never fails · quiet */
CAW_API size_t caw_async_trace(const caw_future *f, char *out, size_t size);

CAW_END_DECLS

/* --- the tables, and making frames --- */

/* Before the body, which is `static caw_step type_run(type *self, caw_context *cx)`. Makes `type_ops`. The second form
 * names a function `void fini(type *self)`, for what nobody took of a frame that is destroyed. */
#define CAW_ASYNC_FUNCTION(type)                                                                                       \
    static caw_step type##_run(type *self, caw_context *cx);                                                           \
    CAW__ASYNC_RUN(type)                                                                                               \
    static const caw_async_ops type##_ops = CAW__ASYNC_OPS(type, NULL);
#define CAW_ASYNC_FUNCTION_FINI(type, fini)                                                                            \
    static caw_step type##_run(type *self, caw_context *cx);                                                           \
    CAW__ASYNC_RUN(type)                                                                                               \
    CAW__ASYNC_FINI(type, fini)                                                                                        \
    static const caw_async_ops type##_ops = CAW__ASYNC_OPS(type, type##_caw_fini);
/* The same for a generator, whose struct begins with a caw_generator. */
#define CAW_GENERATOR_FUNCTION(type)                                                                                   \
    static caw_step type##_run(type *self, caw_context *cx);                                                           \
    CAW__ASYNC_RUN(type)                                                                                               \
    static const caw_generator_ops type##_ops = {                                                                      \
        CAW__ASYNC_OPS(type, NULL),                                                                                    \
        {#type, caw_generator_poll_next, caw_generator_cancel, caw_generator_destroy, NULL}};

#define CAW__ASYNC_RUN(type)                                                                                           \
    static caw_step type##_caw_run(caw_async *caw_a, caw_context *caw_cx)                                              \
    {                                                                                                                  \
        return type##_run(CAW__CAST(type *, caw_a), caw_cx);                                                           \
    }
#define CAW__ASYNC_FINI(type, fini)                                                                                    \
    static void type##_caw_fini(caw_async *caw_a)                                                                      \
    {                                                                                                                  \
        fini(CAW__CAST(type *, caw_a));                                                                                \
    }
#define CAW__ASYNC_OPS(type, fini)                                                                                     \
    {{#type, caw_async_poll, caw_async_cancel, caw_async_destroy}, type##_caw_run, fini, sizeof(type)}

/* The first member of a frame, in C. */
#define CAW_ASYNC_INIT(ops_)     {{.ops = &(ops_).future}, NULL, NULL, NULL}
#define CAW_GENERATOR_INIT(ops_) {CAW_ASYNC_INIT((ops_).async), {&(ops_).stream, 0}, NULL}

/* CAW_ASYNC_NEW(type, .argument = value, ...): a frame on the heap: its future, or NULL when out of memory.
 * CAW_ASYNC_CALL(place, type, .argument = value, ...): one in the caller's memory, such as its own frame; its future.
 * The same for generators: the stream. In C++, from C++17 on, an argument is CAW_ARG(argument, value), as it may be in
 * C. */
#ifdef __cplusplus
#  define CAW__CAST(type, pointer)             (reinterpret_cast<type>(pointer))
#  define CAW_ARG(field_, value_)              [caw_value = (value_)](auto &caw_frame) { caw_frame.field_ = caw_value; }
#  define CAW_ASYNC_CALL(place, type, ...)     caw__async_call<type>(place, type##_ops, __VA_ARGS__)
#  define CAW_ASYNC_NEW(type, ...)             caw__async_make<type>(type##_ops, __VA_ARGS__)
#  define CAW_GENERATOR_CALL(place, type, ...) caw__generator_call<type>(place, type##_ops, __VA_ARGS__)
#  define CAW_GENERATOR_NEW(type, ...)         caw__generator_make<type>(type##_ops, __VA_ARGS__)
#  if __cplusplus >= 201703L
extern "C++" {

template <typename Frame, typename... Set>
inline caw_future *
caw__async_call(Frame *place, const caw_async_ops &ops, Set... set)
{
    Frame *frame = new (static_cast<void *>(place)) Frame();
    caw_future_init(&frame->async.future, &ops.future);
    (set(*frame), ...);
    return &frame->async.future;
}

template <typename Frame, typename... Set>
inline caw_stream *
caw__generator_call(Frame *place, const caw_generator_ops &ops, Set... set)
{
    Frame *frame = new (static_cast<void *>(place)) Frame();
    caw_future_init(&frame->generator.async.future, &ops.async.future);
    caw_stream_init(&frame->generator.stream, &ops.stream);
    (set(*frame), ...);
    return &frame->generator.stream;
}

template <typename Frame, typename... Set>
inline caw_future *
caw__async_make(const caw_async_ops &ops, Set... set)
{
    Frame frame;
    caw__async_call(&frame, ops, set...);
    return caw_async_new(&frame.async);
}

template <typename Frame, typename... Set>
inline caw_stream *
caw__generator_make(const caw_generator_ops &ops, Set... set)
{
    Frame frame;
    caw__generator_call(&frame, ops, set...);
    return caw_generator_new(&frame.generator);
}
}
#  endif
#else
#  define CAW__CAST(type, pointer) ((type)(void *)(pointer))
#  define CAW_ARG(field_, value_)  .field_ = (value_)
#  define CAW_ASYNC_CALL(place, type, ...)                                                                             \
      (*(place) = (type){.async = CAW_ASYNC_INIT(type##_ops), __VA_ARGS__}, &(place)->async.future)
#  define CAW_GENERATOR_CALL(place, type, ...)                                                                         \
      (*(place) = (type){.generator = CAW_GENERATOR_INIT(type##_ops), __VA_ARGS__}, &(place)->generator.stream)
#  define CAW_ASYNC_NEW(type, ...) caw_async_new(&(type){.async = CAW_ASYNC_INIT(type##_ops), __VA_ARGS__}.async)
#  define CAW_GENERATOR_NEW(type, ...)                                                                                 \
      caw_generator_new(&(type){.generator = CAW_GENERATOR_INIT(type##_ops), __VA_ARGS__}.generator)
#endif

#endif
