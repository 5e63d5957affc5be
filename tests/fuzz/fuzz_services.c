/* Any text as a file of services: refused with a place in the file, or taken, and then every
 * command names its program by an absolute path. */
#include <assert.h>

#include "policies/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct services *services = services_open();
    struct error err = {0};
    AUTO_BUF struct buf complaints;

    buf_init(&complaints, BUF_MAX_CONFIG);
    int rc = services_load(services, "fuzz.yaml", (const char *)data, size, &complaints, &err);
    assert(rc == 0 || rc == E_CONFIG);
    int finished = services_finish(services, &complaints, &err);
    for (size_t i = 0; rc == 0 && finished == 0 && i < services_count(services); i++) {
        const struct service *service = services_at(services, i);

        assert(!service->test[0] || service->test[0][0] == '/');
        assert(!service->reload[0] || service->reload[0][0] == '/');
        assert(!service->pid_file || service->pid_file[0] == '/');
    }
    services_free(services);
    return 0;
}
