/* What a file is. It is opened with the caller's own rights and parsed by a confined process, as
 * the daemon's deliveries are; the daemon is only asked whose public keys they are. */
#include "daemon/cli/cli.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "pki/delivery/passwords.h"

#include "daemon/cli/reply.h"
#include "daemon/read/reader.h"

struct arguments {
    const char *file;
    const char *password_file;
};

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct arguments *arguments = self;

    if (option == 'p') {
        arguments->password_file = value;
        return CLI_OK;
    }
    if (arguments->file)
        return cli_usage(cli, "\"%s\" is too much: one FILE is wanted", value);
    arguments->file = value;
    return CLI_OK;
}

static int read_passwords(const char *file, struct passwords *ret, struct error *err)
{
    AUTO_SECRET struct blob text = {0};
    int rc = file_read(file, PASSWORDS_FILE_MAX, &text, err);

    return rc < 0 ? rc : passwords_parse(file, blob_span(&text), ret, err);
}

static int read_file(const char *name, struct blob *ret, struct error *err)
{
    if (strcmp(name, "-") == 0)
        return file_read_fd(STDIN_FILENO, "standard input", DELIVERY_FILE_MAX, ret, err);
    return file_read(name, DELIVERY_FILE_MAX, ret, err);
}

/* A stranger's file has no business in a process with an administrator's rights, so there is no
 * other way when no reader can be had. */
static int read_objects(struct span data, const struct passwords *passwords,
                        struct delivery_objects *ret, struct error *err)
{
    const struct reader_options options = {
        .delivery = {(const char *const *)passwords->items, passwords->count, false}};
    struct reader *reader = NULL;
    int rc = reader_open(&options, &reader, err);

    if (rc == 0)
        rc = reader_read_alone(reader, data, ret, err);
    reader_close(reader);
    return rc == E_COMMAND ? error_wrap(err, E_IO, "no process to read it in") : rc;
}

static const char *kind_text(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_CERTIFICATE:
        return "certificate";
    case OBJECT_CSR:
        return "csr";
    case OBJECT_CRL:
        return "crl";
    case OBJECT_PRIVATE_KEY:
        return "private key";
    case OBJECT_OTHER:
        return "other";
    case OBJECT_BROKEN:
        return "broken";
    }
    return "broken";
}

static void put_hash(json_t *json, const char *key, const uint8_t hash[SHA256_LEN])
{
    char hex[2 * SHA256_LEN + 1];

    json_object_set_new(json, key, json_string(text_hex(hash, SHA256_LEN, hex)));
}

static void put_time(json_t *json, const char *key, utc_t at)
{
    char text[UTC_TEXT_MAX];

    json_object_set_new(json, key,
                        at == UTC_NEVER ? json_null() : json_string(utc_format(at, text)));
}

static void put_certificate(json_t *json, const struct cert *cert)
{
    AUTO_FREE char *joined = names_join(&cert->names);
    json_t *names = json_array();
    char *rest = joined, *name;

    while (cert->names.count > 0 && (name = strsep(&rest, ","))) {
        name += name[0] == ' ';
        json_array_append_new(names, json_string(name));
    }
    json_object_set_new(json, "subject", json_string(cert->subject));
    json_object_set_new(json, "issuer", json_string(cert->issuer));
    json_object_set_new(json, "serial", json_string(cert->serial));
    json_object_set_new(json, "names", names);
    json_object_set_new(json, "ca", json_boolean(cert->is_ca));
    json_object_set_new(json, "self_signed", json_boolean(cert->self_signed));
    json_object_set_new(json, "key", json_string(cert->key_text));
    json_object_set_new(json, "signature", json_string(cert->signature_text));
    put_time(json, "not_before", cert->not_before);
    put_time(json, "not_after", cert->not_after);
    put_hash(json, "sha256", cert->sha256);
}

/* Asks the daemon until it does not answer once: then nothing is known of ours, and why is said. */
static json_t *ask(struct cli *cli, const uint8_t spki[SHA256_LEN], struct error *silent)
{
    char hex[2 * SHA256_LEN + 1];
    AUTO_FREE char *path = mem_printf("/v1/keys/%s", text_hex(spki, SHA256_LEN, hex));
    AUTO_REPLY struct reply reply = {0};

    if (silent->code != 0 || client_call(cli->socket, path, NULL, &reply, silent) != 0)
        return json_null();
    return json_deep_copy(reply_array(reply.json, "renewals", silent));
}

static json_t *describe(struct cli *cli, const struct object *object, struct error *silent)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "kind", kind_text(object->kind), "origin",
                             object->origin, "says", object->note);
    bool is_certificate = object->kind == OBJECT_CERTIFICATE;
    const uint8_t *spki = is_certificate     ? object->cert.spki_sha256
                          : object->has_spki ? object->spki_sha256
                                             : NULL;

    if (is_certificate)
        put_certificate(json, &object->cert);
    if (spki && !(is_certificate && object->cert.is_ca)) {
        put_hash(json, "spki_sha256", spki);
        json_object_set_new(json, "renewals", ask(cli, spki, silent));
    }
    return json;
}

