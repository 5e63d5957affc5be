#include "tests/daemon/keep/harness.h"

#include <stdio.h>

char harness_told[ERROR_TEXT_MAX];
size_t harness_tellings;

static void tell(void *self, const char *text)
{
    (void)self;
    snprintf(harness_told, sizeof harness_told, "%s", text);
    __atomic_add_fetch(&harness_tellings, 1, __ATOMIC_RELAXED);
}

int harness_try(struct keep_options options, struct keep **ret, struct error *err)
{
    AUTO_FREE char *program = mem_printf("%s/daemon/unlapsed", getenv("BUILD_ROOT"));
    AUTO_FREE char *path = testing_path("sealing.key");

    if (!options.program)
        options.program = program;
    if (!options.path) {
        options.path = path;
        options.create = true;
    }
    options.faults = true;
    options.tell = tell;
    return keep_open(&options, ret, err);
}

struct keep *harness_open(struct keep_options options)
{
    struct error err = {0};
    struct keep *keep = NULL;

    ck_ok(harness_try(options, &keep, &err));
    return keep;
}

int harness_fault(struct keep *keep, const char *fault, struct error *err)
{
    AUTO_FREE char *key = mem_printf("unlapsed-fault: %s", fault);
    struct sealed_key sealed = {0};

    return keep_seal(keep, HARNESS_RENEWAL, span_text(key), &sealed, err);
}

int harness_make(struct keep *keep, enum key_type type, struct sealed_key *ret_key,
                 struct blob *ret_csr, struct error *err)
{
    AUTO_NAMES struct names names = {0};

    ck_assert_int_eq(0, names_add(&names, NAME_DNS, "www.example.com", NULL));
    return keep_make_request(keep, HARNESS_RENEWAL, &(struct key_request){type, {0}, &names},
                             ret_key, ret_csr, err);
}

void harness_make_well(struct keep *keep)
{
    struct sealed_key key = {0};
    AUTO_BLOB struct blob csr = {0};
    struct error err = {0};

    ck_ok(harness_make(keep, KEY_EC_P256, &key, &csr, &err));
    ck_ok(keep_check(keep, HARNESS_RENEWAL, &key, blob_span(&csr), (struct span){0}, &err));
    sealed_key_done(&key);
}
