/* cawait/python_table.h: how the rows of tables are written, in C and in C++.
 *
 * Fields of a row that are not written are zero. In C, the fields that may follow the doc are designated initialisers:
 * `.cancel = CAW_PY_CANCEL_SHIELD`. C++ 17 has none. There such a field is CAW_SET(cancel, CAW_PY_CANCEL_SHIELD), which
 * can be used in C too.
 *
 *     static constexpr caw_py_async_def functions[] = {
 *         CAW_PY_ASYNC("add", add_start, add_result, "add(a, b)\n--\n\nTheir sum."),
 *         CAW_PY_ASYNC_O("store", store_start, nullptr, "store(x, /)\n--\n\nStore it.",
 *                        CAW_SET(cancel, CAW_PY_CANCEL_SHIELD), CAW_SET(error, store_error)),
 *         CAW_PY_ASYNC_END,
 *     };
 *
 * From C++ 17 on such a table is a constant: no code runs for it when the module is loaded. A start function that does
 * not match its macro does not compile.
 */
#ifndef CAWAIT_PYTHON_TABLE_H
#define CAWAIT_PYTHON_TABLE_H

#include "cawait/python_api.h"

#ifndef __cplusplus

#  define CAW_SET(field_, value_) .field_ = (value_)

#  define CAW__SPEC(spec_, name_, value_, ...) {name_, value_, .file = __FILE__, .line = __LINE__, .doc = __VA_ARGS__}
#  define CAW__ROW(start_type_, convention_, field_, start_, ...)                                                      \
      {.convention = convention_, .start = {.field_ = (start_)}, .spec = __VA_ARGS__}
#  define CAW__ROW_END                                                                                                 \
      {                                                                                                                \
          .spec = {.name = NULL }                                                                                      \
      }
#  define CAW__START_CONSTRUCTORS(start_type_)

#else

#  define CAW_SET(field_, value_) [](auto &spec_) { spec_.field_ = (value_); }

#  define CAW__SPEC(spec_, name_, value_, ...) caw__spec<spec_>(__FILE__, __LINE__, name_, value_, __VA_ARGS__)
#  define CAW__ROW(start_type_, convention_, field_, start_, ...)                                                      \
      {convention_, start_type_(static_cast<decltype(start_type_::field_)>(start_)), __VA_ARGS__}
#  define CAW__ROW_END                                                                                                 \
      {                                                                                                                \
      }

/* For a union whose first member is not the one to be set: C++ has constructors for that. */
#  define CAW__START_CONSTRUCTORS(start_type_)                                                                         \
      constexpr start_type_() : varargs(nullptr)                                                                       \
      {                                                                                                                \
      }                                                                                                                \
      explicit constexpr start_type_(decltype(varargs) function) : varargs(function)                                   \
      {                                                                                                                \
      }                                                                                                                \
      explicit constexpr start_type_(decltype(noargs) function) : noargs(function)                                     \
      {                                                                                                                \
      }                                                                                                                \
      explicit constexpr start_type_(decltype(o) function) : o(function)                                               \
      {                                                                                                                \
      }                                                                                                                \
      explicit constexpr start_type_(decltype(fastcall) function) : fastcall(function)                                 \
      {                                                                                                                \
      }                                                                                                                \
      explicit constexpr start_type_(decltype(frame) ops) : frame(ops)                                                 \
      {                                                                                                                \
      }

#  if __cplusplus >= 201703L
extern "C++" {

/* A spec: its place, its name and function, its doc, and whatever else is set. */
template <typename Spec, typename Name, typename Value, typename... Set>
constexpr Spec
caw__spec(const char *file, int line, Name set_name, Value set_value, const char *doc, Set... set)
{
    Spec spec = {};
    spec.file = file;
    spec.line = line;
    spec.doc = doc;
    set_name(spec);
    set_value(spec);
    (set(spec), ...);
    return spec;
}
}
#  endif

#endif
#endif
