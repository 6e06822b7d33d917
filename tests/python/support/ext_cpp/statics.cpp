/* statics.cpp: an extension whose static object calls on the pool use while exit() destroys it. */
#include <cawait.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace {

/* What a worker does with it after its destruction ends the process with a signal. */
class table {
  public:
    ~table()
    {
        {
            std::lock_guard<std::mutex> guard(lock);
            destroyed = true;
            numbers.clear();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(30)); /* others have more to destroy */
    }

    void count(const std::string &key)
    {
        std::lock_guard<std::mutex> guard(lock);
        if (destroyed) {
            std::abort();
        }
        numbers[key]++;
    }

  private:
    std::mutex lock;
    std::map<std::string, long> numbers;
    bool destroyed = false;
};

table counts;

struct counting {
    caw_work work;
    bool heeds, sleeps;
};

int
counting_run(caw_work *w)
{
    auto *c = reinterpret_cast<counting *>(w);
    while (!(c->heeds && caw_work_cancelled(w))) {
        counts.count("some key that is not short");
        if (c->sleeps) {
            std::this_thread::sleep_for(std::chrono::hours(1));
        }
    }
    return CAW_ECANCELED;
}

void
counting_free(caw_work *w)
{
    delete reinterpret_cast<counting *>(w);
}

/* count(how): "heeds" until it is cancelled, "endless" for ever, "sleeps" once and then not for long */
caw_future *
count_start(PyObject *, PyObject *how)
{
    const char *text = PyUnicode_AsUTF8(how);
    if (!text) {
        return nullptr;
    }
    auto *c = new counting{};
    c->heeds = std::string(text) == "heeds";
    c->sleeps = std::string(text) == "sleeps";
    caw_work_init(&c->work, nullptr, counting_run, counting_free);
    return &c->work.promise.future;
}

constexpr caw_py_async_def functions[] = {
    CAW_PY_ASYNC_O("count", count_start, nullptr, nullptr, CAW_SET(cancel, CAW_PY_CANCEL_DETACH)),
    CAW_PY_ASYNC_END,
};

int
module_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

PyModuleDef_Slot module_slots[] = {{Py_mod_exec, reinterpret_cast<void *>(module_exec)}, {0, nullptr}};

PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "_cawait_test_statics", nullptr, 0, nullptr, module_slots, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC
PyInit__cawait_test_statics(void)
{
    return PyModuleDef_Init(&module_def);
}
