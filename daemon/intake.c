/* The intake lane: what lies in the drop folder is read, judged, moved and answered, batch after
 * batch, and what ails the folder is told. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/deliveries.h"

#include "daemon/lane.h"

enum {
    TROUBLE_FIRST_SECONDS = 2, /* then twice as long each time */
    TROUBLE_MOST_SECONDS = 60,
    FAILURE_SECONDS = 5, /* of the inventory, however often the folder calls */
    TELL_SECONDS = 60,   /* how often the inventory is asked whether it is time to mail */
};

/* What people can do about it. */
static const char *advice(int code)
{
    switch (code) {
    case E_FULL:
        return "make room on its file system";
    case E_DENIED:
        return "give unlapsed the right to read and write it, or mount it for writing";
    case E_NOT_FOUND:
        return "put the folder back or mount its share";
    case E_REFUSED:
    case E_EXISTS:
        return "take away what stands there, unlapsed makes the folder";
    default:
        return "look at the disk or the share that it lies on";
    }
}

/* The beginning and the end of trouble are logged and recorded once, however often it is met. */
static int tell(struct lane *lane, const char *text, struct error *err)
{
    struct intake_state *state = &lane->intake;
    bool same = state->known &&
                (text ? state->trouble && strcmp(text, state->trouble) == 0 : !state->trouble);

    if (same && (!text || clock_monotonic_ms() < state->tell_ms))
        return 0;
    int rc = life_folder_trouble(&lane->life, text, err);
    if (rc < 0)
        return rc;
    free(state->trouble);
    state->trouble = text ? mem_strdup(text) : NULL;
    state->known = true;
    state->tell_ms = clock_monotonic_ms() + TELL_SECONDS * 1000;
    return 0;
}

static int in_trouble(struct lane *lane, int code, const char *reason, struct error *err)
{
    struct intake_state *state = &lane->intake;
    AUTO_FREE char *text = mem_printf("%s; %s", reason, advice(code));
    seconds_t wait = TROUBLE_FIRST_SECONDS << state->failures;

    if (wait < TROUBLE_MOST_SECONDS)
        state->failures++;
    else
        wait = TROUBLE_MOST_SECONDS;
    state->retry_ms = clock_monotonic_ms() + wait * 1000;
    state->looked = false;
    drop_release(lane->drop);
    return tell(lane, text, err);
}

static bool backs_off(const struct intake_state *state, utc_t *ret_at)
{
    int64_t left = state->retry_ms - clock_monotonic_ms();

    if (left > 0)
        *ret_at = utc_add(clock_now(), (left + 999) / 1000);
    return left > 0;
}

static void leave(struct lane *lane, const struct drop_file *file, int code, const char *reason)
{
    char name[300];

    if (!drop_put_off(lane->drop, file))
        return;
    text_escape(file->name, name, sizeof name);
    log_error("not-taken", "%s: left in the drop folder: %s (%s)", name, reason, code_name(code));
}

/* Folders in the folder, and where it is mounted: looked at after each look, written on change. */
static int note_folder(struct lane *lane, struct error *err)
{
    struct intake_state *state = &lane->intake;
    const char *one = NULL;
    char name[300];
    size_t count = drop_folders(lane->drop, &one);
    AUTO_FREE char *note = NULL;

    if (count > 0) {
        text_escape(one, name, sizeof name);
        note = mem_printf("%zu %s not looked into (%s): drop the files themselves", count,
                          count == 1 ? "folder in it is" : "folders in it are", name);
    }
    int rc = life_folder_mount(&lane->life, lane->drop_path, drop_is_mount(lane->drop), err);
    if (rc < 0 || (state->noted && strcmp(note ? note : "", state->note ? state->note : "") == 0))
        return rc;
    rc = life_folder_note(&lane->life, note, err);
    if (rc < 0)
        return rc;
    free(state->note);
    state->note = note;
    note = NULL;
    state->noted = true;
    return 0;
}

/* Nothing can be read, whatever comes: people hear of it as of trouble with the folder, which lasts
 * until nothing is put off any more. */
static void tell_no_reader(struct lane *lane)
{
    struct error err = {0};
    AUTO_FREE char *text = mem_printf(
        "drop folder %s: files cannot be read: unlapsed cannot start its reader; its log "
        "says why",
        lane->drop_path);

    lane->intake.stuck = true;
    if (tell(lane, text, &err) < 0)
        log_error("not-told", "%s", err.text);
}

/* Reads files until the batch is full, the queue is empty, or the lane is asked to rest. */
static int collect(struct lane *lane, struct drop_file *files, struct error *err)
{
    struct intake_state *state = &lane->intake;
    struct life_batch *batch = state->batch;
    struct error none;

    while (!life_batch_is_full(batch) && life_batch_count(batch) < state->limit &&
           !lane_is_held(lane)) {
        AUTO_DROP_FILE struct drop_file file = {0};

        if (drop_next(lane->drop, &file, &none) < 0)
            return 0;
        int rc =
            life_batch_add(batch, file.name, blob_span(&file.data), file.sha256, file.problem, err);
        if (rc < 0) {
            leave(lane, &file, rc, err->text);
            if (rc == E_COMMAND)
                tell_no_reader(lane);
            if (code_retry(rc) == RETRY_TRANSIENT)
                return rc;
            continue;
        }
        /* The bytes have been read into objects; a private key may be among them. */
        blob_wipe(&file.data);
        files[life_batch_count(batch) - 1] = file;
        file = (struct drop_file){0};
    }
    return 0;
}

