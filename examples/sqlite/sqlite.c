/* sqlite.c: a connection of SQLite that the tasks of a loop share, with transactions.
 *
 *     async with Connection("file") as connection:
 *         async with connection.transaction() as transaction:
 *             await transaction.execute("INSERT INTO t VALUES (?, ?)", (1, "one"))
 *         rows = await connection.execute("SELECT * FROM t")
 *
 * Compiled together with database.c, where the calls of SQLite are, and values.c:
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/sqlite/[dsv]*.c -lsqlite3 -o sqlite.so
 */
#include "values.h"

/* A statement by itself, or a transaction from its begin to its end, has the mutex, and the others wait. */
typedef struct connection {
    PyObject_HEAD
    database *db;
    caw_mutex mutex;
} connection;

typedef struct transaction {
    PyObject_HEAD
    connection *connection; /* a reference */
    caw_lock lock;          /* held from the begin to the end */
    bool entered;
} transaction;

/* --- a statement --- */

/* [statement] */
typedef struct statement {
    caw_async async;
    connection *connection; /* borrowed: the coroutine holds the connection, or the transaction that does */
    query *query;
    caw_lock own;
    caw_lock *lock; /* `own`, or that of the transaction */
} statement;

static void
statement_fini(statement *self)
{
    if (self->query && self->query->place == BEGINS) {
        caw_lock_release(self->lock); /* it has failed, or nobody took the transaction; the next one rolls it back */
    }
    query_release(self->query);
}

CAW_ASYNC_FUNCTION_FINI(statement, statement_fini)

static caw_step
statement_run(statement *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        if (self->query->place & BEGINS) {
            CAW_AWAIT_REF(caw_mutex_lock(self->lock, &self->connection->mutex));
        }
        else if (!caw_lock_is_held(self->lock)) {
            query_fail(self->query, "the transaction has ended");
            self->query->place = WITHIN; /* nothing to release */
            CAW_RETURN(CAW_EFAILED);
        }
        CAW_AWAIT_REF(query_on(self->query, self->connection->db));
    }
    CAW_FINALLY
    {
        if (self->query && self->query->place & ENDS && (self->lock == &self->own || caw_lock_is_held(self->lock))) {
            caw_lock_release(self->lock); /* a transaction's that is not held yet is its begin's, which waits for it */
        }
    }
}
/* [/statement] */

static PyObject *
statement_rows(caw_future *f)
{
    return query_rows(CAW_CONTAINER_OF(f, statement, async.future)->query);
}

static void
statement_error(caw_future *f, int status)
{
    const statement *self = CAW_CONTAINER_OF(f, statement, async.future);
    PyObject *module = PyType_GetModule(Py_TYPE(self->connection));
    PyObject *class_ = module ? PyObject_GetAttrString(module, "Error") : NULL;
    if (class_) {
        query_raise(self->query, status, class_);
        Py_DECREF(class_);
    }
}

static int
statement_parse(statement *self, query_place place, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sql", "parameters", NULL};
    const char *sql;
    PyObject *parameters = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|O:execute", names, &sql, &parameters)) {
        return -1;
    }
    self->query = query_from_python(place, sql, parameters);
    return self->query ? 0 : -1;
}

/* --- Connection --- */

static PyObject *
connection_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", NULL};
    PyObject *path;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&:Connection", names, PyUnicode_FSConverter, &path)) {
        return NULL;
    }
    connection *self = (connection *)type->tp_alloc(type, 0);
    int error = self ? database_new(PyBytes_AS_STRING(path), &self->db) : CAW_ENOMEM;
    Py_DECREF(path);
    if (error) {
        Py_XDECREF((PyObject *)self);
        return caw_py_set_error(error);
    }
    caw_mutex_init(&self->mutex);
    return (PyObject *)self;
}

