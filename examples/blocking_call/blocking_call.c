/* blocking_call.c: a call that blocks, awaited from Python.
 *
 * getpwnam_r() looks a user up in the machine's database, which may be a file or a server far away. There is only this
 * form of it, which blocks. The pool calls it on a worker.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/blocking_call/blocking_call.c -o blocking_call.so
 */
#include <cawait.h>

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* One lookup. It cannot be interrupted. If its awaiter is cancelled, the awaiter goes on at once, and the lookup ends
 * by itself, in memory of its own. */
typedef struct lookup {
    struct passwd entry; /* its strings are in `text` */
    char text[8192];     /* what glibc itself reserves is 1024 */
    char name[];
} lookup;

/* [lookup] */
static int
lookup_run(void *arg) /* on a worker, without the GIL */
{
    lookup *l = arg;
    struct passwd *found = NULL;
    int error = getpwnam_r(l->name, &l->entry, l->text, sizeof l->text, &found);
    return error ? -error : found ? 0 : -ENOENT;
}

static caw_future *
user_start(PyObject *Py_UNUSED(module), PyObject *name)
{
    PyObject *encoded = NULL;
    if (!PyUnicode_FSConverter(name, &encoded)) { /* user names are bytes, as file names are */
        return NULL;
    }
    size_t size = (size_t)PyBytes_GET_SIZE(encoded) + 1;
    lookup *l = malloc(sizeof *l + size);
    if (l) {
        memcpy(l->name, PyBytes_AS_STRING(encoded), size);
    }
    Py_DECREF(encoded);
    return l ? caw_blocking(NULL, lookup_run, l, free) : NULL; /* the default pool; a NULL is a MemoryError */
}
/* [/lookup] */

static PyObject *
user_result(caw_future *f)
{
    const lookup *l = caw_blocking_arg(f);
    PyObject *uid = PyLong_FromUnsignedLong(l->entry.pw_uid);
    PyObject *home = PyUnicode_DecodeFSDefault(l->entry.pw_dir);
    PyObject *shell = PyUnicode_DecodeFSDefault(l->entry.pw_shell);
    PyObject *result = uid && home && shell ? PyTuple_Pack(3, uid, home, shell) : NULL;
    Py_XDECREF(uid);
    Py_XDECREF(home);
    Py_XDECREF(shell);
    return result;
}

/* Our own exception where OSError would say too little; it is what pwd.getpwnam() raises. */
static void
user_error(caw_future *f, int status)
{
    const lookup *l = caw_blocking_arg(f);
    PyObject *name = status == -ENOENT ? PyUnicode_DecodeFSDefault(l->name) : NULL;
    if (name) {
        PyErr_Format(PyExc_KeyError, "user not found: %R", name);
        Py_DECREF(name);
    }
    else if (!PyErr_Occurred()) {
        caw_py_set_error(status);
    }
}

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC_O("user", user_start, user_result,
                   "user(name: str, /) -> tuple[int, str, str]\n--\n\n"
                   "(uid, home, shell) of a user; KeyError when there is none of that name.",
                   .error = user_error, .sync_name = "user_now"), /* the same for code that is not async */
    CAW_PY_ASYNC_END,
};

static int
blocking_call_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) blocking_call_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "blocking_call", .m_slots = slots};

PyMODINIT_FUNC
PyInit_blocking_call(void)
{
    return PyModuleDef_Init(&definition);
}
