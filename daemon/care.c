#include "daemon/care.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/lane.h"
#include "daemon/systemd.h"
#include "notify/mail.h"
#include "store/backup.h"
#include "store/lock.h"
#include "store/mark.h"
#include "store/restore.h"

enum { AGAIN_SECONDS = 3600, START_SECONDS = 30, TRIED_MAX = 20 };

void care_init(struct care *care, const char *inventory)
{
    *care = (struct care){.inventory = mem_strdup(inventory), .lock = -1};
    pthread_mutex_init(&care->guard, NULL);
}

void care_done(struct care *care)
{
    pthread_mutex_destroy(&care->guard);
    free(care->inventory);
    free(care->backup);
    file_close(&care->lock);
}

utc_t care_since(struct care *care, char **ret_backup)
{
    pthread_mutex_lock(&care->guard);
    utc_t since = care->since ? care->since : UTC_NEVER;
    *ret_backup = care->backup ? mem_strdup(care->backup) : NULL;
    pthread_mutex_unlock(&care->guard);
    return since;
}

char *care_says(struct care *care)
{
    AUTO_FREE char *backup = NULL;

    if (!damage_is_found(&care->damage))
        return NULL;
    care_since(care, &backup);
    if (!backup)
        return mem_printf(
            "%s: the inventory is damaged, nothing is written and nothing renewed any "
            "more; no good backup is known",
            care->damage.text);
    return mem_printf(
        "%s: the inventory is damaged, nothing is written and nothing renewed any "
        "more; the newest good backup is %s: stop unlapsed, run \"unlapse restore %s\", "
        "start unlapsed",
        care->damage.text, backup, backup);
}

char *care_tell(void *self, utc_t *ret_since, char **ret_backup)
{
    struct care *care = self;

    *ret_since = care_since(care, ret_backup);
    return care_says(care);
}

static int begin(struct care *care, const char *folder, bool *ret_marked, struct error *err)
{
    AUTO_BACKUPS struct backups backups = {0};
    struct mark mark = {0};
    struct stat st;

    *ret_marked = mark_read(care->inventory, &mark, NULL) == 0;
    if (*ret_marked) {
        care->since = mark.since;
        care->told = mark.told;
        return 0;
    }
    if (stat(care->inventory, &st) == 0 || errno != ENOENT || restore_is_decided(care->inventory))
        return 0;
    /* An empty one would look well, and renew nothing. */
    struct error why = {0};
    if (backups_list(folder, &backups, &why) < 0)
        log_warn("backups-unknown", "%s", why.text);
    if (backups.count == 0)
        return 0;
    return error_set(err, E_REFUSED,
                     "inventory %s: is not there, but %zu backups of it are: run \"unlapse restore "
                     "%s/%s\" (the newest), or move %s away to begin a new one",
                     care->inventory, backups.count, folder, backups.items[0].name, folder);
}

/* systemd(1) shall not end a start that takes its time. */
static bool gives_up_starting(void *self)
{
    int64_t *next = self, now = clock_monotonic_ms();

    if (now >= *next) {
        *next = now + START_SECONDS * 500;
        systemd_notify("EXTEND_TIMEOUT_USEC=60000000");
    }
    return false;
}

static void judge(struct care *care, struct inventory *inventory)
{
    int64_t next = 0;
    struct error err = {0};

    log_warn("inventory-marked", "inventory %s was found damaged before: reading all of it",
             care->inventory);
    inventory_stop_when(inventory, gives_up_starting, &next);
    int rc = inventory_check(inventory, &err);
    inventory_stop_when(inventory, NULL, NULL);
    if (rc == 0)
        rc = mark_remove(care->inventory, &err);
    if (rc < 0) {
        damage_report(&care->damage, err.text);
        return;
    }
    care->since = 0;
    care->told = false;
    log_notice("inventory-well", "inventory %s: is whole after all, and in use again",
               care->inventory);
}

static int make_folder(const char *path, struct error *err)
{
    AUTO_FREE char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');

    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    return file_make_dirs(folder, 0755, err);
}

int care_open(struct care *care, const struct config *config, struct inventory **ret,
              struct error *err)
{
    bool marked = false;
    int rc = make_folder(care->inventory, err);

    if (rc == 0)
        rc = inventory_lock(care->inventory, &care->lock, err);
    if (rc == 0)
        rc = begin(care, config->backups, &marked, err);
    if (rc == 0)
        rc = inventory_open(care->inventory, ret, err);
    if (rc == E_CORRUPT) {
        damage_report(&care->damage, err->text);
        return 0;
    }
    if (rc < 0)
        return rc;
    inventory_watch(*ret, &care->damage);
    if (marked)
        judge(care, *ret);
    return 0;
}

bool care_lets_run(const struct care *care, const struct lane *lane)
{
    return lane == care->own || !damage_is_found(&care->damage);
}

/* On the loop's thread, soon after any thread found it. */
static void on_alarm(uv_async_t *alarm)
{
    const struct care *care = alarm->data;

    for (size_t i = 0; i < care->lane_count; i++)
        if (!care_lets_run(care, &care->lanes[i]))
            lane_hold(&care->lanes[i]);
    lane_poke(care->own);
}