/* A private key is in it. A failure is told and no more: the key counts as disclosed anyway. */
static void protect(struct lane *lane, bool accepted, const char *name)
{
    char shown[300];
    struct error why = {0};

    if (drop_protect(lane->drop, accepted, name, lane->life.erase_keys, &why) == 0)
        return;
    text_escape(name, shown, sizeof shown);
    log_error("key-not-protected", "%s: it holds a private key: %s", shown, why.text);
}

/* Moves what was taken, and records what moved with its receipt. */
static int file_away(struct lane *lane, const struct drop_file *files, struct error *err)
{
    const struct life_batch *batch = lane->intake.batch;
    struct drop_filing filings[LIFE_BATCH_FILES] = {0};
    struct life_filing moved[LIFE_BATCH_FILES];
    int64_t ids[LIFE_BATCH_FILES];
    bool secret[LIFE_BATCH_FILES];
    size_t count = 0, done = 0;
    struct error trouble = {0};
    int worst = 0;

    for (size_t i = 0; i < life_batch_count(batch); i++) {
        const struct life_verdict *verdict = life_batch_verdict(batch, i);

        if (verdict->failed < 0) {
            leave(lane, &files[i], verdict->failed, verdict->reason);
            continue;
        }
        ids[count] = verdict->delivery_id;
        secret[count] = verdict->secret;
        filings[count++] = (struct drop_filing){
            .file = &files[i], .accepted = verdict->accepted, .receipt = verdict->receipt};
    }
    worst = drop_file_away(lane->drop, filings, count, &trouble);
    for (size_t i = 0; worst == 0 && i < count; i++) {
        if (filings[i].result == 0 && secret[i])
            protect(lane, filings[i].accepted, filings[i].name);
        if (filings[i].result == 0 && !filings[i].receipt_missing)
            moved[done++] = (struct life_filing){ids[i], filings[i].name};
        /* One that is gone, or is another one now, is the next look's. */
        if (filings[i].result < 0 && filings[i].result != E_NOT_FOUND) {
            const char *why = strrchr(filings[i].reason, ':');

            leave(lane, filings[i].file, filings[i].result, filings[i].reason);
            /* Of all of them one sentence, and the same each time. */
            error_set(&trouble, filings[i].result, "drop folder %s: files cannot be moved%s",
                      lane->drop_path, why ? why : "");
        }
    }
    int rc = life_filed(&lane->life, moved, done, err);
    for (size_t i = 0; i < count; i++)
        drop_filing_done(&filings[i]);
    if (rc == 0 && worst < 0)
        return in_trouble(lane, worst, trouble.text, err);
    if (rc == 0 && trouble.code != 0) {
        /* The others go on. */
        AUTO_FREE char *text = mem_printf("%s; %s", trouble.text, advice(trouble.code));
        lane->intake.stuck = true;
        rc = tell(lane, text, err);
    }
    return rc;
}

/* After a failure of the inventory files come one by one, so that one that brings it about again
 * does not take the others with it. */
static int take(struct lane *lane, const struct drop_file *files, struct error *err)
{
    struct intake_state *state = &lane->intake;
    int rc = life_batch_take(state->batch, err);

    if (rc < 0) {
        if (life_batch_count(state->batch) == 1)
            leave(lane, &files[0], rc, err->text);
        if (rc == E_COMMAND)
            tell_no_reader(lane);
        state->limit = 1;
        state->looked = false;
        drop_forget(lane->drop);
        return rc;
    }
    state->limit = state->limit < LIFE_BATCH_FILES ? 2 * state->limit : LIFE_BATCH_FILES;
    return file_away(lane, files, err);
}

/* Receipts that say more than before, and those of files that were moved just before a crash. */
static int write_receipt(void *self, const struct delivery_row *row, struct error *err)
{
    struct lane *lane = self;
    AUTO_FREE char *found = NULL;
    const char *name = row->filed_name;
    char shown[300];
    struct error why = {0};
    int rc = 0;

    /* A file that still lies in the folder is filed by a later look. */
    if (lane_is_held(lane) || (!name && drop_again(lane->drop) > 0))
        return 0;
    if (!name) {
        rc = drop_find_filed(lane->drop, row->accepted, row->name, row->sha256, &found, &why);
        name = rc == 0 ? found : row->name;
    }
    /* Between the move and the note of it nobody may have kept it from others yet. */
    if (rc == 0 && found && row->secret)
        protect(lane, row->accepted, found);
    if (rc == 0)
        rc = drop_receipt(lane->drop, row->accepted, name, row->receipt, &why);
    /* What may pass by itself is tried again; a file that somebody took away is not. */
    bool again = rc < 0 && (code_retry(rc) == RETRY_TRANSIENT || rc == E_DENIED);
    if (again)
        lane->intake.receipt_code = rc;
    if (rc < 0 && !(again && lane->intake.receipt_logged)) {
        text_escape(name, shown, sizeof shown);
        log_warn("no-receipt", "%s: %s", shown, why.text);
        lane->intake.receipt_logged = again;
    }
    if (again)
        return 0;
    return life_filed(&lane->life, &(struct life_filing){row->id, name}, 1, err);
}

