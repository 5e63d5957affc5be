#include "daemon/read/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/testing.h"

/* One of each message, with something in every field. */
static struct name one_name = {NAME_DNS, (char *)(uintptr_t) "www.example.com"};
static struct name one_url = {NAME_URI, (char *)(uintptr_t) "http://ca.example/ca.crt"};
static struct blob one_der = {(uint8_t *)(uintptr_t) "DER", 3};
static char *one_text = (char *)(uintptr_t) "/etc/ssl/root.pem";
static struct wire_anchors one_set = {(char *)(uintptr_t) "internal", true, {&one_text, 1}};

static struct cert full_cert(void)
{
    struct cert cert = {
        .subject = "CN=www",
        .issuer = "CN=Lower",
        .serial = "0a1b",
        .key_text = "RSA 2048",
        .signature_text = "sha256WithRSAEncryption",
        .key_bits = 2048,
        .signature_security = 128,
        .not_before = -5,
        .not_after = UTC_NEVER,
        .version = 3,
        .is_ca = true,
        .self_issued = true,
        .self_signed = true,
        .usable_as_server = true,
        .usable_as_client = true,
        .issuer_urls = {&one_url, 1},
        .names = {&one_name, 1},
    };

    memset(cert.sha256, 1, SHA256_LEN);
    memset(cert.spki_sha256, 2, SHA256_LEN);
    memset(cert.subject_sha256, 3, SHA256_LEN);
    memset(cert.issuer_sha256, 4, SHA256_LEN);
    return cert;
}

static struct object objects[3];
static struct delivery_objects delivery;
static struct cert cert;
static struct chain chain;
static struct error failure;
static struct wire_setup setup;
static struct wire_chain_order order;

static void fill(void)
{
    objects[0] = (struct object){.kind = OBJECT_CERTIFICATE, .der = one_der, .cert = full_cert()};
    objects[1] = (struct object){.kind = OBJECT_PRIVATE_KEY, .key = one_der, .has_spki = true};
    objects[2] = (struct object){.kind = OBJECT_BROKEN};
    memset(objects[1].spki_sha256, 9, SHA256_LEN);
    snprintf(objects[0].note, sizeof objects[0].note, "a certificate");
    snprintf(objects[2].origin, sizeof objects[2].origin, "bundle.zip entry a");
    delivery = (struct delivery_objects){.items = objects, .count = 3, .summary = "PEM"};
    cert = full_cert();
    chain = (struct chain){{&one_der, 1}, .anchor = "CN=Root", .earliest_not_after = 7};
    failure = (struct error){E_NO_CHAIN, "chain: wanted more"};
    setup = (struct wire_setup){WIRE_JUDGES, true, true, {&one_text, 1}, &one_set, 1};
    order = (struct wire_chain_order){3, one_der, {&one_der, 1}, 99, CHAIN_CLIENT, "CN=Root"};
}

static void put_delivery(struct wire *wire, void *value)
{
    wire_objects(wire, value, true);
}
static void put_cert(struct wire *wire, void *value)
{
    wire_cert(wire, value);
}
static void put_chain(struct wire *wire, void *value)
{
    wire_chain(wire, value);
}
static void put_error(struct wire *wire, void *value)
{
    wire_error(wire, value);
}
static void put_setup(struct wire *wire, void *value)
{
    wire_setup(wire, value);
}
static void put_order(struct wire *wire, void *value)
{
    wire_chain_order(wire, value);
}

static void drop_nothing(void *value)
{
    (void)value;
}

/* Any of the messages. */
union message {
    struct delivery_objects delivery;
    struct cert cert;
    struct chain chain;
    struct error error;
    struct wire_setup setup;
    struct wire_chain_order order;
};

static const struct {
    void *full;
    void (*carry)(struct wire *wire, void *value);
    void (*drop)(void *value);
} messages[] = {
    {&delivery, put_delivery, (void (*)(void *))delivery_objects_done},
    {&cert, put_cert, (void (*)(void *))cert_done},
    {&chain, put_chain, (void (*)(void *))chain_done},
    {&failure, put_error, drop_nothing},
    {&setup, put_setup, (void (*)(void *))wire_setup_done},
    {&order, put_order, (void (*)(void *))wire_chain_order_done},
};

static struct buf write_message(size_t number, void *value)
{
    struct buf body = {.max = WIRE_MAX};

    messages[number].carry(&(struct wire){.out = &body}, value);
    return body;
}

/* What is written is what is read, and is written again as it was. */
START_TEST(there_and_back)
{
    AUTO_BUF struct buf body = write_message((size_t)_i, messages[_i].full);
    struct wire wire = {.in = span_of(body.data, body.len)};
    union message read = {0};

    messages[_i].carry(&wire, &read);
    ck_assert(wire_is_whole(&wire));
    AUTO_BUF struct buf again = write_message((size_t)_i, &read);
    ck_assert_uint_eq(body.len, again.len);
    ck_assert_mem_eq(body.data, again.data, body.len);
    messages[_i].drop(&read);
}
END_TEST

/* Not a byte less, not a byte more. */
START_TEST(cut_or_long)
{
    AUTO_BUF struct buf body = write_message((size_t)_i, messages[_i].full);
    size_t whole = body.len;

    buf_add(&body, "", 1);
    for (size_t len = 0; len <= body.len; len++) {
        AUTO_BLOB struct blob copy = blob_copy(span_of(body.data, len));
        struct wire wire = {.in = blob_span(&copy)};
        union message read = {0};

        messages[_i].carry(&wire, &read);
        ck_assert_msg(wire_is_whole(&wire) == (len == whole), "%zu of %zu bytes", len, whole);
        messages[_i].drop(&read);
    }
}
END_TEST

