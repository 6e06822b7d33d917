/* all.c: all of many futures, or the first of them. What is common to them is in many.c. */
#include "core/combine/many.h"

static int
many_status_of(const caw__many *m, size_t i)
{
    return m->children[i].future->status;
}

/* This child decides. */
static void
many_won(caw__many *m, size_t i)
{
    int status = many_status_of(m, i);
    m->winner = i;
    caw__many_decide(m, status, status < 0 ? caw__noted(status) : NULL);
}

/* --- all --- */

static void
all_ended(caw__many *m, size_t i)
{
    int status = many_status_of(m, i);
    if (status >= 0 || m->decided) {
        return;
    }
    if (m->combined.cancelled) {
        m->missed = true;
        return;
    }
    caw__many_decide(m, status, caw__noted(status));
}

static int
all_status(const caw__many *m)
{
    if (m->decided) {
        return m->status;
    }
    return m->combined.cancelled && m->missed ? CAW_ECANCELED : 0;
}

static const caw__many_kind all_kind = {
    CAW__MANY_OPS("all", caw__combined_cancel), CAW__MANY_OPS("all", NULL), 0, all_ended, all_status,
};

caw_future *
caw_all_array(caw_future *const *children, size_t n)
{
    return caw__many_new(&all_kind, children, n);
}

/* --- race --- */

static void
race_ended(caw__many *m, size_t i)
{
    if (!m->decided && (!m->combined.cancelled || many_status_of(m, i) >= 0)) {
        many_won(m, i);
    }
}

static int
race_status(const caw__many *m)
{
    if (m->n == 0) {
        return CAW_EINVAL;
    }
    return m->decided ? m->status : CAW_ECANCELED;
}

static const caw__many_kind race_kind = {
    CAW__MANY_OPS("race", caw__combined_cancel), CAW__MANY_OPS("race", NULL), 0, race_ended, race_status,
};

caw_future *
caw_race_array(caw_future *const *children, size_t n)
{
    return caw__many_new(&race_kind, children, n);
}

/* --- any --- */

static void
any_ended(caw__many *m, size_t i)
{
    int status = many_status_of(m, i);
    if (m->decided) {
        return;
    }
    if (status >= 0) {
        many_won(m, i);
    }
    else {
        caw__many_keep(m, status, caw__noted(status)); /* the last error, so far */
    }
}

static int
any_status(const caw__many *m)
{
    if (m->n == 0) {
        return CAW_EINVAL;
    }
    return m->combined.cancelled && !m->decided ? CAW_ECANCELED : m->status;
}

static const caw__many_kind any_kind = {
    CAW__MANY_OPS("any", caw__combined_cancel), CAW__MANY_OPS("any", NULL), 0, any_ended, any_status,
};

caw_future *
caw_any_array(caw_future *const *children, size_t n)
{
    return caw__many_new(&any_kind, children, n);
}

size_t
caw_race_winner(const caw_future *race)
{
    const caw__many *m = caw__many_of(race);
    return m ? m->winner : SIZE_MAX;
}
