#include "daemon/cli/check_look.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "pki/delivery/delivery.h"
#include "pki/probe.h"

enum { HANDSHAKE_MS = 10000 };

void check_looks_done(struct check_looks *looks)
{
    for (size_t i = 0; i < looks->count; i++) {
        blobs_done(&looks->items[i].sent);
        check_report_done(&looks->items[i].report);
    }
    free(looks->items);
    check_report_done(&looks->whole);
    *looks = (struct check_looks){0};
}

static int read_input(struct blob *ret, struct error *err)
{
    AUTO_BUF struct buf all = {0};
    char part[4096];
    size_t got;

    buf_init(&all, DELIVERY_FILE_MAX);
    while ((got = fread(part, 1, sizeof part, stdin)) > 0 && !all.full)
        buf_add(&all, part, got);
    if (ferror(stdin))
        return error_set(err, E_IO, "standard input: cannot be read");
    if (all.full)
        return error_set(err, E_TOO_LARGE, "standard input: wanted at most %d bytes, got more",
                         DELIVERY_FILE_MAX);
    *ret = buf_take(&all);
    return 0;
}

static void sort_object(const struct object *object, struct check_file *file)
{
    switch (object->kind) {
    case OBJECT_CERTIFICATE:
        blobs_add(&file->certs, blob_span(&object->der));
        break;
    case OBJECT_PRIVATE_KEY:
        file->keys++;
        break;
    case OBJECT_BROKEN:
        if (file->broken++ == 0)
            snprintf(file->note, sizeof file->note, "%s", object->note);
        break;
    case OBJECT_CSR:
    case OBJECT_CRL:
    case OBJECT_OTHER:
        break;
    }
}

int check_read_file(const char *path, struct check_file *ret, struct error *err)
{
    AUTO_SECRET struct blob bytes = {0};
    AUTO_OBJECTS struct delivery_objects objects = {0};
    struct check_file file = {0};
    bool input = strcmp(path, "-") == 0;
    int rc = input ? read_input(&bytes, err) : file_read(path, DELIVERY_FILE_MAX, &bytes, err);

    if (rc == 0)
        rc = delivery_read(blob_span(&bytes), NULL, &objects, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < objects.count; i++)
        sort_object(&objects.items[i], &file);
    if (file.certs.count == 0 && file.broken == 0)
        return error_set(err, E_FORMAT, "%s: wanted a certificate, got %s",
                         input ? "standard input" : path, objects.summary);
    *ret = file;
    return 0;
}

static struct check_look *add_look(struct check_looks *looks, const char *origin)
{
    looks->items = mem_resize(looks->items, looks->count + 1, sizeof *looks->items);
    struct check_look *look = &looks->items[looks->count++];
    *look = (struct check_look){0};
    text_escape(origin, look->origin, sizeof look->origin);
    return look;
}

static void examine(const struct check_plan *plan, struct check_look *look)
{
    const struct check_request request = {
        .sent = &look->sent,
        .live = plan->host != NULL,
        .untrusted = &plan->untrusted,
        .anchors = plan->anchors,
        .hosts = &plan->names,
        .at = plan->at,
        .purpose = plan->purpose,
        .public_roots = plan->system_anchors,
    };

    look->looked = look->sent.count == 0 || check_run(&request, &look->report, &look->error) == 0;
}

void check_look_at_file(const struct check_plan *plan, struct check_looks *ret)
{
    struct check_look *look = add_look(ret, plan->target);
    struct check_file file = {0};

    if (check_read_file(plan->target, &file, &look->error) < 0)
        return;
    look->sent = file.certs;
    examine(plan, look);
    if (file.broken > 0)
        check_add(&look->report, CHECK_BAD, "malformed", CHECK_NO_PLACE,
                  "ask the authority for it again", "%s", file.note);
    if (file.keys > 0)
        check_add(&look->report, CHECK_INFO, "private-key", CHECK_NO_PLACE,
                  "let nobody read it who need not", "the file holds a private key");
}

/* Who is asked for: an address has no name to send, so the first of --host stands for it. */
static const char *server_name(const struct check_plan *plan)
{
    for (size_t i = 0; i < plan->names.count && plan->host_is_address; i++)
        if (plan->names.items[i].type == NAME_DNS)
            return plan->names.items[i].text;
    return plan->host;
}

static void look_at_address(const struct check_plan *plan, const struct probe_address *address,
                            struct check_looks *looks)
{
    struct check_look *look = add_look(looks, address->text);
    AUTO_PROBE struct probe_result result = {0};

    if (probe_starttls(address, server_name(plan), plan->starttls, HANDSHAKE_MS, &result,
                       &look->error) < 0)
        return;
    memcpy(look->protocol, result.protocol, sizeof look->protocol);
    look->sent = result.sent;
    result.sent = (struct blobs){0};
    examine(plan, look);
    if (strcmp(look->protocol, "TLSv1.3") != 0 && strcmp(look->protocol, "TLSv1.2") != 0)
        check_add(&look->report, CHECK_WARNING, "protocol-old", CHECK_NO_PLACE,
                  "switch on TLS 1.2 and 1.3", "the best it speaks is %s", look->protocol);
}

/* An address that does not answer while others do: half of the visitors may see it. */
static void examine_silence(struct check_looks *looks)
{
    size_t looked = 0;

    for (size_t i = 0; i < looks->count; i++)
        looked += looks->items[i].looked;
    for (size_t i = 0; looked > 0 && i < looks->count; i++)
        if (!looks->items[i].looked)
            check_add(&looks->whole, CHECK_WARNING, "no-answer", CHECK_NO_PLACE,
                      "see whether the server listens there, or this machine reaches it", "%s",
                      looks->items[i].error.text);
}

void check_look_at_host(const struct check_plan *plan, struct check_looks *ret)
{
    struct probe_addresses addresses = {0};
    struct error err = {0};

    if (probe_resolve(plan->host, plan->port, PROBE_RESOLVE_MS, &addresses, &err) < 0) {
        struct check_look *look = add_look(ret, plan->target);

        look->error = err;
        return;
    }
    for (size_t i = 0; i < addresses.count; i++)
        look_at_address(plan, &addresses.items[i], ret);
    examine_silence(ret);
    if (plan->starttls == STARTTLS_NONE && check_verdict_of(ret) != VERDICT_COULD_NOT_LOOK)
        check_http(plan->host, plan->port, plan->port == 443 ? 80 : 0, &ret->whole);
}

enum check_verdict check_verdict_of(const struct check_looks *looks)
{
    enum check_verdict verdict = VERDICT_COULD_NOT_LOOK;

    for (size_t i = 0; i < looks->count; i++) {
        if (!looks->items[i].looked)
            continue;
        if (!check_is_good(&looks->items[i].report))
            return VERDICT_BAD;
        verdict = VERDICT_GOOD;
    }
    return verdict;
}

const char *check_verdict_text(enum check_verdict verdict)
{
    switch (verdict) {
    case VERDICT_GOOD:
        return "good";
    case VERDICT_BAD:
        return "bad";
    case VERDICT_COULD_NOT_LOOK:
        return "unknown";
    }
    return "unknown";
}
