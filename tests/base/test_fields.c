#include "base/fields.h"

#include <string.h>

#include "base/text.h"
#include "tests/testing.h"

START_TEST(test_set_replaces_and_keeps_order)
{
    AUTO_FIELDS struct fields fields = FIELDS_EMPTY;

    fields_set(&fields, "b", "1");
    fields_set(&fields, "a", "2");
    fields_printf(&fields, "b", "%s-%d", "again", 3);
    ck_assert_uint_eq(fields.count, 2);
    ck_assert_str_eq(fields.items[0].key, "b");
    ck_assert_str_eq(fields_get(&fields, "b"), "again-3");
    ck_assert_str_eq(fields_get(&fields, "a"), "2");
    ck_assert_ptr_null(fields_get(&fields, "c"));
    /* A value may come from the record itself. */
    fields_set(&fields, "a", fields_get(&fields, "a"));
    ck_assert_str_eq(fields_get(&fields, "a"), "2");
    fields_printf(&fields, "a", "%s!", fields_get(&fields, "a"));
    ck_assert_str_eq(fields_get(&fields, "a"), "2!");
    fields_done(&fields);
    ck_assert_uint_eq(fields.count, 0);
    ck_assert_ptr_null(fields_get(&fields, "a"));
}
END_TEST

START_TEST(test_json_round_trip)
{
    AUTO_FIELDS struct fields fields = FIELDS_EMPTY;
    AUTO_FIELDS struct fields back = FIELDS_EMPTY;
    struct error err = {0};

    fields_set(&fields, "z", "line one\nline \"two\"\\");
    fields_set(&fields, "a", "gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac");
    fields_set(&fields, "", "");
    AUTO_FREE char *json = fields_to_json(&fields);
    ck_assert_ptr_null(strchr(json, '\n'));
    ck_assert_ptr_nonnull(strstr(json, "{\"z\":\"line one\\n"));
    ck_ok(fields_from_json(json, &back, &err));
    ck_assert_uint_eq(back.count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(back.items[i].key, fields.items[i].key);
        ck_assert_str_eq(back.items[i].value, fields.items[i].value);
    }
}
END_TEST

START_TEST(test_json_empty)
{
    AUTO_FIELDS struct fields fields = FIELDS_EMPTY;
    struct error err = {0};
    AUTO_FREE char *json = fields_to_json(&fields);

    ck_assert_str_eq(json, "{}");
    ck_ok(fields_from_json(json, &fields, &err));
    ck_assert_uint_eq(fields.count, 0);
}
END_TEST

START_TEST(test_json_escapes_what_is_not_utf8)
{
    AUTO_FIELDS struct fields fields = FIELDS_EMPTY;

    fields_set(&fields, "name", "caf\xe9\xff\xff\xff.pem");
    AUTO_FREE char *json = fields_to_json(&fields);
    ck_assert_str_eq(json, "{\"name\":\"caf\\\\xe9\\\\xff\\\\xff\\\\xff.pem\"}");
    ck_assert(text_is_utf8(json, strlen(json)));
}
END_TEST

static const char *const bad_json[] = {
    "",
    "{",
    "[]",
    "\"text\"",
    "null",
    "{\"a\":1}",
    "{\"a\":null}",
    "{\"a\":{}}",
    "{\"a\":\"1\",\"a\":\"2\"}",
    "{\"a\":\"x\\u0000y\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"1\"} more",
};

START_TEST(test_json_refuses)
{
    struct fields fields = {(struct field *)&fields, 77};
    struct error err;

    ck_fails(fields_from_json(bad_json[_i], &fields, &err), E_FORMAT, "record");
    ck_assert_uint_eq(fields.count, 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/fields");
    TCase *tc = tcase_create("fields");

    tcase_add_test(tc, test_set_replaces_and_keeps_order);
    tcase_add_test(tc, test_json_round_trip);
    tcase_add_test(tc, test_json_empty);
    tcase_add_test(tc, test_json_escapes_what_is_not_utf8);
    tcase_add_loop_test(tc, test_json_refuses, 0, (int)COUNT_OF(bad_json));
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
