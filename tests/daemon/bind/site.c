#include "tests/daemon/bind/site.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

static struct error err;

static struct blob text_of(const char *a, const char *b, const char *c)
{
    AUTO_FREE char *joined = mem_printf("%s%s%s", a, b, c);

    return blob_copy(span_text(joined));
}

void pair_make(const char *name, struct pair *ret)
{
    AUTO_FREE char *names = mem_printf("DNS:%s,DNS:www.example.com", name);
    struct pair pair = {0};

    pair.root = authority_make(NULL, &(struct authority_plan){.subject = "Root", .ca = true});
    pair.intermediate =
        authority_make(pair.root, &(struct authority_plan){.subject = "Intermediate", .ca = true});
    pair.leaf = authority_make(pair.intermediate,
                               &(struct authority_plan){.subject = name, .names = names});
    blobs_add(&pair.chain, authority_der(pair.intermediate));
    const char *key = authority_key_pem(pair.leaf);
    const char *leaf = authority_pem(pair.leaf);
    const char *chain = authority_pem(pair.intermediate);
    pair.bundle.parts[BUNDLE_KEY] = text_of(key, "", "");
    pair.bundle.parts[BUNDLE_LEAF] = text_of(leaf, "", "");
    pair.bundle.parts[BUNDLE_CHAIN] = text_of(chain, "", "");
    pair.bundle.parts[BUNDLE_FULLCHAIN] = text_of(leaf, chain, "");
    pair.bundle.parts[BUNDLE_COMBINED] = text_of(leaf, chain, key);
    *ret = pair;
}

void pair_done(struct pair *pair)
{
    blobs_done(&pair->chain);
    bundle_done(&pair->bundle);
}

struct expectation pair_expected(const struct pair *pair)
{
    struct expectation expected = {.leaf = authority_der(pair->leaf), .chain = &pair->chain};

    sha256_of(expected.leaf, expected.leaf_sha256);
    return expected;
}

struct service site_service(void)
{
    static char name[] = "testd";
    struct service service = {.name = name, .command_deadline = 20};

    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        service.parts[i].allowed = true;
    return service;
}

void site_order(const struct service *service, const char *parts, struct deploy_order *ret)
{
    *ret = (struct deploy_order){.service = service, .handshakes = 2, .patience = 10};
    for (int i = 0; i < BUNDLE_PARTS; i++) {
        const char *text = bundle_part_text((enum bundle_part)i);
        AUTO_FREE char *name = mem_printf("www.%s", text);

        if (strstr(parts, text))
            ret->files[i] = testing_path(name);
    }
}

void site_order_done(struct deploy_order *order)
{
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        free((char *)(uintptr_t)order->files[i]);
}

void site_install(const struct deploy_order *order, const struct bundle *bundle)
{
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        if (order->files[i])
            ck_ok(file_replace(order->files[i], blob_span(&bundle->parts[i]),
                               i == BUNDLE_KEY ? FILE_PRIVATE : FILE_PUBLIC, &err));
}

bool site_holds(const struct deploy_order *order, const struct bundle *bundle)
{
    for (size_t i = 0; i < BUNDLE_PARTS; i++) {
        AUTO_BLOB struct blob data = {0};

        if (!order->files[i])
            continue;
        bool there = file_read(order->files[i], BUF_MAX_PEM, &data, NULL) == 0;
        if (there != (bundle != NULL) ||
            (bundle && !span_equal(blob_span(&data), blob_span(&bundle->parts[i]))))
            return false;
    }
    return true;
}

bool site_is_clean(void)
{
    DIR *dir = opendir(testing_dir());
    const struct dirent *entry;
    bool clean = true;

    while ((entry = readdir(dir)))
        clean = clean && (!strstr(entry->d_name, "unlapsed"));
    closedir(dir);
    return clean;
}
