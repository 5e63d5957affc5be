#include "daemon/cli/audit.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"

#include "daemon/cli/reply.h"

enum { PAGE = 1000, HASH_LEN = 32 };

/* The proof so far: page by page, each from where the one before ended. */
struct proof {
    struct audit_mark from, to;
    bool begun, more;
    int64_t broken_id; /* 0: it is whole so far */
    char wrong[ERROR_TEXT_MAX];
    const struct audit_mark *expect; /* NULL: nobody asked */
    bool met;
    json_t *pruned; /* null: nothing was */
};

static void proof_done(struct proof *proof)
{
    json_decref(proof->pruned);
}

bool audit_mark_parse(const char *text, struct audit_mark *ret)
{
    uint8_t hash[HASH_LEN];
    const char *colon = strchr(text, ':');
    struct audit_mark mark;

    if (!colon || !text_unhex(colon + 1, hash, HASH_LEN))
        return false;
    AUTO_FREE char *id = mem_printf("%.*s", (int)(colon - text), text);
    if (!text_number(id, 1, INT64_MAX - 1, &mark.id))
        return false;
    text_hex(hash, HASH_LEN, mark.hash);
    *ret = mark;
    return true;
}

static void read_mark(const json_t *json, const char *key, struct audit_mark *ret,
                      struct error *bad)
{
    const json_t *object = reply_object(json, key, bad);
    const char *hash = reply_text(object, "hash", bad);

    ret->id = reply_number(object, "id", bad);
    if (bad->code == 0 && strlen(hash) != 2 * HASH_LEN)
        error_set(bad, E_FORMAT, "the daemon's reply: %s.hash: wanted 64 digits", key);
    snprintf(ret->hash, sizeof ret->hash, "%s", hash);
}

/* A page ends at the event that is expected, so that its hash is seen. */
static int64_t page_size(const struct proof *proof)
{
    int64_t missing = proof->expect ? proof->expect->id - proof->to.id : PAGE;

    if (!proof->begun && proof->expect)
        return 1;
    return missing > 0 && missing < PAGE ? missing : PAGE;
}

