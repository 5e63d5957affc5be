/* A reader that strangers' files have taken over: what it says of a file is heard again before
 * anything follows from it. */
#include <stdio.h>
#include <string.h>

#include "daemon/life/life.h"
#include "store/authorities.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;

static int (*honest)(void *self, struct span file, struct delivery_objects *ret,
                     struct error *fn_err);
static void (*lie)(struct object *object);

static int read_and_lie(void *self, struct span file, struct delivery_objects *ret,
                        struct error *fn_err)
{
    int rc = honest(self, file, ret, fn_err);

    for (size_t i = 0; rc == 0 && i < ret->count; i++)
        lie(&ret->items[i]);
    return rc;
}

static void open_with(const char *more)
{
    scene_open(&scene, 6 * DAY, more);
    scene_add(&scene);
    scene_run(&scene);
    honest = scene.world.read_delivery;
    scene.world.read_delivery = read_and_lie;
}

static void open_refusing(void)
{
    open_with("");
}

static void open_taking(void)
{
    open_with("    delivered-keys: take\n");
}

static void close_scene(void)
{
    scene_done(&scene);
}

static void on_begin(struct object *object)
{
    object->cert.not_before--;
}

static void on_end(struct object *object)
{
    object->cert.not_after++;
}

static void on_bits(struct object *object)
{
    object->cert.key_bits = 521;
}

static void on_key(struct object *object)
{
    snprintf(object->cert.key_text, sizeof object->cert.key_text, "EC P-521");
}

static void on_signature(struct object *object)
{
    object->cert.signature_security += 64;
}

static void on_usage(struct object *object)
{
    object->cert.usable_as_client = !object->cert.usable_as_client;
}

static void on_issuer(struct object *object)
{
    snprintf(object->cert.issuer, sizeof object->cert.issuer, "CN=Better Issuing");
}

static void on_issuer_hash(struct object *object)
{
    object->cert.issuer_sha256[0] ^= 1;
}

static void on_hash(struct object *object)
{
    object->cert.sha256[0] ^= 1;
}

static void on_names(struct object *object)
{
    ck_ok(names_add(&object->cert.names, NAME_DNS, "more.example.com", &err));
}

static void on_authority(struct object *object)
{
    object->cert.is_ca = true;
}

/* Each of them passes its gates; what is said of the authority beside it does not matter. */
static void (*const lies[])(struct object *object) = {
    on_begin,     on_end,    on_bits,        on_key,  on_usage,
    on_signature, on_issuer, on_issuer_hash, on_hash, on_names};

START_TEST(of_a_leaf)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    lie = lies[_i];
    ck_assert(!scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_assert_msg(strstr(scene_receipt(&scene), "two different things"), "%s",
                  scene_receipt(&scene));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, scene.old_leaf));
}
END_TEST

static int take(const struct authority *authority, struct life_verdict *ret)
{
    uint8_t hash[SHA256_LEN];

    sha256_of(authority_der(authority), hash);
    return life_intake(&scene.life, "some.cer", authority_der(authority), hash, NULL, ret, &err);
}

static bool is_in_pool(const struct authority *authority, struct authority_row *ret)
{
    uint8_t hash[SHA256_LEN];

    sha256_of(authority_der(authority), hash);
    return authorities_get(scene.life.inventory, hash, ret, &err) == 0;
}

START_TEST(of_a_leaf_that_it_is_an_authority)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    const struct authority *leaf = scene_sign(&scene, NULL);
    struct life_verdict verdict = {0};

    lie = on_authority;
    ck_fails(take(leaf, &verdict), E_REFUSED, "two different things: wanted that of an authority");
    ck_assert(!is_in_pool(leaf, &row));
}
END_TEST

/* The pool would keep what was said when the reader is long gone. */
START_TEST(of_an_authority)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    const struct authority *issuing = authority_make(
        scene.root, &(struct authority_plan){
                        .subject = "New Issuing", .ca = true, .not_after = scene.now + 99 * DAY});

    lie = on_end;
    ck_assert(scene_deliver(&scene, "issuing.cer", authority_der(issuing)));
    ck_assert(is_in_pool(issuing, &row));
    ck_assert_int_eq(row.not_after, scene.now + 99 * DAY);
}
END_TEST

/* The key of the certificate beside it, whoever's it is. */
static uint8_t claimed[SHA256_LEN];

static void on_whose_key(struct object *object)
{
    if (object->kind == OBJECT_PRIVATE_KEY)
        memcpy(object->spki_sha256, claimed, SHA256_LEN);
}

/* It fails alone: the files beside it are taken. */
START_TEST(of_a_private_key)
{
    const struct authority_plan plan = {.subject = "www.example.com",
                                        .names = "DNS:www.example.com"};
    const struct authority *leaf = authority_make(scene.issuing, &plan);
    const struct authority *other = authority_make(scene.issuing, &plan);
    AUTO_FREE char *file = mem_printf("%s%s%s", authority_key_pem(other), authority_pem(leaf),
                                      authority_pem(scene.issuing));
    AUTO_CERT struct cert cert = {0};
    struct life_batch *batch = life_batch_new(&scene.life);
    static const uint8_t hashes[2][SHA256_LEN] = {{1}, {2}};

    ck_ok(cert_parse(authority_der(leaf), &cert, &err));
    memcpy(claimed, cert.spki_sha256, SHA256_LEN);
    lie = on_whose_key;
    ck_ok(life_batch_add(batch, "pair.pem", span_text(file), hashes[0], NULL, &err));
    ck_ok(life_batch_add(batch, "x.txt", span_text("rubbish"), hashes[1], NULL, &err));
    ck_ok(life_batch_take(batch, &err));
    ck_assert_int_eq(life_batch_verdict(batch, 0)->failed, E_REFUSED);
    ck_assert_ptr_nonnull(strstr(life_batch_verdict(batch, 0)->reason,
                                 "wanted that of its certificate, got another one"));
    ck_assert_int_eq(life_batch_verdict(batch, 1)->failed, 0);
    life_batch_free(batch);
    scene_run(&scene);
    ck_assert(scene_serves(&scene, scene.old_leaf));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/lies");
    TCase *refusing = tcase_create("refusing"), *taking = tcase_create("taking");

    tcase_add_checked_fixture(refusing, open_refusing, close_scene);
    tcase_add_checked_fixture(taking, open_taking, close_scene);
    tcase_set_timeout(refusing, TESTING_SLOW_SECONDS);
    tcase_set_timeout(taking, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(refusing, of_a_leaf, 0, COUNT_OF(lies));
    tcase_add_test(refusing, of_a_leaf_that_it_is_an_authority);
    tcase_add_test(refusing, of_an_authority);
    tcase_add_test(taking, of_a_private_key);
    suite_add_tcase(suite, refusing);
    suite_add_tcase(suite, taking);
    return testing_run(suite);
}
