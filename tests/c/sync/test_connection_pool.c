/* test_connection_pool.c: a pool of connections as an author would write it: a semaphore for how many there are, and a
 * mutex for the list of those that are idle. A wait for a connection that is cancelled leaves it to the others. */
#include "support/place.h"
#include "support/threads.h"

typedef struct connection {
    struct connection *next; /* while it is idle */
    int users;               /* of one at a time: plain memory */
    int requests;
} connection;

#define CONNECTIONS 3

typedef struct connections {
    caw_semaphore free; /* as many permits as `idle` is long, but for those who are about to take or put one */
    caw_mutex mutex;    /* for `idle` */
    connection *idle;
    connection all[CONNECTIONS];
} connections;

static void
connections_init(connections *pool)
{
    memset(pool, 0, sizeof *pool);
    caw_semaphore_init(&pool->free, CONNECTIONS);
    caw_mutex_init(&pool->mutex);
    for (int i = 0; i < CONNECTIONS; i++) {
        pool->all[i].next = pool->idle;
        pool->idle = &pool->all[i];
    }
}

static void
connections_fini(connections *pool)
{
    caw_semaphore_fini(&pool->free);
    caw_mutex_fini(&pool->mutex);
}

/* A connection from the pool: ready with 0 and `connection`. To destroy it gives the connection back. */
typedef struct checkout {
    caw_async async;
    connections *pool;
    caw_permit permit;
    caw_lock lock;
    connection *connection; /* true once ready with 0 */
} checkout;

static void
checkout_fini(checkout *self)
{
    caw_lock_release(&self->lock);
    if (self->connection) {
        caw_lock lock;
        /* Nobody has the mutex for longer than a poll, so this sleeps briefly or not at all. */
        CHECK_INT(caw_block_on(caw_mutex_lock(&lock, &self->pool->mutex)), 0);
        self->connection->next = self->pool->idle;
        self->pool->idle = self->connection;
        caw_lock_release(&lock);
    }
    caw_permit_release(&self->permit); /* last: whoever has a permit finds a connection in the list */
}

CAW_ASYNC_FUNCTION_FINI(checkout, checkout_fini)

static caw_step
checkout_run(checkout *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_REF(caw_semaphore_acquire(&self->permit, &self->pool->free, 1));
        CAW_AWAIT_REF(caw_mutex_lock(&self->lock, &self->pool->mutex));
        self->connection = self->pool->idle;
        self->pool->idle = self->connection->next;
        caw_lock_release(&self->lock);
    }
}

static caw_future *
connections_get(checkout *c, connections *pool)
{
    return CAW_ASYNC_CALL(c, checkout, .pool = pool);
}

static void
use(checkout *c)
{
    CHECK(c->connection);
    CHECK_INT(c->connection->users++, 0);
    c->connection->requests++;
    CHECK_INT(--c->connection->users, 0);
}

static void
check_is_whole(connections *pool)
{
    int n = 0;
    for (const connection *one = pool->idle; one; one = one->next) {
        n++;
    }
    CHECK_INT(n, CONNECTIONS);
    CHECK_INT(caw_semaphore_available(&pool->free), CONNECTIONS);
}

static void
cancelled_waiter_leaves_the_connection_to_the_next(void)
{
    for (int given = 0; given < 2; given++) {
        connections pool;
        checkout have[CONNECTIONS], leaves, next;
        counter c[2] = {{0}};
        connections_init(&pool);
        for (int i = 0; i < CONNECTIONS; i++) {
            CHECK_INT(caw_block_on(connections_get(&have[i], &pool)), 0);
        }
        CHECK(poll_at(connections_get(&leaves, &pool), NULL, &c[0]) == CAW_PENDING);
        CHECK(poll_at(connections_get(&next, &pool), NULL, &c[1]) == CAW_PENDING);
        if (given) {
            caw_future_destroy(&have[0].async.future); /* it is for `leaves`, which has not seen it yet */
            CHECK_INT(c[0].wakes, 1);
        }
        caw_future_cancel(&leaves.async.future);
        CHECK_INT(status_at(&leaves.async.future, NULL, &c[0]), CAW_ECANCELED);
        if (!given) {
            caw_future_destroy(&have[0].async.future);
        }
        CHECK_INT(c[1].wakes, 1);
        CHECK_INT(status_at(&next.async.future, NULL, &c[1]), 0);
        use(&next);
        caw_future_destroy(&leaves.async.future);
        caw_future_destroy(&next.async.future);
        caw_future_destroy(&have[1].async.future);
        caw_future_destroy(&have[2].async.future);
        check_is_whole(&pool);
        CHECK_INT(c[0].references + c[1].references, 0);
        connections_fini(&pool);
    }
}

static void
pool_that_ends_lets_its_waiters_go(void)
{
    connections pool;
    checkout have[CONNECTIONS], waiting;
    counter c = {0, 0};
    connections_init(&pool);
    for (int i = 0; i < CONNECTIONS; i++) {
        CHECK_INT(caw_block_on(connections_get(&have[i], &pool)), 0);
    }
    CHECK(poll_at(connections_get(&waiting, &pool), NULL, &c) == CAW_PENDING);
    caw_semaphore_fini(&pool.free);
    CHECK_INT(status_at(&waiting.async.future, NULL, &c), CAW_ECLOSED);
    caw_future_destroy(&waiting.async.future);
    for (int i = 0; i < CONNECTIONS; i++) {
        caw_future_destroy(&have[i].async.future);
    }
    caw_mutex_fini(&pool.mutex);
    CHECK_INT(c.references, 0);
}

static void *
make_requests(void *user)
{
    connections *pool = user;
    for (int i = 0; i < 3000; i++) {
        checkout c;
        caw_future *f = connections_get(&c, pool);
        int status = caw_block_on_for(f, (uint64_t)(i % 7) * 1000);
        if (status == CAW_ETIMEDOUT && i % 2) {
            caw_future_cancel(f);
            status = caw_block_on(f);
        }
        CHECK(status == 0 || status == CAW_ECANCELED || status == CAW_ETIMEDOUT);
        if (status == 0) {
            use(&c);
        }
        caw_future_destroy(f);
    }
    return NULL;
}

static void
impatient_threads_leave_every_connection_usable(void)
{
    connections pool;
    pthread_t threads[6];
    connections_init(&pool);
    start_threads(threads, 6, make_requests, &pool);
    join_threads(threads, 6);
    check_is_whole(&pool);
    connections_fini(&pool);
}

TESTS(TEST(cancelled_waiter_leaves_the_connection_to_the_next), TEST(pool_that_ends_lets_its_waiters_go),
      TEST(impatient_threads_leave_every_connection_usable))