static void raise_alarm(void *self)
{
    struct care *care = self;

    uv_async_send(&care->alarm);
}

void care_start(struct care *care, uv_loop_t *loop, struct lane *lanes, size_t count,
                struct lane *own)
{
    uv_async_init(loop, &care->alarm, on_alarm);
    care->alarm.data = care;
    care->lanes = lanes;
    care->lane_count = count;
    care->own = own;
    care->damage.self = care;
    care->damage.tell = raise_alarm;
}

void care_stop(struct care *care)
{
    care->damage.tell = NULL;
}

static void write_mark(struct care *care)
{
    struct mark mark = {.since = care->since, .told = care->told};
    struct error err = {0};

    snprintf(mark.text, sizeof mark.text, "%s", care->damage.text);
    if (mark_write(care->inventory, &mark, &err) < 0)
        log_error("inventory-not-marked", "%s", err.text);
}

/* The newest that is still good, read to its end. */
static char *find_backup(const char *folder)
{
    AUTO_BACKUPS struct backups backups = {0};
    struct error err = {0};

    if (backups_list(folder, &backups, &err) < 0)
        log_error("backups-unknown", "%s", err.text);
    for (size_t i = 0; i < backups.count && i < TRIED_MAX; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", folder, backups.items[i].name);
        struct backup_counts counts;

        if (backup_verify(path, NULL, &counts, NULL, &err) == 0)
            return TAKE(path);
        log_error("backup-bad", "%s", err.text);
    }
    return NULL;
}

/* What is so is known before the backups are read, which may take its time. */
static void look(struct care *care, const struct life *life)
{
    utc_t now = life->world->now(life->world->self);

    pthread_mutex_lock(&care->guard);
    if (care->since == 0)
        care->since = now;
    pthread_mutex_unlock(&care->guard);
    write_mark(care);
    char *backup = find_backup(life->backups);
    pthread_mutex_lock(&care->guard);
    free(care->backup);
    care->backup = backup;
    pthread_mutex_unlock(&care->guard);
}

static void make_fields(struct care *care, const struct life *life, struct fields *ret)
{
    AUTO_FREE char *backup = NULL;
    char since[UTC_TEXT_MAX];
    utc_t at = care_since(care, &backup);

    notice_fields_init(ret);
    fields_set(ret, "host", life->host);
    fields_set(ret, "reason", care->damage.text);
    fields_set(ret, "not_before", utc_format_plain(at, since));
    fields_set(ret, "backup", backup ? backup : "none is known");
    if (backup)
        fields_printf(ret, "commands",
                      "unlapse status\n    systemctl stop unlapsed\n    unlapse restore %s\n"
                      "    systemctl start unlapsed",
                      backup);
    else
        fields_set(ret, "commands", "unlapse status");
}

static int mail_list(struct care *care, const struct life *life, const struct text_list *list)
{
    struct notice_row notice = {.kind = (char *)(uintptr_t)notice_kind_text(NOTICE_DAMAGED),
                                .created_at = life->world->now(life->world->self)};
    AUTO_FIELDS struct fields fields = {0};
    AUTO_BUF struct buf names;
    int failed = 0;

    buf_init(&names, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", list->items[i]);
    make_fields(care, life, &fields);
    fields_set(&fields, "recipients", buf_text(&names));
    notice.fields = fields;
    for (size_t i = 0; i < list->count; i++) {
        struct error why = {0};

        notice.recipient = list->items[i];
        if (life->world->send(life->world->self, &notice, span_of(NULL, 0), &why) == 0)
            continue;
        log_error("mail-failed", "%s to %s: %s", notice.kind, notice.recipient, why.text);
        failed += why.code != E_REFUSED && why.code != E_INPUT && why.code != E_CONFIG;
    }
    return failed;
}

/* Past the outbox, which lies in the inventory: each try goes to everybody. */
static bool mail(struct care *care, const struct life *life)
{
    int failed = 0;

    if (life->recipients->count > 0)
        failed = mail_list(care, life, life->recipients);
    for (size_t i = 0; life->recipients->count == 0 && i < policies_count(life->policies); i++)
        failed += mail_list(care, life, &policies_at(life->policies, i)->recipients);
    return failed == 0;
}

static seconds_t retry_after(const struct care *care, const struct life *life)
{
    size_t at = (size_t)care->tries - 1;

    return life->mail_retry[at < life->mail_retry_count ? at : life->mail_retry_count - 1];
}

int care_turn(struct care *care, const struct life *life, utc_t *ret_at, struct error *err)
{
    utc_t now = life->world->now(life->world->self);

    (void)err;
    look(care, life);
    AUTO_FREE char *says = care_says(care);
    AUTO_FREE char *status = mem_printf("STATUS=%s", says);
    log_error("inventory-damaged", "%s", says);
    systemd_notify(status);
    *ret_at = utc_add(now, AGAIN_SECONDS);
    if (!care->told) {
        care->tries++;
        care->told = mail(care, life);
        if (care->told)
            write_mark(care);
        else
            *ret_at = utc_min(*ret_at, utc_add(now, retry_after(care, life)));
    }
    return E_NOT_FOUND;
}
