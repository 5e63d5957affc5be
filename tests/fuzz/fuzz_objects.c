/* Any bytes as DER: certificates, requests, PKCS#7, keys and all else, one after another. */
#include "tests/fuzz/objects_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"secret"};
    static const struct delivery_options options = {words, COUNT_OF(words), true};
    struct object_list list = {.options = &options, .work = PBE_WORK_MAX - 40000};
    struct error err = {0};
    int rc = object_add_der(&list, span_of(data, size), size % 16 == 7, "", &err);

    objects_check(&list, rc, &err);
    object_list_done(&list);
    return 0;
}
