#include "store/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/renewals.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static int64_t www;

static void setup(void)
{
    inventory = sample_open();
    www = sample_certificate(inventory, "www");
}

static void teardown(void)
{
    inventory_close(inventory);
}

/* A renewal whose key was "sealed" under a sealing key of eight equal letters. */
static int64_t add(int64_t certificate, char under, uint8_t spki, const char *body)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    int64_t id = sample_renewal(inventory, certificate);
    char head[SEALING_ID_LEN + 1] = "";

    memset(head, under, SEALING_ID_LEN);
    AUTO_FREE char *sealed = mem_printf("\x01%s%s", head, body);
    ck_ok(renewals_get(inventory, id, &row, &err));
    row.key.sealed = blob_copy(span_text(sealed));
    row.key.spki_sha256[0] = spki;
    ck_ok(renewals_update(inventory, &row, &err));
    return id;
}

struct walk {
    struct inventory *inventory; /* each key is replaced; NULL: none */
    struct seen seen;
    char under;
};

static int see(void *self, int64_t id, const struct sealed_key *key, struct error *walk_err)
{
    struct walk *walk = self;

    ck_assert_int_eq(key->sealed.data[0], 1);
    walk->seen.ids[walk->seen.count++] = id;
    if (!walk->inventory)
        return 0;
    AUTO_BLOB struct blob to = blob_copy(blob_span(&key->sealed));
    memset(to.data + 1, walk->under, SEALING_ID_LEN);
    return keys_replace(walk->inventory, id, &key->sealed, &to, walk_err);
}

static void ck_ids(const char *wanted)
{
    struct sealing_ids ids;
    char got[SEALING_KEYS_MAX + 1] = "";

    ck_ok(keys_sealing_ids(inventory, &ids, &err));
    for (size_t i = 0; i < ids.count; i++)
        got[i] = (char)ids.items[i][3];
    ck_assert_str_eq(got, wanted);
}

static int64_t count_under(const char *id, int64_t most)
{
    int64_t count = -1;

    ck_ok(keys_count_under(inventory, (const uint8_t *)id, most, &count, &err));
    return count;
}

START_TEST(by_sealing_key)
{
    struct walk walk = {.under = 'z'};
    ck_ids("");
    int64_t a = add(www, 'b', 1, "one"), b = add(www, 'a', 2, "two"), c = add(www, 'b', 3, "three");

    sample_renewal(inventory, www); /* has none */
    ck_ids("ab");
    ck_assert_int_eq(count_under("bbbbbbbb", 10), 2);
    ck_assert_int_eq(count_under("bbbbbbbb", 1), 1);
    ck_assert_int_eq(count_under("zzzzzzzz", 10), 0);
    ck_ok(keys_under(inventory, (const uint8_t *)"bbbbbbbb", 0, 10, see, &walk, &err));
    ck_seen(walk.seen, a, c);
    ck_ok(keys_under(inventory, (const uint8_t *)"bbbbbbbb", 0, 1, see, &walk, &err));
    ck_seen(walk.seen, a);
    ck_ok(keys_under(inventory, (const uint8_t *)"bbbbbbbb", a, 10, see, &walk, &err));
    ck_seen(walk.seen, c);
    walk.inventory = inventory;
    ck_ok(keys_under(inventory, (const uint8_t *)"bbbbbbbb", 0, 10, see, &walk, &err));
    ck_seen(walk.seen, a, c);
    ck_ids("az");
    ck_ok(keys_under(inventory, (const uint8_t *)"aaaaaaaa", 0, 10, see, &walk, &err));
    ck_seen(walk.seen, b);
    ck_ids("z");
}
END_TEST

START_TEST(replaced_when_unchanged_only)
{
    int64_t id = add(www, 'a', 1, "one");
    AUTO_BLOB struct blob was = blob_copy(span_text("\x01"
                                                    "aaaaaaaaone"));
    AUTO_BLOB struct blob to = blob_copy(span_text("\x01zzzzzzzzone"));

    ck_ok(keys_replace(inventory, id, &was, &to, &err));
    ck_fails(keys_replace(inventory, id, &was, &to, &err), E_NOT_FOUND, "renewal 1");
    ck_ids("z");
}
END_TEST

static int see_row(void *self, const struct key_row *row, struct error *walk_err)
{
    struct key_row **at = self;

    (void)walk_err;
    *(*at)++ = *row;
    return 0;
}

static void change(int64_t id, utc_t accepted, utc_t superseded, utc_t withdrawn)
{
    AUTO_RENEWAL struct renewal_row row = {0};

    ck_ok(renewals_get(inventory, id, &row, &err));
    if (accepted != UTC_NEVER && row.leaf.len == 0) {
        row.leaf = blob_copy(span_text("leaf"));
        row.received_at = accepted;
    }
    row.accepted_at = accepted;
    row.superseded_at = superseded;
    row.withdrawn_at = withdrawn;
    ck_ok(renewals_update(inventory, &row, &err));
}

