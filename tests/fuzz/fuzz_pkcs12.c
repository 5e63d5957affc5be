/* Any bytes as a PKCS#12 file, with the password of the seeds. */
#include "pki/delivery/pkcs12.h"
#include "tests/fuzz/objects_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"secret"};
    static const struct delivery_options options = {words, COUNT_OF(words), true};
    /* Little is left for passwords: the time is for odd forms. */
    struct object_list list = {.options = &options, .work = PBE_WORK_MAX - 20000};
    struct error err = {0};
    size_t used = 0;
    bool good = false;

    if (size == 0)
        return 0;
    int rc = pkcs12_add(&list, span_of(data, size), "", &used, &good, &err);
    assert(used <= size);
    objects_check(&list, rc, &err);
    object_list_done(&list);
    return 0;
}
