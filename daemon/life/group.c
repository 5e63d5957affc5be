/* Due work of several certificates in one transaction: a key costs a fraction of a synced commit.
 */
#include "daemon/life/internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"

struct member {
    struct hand hand;
    struct next next;
    struct renewal_row renewal; /* of ACTION_REQUEST and ACTION_HAND_OVER */
    struct prepared prepared;
    int failed; /* its verb, alone */
    struct error why;
};

struct group {
    struct life *life;
    struct member *members;
    size_t count;
    atomic_size_t at; /* of those who make keys */
};

static void member_done(struct member *member)
{
    hand_done(&member->hand);
    renewal_row_done(&member->renewal);
    sealed_key_done(&member->prepared.key);
    blob_done(&member->prepared.csr);
    *member = (struct member){0};
}

static void group_done(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        member_done(&group->members[i]);
    free(group->members);
}

/* What is done within the inventory but for a key or a file. */
static bool may_join(enum action action)
{
    switch (action) {
    case ACTION_START:
    case ACTION_REQUEST:
    case ACTION_HAND_OVER:
        return true;
    case ACTION_NONE:
    case ACTION_REMIND:
    case ACTION_TELL_CHAIN:
    case ACTION_FETCH:
    case ACTION_RECHAIN:
    case ACTION_RECHAIN_AGAIN:
    case ACTION_DEPLOY:
    case ACTION_TELL_EXPIRY:
    case ACTION_TELL_EXPIRED:
    case ACTION_ERASE_KEYS:
        break;
    }
    return false;
}

static int read_member(struct life *life, int64_t id, struct member *member, bool *ret_joins,
                       struct error *err)
{
    int rc = hand_take(life, id, &member->hand, err);

    if (rc < 0)
        return rc;
    member->next = policy_next(&member->hand.facts, member->hand.policy, member->hand.now);
    *ret_joins = member->next.at <= member->hand.now && may_join(member->next.action);
    if (!*ret_joins || member->next.action == ACTION_START)
        return 0;
    return renewals_get(life->inventory, member->hand.facts.open.id, &member->renewal, err);
}

/* Nothing of one that cannot be read whole, or may not join, stays in the group. */
static int add_member(struct group *group, int64_t id, struct error *err)
{
    struct member *member = &group->members[group->count];
    bool joins = false;
    int rc = read_member(group->life, id, member, &joins, err);

    if (rc < 0 || !joins) {
        member_done(member);
        return rc;
    }
    member->hand.prepared = &member->prepared;
    group->count++;
    return 0;
}

/* In one view: the facts of one certificate are a dozen reads. */
static int read_members(struct group *group, const int64_t *ids, size_t count, struct error *err)
{
    int rc = inventory_view_begin(group->life->inventory, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add_member(group, ids[i], err);
        /* One that cannot be read is set aside alone, in its turn. */
        if (rc == E_CORRUPT) {
            rc = 0;
            count = i;
        }
        if (rc == 0 && group->count == 0)
            rc = error_set(err, E_NOT_YET, "certificate %lld: goes alone", (long long)ids[i]);
    }
    inventory_view_end(group->life->inventory);
    return rc;
}

static void *make_keys(void *self)
{
    struct group *group = self;

    for (size_t i; (i = atomic_fetch_add(&group->at, 1)) < group->count;) {
        struct member *member = &group->members[i];
        struct prepared *prepared = &member->prepared;

        if (member->next.action != ACTION_REQUEST)
            continue;
        prepared->code = request_make(group->life, &member->hand, &member->renewal, &prepared->key,
                                      &prepared->csr, &prepared->why);
        prepared->made = true;
    }
    return NULL;
}

/* On all cores; with fewer threads than wanted it takes longer. */
static void make_all_keys(struct group *group)
{
    enum { THREADS_MAX = 16 };
    pthread_t threads[THREADS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = 0, started = 0;

    for (size_t i = 0; i < group->count; i++)
        wanted += group->members[i].next.action == ACTION_REQUEST;
    while (started + 1 < wanted && (long)started + 1 < cores && started < THREADS_MAX &&
           pthread_create(&threads[started], NULL, make_keys, group) == 0)
        started++;
    make_keys(group);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

/* A failure is found again, and recorded, by each verb alone. */
static void write_all_files(struct group *group)
{
    const struct world *world = group->life->world;
    AUTO_FREE struct request_file *files = mem_alloc(group->count, sizeof *files);
    AUTO_FREE struct buf *pems = mem_alloc(group->count, sizeof *pems);
    size_t count = 0;
    struct error why = {0};

    for (size_t i = 0; i < group->count; i++) {
        const struct member *member = &group->members[i];

        if (member->next.action != ACTION_HAND_OVER)
            continue;
        buf_init(&pems[count], BUF_MAX_PEM);
        pem_write(&pems[count], "CERTIFICATE REQUEST", blob_span(&member->renewal.csr));
        files[count] = (struct request_file){member->hand.row.name,
                                             span_of(pems[count].data, pems[count].len)};
        count++;
    }
    bool written = count > 0 && world->write_requests(world->self, files, count, &why) == 0;
    for (size_t i = 0; i < count; i++)
        buf_done(&pems[i]);
    for (size_t i = 0; i < group->count; i++)
        group->members[i].prepared.written = written;
}

/* A failure of the environment would strike the next one too. */
static bool is_inventory_failure(int rc)
{
    return code_retry(rc) == RETRY_TRANSIENT || rc == E_CORRUPT;
}

static int perform_one(struct life *life, struct member *member, struct error *err)
{
    LOG_CONTEXT("certificate=%s", member->hand.row.name);
    int rc = verb_perform(life, &member->hand, &member->next, err);

    if (rc == 0)
        return hand_look_for_loop(life, member->hand.row.id, &member->next, err);
    if (is_inventory_failure(rc))
        return rc;
    member->failed = rc;
    member->why = *err;
    return 0;
}

static int perform_all(struct group *group, struct error *err)
{
    struct life *life = group->life;
    int rc = life_begin(life, err);

    life->in_group = true;
    for (size_t i = 0; rc == 0 && i < group->count; i++)
        rc = perform_one(life, &group->members[i], err);
    life->in_group = false;
    return life_end(life, rc, err);
}

static int put_off_failed(struct group *group, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < group->count; i++) {
        struct member *member = &group->members[i];

        if (member->failed == 0)
            continue;
        LOG_CONTEXT("certificate=%s", member->hand.row.name);
        *err = member->why;
        rc = hand_put_off(group->life, &member->hand, &member->next, member->failed, err);
    }
    return rc;
}

int group_perform(struct life *life, const int64_t *ids, size_t count, struct error *err)
{
    __attribute__((cleanup(group_done))) struct group group = {
        .life = life, .members = mem_alloc(count, sizeof *group.members)};
    int rc = read_members(&group, ids, count, err);

    if (rc < 0)
        return rc;
    make_all_keys(&group);
    write_all_files(&group);
    rc = perform_all(&group, err);
    return rc == 0 ? put_off_failed(&group, err) : rc;
}
