/* Any bytes as a file whose last certificate is trusted: the check ends, and says only what can be
 * shown. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "pki/check.h"
#include "pki/delivery/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL when it is none that can be trusted. */
static struct anchors *trust(struct span der)
{
    struct anchors *anchors = NULL;
    char path[64];
    int fd = memfd_create("anchor", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, der.data, der.len) == (ssize_t)der.len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (anchors_open((const char *const[]){path}, 1, false, &anchors, NULL) < 0)
        anchors = NULL;
    close(fd);
    return anchors;
}

static void check(const struct blobs *certs, bool live, enum chain_purpose purpose)
{
    AUTO_NAMES struct names hosts = {0};
    AUTO_CHECK struct check_report report = {0};
    struct anchors *anchors = trust(blob_span(&certs->items[certs->count - 1]));
    const struct check_request request = {.sent = certs,
                                          .live = live,
                                          .anchors = anchors,
                                          .hosts = &hosts,
                                          .at = INT64_C(1795348800),
                                          .purpose = purpose,
                                          .public_roots = live};
    struct error err = {0};

    if (!anchors)
        return;
    assert(names_add_tagged(&hosts, "www.example.com", NULL) == 0);
    if (check_run(&request, &report, &err) < 0)
        assert(err.code == E_TOO_LARGE);
    for (size_t i = 0; i < report.finding_count; i++) {
        const struct check_finding *finding = &report.findings[i];

        assert(finding->code[0] != '\0' && finding->text[0] != '\0');
        assert(text_is_header_safe(finding->text, strlen(finding->text)));
        assert(text_is_utf8(finding->text, strlen(finding->text)));
        assert(text_is_header_safe(finding->action, strlen(finding->action)));
        assert(finding->place < (int)report.link_count);
    }
    /* Good is never said of a path that does not end in an anchor. */
    assert(!check_is_good(&report) || (report.complete && report.link_count > 0));
    anchors_free(anchors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_BLOBS struct blobs certs = {0};

    if (delivery_read(span_of(data, size), NULL, &objects, NULL) < 0)
        return 0;
    for (size_t i = 0; i < objects.count; i++)
        if (objects.items[i].kind == OBJECT_CERTIFICATE)
            blobs_add(&certs, blob_span(&objects.items[i].der));
    if (certs.count == 0)
        return 0;
    check(&certs, true, CHAIN_SERVER);
    check(&certs, false, CHAIN_ANY);
    return 0;
}
