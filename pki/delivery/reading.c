#include "pki/delivery/reading.h"

#include <stdio.h>
#include <string.h>

bool reading_may_open(const struct reading *reading, bool is_archive)
{
    return reading->depth < READING_DEPTH_MAX && !(is_archive && reading->in_archive);
}

size_t reading_useful(const struct reading *reading, size_t since)
{
    size_t useful = 0;

    for (size_t i = since; i < reading->list.count; i++)
        useful +=
            reading->list.items[i].der.len > 0 || reading->list.items[i].kind == OBJECT_PRIVATE_KEY;
    return useful;
}

void reading_cut(struct reading *reading, size_t since)
{
    while (reading->list.count > since)
        object_done(&reading->list.items[--reading->list.count]);
}

int reading_say(struct reading *reading, const char *summary)
{
    snprintf(reading->summary, sizeof reading->summary, "%s", summary);
    return 1;
}

int reading_unopened(struct reading *reading, const char *what, struct error *err)
{
    if (reading->depth > 0) {
        int rc = object_add(&reading->list, OBJECT_BROKEN, NULL, err, "%s", what);
        if (rc < 0)
            return rc;
    }
    return reading_say(reading, what);
}

/* "2 certificates and 1 private key", "nothing that can be used" */
static void count_kinds(const struct object_list *list, size_t since, char *ret, size_t size)
{
    static const char *const words[][2] = {
        [OBJECT_CERTIFICATE] = {"certificate", "certificates"},
        [OBJECT_CSR] = {"certificate request (CSR)", "certificate requests (CSR)"},
        [OBJECT_CRL] = {"revocation list (CRL)", "revocation lists (CRL)"},
        [OBJECT_PRIVATE_KEY] = {"private key", "private keys"},
        [OBJECT_OTHER] = {"other thing", "other things"},
        [OBJECT_BROKEN] = {"unreadable part", "unreadable parts"},
    };
    size_t counts[COUNT_OF(words)] = {0};
    size_t used = 0;

    for (size_t i = since; i < list->count; i++)
        counts[list->items[i].kind]++;
    snprintf(ret, size, "nothing that can be used");
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (counts[i] == 0 || used >= size)
            continue;
        used += (size_t)snprintf(ret + used, size - used, "%s%zu %s", used > 0 ? ", " : "",
                                 counts[i], words[i][counts[i] > 1]);
    }
}

void reading_summarise(struct reading *reading, const char *coat, size_t since)
{
    const struct object_list *list = &reading->list;
    const char *pkcs7 = list->pkcs7 > 0 ? "PKCS#7 in " : "";
    char kinds[160];

    if (list->count - since == 1 && list->items[since].kind == OBJECT_BROKEN) {
        snprintf(reading->summary, sizeof reading->summary, "%s%s: %s", pkcs7, coat,
                 list->items[since].note);
        return;
    }
    count_kinds(list, since, kinds, sizeof kinds);
    snprintf(reading->summary, sizeof reading->summary, "%s%s with %s", pkcs7, coat, kinds);
}
