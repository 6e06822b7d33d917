/* database.h: a connection of SQLite that a thread of its own owns, and statements for it, each a future. No Python in
 * it.
 *
 *     database *db;
 *     int error = database_new("file", &db);                      // the first statement opens the file
 *     query *q = query_new(ALONE, "SELECT 1", 0);
 *     ...await query_on(q, db); then the rows are in q->cells, or the reason is in q->error...
 *     query_release(q);
 *     database_release(db);                                       // does not wait: the thread closes the file
 */
#ifndef EXAMPLE_DATABASE_H
#define EXAMPLE_DATABASE_H

#include <cawait.h>

#include <sqlite3.h>
#include <stdatomic.h>

typedef struct database {
    caw_serial *serial;
    atomic_int references; /* the owner, and the thread */
    sqlite3 *sqlite;       /* the thread's alone, and so is the next one */
    caw_work *running;     /* or NULL */
    char path[];
} database;

/* Where a statement stands: in a transaction that is open, at its beginning, at its end; or by itself, as both. */
typedef enum query_place { WITHIN = 0, BEGINS = 1, ENDS = 2, ALONE = BEGINS | ENDS } query_place;

typedef struct parameter {
    int type; /* SQLITE_NULL, SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT or SQLITE_BLOB */
    sqlite3_int64 integer;
    double real;
    char *bytes; /* of the last two types; owned */
    sqlite3_uint64 size;
} parameter;

/* Until its future is polled it is the caller's, and again when that has ended; in between it is the thread's. */
typedef struct query {
    caw_work work;
    database *db; /* borrowed; NULL at first */
    query_place place;
    int n_parameters, n_columns;
    parameter *parameters;
    sqlite3_value **cells; /* row after row */
    size_t n_cells, room;
    char *error; /* what SQLite says, or NULL */
    char sql[];
} query;

int database_new(const char *path, database **out); /* 0 or an error */
void database_release(database *db);

query *query_new(query_place place, const char *sql, int n_parameters); /* NULL: out of memory */
caw_future *query_on(query *q, database *db);                           /* its future, which is destroyed with it */
void query_fail(query *q, const char *reason);
void query_release(query *q); /* in any state: a cancel, where it runs; NULL is allowed */

#endif