START_TEST(by_certificate)
{
    struct key_row rows[8], *end = rows;
    int64_t other = sample_certificate(inventory, "other");
    int64_t open = add(www, 'a', 1, "1"), twice = add(www, 'a', 2, "2"),
            again = add(www, 'a', 2, "3");
    int64_t withdrawn = add(www, 'a', 3, "4"), half = add(www, 'a', 4, "5");
    int64_t second = add(www, 'a', 4, "6");

    add(other, 'a', 9, "7");
    change(twice, UTC_NEVER, 50, UTC_NEVER);
    change(again, 70, 60, UTC_NEVER);
    change(withdrawn, UTC_NEVER, UTC_NEVER, 80);
    change(half, UTC_NEVER, UTC_NEVER, 90);
    change(second, UTC_NEVER, 30, UTC_NEVER);
    ck_ok(keys_each(inventory, www, see_row, &end, &err));
    ck_assert_int_eq(end - rows, 4);
    ck_assert_int_eq(rows[0].renewal_id, open);
    ck_assert(rows[0].open && !rows[0].accepted && !rows[0].withdrawn);
    ck_assert(rows[0].superseded_at == UTC_NEVER && rows[0].withdrawn_at == UTC_NEVER);
    ck_assert_int_eq(rows[1].renewal_id, twice);
    ck_assert(!rows[1].open && rows[1].accepted && !rows[1].withdrawn);
    ck_assert_int_eq(rows[1].superseded_at, 60);
    ck_assert_int_eq(rows[2].renewal_id, withdrawn);
    ck_assert(!rows[2].open && !rows[2].accepted && rows[2].withdrawn);
    ck_assert_int_eq(rows[2].withdrawn_at, 80);
    ck_assert_int_eq(rows[3].renewal_id, half);
    ck_assert(!rows[3].open && !rows[3].withdrawn);
    ck_assert_int_eq(rows[3].superseded_at, 30);
}
END_TEST

static bool is_in(const char *name, const char *text)
{
    AUTO_FREE char *path = testing_path(name);
    AUTO_BLOB struct blob file = {0};

    return file_read(path, 64 << 20, &file, &err) == 0 &&
           memmem(file.data, file.len, text, strlen(text));
}

/* Not only unlinked: nothing of it is left in the files. */
START_TEST(erased)
{
    static const char secret[] = "what must not be found any more";
    AUTO_RENEWAL struct renewal_row row = {0}, waiting = {0};
    const uint8_t spki[SHA256_LEN] = {7};
    int64_t first = add(www, 'a', 7, secret), second = add(www, 'a', 7, secret);

    change(first, 5, UTC_NEVER, UTC_NEVER);
    ck_ok(renewals_get(inventory, second, &waiting, &err));
    waiting.received_at = 6;
    waiting.superseded_at = 7;
    ck_ok(renewals_update(inventory, &waiting, &err));
    ck_assert(is_in("inventory.db", secret) || is_in("inventory.db-wal", secret));
    ck_ok(inventory_begin(inventory, &err));
    ck_ok(keys_erase(inventory, www, spki, 99, "its key was erased", &err));
    ck_ok(inventory_commit(inventory, &err));
    ck_ok(inventory_empty_log(inventory, &err));
    ck_assert(!is_in("inventory.db", secret) && !is_in("inventory.db-wal", secret));

    ck_ok(renewals_get(inventory, first, &row, &err));
    ck_assert_uint_eq(row.key.sealed.len, 0);
    ck_assert_int_eq(row.key.spki_sha256[0], 7);
    ck_assert_int_eq(row.key_erased_at, 99);
    ck_assert_int_eq(row.rejected_at, UTC_NEVER);
    renewal_row_done(&waiting);
    ck_ok(renewals_get(inventory, second, &waiting, &err));
    ck_assert_int_eq(waiting.rejected_at, 99);
    ck_assert_str_eq(waiting.rejected_reason, "its key was erased");
    ck_fails(keys_erase(inventory, www, spki, 100, "x", &err), E_NOT_FOUND, "key of certificate");
    ck_ids("");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/keys");
    TCase *keys = tcase_create("keys");

    tcase_add_checked_fixture(keys, setup, teardown);
    tcase_add_test(keys, by_sealing_key);
    tcase_add_test(keys, replaced_when_unchanged_only);
    tcase_add_test(keys, by_certificate);
    tcase_add_test(keys, erased);
    suite_add_tcase(suite, keys);
    return testing_run(suite);
}
