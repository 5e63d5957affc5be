/* What is so in a scene: its facts, what is served, what people were told. */
#include "tests/daemon/life/scene.h"

#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "store/events.h"

static struct error err;

static struct certificate_row row_of(struct scene *scene)
{
    struct certificate_row row = {0};

    ck_ok(certificates_find(scene->life.inventory, "www", &row, &err));
    return row;
}

int64_t scene_certificate(struct scene *scene)
{
    AUTO_CERTIFICATE struct certificate_row row = row_of(scene);

    return row.id;
}

struct renewal_row scene_open_request(struct scene *scene)
{
    struct renewal_row row = {0};
    int rc = renewals_open(scene->life.inventory, scene_certificate(scene), &row, &err);

    ck_assert(rc == 0 || rc == E_NOT_FOUND);
    return row;
}

struct blob scene_csr(struct scene *scene)
{
    AUTO_CERTIFICATE struct certificate_row row = row_of(scene);
    AUTO_RENEWAL struct renewal_row open = {0};

    ck_ok(renewals_open(scene->life.inventory, row.id, &open, &err));
    return blob_take(&open.csr);
}

const char *scene_state(struct scene *scene)
{
    AUTO_CERTIFICATE struct certificate_row row = row_of(scene);
    struct certificate_facts facts;

    ck_ok(life_facts(scene->life.inventory, &row, &facts, &err));
    return state_text(policy_state(&facts, life_policy(&scene->life, &row), scene->now));
}

int64_t scene_count(struct scene *scene)
{
    int64_t count = 0;

    ck_ok(certificates_count(scene->life.inventory, &count, &err));
    return count;
}

int scene_leftovers(const struct scene *scene)
{
    DIR *dir = opendir(scene->dir);
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += strstr(entry->d_name, ".unlapsed-") != NULL;
    closedir(dir);
    return count;
}

int scene_mails(const struct scene *scene, const char *kind)
{
    AUTO_BLOB struct blob text = {0};
    AUTO_FREE char *word = mem_printf("%s ", kind);
    int count = 0;

    ck_ok(file_read(scene->mail_file, BUF_MAX_MAIL, &text, &err));
    for (const char *line = (const char *)text.data; *line != '\0'; line += strcspn(line, "\n") + 1)
        count += strncmp(line, word, strlen(word)) == 0;
    return count;
}

struct counting {
    const char *kind;
    int count;
};

static int count_event(void *self, const struct event_row *row, struct error *ret_err)
{
    struct counting *counting = self;

    (void)ret_err;
    counting->count += strcmp(row->kind, counting->kind) == 0;
    return 0;
}

int scene_events(struct scene *scene, const char *kind)
{
    struct counting counting = {kind, 0};

    ck_ok(events_each(scene->life.inventory, 0, 1000, count_event, &counting, &err));
    return counting.count;
}
