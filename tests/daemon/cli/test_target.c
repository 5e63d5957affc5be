#include "daemon/cli/target.h"

#include <string.h>

#include "tests/testing.h"

static const struct {
    const char *text;
    const char *wanted; /* the JSON, or what the error says */
} good[] =
    {
        {"nginx,key=/k,fullchain=/c", "{\"service\":\"nginx\",\"files\":{\"key\":\"/"
                                      "k\",\"fullchain\":\"/c\"},\"endpoints\":[]}"},
        {"files,combined=/a=b",
         "{\"service\":\"files\",\"files\":{\"combined\":\"/a=b\"},\"endpoints\":[]}"},
        {"s,leaf=/l,endpoint=www.example.com:443",
         "{\"service\":\"s\",\"files\":{\"leaf\":\"/"
         "l\"},\"endpoints\":[{\"host\":\"www.example.com\","
         "\"port\":443}]}"},
        {"s,endpoint=[2001:db8::1]:8443/www.example.com,chain=/l,endpoint=h:1",
         "{\"service\":\"s\",\"files\":{\"chain\":\"/l\"},\"endpoints\":[{\"host\":\"2001:db8::1\","
         "\"port\":8443,\"server_name\":\"www.example.com\"},{\"host\":\"h\",\"port\":1}]}"},
},
  bad[] = {
      {"", "SERVICE,PART"},
      {"key=/k", "SERVICE,PART"},
      {"nginx", "at least one PART"},
      {"nginx,endpoint=h:1", "at least one PART"},
      {"nginx,", "wanted PART=/PATH"},
      {"nginx,key", "wanted PART=/PATH"},
      {"nginx,key=", "absolute path"},
      {"nginx,key=k", "absolute path"},
      {"nginx,key=/k,key=/j", "given twice"},
      {"nginx,pfx=/k", "\"pfx\""},
      {"nginx,key=/\xff", "UTF-8"},
      {"\xff,key=/k", "UTF-8"},
      {"s,key=/k,endpoint=", "HOST:PORT"},
      {"s,key=/k,endpoint=h", "HOST:PORT"},
      {"s,key=/k,endpoint=:443", "HOST:PORT"},
      {"s,key=/k,endpoint=h:", "port from 1"},
      {"s,key=/k,endpoint=h:0", "port from 1"},
      {"s,key=/k,endpoint=h:65536", "port from 1"},
      {"s,key=/k,endpoint=h:443x", "port from 1"},
      {"s,key=/k,endpoint=2001:db8::1:443", "in brackets"},
      {"s,key=/k,endpoint=[2001:db8::1]", "[ADDRESS]:PORT"},
      {"s,key=/k,endpoint=[]:443", "[ADDRESS]:PORT"},
      {"s,key=/k,endpoint=[::1:443", "[ADDRESS]:PORT"},
      {"s,key=/k,endpoint=h:443/", "server name"},
      {"s,key=/k,endpoint=\xff:443", "UTF-8"},
};

START_TEST(targets_that_are_fine)
{
    struct error err = {0};
    json_t *target;

    ck_ok(target_parse(good[_i].text, &target, &err));
    char *text = json_dumps(target, JSON_COMPACT);
    ck_assert_str_eq(text, good[_i].wanted);
    free(text);
    json_decref(target);
}
END_TEST

START_TEST(targets_that_are_not)
{
    struct error err = {0};
    json_t *target = NULL;

    ck_fails(target_parse(bad[_i].text, &target, &err), E_INPUT, bad[_i].wanted);
    ck_assert_ptr_null(target);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cli-target");
    TCase *tcase = tcase_create("target");

    tcase_add_loop_test(tcase, targets_that_are_fine, 0, (int)COUNT_OF(good));
    tcase_add_loop_test(tcase, targets_that_are_not, 0, (int)COUNT_OF(bad));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
