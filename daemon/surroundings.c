#include "daemon/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "store/events.h"
#include "store/notices.h"
#include "daemon/keep/keep.h"

enum {
    ROOM_MEBIBYTES = 64, /* SQLite's log, a backup of a small inventory, deliveries */
    ROOM_FILES = 100,
    CLOCK_SLACK = 300,
    MAIL_STUCK = 3600
};

static const struct config *config_of(const struct doctor_look *look)
{
    return *(struct config *const *)look->self;
}

/* The file as it is now: what is in force was good when it was read. */
static int look_at_config(struct doctor_look *look, struct error *err)
{
    struct config *config = NULL;
    AUTO_BUF struct buf complaints;
    struct error why = {0};

    (void)err;
    buf_init(&complaints, BUF_MAX_CONFIG);
    int rc = config_load(config_of(look)->file, &config, &complaints, &why);
    config_free(config);
    if (rc == 0)
        return 0;
    for (const char *line = buf_text(&complaints); *line != '\0';) {
        size_t len = strcspn(line, "\n");

        doctor_say(look, "%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
    doctor_say(look, "%s", why.text);
    return 0;
}

/* As the next start will find it: by a keeper of its own. */
static int look_at_sealing_key(struct doctor_look *look, struct error *err)
{
    const char *path = config_of(look)->sealing_key;
    AUTO_BLOB struct blob known = {0};
    const struct keep_options options = {.path = path,
                                         .previous = config_of(look)->sealing_key_previous};
    struct keep *keeper = NULL;
    struct error why = {0};
    struct sealing_ids ids = {0};
    int rc = inventory_value_get(look->life->inventory, "sealing-key-id", &known, err);

    if (rc < 0)
        return rc;
    rc = keep_open(&options, &keeper, &why);
    if (rc < 0) {
        doctor_say(look, "%s", why.text);
        return 0;
    }
    keep_ids(keeper, &ids);
    keep_close(keeper);
    if (known.len != SEALING_ID_LEN || !sealing_ids_has(&ids, known.data))
        doctor_say(look, "sealing key %s: is not the one that the inventory was sealed with", path);
    return 0;
}

static void look_at_folder(struct doctor_look *look, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        doctor_say(look, "folder %s: %s", path, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        doctor_say(look, "folder %s: wanted a folder, got something else", path);
    else if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
        doctor_say(look, "folder %s: may not be read and written by unlapsed: %s", path,
                   strerror(errno));
}

/* The folder that a file stands in; owned by the caller. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash > path ? mem_printf("%.*s", (int)(slash - path), path) : mem_strdup("/");
}

static int look_at_folders(struct doctor_look *look, struct error *err)
{
    const struct config *config = config_of(look);
    AUTO_FREE char *state = folder_of(config->inventory);

    (void)err;
    look_at_folder(look, state);
    look_at_folder(look, config->requests);
    look_at_folder(look, config->drop);
    return 0;
}

static void look_at_room_of(struct doctor_look *look, const char *path)
{
    struct statvfs fs;

    if (statvfs(path, &fs) < 0)
        return; /* the folders are another check */
    uint64_t free_mebibytes = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
    if (free_mebibytes < ROOM_MEBIBYTES)
        doctor_say(look, "file system of %s: wanted %d MiB free, got %llu", path, ROOM_MEBIBYTES,
                   (unsigned long long)free_mebibytes);
    if (fs.f_files > 0 && fs.f_favail < ROOM_FILES)
        doctor_say(look, "file system of %s: wanted room for %d files, got %llu", path, ROOM_FILES,
                   (unsigned long long)fs.f_favail);
}

static int look_at_room(struct doctor_look *look, struct error *err)
{
    const struct config *config = config_of(look);
    AUTO_FREE char *state = folder_of(config->inventory);

    (void)err;
    look_at_room_of(look, state);
    look_at_room_of(look, config->requests);
    look_at_room_of(look, config->drop);
    return 0;
}

static int take_time(void *self, const struct event_row *row, struct error *err)
{
    (void)err;
    *(utc_t *)self = row->at;
    return 0;
}

/* What happened cannot lie ahead. */
static int look_at_clock(struct doctor_look *look, struct error *err)
{
    char is[UTC_TEXT_MAX], was[UTC_TEXT_MAX];
    utc_t newest = 0, now = look->life->world->now(look->life->world->self);
    int rc = events_each(look->life->inventory, 0, 1, take_time, &newest, err);

    if (rc == 0 && newest > utc_add(now, CLOCK_SLACK))
        doctor_say(look, "the clock says %s, but the newest event is of %s", utc_format(now, is),
                   utc_format(newest, was));
    return rc;
}

/* Nothing at all is refused by a reader that works. */
static int look_at_reader(struct doctor_look *look, struct error *err)
{
    const struct world *world = look->life->world;
    AUTO_CERT struct cert unused = {0};
    struct error why = {0};
    int rc = world->parse_cert(world->self, span_text(""), &unused, &why);

    (void)err;
    if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
        doctor_say(look, "%s", why.text);
    return 0;
}

static int look_at_drop(struct doctor_look *look, struct error *err)
{
    __attribute__((cleanup(folder_state_done))) struct folder_state state = {0};
    int rc = life_folder_state(look->life->inventory, &state, err);

    if (rc == 0 && state.trouble)
        doctor_say(look, "%s", state.trouble);
    return rc;
}

static int look_at_mail(struct doctor_look *look, struct error *err)
{
    char since[UTC_TEXT_MAX];
    int64_t waiting = 0;
    utc_t oldest = UTC_NEVER, now = look->life->world->now(look->life->world->self);
    int rc = notices_waiting(look->life->inventory, &waiting, &oldest, err);

    if (rc == 0 && waiting > 0 && oldest < utc_add(now, -MAIL_STUCK))
        doctor_say(look, "%lld mails wait, the oldest since %s%s", (long long)waiting,
                   utc_format_plain(oldest, since),
                   config_of(look)->mail.host ? "" : ": no mail server is configured");
    return rc;
}

const struct doctor_check surroundings_checks[] = {
    {"config", "the configuration as it stands in its files can be loaded",
     "mend what is named; \"unlapse check-config\" tries it", false, look_at_config, NULL},
    {"sealing-key", "the sealing key is readable, private, and the one of this inventory",
     "put the right one back, with mode 0600 and unlapsed's user as its owner", true,
     look_at_sealing_key, NULL},
    {"folders", "the folders of unlapsed are there, and it may write into them",
     "make the folder, or give it to unlapsed's user", true, look_at_folders, NULL},
    {"room", "the file systems of inventory, requests and drop folder have room",
     "make room on the file system that is named", true, look_at_room, NULL},
    {"clock", "nothing that happened lies ahead of the clock",
     "set the clock right, by NTP for choice", true, look_at_clock, NULL},
    {"reader", "what is delivered can be read",
     "see what the log says of the reader: the kernel may be too old, or out of memory", false,
     look_at_reader, NULL},
    {"drop", "deliveries can be taken from the drop folder", "do what is said", true, look_at_drop,
     NULL},
    {"mail", "no mail waits for more than an hour",
     "see \"unlapse status\" and the log, and mend the mail server or its settings", true,
     look_at_mail, NULL},
};
const size_t surroundings_count = COUNT_OF(surroundings_checks);