static json_t *document_of(struct cli *cli, const char *file, struct span data,
                           const struct delivery_objects *objects)
{
    AUTO_FREE char *name = text_escape_all(file);
    json_t *json = json_pack("{s:i, s:s, s:s, s:I}", "schema_version", 1, "file", name, "summary",
                             objects->summary, "size", (json_int_t)data.len);
    json_t *list = json_array();
    struct error silent = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(data, hash);
    put_hash(json, "sha256", hash);
    for (size_t i = 0; i < objects->count; i++)
        json_array_append_new(list, describe(cli, &objects->items[i], &silent));
    json_object_set_new(json, "objects", list);
    AUTO_FREE char *why = text_escape_all(silent.text);
    json_object_set_new(json, "not_asked", silent.code != 0 ? json_string(why) : json_null());
    return json;
}

static void put_line(struct cli *cli, const char *label, const char *text)
{
    fputs("   ", cli->out);
    cli_put_label(cli, label);
    cli_put(cli, text);
    fputc('\n', cli->out);
}

static const char *request_says(const char *request)
{
    static const char *const words[][2] = {
        {"open", "its request waits for the authority's certificate"},
        {"waiting chain", "a certificate for it is here and waits for its chain"},
        {"accepted", "a certificate for it was accepted"},
        {"superseded", "its request was superseded by a newer one"},
        {"withdrawn", "its request was withdrawn"},
    };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i][0], request) == 0)
            return words[i][1];
    return request;
}

static void put_renewals(struct cli *cli, const json_t *object, struct error *bad)
{
    const json_t *list = json_object_get(object, "renewals");

    if (!json_is_array(list))
        return;
    if (json_array_size(list) == 0)
        put_line(cli, "For", "no certificate of ours: its key belongs to no request made here");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        AUTO_FREE char *text =
            mem_printf("%s (renewal %lld): %s", reply_text(item, "certificate", bad),
                       (long long)reply_number(item, "renewal", bad),
                       request_says(reply_text(item, "request", bad)));

        put_line(cli, "For", text);
    }
}

static void put_names(struct cli *cli, const json_t *names, struct error *bad)
{
    AUTO_BUF struct buf text;

    buf_init(&text, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < json_array_size(names); i++)
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", reply_item_text(names, i, bad));
    put_line(cli, "Names", text.len > 0 ? buf_text(&text) : "-");
}

static void put_object(struct cli *cli, size_t number, const json_t *object, struct error *bad)
{
    const char *origin = reply_text(object, "origin", bad);

    fprintf(cli->out, "\n%zu. ", number);
    cli_put_head(cli, reply_text(object, "says", bad));
    if (origin[0] != '\0')
        put_line(cli, "In", origin);
    if (json_object_get(object, "subject")) {
        put_line(cli, "Subject", reply_text(object, "subject", bad));
        put_line(cli, "Issuer", reply_text(object, "issuer", bad));
        put_names(cli, reply_array(object, "names", bad), bad);
        put_line(cli, "Serial", reply_text(object, "serial", bad));
        put_line(cli, "SHA-256", reply_text(object, "sha256", bad));
        put_line(cli, "Key", reply_text(object, "key", bad));
        fputs("   ", cli->out);
        cli_put_label(cli, "Begins");
        cli_put_time(cli, reply_time(object, "not_before", bad));
        fputs("\n   ", cli->out);
        cli_put_label(cli, "Ends");
        cli_put_time(cli, reply_time(object, "not_after", bad));
        fputc('\n', cli->out);
    }
    put_renewals(cli, object, bad);
}

static int put_document(struct cli *cli, const json_t *json, struct error *err)
{
    const json_t *objects = reply_array(json, "objects", err);
    const char *not_asked = reply_text_or_null(json, "not_asked", err);

    cli_put_head(cli, reply_text(json, "file", err));
    put_line(cli, "What it is", reply_text(json, "summary", err));
    put_line(cli, "SHA-256", reply_text(json, "sha256", err));
    for (size_t i = 0; i < json_array_size(objects); i++)
        put_object(cli, i + 1, json_array_get(objects, i), err);
    if (not_asked) {
        fputs("\nWhether it is for a certificate of ours is not known: ", cli->out);
        cli_put(cli, not_asked);
        fputc('\n', cli->out);
    }
    return err->code;
}

VERB(verb_inspect)
{
    static const struct option own[] = {{"password-file", required_argument, NULL, 'p'}, {0}};
    AUTO_PASSWORDS struct passwords passwords = {0};
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_SECRET struct blob data = {0};
    struct arguments arguments = {0};
    struct error err = {0};
    int rc = 0;

    if (!cli_parse(cli, argc, argv, own, take, &arguments))
        return cli->status;
    if (!arguments.file)
        return cli_usage(cli, "FILE is missing: what is to be looked at?");
    if (arguments.password_file)
        rc = read_passwords(arguments.password_file, &passwords, &err);
    if (rc == 0)
        rc = read_file(arguments.file, &data, &err);
    if (rc == 0)
        rc = read_objects(blob_span(&data), &passwords, &objects, &err);
    if (rc < 0)
        return cli_fail(cli, NULL, &err);
    AUTO_JSON json_t *document = document_of(cli, arguments.file, blob_span(&data), &objects);
    if (cli->json) {
        json_dumpf(document, cli->out, JSON_INDENT(2));
        fputc('\n', cli->out);
        return CLI_OK;
    }
    return put_document(cli, document, &err) == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}
