/* connection_pool.c: some connections of SQLite to one file, and any number of tasks that use them: a semaphore says
 * how many are idle, and a once does what comes before the first use. A task that is cancelled while it waits, or while
 * its statement runs, leaves the connection to the others.
 *
 * Compiled together with the connection of the example sqlite:
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/connection_pool/connection_pool.c \
 *         examples/sqlite/database.c examples/sqlite/values.c -lsqlite3 -o connection_pool.so
 */
#include "../sqlite/values.h"

typedef struct place {
    database *db;
    atomic_bool taken;
} place;

enum { MOST = 64 };

typedef struct pool {
    PyObject_HEAD
    caw_semaphore idle; /* a permit is taken before its place, and given back after it */
    caw_once prepared;
    PyObject *prepare; /* a str: what is done once */
    char error[200];   /* what SQLite says where that fails */
    int n;
    place places[MOST];
} pool;

/* [execute] */
typedef struct execute {
    caw_async async;
    pool *pool; /* borrowed: the coroutine holds it */
    query *query;
    caw_once_op once;
    caw_permit permit;
    place *place;
} execute;

static void
execute_fini(execute *self)
{
    query_release(self->query);
}

CAW_ASYNC_FUNCTION_FINI(execute, execute_fini)

static place *
pool_take(pool *p)
{
    for (int i = 0;; i = (i + 1) % p->n) { /* whoever has a permit finds one */
        if (!atomic_exchange(&p->places[i].taken, true)) {
            return &p->places[i];
        }
    }
}

static int
prepare_ended(void *user, caw_future *done)
{
    pool *p = user;
    const query *q = CAW_CONTAINER_OF(done, const query, work.promise.future);
    (void)snprintf(p->error, sizeof p->error, "%s", q->error ? q->error : "");
    return done->status;
}

/* What is done once, by the first task; if it fails, or that task is cancelled, by the next one. */
static caw_future *
pool_prepare(void *user)
{
    pool *p = user;
    query *q = query_new(ALONE, PyUnicode_AsUTF8(p->prepare), 0);
    return q ? caw_map(query_on(q, p->places[0].db), prepare_ended, p, NULL) : NULL;
}

static caw_step
execute_run(execute *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_once_do(&self->once, &self->pool->prepared, pool_prepare, self->pool));
        CAW_AWAIT_REF(caw_semaphore_acquire(&self->permit, &self->pool->idle, 1));
        self->place = pool_take(self->pool);
        CAW_AWAIT_REF(query_on(self->query, self->place->db));
    }
    CAW_FINALLY
    {
        if (self->place) {
            self->place->taken = false; /* a statement that still runs there is stopped, and the next one waits */
        }
        caw_permit_release(&self->permit); /* last: whoever gets it finds a place */
    }
}
/* [/execute] */

static PyObject *
execute_rows(caw_future *f)
{
    return query_rows(CAW_CONTAINER_OF(f, execute, async.future)->query);
}

static void
execute_error(caw_future *f, int status)
{
    const execute *self = CAW_CONTAINER_OF(f, execute, async.future);
    if (status == CAW_EFAILED && !self->query->error) {
        query_fail(self->query, self->pool->error);
    }
    query_raise(self->query, status, PyExc_RuntimeError);
}

static int
execute_arguments(caw_async *frame, PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sql", "parameters", NULL};
    execute *e = CAW_CONTAINER_OF(frame, execute, async);
    const char *sql;
    PyObject *parameters = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|O:execute", names, &sql, &parameters)) {
        return -1;
    }
    e->pool = (pool *)self;
    e->query = query_from_python(ALONE, sql, parameters);
    return e->query ? 0 : -1;
}

static const caw_py_async_def methods[] = {
    CAW_PY_ROUTINE("execute", execute, execute_arguments, execute_rows,
                   "execute($self, sql, parameters=None)\n--\n\nRun one statement on a connection that is idle; its "
                   "rows.",
                   .error = execute_error),
    CAW_PY_ASYNC_END,
};

/* --- Pool --- */

static int
pool_init(pool *p, const char *path, int n)
{
    int error = 0;
    caw_semaphore_init(&p->idle, (size_t)n);
    caw_once_init(&p->prepared);
    for (; p->n < n && error == 0; p->n += error == 0) {
        error = database_new(path, &p->places[p->n].db);
    }
    return error;
}

static PyObject *
pool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", "size", "prepare", NULL};
    PyObject *path, *prepare = NULL;
    int n = 4;
    const char *sql;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|iU:Pool", names, PyUnicode_FSConverter, &path, &n, &prepare)) {
        return NULL;
    }
    pool *self = NULL;
    prepare = prepare ? Py_NewRef(prepare) : PyUnicode_FromString("");
    sql = prepare ? PyUnicode_AsUTF8(prepare) : NULL;
    if (sql && (n < 1 || n > MOST)) {
        PyErr_Format(PyExc_ValueError, "a pool has 1 to %d connections", MOST);
    }
    else if (sql && (self = (pool *)type->tp_alloc(type, 0))) {
        self->prepare = Py_NewRef(prepare);
        int error = pool_init(self, PyBytes_AS_STRING(path), n);
        if (error) {
            Py_CLEAR(self);
            (void)caw_py_set_error(error);
        }
    }
    Py_DECREF(path);
    Py_XDECREF(prepare);
    return (PyObject *)self;
}

static void
pool_dealloc(PyObject *object)
{
    pool *self = (pool *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (int i = 0; i < self->n; i++) {
        database_release(self->places[i].db);
    }
    Py_XDECREF(self->prepare);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot pool_slots[] = {
    {Py_tp_doc, "Pool(path, size=4, prepare='')\n--\n\nSo many connections to a file; before the first use a statement "
                "that prepares it."},
    {Py_tp_new, __extension__(void *) pool_new},
    {Py_tp_dealloc, __extension__(void *) pool_dealloc},
    {0, NULL},
};
static PyType_Spec pool_spec = {
    .name = "connection_pool.Pool", .basicsize = sizeof(pool), .flags = Py_TPFLAGS_DEFAULT, .slots = pool_slots};

static int
connection_pool_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &pool_spec, NULL);
    bool failed = !type || caw_py_add_methods(module, (PyTypeObject *)type, methods) < 0 ||
                  PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) connection_pool_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "connection_pool", .m_slots = slots};

PyMODINIT_FUNC
PyInit_connection_pool(void)
{
    return PyModuleDef_Init(&definition);
}
