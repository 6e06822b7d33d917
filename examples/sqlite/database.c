/* database.c: a connection of SQLite on a serial: all calls for it, from the opening to the close, are made by one
 * thread, one after another. */
#include "database.h"

#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 1000,  /* so many instructions of SQLite between two looks at whether a statement is still wanted */
    LOCKED = 5000, /* so many milliseconds it waits where another connection has the file */
};

/* --- the connection --- */

static void
database_drop(database *db)
{
    if (atomic_fetch_sub(&db->references, 1) == 1) {
        free(db);
    }
}

static int
database_end(void *user) /* the last thing on the thread */
{
    database *db = user;
    int code = sqlite3_close(db->sqlite); /* rolls back what is open */
    database_drop(db);
    return code == SQLITE_OK ? 0 : CAW_EFAILED;
}

int
database_new(const char *path, database **out)
{
    size_t size = strlen(path) + 1;
    database *db = *out = calloc(1, sizeof *db + size);
    if (!db) {
        return CAW_ENOMEM;
    }
    memcpy(db->path, path, size);
    db->references = 2;
    caw_serial_spec spec = {.at_end = database_end, .user = db};
    int error = caw_serial_new(&spec, &db->serial);
    if (error) {
        free(db);
        *out = NULL;
    }
    return error;
}

void
database_release(database *db)
{
    caw_pool_release(db->serial);
    database_drop(db);
}

/* --- what the thread does --- */

static int
stop_unwanted(void *user) /* called by SQLite in the middle of a statement; not 0: stop */
{
    const database *db = user;
    return db->running && caw_work_cancelled(db->running);
}

static int
wait_for_others(void *user, int n) /* called by SQLite where another connection has the file; 0: give up */
{
    (void)sqlite3_sleep(1);
    return n < LOCKED && !stop_unwanted(user);
}