static void proof_break(struct proof *proof, int64_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void proof_break(struct proof *proof, int64_t id, const char *format, ...)
{
    va_list args;

    proof->broken_id = id;
    va_start(args, format);
    vsnprintf(proof->wrong, sizeof proof->wrong, format, args);
    va_end(args);
}

static void compare(struct proof *proof, const struct audit_mark *mark)
{
    const struct audit_mark *expect = proof->expect;

    if (!expect || expect->id != mark->id || proof->broken_id != 0)
        return;
    proof->met = strcmp(expect->hash, mark->hash) == 0;
    if (!proof->met)
        proof_break(proof, mark->id,
                    "it is another one than expected: what led to it was written anew");
}

static void check_expected_end(struct proof *proof)
{
    const struct audit_mark *expect = proof->expect;

    if (!expect || proof->met || proof->broken_id != 0)
        return;
    if (expect->id > proof->to.id)
        proof_break(proof, expect->id, "it is missing: the newest one is %lld",
                    (long long)proof->to.id);
    else
        proof_break(proof, expect->id,
                    "it is pruned: nothing tells whether it was the expected one");
}

static void read_page(struct proof *proof, const json_t *page, struct error *bad)
{
    const json_t *broken = reply_object_or_null(page, "broken", bad);
    const json_t *pruned = reply_object_or_null(page, "pruned", bad);
    struct audit_mark from, before = proof->to;

    read_mark(page, "from", &from, bad);
    read_mark(page, "to", &proof->to, bad);
    proof->more = reply_bool(page, "more", bad);
    if (bad->code == 0 && proof->begun && proof->more && proof->to.id <= before.id)
        error_set(bad, E_FORMAT, "the daemon's reply: to: it does not move on");
    if (!proof->begun)
        proof->from = from;
    proof->begun = true;
    json_decref(proof->pruned);
    proof->pruned = json_incref((json_t *)(uintptr_t)pruned);
    if (broken)
        proof_break(proof, reply_number(broken, "id", bad), "%s", reply_text(broken, "text", bad));
    compare(proof, &from);
    compare(proof, &proof->to);
}

static enum cli_exit fetch_page(struct cli *cli, struct proof *proof)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    AUTO_FREE char *after =
        proof->begun ? mem_printf("&after=%lld&hash=%s", (long long)proof->to.id, proof->to.hash)
                     : mem_strdup("");
    AUTO_FREE char *path =
        mem_printf("/v1/audit/verify?limit=%lld%s", (long long)page_size(proof), after);

    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    read_page(proof, reply.json, &err);
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

static void put_document(struct cli *cli, const struct proof *proof)
{
    AUTO_JSON json_t *document = json_pack(
        "{s:i, s:b, s:I, s:{s:I, s:s}, s:O?}", "schema_version", 1, "whole",
        (int)(proof->broken_id == 0), "events", (json_int_t)(proof->to.id - proof->from.id), "to",
        "id", (json_int_t)proof->to.id, "hash", proof->to.hash, "pruned", proof->pruned);

    if (proof->broken_id != 0)
        json_object_set_new(
            document, "broken",
            json_pack("{s:I, s:s}", "id", (json_int_t)proof->broken_id, "text", proof->wrong));
    else
        json_object_set_new(document, "broken", json_null());
    json_object_set_new(document, "expected",
                        proof->expect ? json_boolean(proof->met) : json_null());
    json_dumpf(document, cli->out, JSON_INDENT(2));
    fputc('\n', cli->out);
}

static void put_mark(struct cli *cli, const char *label, const struct audit_mark *mark)
{
    cli_put_label(cli, label);
    fprintf(cli->out, "%lld:", (long long)mark->id);
    cli_put(cli, mark->hash);
    fputc('\n', cli->out);
}

static void put_pruned(struct cli *cli, const struct proof *proof, struct error *bad)
{
    if (!proof->pruned)
        return;
    cli_put_label(cli, "Pruned");
    fprintf(cli->out, "the events up to %lld, by ",
            (long long)reply_number(proof->pruned, "id", bad));
    cli_put(cli, reply_text(proof->pruned, "by", bad));
    fputs(", ", cli->out);
    cli_put_time(cli, reply_time(proof->pruned, "at", bad));
    fputc('\n', cli->out);
}

static enum cli_exit put_text(struct cli *cli, const struct proof *proof)
{
    struct error bad = {0};

    cli_put_label(cli, "Audit trail");
    cli_put_state(cli, proof->broken_id == 0 ? "whole" : "broken");
    if (proof->broken_id == 0)
        fprintf(cli->out, ", %lld events\n", (long long)(proof->to.id - proof->from.id));
    else
        fprintf(cli->out, " at event %lld: ", (long long)proof->broken_id);
    if (proof->broken_id != 0) {
        cli_put(cli, proof->wrong);
        fputc('\n', cli->out);
    }
    put_pruned(cli, proof, &bad);
    if (proof->met)
        put_mark(cli, "Expected", proof->expect);
    put_mark(cli, proof->broken_id == 0 ? "Newest" : "Whole up to", &proof->to);
    if (bad.code != 0)
        return cli_fail(cli, NULL, &bad);
    return proof->broken_id == 0 ? CLI_OK : CLI_ERROR;
}

enum cli_exit audit_verify(struct cli *cli, const struct audit_mark *expect)
{
    __attribute__((cleanup(proof_done))) struct proof proof = {.more = true, .expect = expect};

    while (proof.more && proof.broken_id == 0) {
        enum cli_exit status = fetch_page(cli, &proof);

        if (status != CLI_OK)
            return status;
    }
    check_expected_end(&proof);
    if (!cli->json)
        return put_text(cli, &proof);
    put_document(cli, &proof);
    return proof.broken_id == 0 ? CLI_OK : CLI_ERROR;
}