static void
connection_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    database *db = ((connection *)object)->db;
    if (db) {
        database_release(db);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

static int
connection_execute(caw_async *frame, PyObject *self, PyObject *args, PyObject *kwargs)
{
    statement *s = CAW_CONTAINER_OF(frame, statement, async);
    s->connection = (connection *)self;
    s->lock = &s->own;
    return statement_parse(s, ALONE, args, kwargs);
}

/* Opens the file: an empty statement. */
static int
connection_enter(caw_async *frame, PyObject *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    statement *s = CAW_CONTAINER_OF(frame, statement, async);
    s->connection = (connection *)self;
    s->lock = &s->own;
    s->query = query_from_python(ALONE, "", Py_None);
    return s->query ? 0 : -1;
}

static PyObject *
connection_entered(caw_future *f)
{
    return Py_NewRef((PyObject *)CAW_CONTAINER_OF(f, statement, async.future)->connection);
}

static caw_future *
connection_exit(PyObject *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return caw_serial_close(((connection *)self)->db->serial);
}

static PyObject *
connection_transaction(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    PyObject *type = module ? PyObject_GetAttrString(module, "Transaction") : NULL;
    transaction *t = type ? (transaction *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0) : NULL;
    if (t) {
        t->connection = (connection *)Py_NewRef(self);
    }
    Py_XDECREF(type);
    return (PyObject *)t;
}

/* What the docs begin with: a type of each argument, and of the result. */
#define EXECUTE                                                                                                        \
    "execute($self, sql: str, parameters: Sequence[object] | None = None) "                                            \
    "-> list[tuple[Any, ...]]\n--\n\n"
#define ENTER(type_) "__aenter__($self) -> " type_ "\n--\n\n"
#define EXIT                                                                                                           \
    "__aexit__($self, type: type[BaseException] | None, value: BaseException | None, "                                 \
    "traceback: types.TracebackType | None, /) -> None\n--\n\n"

static const caw_py_async_def connection_async[] = {
    CAW_PY_ROUTINE("execute", statement, connection_execute, statement_rows,
                   EXECUTE "Run one statement; its rows. It waits until no transaction is open: inside of one it is "
                           "Transaction.execute.",
                   .error = statement_error),
    CAW_PY_ROUTINE("__aenter__", statement, connection_enter, connection_entered, ENTER("Connection"),
                   .error = statement_error),
    CAW_PY_ASYNC("__aexit__", connection_exit, NULL, EXIT, .cancel = CAW_PY_CANCEL_SHIELD),
    CAW_PY_ASYNC_END,
};

static PyMethodDef connection_methods[] = {
    {"transaction", connection_transaction, METH_NOARGS,
     "transaction($self)\n--\n\ntransaction() -> Transaction\n\n"
     "A transaction, for `async with`: committed at the end, rolled back by an exception."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot connection_slots[] = {
    {Py_tp_doc, "Connection(path)\n--\n\nConnection(path: str | os.PathLike[str])\n\n"
                "A connection of SQLite, for `async with`; tasks may share it."},
    {Py_tp_new, __extension__(void *) connection_new},
    {Py_tp_dealloc, __extension__(void *) connection_dealloc},
    {Py_tp_methods, connection_methods},
    {0, NULL},
};
static PyType_Spec connection_spec = {.name = "sqlite.Connection",
                                      .basicsize = sizeof(connection),
                                      .flags = Py_TPFLAGS_DEFAULT,
                                      .slots = connection_slots};

/* --- Transaction --- */

/* Nobody has awaited __aexit__: the thread rolls back, before the next one begins. */
static void
transaction_drop(transaction *self)
{
    query *q = query_new(ENDS, "", 0);
    if (q) { /* else the next one does it */
        (void)caw_future_poll(query_on(q, self->connection->db), &(caw_context){.waker = CAW_WAKER_NONE});
        query_release(q); /* it is queued, and runs all the same */
    }
}

static void
transaction_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    transaction *self = (transaction *)object;
    if (caw_lock_is_held(&self->lock)) {
        transaction_drop(self);
        caw_lock_release(&self->lock);
    }
    Py_DECREF((PyObject *)self->connection);
    type->tp_free(object);
    Py_DECREF(type);
}

static statement *
transaction_statement(caw_async *frame, PyObject *self)
{
    statement *s = CAW_CONTAINER_OF(frame, statement, async);
    s->connection = ((transaction *)self)->connection;
    s->lock = &((transaction *)self)->lock;
    return s;
}

static int
transaction_enter(caw_async *frame, PyObject *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    statement *s = transaction_statement(frame, self);
    if (((transaction *)self)->entered) {
        PyErr_SetString(PyExc_RuntimeError, "a transaction is entered once");
        return -1;
    }
    ((transaction *)self)->entered = true;
    s->query = query_from_python(BEGINS, "BEGIN", Py_None);
    return s->query ? 0 : -1;
}

static PyObject *
transaction_entered(caw_future *f)
{
    statement *s = CAW_CONTAINER_OF(f, statement, async.future);
    s->query->place = WITHIN; /* taken: the lock is not released with the frame */
    return Py_NewRef((PyObject *)CAW_CONTAINER_OF(s->lock, transaction, lock));
}

static int
transaction_execute(caw_async *frame, PyObject *self, PyObject *args, PyObject *kwargs)
{
    return statement_parse(transaction_statement(frame, self), WITHIN, args, kwargs);
}

static int
transaction_exit(caw_async *frame, PyObject *self, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    statement *s = transaction_statement(frame, self);
    PyObject *raised, *value, *traceback;
    if (!PyArg_ParseTuple(args, "OOO:__aexit__", &raised, &value, &traceback)) {
        return -1;
    }
    /* What is not committed is rolled back at the end of a transaction: the end of the empty statement, too. */
    s->query = query_from_python(ENDS, raised == Py_None ? "COMMIT" : "", Py_None);
    return s->query ? 0 : -1;
}

static const caw_py_async_def transaction_async[] = {
    CAW_PY_ROUTINE("execute", statement, transaction_execute, statement_rows,
                   EXECUTE "Run one statement of the transaction; its rows.", .error = statement_error),
    CAW_PY_ROUTINE("__aenter__", statement, transaction_enter, transaction_entered, ENTER("Transaction"),
                   .error = statement_error),
    CAW_PY_ROUTINE("__aexit__", statement, transaction_exit, NULL, EXIT, .error = statement_error,
                   .cancel = CAW_PY_CANCEL_SHIELD),
    CAW_PY_ASYNC_END,
};

static PyType_Slot transaction_slots[] = {
    {Py_tp_doc, "What Connection.transaction() gives."},
    {Py_tp_dealloc, __extension__(void *) transaction_dealloc},
    {0, NULL},
};
static PyType_Spec transaction_spec = {.name = "sqlite.Transaction",
                                       .basicsize = sizeof(transaction),
                                       .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                       .slots = transaction_slots};

/* --- the module --- */

static int
add_type(PyObject *module, PyType_Spec *spec, const caw_py_async_def *methods)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    bool failed = !type || caw_py_add_methods(module, (PyTypeObject *)type, methods) < 0 ||
                  PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static int
sqlite_exec(PyObject *module)
{
    PyObject *error = PyErr_NewExceptionWithDoc("sqlite.Error", "What SQLite says.", NULL, NULL);
    int failed = error ? PyModule_AddObjectRef(module, "Error", error) : -1;
    Py_XDECREF(error);
    return failed || add_type(module, &connection_spec, connection_async) < 0 ||
                   add_type(module, &transaction_spec, transaction_async) < 0
               ? -1
               : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) sqlite_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "sqlite", .m_slots = slots};

PyMODINIT_FUNC
PyInit_sqlite(void)
{
    return PyModuleDef_Init(&definition);
}