static int
database_open(query *q)
{
    database *db = q->db;
    if (db->sqlite) {
        return SQLITE_OK;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(db->path, &db->sqlite, flags, NULL);
    if (code != SQLITE_OK) {
        query_fail(q, sqlite3_errmsg(db->sqlite));
        (void)sqlite3_close(db->sqlite);
        db->sqlite = NULL;
        return code;
    }
    sqlite3_progress_handler(db->sqlite, STEPS, stop_unwanted, db);
    return sqlite3_busy_handler(db->sqlite, wait_for_others, db);
}

static void
database_roll_back(database *db)
{
    if (!sqlite3_get_autocommit(db->sqlite)) {
        (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    }
}

static int
query_bind(const query *q, sqlite3_stmt *statement)
{
    int code = SQLITE_OK;
    for (int i = 0; i < q->n_parameters && code == SQLITE_OK; i++) {
        const parameter *p = &q->parameters[i];
        switch (p->type) {
        case SQLITE_INTEGER:
            code = sqlite3_bind_int64(statement, i + 1, p->integer);
            break;
        case SQLITE_FLOAT:
            code = sqlite3_bind_double(statement, i + 1, p->real);
            break;
        case SQLITE_TEXT: /* static: it lives longer than the statement */
            code = sqlite3_bind_text64(statement, i + 1, p->bytes, p->size, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case SQLITE_BLOB:
            code = sqlite3_bind_blob64(statement, i + 1, p->bytes, p->size, SQLITE_STATIC);
            break;
        default:
            code = sqlite3_bind_null(statement, i + 1);
        }
    }
    return code;
}

static int
query_add_row(query *q, sqlite3_stmt *statement)
{
    size_t n = (size_t)q->n_columns;
    if (q->n_cells + n > q->room) {
        size_t room = 2 * q->room + n;
        sqlite3_value **cells = realloc(q->cells, room * sizeof(sqlite3_value *));
        if (!cells) {
            return SQLITE_NOMEM;
        }
        q->cells = cells;
        q->room = room;
    }
    for (int i = 0; i < q->n_columns; i++) {
        sqlite3_value *copy = sqlite3_value_dup(sqlite3_column_value(statement, i));
        if (!copy) {
            return SQLITE_NOMEM;
        }
        q->cells[q->n_cells++] = copy;
    }
    return SQLITE_OK;
}

static int
query_step(query *q, sqlite3_stmt *statement)
{
    if (sqlite3_bind_parameter_count(statement) != q->n_parameters) {
        query_fail(q, "the number of parameters is not that of the statement");
        return SQLITE_MISUSE;
    }
    int code = query_bind(q, statement);
    q->n_columns = sqlite3_column_count(statement);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        code = query_add_row(q, statement);
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Whether only comments and empty statements are left. */
static bool
is_all(sqlite3 *sqlite, const char *rest)
{
    bool all = true;
    while (all && *rest) {
        sqlite3_stmt *next = NULL;
        all = sqlite3_prepare_v2(sqlite, rest, -1, &next, &rest) == SQLITE_OK && !next;
        (void)sqlite3_finalize(next);
    }
    return all;
}

/* Run the statement that its text is. A code of SQLite. */
static int
query_execute(query *q)
{
    database *db = q->db;
    sqlite3_stmt *statement = NULL;
    const char *rest;
    db->running = &q->work; /* from now on a cancel is heard, also where another connection has the file */
    int code = sqlite3_prepare_v2(db->sqlite, q->sql, -1, &statement, &rest);
    if (code == SQLITE_OK && !is_all(db->sqlite, rest)) {
        query_fail(q, "more than one statement");
        code = SQLITE_MISUSE;
    }
    if (code == SQLITE_OK && statement) { /* NULL: the text is empty */
        code = query_step(q, statement);
    }
    db->running = NULL;
    if (code != SQLITE_OK && !q->error) {
        query_fail(q, sqlite3_errmsg(db->sqlite));
    }
    (void)sqlite3_finalize(statement); /* returns `code` once more */
    return code;
}

static int
query_all(query *q)
{
    int code = database_open(q);
    if (code != SQLITE_OK) {
        return code;
    }
    if (q->place & BEGINS) {
        database_roll_back(q->db); /* what somebody began who was cancelled before he knew */
    }
    else if (q->place == WITHIN && sqlite3_get_autocommit(q->db->sqlite)) {
        query_fail(q, "there is no transaction any more"); /* SQLite rolls back after some failures */
        return SQLITE_ABORT;
    }
    code = query_execute(q);
    if (q->place & ENDS) {
        database_roll_back(q->db); /* where there was no COMMIT, or it has failed */
    }
    return code;
}

static int
query_run(caw_work *w)
{
    int code = query_all(CAW_CONTAINER_OF(w, query, work));
    if (code == SQLITE_OK) {
        return 0;
    }
    return caw_work_cancelled(w) ? CAW_ECANCELED : code == SQLITE_NOMEM ? CAW_ENOMEM : CAW_EFAILED;
}

/* --- statements --- */

static void
query_free(caw_work *w) /* on any thread */
{
    query *q = CAW_CONTAINER_OF(w, query, work);
    for (int i = 0; i < q->n_parameters; i++) {
        free(q->parameters[i].bytes);
    }
    for (size_t i = 0; i < q->n_cells; i++) {
        sqlite3_value_free(q->cells[i]);
    }
    free(q->parameters);
    free((void *)q->cells);
    sqlite3_free(q->error);
    free(q);
}

query *
query_new(query_place place, const char *sql, int n_parameters)
{
    size_t size = strlen(sql) + 1;
    query *q = calloc(1, sizeof *q + size);
    parameter *parameters = q ? calloc((size_t)n_parameters + 1, sizeof *parameters) : NULL;
    if (!parameters) {
        free(q);
        return NULL;
    }
    q->place = place;
    q->parameters = parameters;
    q->n_parameters = n_parameters;
    memcpy(q->sql, sql, size);
    return q;
}

caw_future *
query_on(query *q, database *db)
{
    q->db = db;
    caw_work_init(&q->work, db->serial, query_run, query_free);
    return &q->work.promise.future;
}

void
query_fail(query *q, const char *reason)
{
    sqlite3_free(q->error);
    q->error = sqlite3_mprintf("%s", reason);
}

void
query_release(query *q)
{
    if (q && q->db) {
        caw_future_destroy(&q->work.promise.future);
    }
    else if (q) {
        query_free(&q->work);
    }
}