/* Trouble of single files lasts until the last of them is gone or was taken after all. */
static int tell_rest(struct lane *lane, struct error *err)
{
    struct intake_state *state = &lane->intake;
    int errnum = drop_read_error(lane->drop);

    if (errnum != 0) {
        AUTO_FREE char *text =
            mem_printf("drop folder %s: files cannot be read: %s; %s", lane->drop_path,
                       strerrordesc_np(errnum), advice(code_from_errno(errnum)));
        state->stuck = true;
        return tell(lane, text, err);
    }
    if (state->stuck && state->trouble && drop_has_put_off(lane->drop)) {
        AUTO_FREE char *text = mem_strdup(state->trouble);
        return tell(lane, text, err);
    }
    state->stuck = false;
    state->failures = 0;
    return tell(lane, NULL, err);
}

/* Everything that could be taken is. */
static int rest(struct lane *lane, utc_t *ret_at, struct error *err)
{
    struct intake_state *state = &lane->intake;
    seconds_t again = drop_again(lane->drop);

    state->looked = false;
    state->receipt_code = 0;
    int rc = deliveries_unfiled(lane->life.inventory, write_receipt, lane, err);
    state->receipt_logged = state->receipt_logged && state->receipt_code != 0;
    if (rc == 0 && state->receipt_code == E_FULL) {
        AUTO_FREE char *text = mem_printf("drop folder %s: receipts cannot be written: %s",
                                          lane->drop_path, code_text(E_FULL));
        rc = in_trouble(lane, E_FULL, text, err);
    } else if (rc == 0) {
        rc = tell_rest(lane, err);
    }
    if (rc < 0)
        return rc;
    drop_release(lane->drop);
    if (again == 0)
        again = state->trouble && lane->drop_scan > TELL_SECONDS ? TELL_SECONDS : lane->drop_scan;
    *ret_at = clock_now() + again;
    backs_off(state, ret_at);
    return E_NOT_FOUND;
}

static int look(struct lane *lane, struct error *err)
{
    struct error trouble = {0};
    int rc = drop_look(lane->drop, &trouble);

    if (rc < 0)
        return in_trouble(lane, rc, trouble.text, err);
    lane->intake.looked = true;
    return note_folder(lane, err);
}

static int one_batch(struct lane *lane, struct error *err)
{
    struct drop_file files[LIFE_BATCH_FILES] = {0};
    struct life_batch *batch = lane->intake.batch;
    int rc = collect(lane, files, err);

    if (rc == 0 && life_batch_count(batch) == 0)
        rc = E_NOT_FOUND;
    if (rc == 0)
        rc = take(lane, files, err);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        drop_file_done(&files[i]);
    life_batch_clear(batch);
    return rc;
}

int lane_intake(struct lane *lane, utc_t *ret_at, struct error *err)
{
    struct intake_state *state = &lane->intake;
    int rc = 0;

    if (!state->batch) {
        state->batch = life_batch_new(&lane->life);
        state->limit = LIFE_BATCH_FILES;
    }
    lane->waits = backs_off(state, ret_at);
    if (lane->waits)
        return E_NOT_FOUND;
    if (!state->looked)
        rc = look(lane, err);
    if (rc == 0 && state->looked) {
        bool more = drop_has_more(lane->drop);

        rc = one_batch(lane, err);
        if (rc == 0 && more)
            state->progress = true;
        if (rc == E_NOT_FOUND && more && state->progress) {
            /* The folder holds more than one look keeps. */
            state->progress = false;
            state->looked = false;
            return 0;
        }
        if (rc == E_NOT_FOUND && lane_is_held(lane)) {
            *ret_at = clock_now();
            return E_NOT_FOUND;
        }
        if (rc == E_NOT_FOUND)
            return rest(lane, ret_at, err);
    }
    /* To the caller "not found" means that nothing is due. */
    if (rc == E_NOT_FOUND)
        rc = error_set(err, E_IO, "%s", err->text);
    if (rc < 0)
        state->retry_ms = clock_monotonic_ms() + FAILURE_SECONDS * 1000;
    return rc == 0 && backs_off(state, ret_at) ? E_NOT_FOUND : rc;
}

void lane_intake_done(struct lane *lane)
{
    life_batch_free(lane->intake.batch);
    free(lane->intake.trouble);
    free(lane->intake.note);
    lane->intake = (struct intake_state){0};
}
