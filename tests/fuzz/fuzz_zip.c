/* Any bytes as a ZIP archive. */
#include "pki/delivery/reading.h"
#include "pki/delivery/zip.h"
#include "tests/fuzz/objects_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct delivery_options options;
    struct reading reading = {.options = &options, .list = {.options = &options}};
    struct error err = {0};
    int rc = zip_read(span_of(data, size), &reading, &err);

    assert(rc != 0 || reading.list.count == 0);
    assert(rc <= 0 || reading.summary[0] != '\0');
    objects_check(&reading.list, rc, &err);
    object_list_done(&reading.list);
    return 0;
}
