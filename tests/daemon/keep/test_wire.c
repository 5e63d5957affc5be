#include "daemon/keep/wire.h"

#include <stdio.h>
#include <string.h>

#include "tests/testing.h"

/* Something in every field. */
static struct name one_name = {NAME_DNS, (char *)(uintptr_t) "www.example.com"};
static struct blob one_der = {(uint8_t *)(uintptr_t) "DER", 3};
static struct keep_order order;
static struct keep_answer answer;
static struct keep_setup setup;

static char *text(const char *borrowed)
{
    return (char *)(uintptr_t)borrowed;
}

static void fill(void)
{
    order = (struct keep_order){
        .id = -5,
        .to_id = INT64_MAX,
        .type = KEY_ED25519,
        .subject = {text("www"), text(""), text("DE"), text("caf\xC3\xA9"), text("M\n")},
        .names = {&one_name, 1},
        .key = one_der,
        .sealed = {one_der, {1, 2, 3}},
        .csr = one_der,
        .cert = one_der,
        .chain = {&one_der, 1},
        .message = one_der,
        .mac = {4, 5, 6},
    };
    answer =
        (struct keep_answer){.sealed = order.sealed, .csr = one_der, .mac = {7, 8}, .fits = true};
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        answer.bundle.parts[i] = one_der;
    setup = (struct keep_setup){text("/var/lib/unlapsed/sealing.key"), text("/previous.key"), true,
                                true, true};
}

/* Messages by number: the set-up, then orders, then answers. */
enum { ORDERS = 1, ANSWERS = ORDERS + KEEP_KINDS - KEEP_MAKE };
enum { MESSAGES = ANSWERS + KEEP_KINDS - KEEP_MAKE };

union message {
    struct keep_setup setup;
    struct keep_order order;
    struct keep_answer answer;
};

static void carry(struct wire *wire, int number, union message *message)
{
    if (number == 0)
        wire_keep_setup(wire, &message->setup);
    else if (number < ANSWERS)
        wire_keep_order(wire, (enum keep_kind)(KEEP_MAKE + number - ORDERS), &message->order);
    else
        wire_keep_answer(wire, (enum keep_kind)(KEEP_MAKE + number - ANSWERS), &message->answer);
}

static void drop(int number, union message *message)
{
    if (number == 0)
        keep_setup_done(&message->setup);
    else if (number < ANSWERS)
        keep_order_done(&message->order);
    else
        keep_answer_done(&message->answer);
}

static struct buf write_message(int number, union message *message)
{
    struct buf body = {.max = WIRE_MAX};

    carry(&(struct wire){.out = &body}, number, message);
    return body;
}

static struct buf write_full(int number)
{
    union message full;

    if (number == 0)
        full.setup = setup;
    else if (number < ANSWERS)
        full.order = order;
    else
        full.answer = answer;
    return write_message(number, &full);
}

/* Whether the bytes are taken; dropped again. */
static bool is_taken(int number, struct span bytes)
{
    struct wire wire = {.in = bytes};
    union message read;

    memset(&read, 0, sizeof read);
    carry(&wire, number, &read);
    drop(number, &read);
    return wire_is_whole(&wire);
}

/* What is written is what is read, and is written again as it was. */
START_TEST(there_and_back)
{
    AUTO_BUF struct buf body = write_full(_i);
    struct wire wire = {.in = span_of(body.data, body.len)};
    union message read;

    memset(&read, 0, sizeof read);
    carry(&wire, _i, &read);
    ck_assert(wire_is_whole(&wire));
    AUTO_BUF struct buf again = write_message(_i, &read);
    ck_assert(span_equal(span_of(body.data, body.len), span_of(again.data, again.len)));
    drop(_i, &read);
}
END_TEST

/* Not a byte less, not a byte more. */
START_TEST(cut_or_long)
{
    AUTO_BUF struct buf body = write_full(_i);
    size_t whole = body.len;

    buf_add(&body, "", 1);
    for (size_t len = 0; len <= body.len; len++) {
        AUTO_BLOB struct blob copy = blob_copy(span_of(body.data, len));

        ck_assert_msg(is_taken(_i, blob_span(&copy)) == (len == whole), "%zu of %zu", len, whole);
    }
}
END_TEST

/* Nothing that is counted is believed: each 32 bits once as large as they can be. */
START_TEST(large_numbers)
{
    AUTO_BUF struct buf body = write_full(_i);

    for (size_t at = 0; at + 4 <= body.len; at++) {
        AUTO_BLOB struct blob copy = blob_copy(span_of(body.data, body.len));

        memset(copy.data + at, 0xFF, 4);
        (void)is_taken(_i, blob_span(&copy));
    }
}
END_TEST

static bool takes(int number)
{
    AUTO_BUF struct buf body = write_full(number);

    return is_taken(number, span_of(body.data, body.len));
}

/* An answer without what was asked for is none. */
START_TEST(answers_keep_their_promises)
{
    const int make = ANSWERS, seal = make + KEEP_SEAL - KEEP_MAKE;
    const int bundle = make + KEEP_BUNDLE - KEEP_MAKE;

    ck_assert(takes(make) && takes(seal) && takes(bundle));
    answer.csr = (struct blob){0};
    ck_assert(!takes(make));
    fill();
    answer.sealed.sealed = (struct blob){0};
    ck_assert(!takes(make));
    ck_assert(!takes(seal));
    fill();
    answer.bundle.parts[BUNDLE_CHAIN] = (struct blob){0}; /* it may have none */
    ck_assert(takes(bundle));
    answer.bundle.parts[BUNDLE_KEY] = (struct blob){0};
    ck_assert(!takes(bundle));
}
END_TEST

START_TEST(orders_keep_their_promises)
{
    ck_assert(takes(ORDERS));
    order.type = (enum key_type)(KEY_ED25519 + 1);
    ck_assert(!takes(ORDERS));
    fill();
    one_name.type = (enum name_type)(NAME_URI + 1);
    ck_assert(!takes(ORDERS));
    ck_assert(!is_taken(ANSWERS + KEEP_KINDS - KEEP_MAKE, span_text(""))); /* no such kind */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tcase = tcase_create("wire");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, fill, NULL);
    tcase_add_loop_test(tcase, there_and_back, 0, MESSAGES);
    tcase_add_loop_test(tcase, cut_or_long, 0, MESSAGES);
    tcase_add_loop_test(tcase, large_numbers, 0, MESSAGES);
    tcase_add_test(tcase, answers_keep_their_promises);
    tcase_add_test(tcase, orders_keep_their_promises);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
