/* test_sqlite.c: a connection of SQLite that one thread owns, from its opening to its close. Built where there is an
 * SQLite. */
#include "support/place.h"
#include "support/threads.h"

#include <sqlite3.h>

struct database {
    sqlite3 *connection;    /* of the thread of the serial, but for the interrupts */
    atomic_int in_progress; /* a query has done some work */
    int close_status;
};

static int
to_status(int code)
{
    return code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW ? 0
           : code == SQLITE_INTERRUPT                                     ? CAW_ECANCELED
                                                                          : CAW_EFAILED;
}

static int
note_progress(void *arg)
{
    struct database *db = arg;
    db->in_progress = 1;
    return 0;
}

static int
open_database(void *arg)
{
    struct database *db = arg;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(":memory:", &db->connection, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_progress_handler(db->connection, 1000, note_progress, db);
        code = sqlite3_exec(db->connection, "CREATE TABLE t (thread INTEGER, number INTEGER)", NULL, NULL, NULL);
    }
    return to_status(code);
}

static void
interrupt_database(void *arg)
{
    sqlite3_interrupt(((struct database *)arg)->connection);
}

/* With an error where a statement is left. */
static int
close_database(void *arg)
{
    struct database *db = arg;
    return db->close_status = to_status(sqlite3_close(db->connection));
}

static caw_serial *
opened(struct database *db)
{
    caw_serial_spec spec = {.capacity = 8, .interrupt = interrupt_database, .at_end = close_database, .user = db};
    caw_serial *serial;
    CHECK_INT(caw_serial_new(&spec, &serial), 0);
    caw_future *f = caw_blocking(serial, open_database, db, NULL);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    return serial;
}

/* A query: copied into its call, with its result. */
struct query {
    struct database *db;
    char sql[200];
    sqlite3_int64 result; /* the first column of the first row */
};

static int
run_query(void *arg)
{
    struct query *q = arg;
    sqlite3_stmt *statement = NULL;
    const char *rest = q->sql;
    int code = SQLITE_OK;
    while (*rest && (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)) {
        code = sqlite3_prepare_v2(q->db->connection, rest, -1, &statement, &rest);
        if (code == SQLITE_OK) {
            code = sqlite3_step(statement);
        }
        if (code == SQLITE_ROW) {
            q->result = sqlite3_column_int64(statement, 0);
        }
        (void)sqlite3_finalize(statement);
    }
    return to_status(code);
}

static caw_future *
new_query(caw_serial *serial, struct database *db, const char *sql)
{
    struct query q = {.db = db};
    CHECK(strlen(sql) < sizeof q.sql);
    strcpy(q.sql, sql);
    caw_future *f = caw_blocking_copy(serial, run_query, &q, sizeof q);
    CHECK(f);
    return f;
}

static sqlite3_int64
result_of(caw_future *f)
{
    CHECK_INT(caw_block_on(f), 0);
    sqlite3_int64 result = ((const struct query *)caw_blocking_arg(f))->result;
    caw_future_destroy(f);
    return result;
}

struct writer {
    caw_serial *serial;
    struct database *db;
};

static void *
insert_pairs(void *user)
{
    const struct writer *w = user;
    for (int i = 0; i < 100; i++) {
        (void)result_of(
            new_query(w->serial, w->db, "BEGIN; INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (1, -1); COMMIT;"));
        CHECK_INT(result_of(new_query(w->serial, w->db, "SELECT sum(number) FROM t")), 0);
    }
    return NULL;
}

static void
close_it(caw_serial *serial)
{
    caw_future *f = caw_serial_close(serial);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    caw_pool_release(serial);
}

static void
transactions_of_many_threads_are_not_mixed(void)
{
    struct database db = {.connection = NULL};
    struct writer w = {opened(&db), &db};
    pthread_t threads[4];
    start_threads(threads, 4, insert_pairs, &w);
    join_threads(threads, 4);
    CHECK_INT(result_of(new_query(w.serial, &db, "SELECT count(*) FROM t")), 800);
    close_it(w.serial);
}

static const char ENDLESS[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

static void
cancelled_query_is_interrupted_and_the_next_one_is_not(void)
{
    struct database db = {.connection = NULL};
    caw_serial *serial = opened(&db);
    for (int i = 0; i < 20; i++) {
        db.in_progress = 0;
        caw_future *endless = new_query(serial, &db, ENDLESS), *next = new_query(serial, &db, "SELECT 42");
        CHECK(poll_without_waker(endless, NULL) == CAW_PENDING);
        CHECK(poll_without_waker(next, NULL) == CAW_PENDING);
        while (!db.in_progress) {
            (void)usleep(100);
        }
        caw_future_cancel(endless);
        CHECK_INT(caw_block_on(endless), CAW_ECANCELED);
        caw_future_destroy(endless);
        CHECK_INT(result_of(next), 42);
    }
    close_it(serial);
}

static void
pool_close_interrupts_a_query_and_closes_the_connection(void)
{
    struct database db = {.close_status = -1};
    caw_serial *serial = opened(&db);
    caw_future *endless = new_query(serial, &db, ENDLESS);
    CHECK(poll_without_waker(endless, NULL) == CAW_PENDING);
    while (!db.in_progress) {
        (void)usleep(100);
    }
    caw_pool_close(serial);
    CHECK_INT(db.close_status, 0);
    CHECK_INT(caw_block_on(endless), CAW_ECANCELED);
    caw_future_destroy(endless);
    caw_pool_release(serial);
}

TESTS(TEST(transactions_of_many_threads_are_not_mixed), TEST(cancelled_query_is_interrupted_and_the_next_one_is_not),
      TEST(pool_close_interrupts_a_query_and_closes_the_connection))