/* Nothing that is counted is believed: each 32 bits once as large as they can be. */
START_TEST(large_numbers)
{
    AUTO_BUF struct buf body = write_message((size_t)_i, messages[_i].full);

    for (size_t at = 0; at + 4 <= body.len; at++) {
        AUTO_BLOB struct blob copy = blob_copy(span_of(body.data, body.len));
        struct wire wire = {.in = blob_span(&copy)};
        union message read = {0};

        memset(copy.data + at, 0xFF, 4);
        messages[_i].carry(&wire, &read);
        messages[_i].drop(&read);
    }
}
END_TEST

/* As the other end would write it. */
static bool is_taken(size_t number, void *value, bool keep_keys)
{
    AUTO_BUF struct buf body = write_message(number, value);
    struct wire wire = {.in = span_of(body.data, body.len)};
    union message read = {0};

    if (number == 0)
        wire_objects(&wire, &read.delivery, keep_keys);
    else
        messages[number].carry(&wire, &read);
    messages[number].drop(&read);
    return wire_is_whole(&wire);
}

START_TEST(objects_keep_their_promises)
{
    struct object *object = &objects[_i];

    ck_assert(is_taken(0, &delivery, true));
    ck_assert(!is_taken(0, &delivery, false)); /* a key nobody asked for */
    object->kind = (enum object_kind)(OBJECT_BROKEN + 1);
    ck_assert(!is_taken(0, &delivery, true));
    fill();
    object->kind = OBJECT_CRL; /* which must have bytes, and no key */
    ck_assert(!is_taken(0, &delivery, true) || _i == 0);
    fill();
    objects[0].der.len = 0;
    ck_assert(!is_taken(0, &delivery, true));
    fill();
    objects[0].has_spki = true;
    ck_assert(!is_taken(0, &delivery, true));
    fill();
    objects[2].der = one_der;
    ck_assert(!is_taken(0, &delivery, true));
}
END_TEST

static bool takes_cert(struct cert changed)
{
    return is_taken(1, &changed, true);
}

START_TEST(certificates_keep_their_promises)
{
    struct cert changed = full_cert();

    ck_assert(takes_cert(changed));
    changed.key_bits = -1;
    ck_assert(!takes_cert(changed));
    changed = full_cert();
    changed.signature_security = 1 << 20;
    ck_assert(!takes_cert(changed));
    changed = full_cert();
    changed.not_before = INT64_MIN;
    ck_assert(!takes_cert(changed));
    changed = full_cert();
    changed.not_after = UTC_NEVER - 1;
    ck_assert(!takes_cert(changed));
    changed = full_cert();
    changed.serial[0] = 'x';
    ck_assert(!takes_cert(changed));
    struct name odd = {NAME_DNS, (char *)(uintptr_t) "www.example.com\n"};
    changed = full_cert();
    changed.names.items = &odd;
    ck_assert(!takes_cert(changed));
    odd = (struct name){(enum name_type)(NAME_URI + 1), one_name.text};
    ck_assert(!takes_cert(changed));
    odd = (struct name){NAME_DNS, (char *)(uintptr_t) "caf\xC3\xA9.example"};
    ck_assert(!takes_cert(changed));
}
END_TEST

START_TEST(flags_are_flags)
{
    AUTO_BUF struct buf body = write_message(4, messages[4].full);
    struct wire wire = {.in = span_of(body.data, body.len)};
    struct wire_setup read = {0};

    body.data[4] = 2; /* faults */
    wire_setup(&wire, &read);
    ck_assert(!wire_is_whole(&wire));
    wire_setup_done(&read);
}
END_TEST

START_TEST(texts_are_made_harmless)
{
    struct cert changed = full_cert(), read = {0};

    snprintf(changed.subject, sizeof changed.subject, "CN=\x1b[2J\r\nSubject: \xE2\x80\xAE \xFF");
    AUTO_BUF struct buf body = write_message(1, &changed);
    struct wire wire = {.in = span_of(body.data, body.len)};
    wire_cert(&wire, &read);
    ck_assert(wire_is_whole(&wire));
    ck_assert_str_eq("CN=\\x1b[2J\\x0d\\x0aSubject: \\u{202e} \\xff", read.subject);
    cert_done(&read);
    /* A NUL would let two readers see two texts. */
    body.data[5] = '\0';
    wire = (struct wire){.in = span_of(body.data, body.len)};
    wire_cert(&wire, &read);
    ck_assert(!wire_is_whole(&wire));
    cert_done(&read);
}
END_TEST

START_TEST(codes_are_known)
{
    struct error unknown = {-1000, "?"}, positive = {1, "?"}, none = {0};

    ck_assert(!is_taken(3, &unknown, true));
    ck_assert(!is_taken(3, &positive, true));
    ck_assert(is_taken(3, &none, true));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tcase = tcase_create("wire");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, fill, NULL);
    tcase_add_loop_test(tcase, there_and_back, 0, COUNT_OF(messages));
    tcase_add_loop_test(tcase, cut_or_long, 0, COUNT_OF(messages));
    tcase_add_loop_test(tcase, large_numbers, 0, COUNT_OF(messages));
    tcase_add_loop_test(tcase, objects_keep_their_promises, 0, COUNT_OF(objects));
    tcase_add_test(tcase, certificates_keep_their_promises);
    tcase_add_test(tcase, flags_are_flags);
    tcase_add_test(tcase, texts_are_made_harmless);
    tcase_add_test(tcase, codes_are_known);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
