/* test_destroy_order.c: what is inside a combined future goes before what it may use, whatever kinds they are. */
#include "support/place.h"

/* The order in which things were destroyed: one letter each. */
static char order[16];

static void
note(char letter)
{
    size_t length = strlen(order);
    CHECK(length + 1 < sizeof order);
    order[length] = letter;
    order[length + 1] = '\0';
}

/* A future that is ready, or never is. */
typedef struct leaf {
    caw_future future;
    char letter;
    bool is_ready;
    caw_group *group; /* used when it is destroyed; or NULL */
} leaf;

static caw_poll
leaf_poll(caw_future *f, caw_context *cx)
{
    (void)cx;
    return CAW_CONTAINER_OF(f, leaf, future)->is_ready ? CAW_READY : CAW_PENDING;
}

static void
leaf_destroy(caw_future *f)
{
    const leaf *l = CAW_CONTAINER_OF(f, leaf, future);
    if (l->group) {
        caw_group_release(caw_group_retain(l->group));
    }
    if (l->letter) {
        note(l->letter);
    }
}

static const caw_future_ops leaf_ops = {"leaf", leaf_poll, NULL, leaf_destroy};

static caw_future *
leaf_init(leaf *l, char letter, bool is_ready)
{
    *l = (leaf){.letter = letter, .is_ready = is_ready};
    caw_future_init(&l->future, &leaf_ops);
    return &l->future;
}

/* --- what is around a leaf; its `free` notes the letter that it was given --- */

static void
free_letter(void *letter)
{
    note(*(const char *)letter);
}

static int
keep_status(void *letter, caw_future *done)
{
    (void)letter;
    return done->status;
}

static caw_future *
give(void *future, caw_future *done)
{
    (void)done;
    return future;
}

static caw_future *
bare(caw_future *f, char *letter)
{
    (void)letter;
    return f;
}

static caw_future *
mapped(caw_future *f, char *letter)
{
    return caw_map(f, keep_status, letter, free_letter);
}

static caw_future *
limited(caw_future *f, char *letter)
{
    return caw_timeout(UINT64_MAX, mapped(f, letter));
}

static caw_future *
grouped(caw_future *f, char *letter)
{
    caw_group *group;
    caw_future *all;
    caw_group_spec spec = {.free = free_letter, .user = letter};
    CHECK_INT(caw_group_new(&spec, &group, &all), 0);
    CHECK_INT(caw_group_add_body(group, f), 0);
    return all;
}

static caw_future *
second_of_another(caw_future *f, char *letter)
{
    return caw_then(caw_ready(0), give, mapped(f, letter), NULL);
}

typedef caw_future *(*wrapper)(caw_future *f, char *letter);
static const wrapper wrappers[] = {bare, mapped, limited, grouped, second_of_another};
enum { WRAPPERS = sizeof wrappers / sizeof *wrappers };

static void
destroy_after_one_poll(wrapper first, wrapper second, bool is_ready)
{
    counter c = {0, 0};
    leaf leaves[2];
    char letters[] = {'F', 'S'}, expected[8];
    caw_future *next = second(leaf_init(&leaves[1], 's', is_ready), &letters[1]);
    caw_future *f = caw_then(first(leaf_init(&leaves[0], 'f', true), &letters[0]), give, next, NULL);
    CHECK(f && next);
    CHECK(poll_at(f, NULL, &c) == (is_ready ? CAW_READY : CAW_PENDING));
    order[0] = '\0'; /* without members of groups that have ended */
    caw_future_destroy(f);
    (void)snprintf(expected, sizeof expected, "%s%s%s%s", second == grouped && is_ready ? "" : "s",
                   second == bare ? "" : "S", first == grouped ? "" : "f", first == bare ? "" : "F");
    if (strcmp(order, expected) != 0) {
        fprintf(stderr, "destroyed as %s, expected %s\n", order, expected);
        abort();
    }
    CHECK_INT(c.references, 0);
}

static void
second_is_destroyed_before_the_first_whatever_they_are(void)
{
    for (int i = 0; i < WRAPPERS * WRAPPERS * 2; i++) {
        destroy_after_one_poll(wrappers[i % WRAPPERS], wrappers[i / WRAPPERS % WRAPPERS], i >= WRAPPERS * WRAPPERS);
    }
}

/* The leaf uses the group, which goes with its own member's reference. */
static void
reference_of_a_body_is_there_until_all_in_it_is_destroyed(void)
{
    for (int i = 0; i < WRAPPERS; i++) {
        counter c = {0, 0};
        leaf body;
        char letter = 'S';
        caw_group *group;
        caw_future *all;
        caw_group_spec spec = {.limit = 0};
        CHECK_INT(caw_group_new(&spec, &group, &all), 0);
        (void)leaf_init(&body, 's', false);
        body.group = group;
        order[0] = '\0';
        CHECK_INT(caw_group_add_body(group, wrappers[i](&body.future, &letter)), 0);
        CHECK(poll_at(all, NULL, &c) == CAW_PENDING);
        caw_future_destroy(all);
        CHECK_INT(order[0], 's');
        CHECK_INT(c.references, 0);
    }
}

TESTS(TEST(second_is_destroyed_before_the_first_whatever_they_are),
      TEST(reference_of_a_body_is_there_until_all_in_it_is_destroyed))
