#include "policies/service.h"

#include <assert.h>
#include <string.h>

#include "base/embed.h"
#include "base/text.h"
#include "policies/service_draft.h"

enum { DEADLINE_DEFAULT = 30, WORD_MAX = 4096 };

struct services {
    struct heirs heirs;           /* of struct service_draft */
    const struct service **shown; /* those that count, by name */
    size_t count;
};

static void template_done(struct template *template)
{
    free(template->text);
    free(template->place);
}

static void parts_done(struct service_part parts[BUNDLE_PARTS])
{
    for (size_t i = 0; i < BUNDLE_PARTS; i++) {
        free(parts[i].owner);
        free(parts[i].group);
    }
}

static void service_done(struct service *service)
{
    free(service->name);
    free(service->source);
    free(service->pid_file);
    parts_done(service->parts);
    for (size_t i = 0; i < SERVICE_ARGV_MAX; i++) {
        free(service->test[i]);
        free(service->reload[i]);
    }
    *service = (struct service){0};
}

void service_draft_free(struct service_draft *draft)
{
    for (size_t i = 0; i < draft->parameter_count; i++) {
        free(draft->parameters[i].name);
        free(draft->parameters[i].value);
        free(draft->parameters[i].place);
    }
    free(draft->parameters);
    for (size_t i = 0; i < SERVICE_ARGV_MAX; i++) {
        template_done(&draft->test[i]);
        template_done(&draft->reload[i]);
    }
    template_done(&draft->pid_file);
    parts_done(draft->parts);
    service_done(&draft->service);
    heir_done(&draft->heir);
    free(draft);
}

static struct service_draft *draft_of(struct heir *heir)
{
    return (struct service_draft *)heir;
}

/* What an heir extends; NULL at the end. */
static struct service_draft *base_of(const struct service_draft *draft)
{
    return draft_of(draft->heir.base);
}

static struct parameter *find_parameter(struct service_draft *draft, const char *name, size_t len)
{
    for (; draft; draft = base_of(draft)) {
        for (size_t i = 0; i < draft->parameter_count; i++) {
            struct parameter *found = &draft->parameters[i];

            if (strlen(found->name) == len && memcmp(found->name, name, len) == 0)
                return found;
        }
    }
    return NULL;
}

/* The parameter of a draft or its bases that was probably meant. */
static const char *near_parameter(struct service_draft *draft, const char *name, bool used)
{
    const char *found = NULL;

    for (; draft && !found; draft = base_of(draft)) {
        for (size_t i = 0; i < draft->parameter_count && !found; i++) {
            const char *word = draft->parameters[i].name;

            if (draft->parameters[i].used || !used)
                found = text_nearest(name, &word, 1);
        }
    }
    return found;
}

/* One text to be filled in for a draft. */
struct filling {
    struct service_draft *draft;
    const char *text;
    const char *place; /* for complaints */
    struct late *late;
};

/* Adds the value of the parameter that begins behind "{"; returns what follows its "}". */
static const char *add_parameter(const struct filling *filling, const char *name, struct buf *out)
{
    size_t len = strcspn(name, "{}");

    if (name[len] != '}') {
        late_complain(filling->late, filling->place,
                      "wanted \"}\" behind \"{\", got \"%s\" (a brace itself is \"{{\")",
                      filling->text);
        return name + strlen(name);
    }
    struct parameter *found = find_parameter(filling->draft, name, len);
    if (found) {
        found->used = true;
        buf_add_text(out, found->value);
    } else {
        AUTO_FREE char *copy = mem_printf("%.*s", (int)len, name);
        const char *near = near_parameter(filling->draft, copy, false);

        late_complain(filling->late, filling->place, "wanted a known parameter, got {%s}%s%s%s",
                      copy, near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return name + len + 1;
}

/* The text with its parameters filled in. Owned by the caller. */
static char *fill(const struct filling *filling)
{
    AUTO_BUF struct buf out;

    buf_init(&out, WORD_MAX);
    for (const char *at = filling->text; *at;) {
        if ((at[0] == '{' || at[0] == '}') && at[1] == at[0]) {
            buf_add(&out, at, 1);
            at += 2;
        } else if (at[0] == '{') {
            at = add_parameter(filling, at + 1, &out);
        } else {
            if (at[0] == '}')
                late_complain(filling->late, filling->place,
                              "wanted \"{\" before \"}\", got \"%s\" (a brace itself is \"}}\")",
                              filling->text);
            buf_add(&out, at++, 1);
        }
    }
    if (out.full)
        late_complain(filling->late, filling->place, "wanted at most %d characters", WORD_MAX);
    return mem_strdup(buf_text(&out));
}

/* Fills in what `from` (the draft or a base of it) says; as an absolute path when path. */
static char *fill_for(struct service_draft *draft, const struct service_draft *from,
                      const struct template *template, bool path, struct late *late)
{
    size_t before = late->count;
    /* A shipped file is not where an administrator can mend it. */
    AUTO_FREE char *place =
        from->heir.shipped && !draft->heir.shipped
            ? mem_printf("%s%s", draft->heir.place, strrchr(template->place, ':'))
            : mem_strdup(template->place);
    const struct filling filling = {draft, template->text, place, late};
    char *text = fill(&filling);

    if (path && late->count == before && !text_is_absolute(text))
        late_complain(late, place, "wanted an absolute path, got \"%s\"", text);
    return text;
}

static void fill_argv(struct service_draft *draft, const struct service_draft *from,
                      const struct template argv[], size_t count, char *ret[], struct late *late)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = fill_for(draft, from, &argv[i], i == 0, late);
}

/* Each property of a part is that of the nearest draft that sets it. */
static void fill_part(const struct service_draft *draft, int part, struct service_part *ret)
{
    for (; draft; draft = base_of(draft)) {
        const struct service_part *from = &draft->parts[part];

        ret->allowed |= from->allowed;
        if (from->owner && !ret->owner)
            ret->owner = mem_strdup(from->owner);
        if (from->group && !ret->group)
            ret->group = mem_strdup(from->group);
        if (from->has_mode && !ret->has_mode) {
            ret->has_mode = true;
            ret->mode = from->mode;
        }
    }
}

static void build(struct service_draft *draft, struct late *late)
{
    struct service *service = &draft->service;
    const struct service_draft *from;
    bool any = false;

    service_done(service);
    service->name = mem_strdup(draft->heir.name);
    service->source = mem_strdup(draft->heir.shipped ? "built in" : draft->heir.file);
    for (int part = 0; part < BUNDLE_PARTS; part++) {
        fill_part(draft, part, &service->parts[part]);
        any |= service->parts[part].allowed;
    }
    if (!any && !draft->heir.broken)
        late_complain(late, draft->heir.place, "wanted files with at least one part, got none");
    for (from = draft; from && !from->has_test;)
        from = base_of(from);
    if (from)
        fill_argv(draft, from, from->test, from->test_count, service->test, late);
    for (from = draft; from && !from->has_reload;)
        from = base_of(from);
    if (from) {
        fill_argv(draft, from, from->reload, from->reload_count, service->reload, late);
        service->reload_signal = from->reload_signal;
        if (from->pid_file.text)
            service->pid_file = fill_for(draft, from, &from->pid_file, true, late);
    }
    for (from = draft; from && from->deadline == 0;)
        from = base_of(from);
    service->command_deadline = from ? from->deadline : DEADLINE_DEFAULT;
}

static bool is_inherited(const struct service_draft *draft, const char *name)
{
    while ((draft = base_of(draft)))
        for (size_t i = 0; i < draft->parameter_count; i++)
            if (strcmp(draft->parameters[i].name, name) == 0)
                return true;
    return false;
}

/* A parameter nobody uses is a slip of the pen, unless the service it extends has it: an heir that
 * brings its own reload command need not take the pid file out. */
static void refuse_unused(struct service_draft *draft, struct late *late)
{
    for (size_t i = 0; i < draft->parameter_count; i++) {
        const struct parameter *parameter = &draft->parameters[i];

        if (parameter->used || is_inherited(draft, parameter->name))
            continue;
        const char *near = near_parameter(draft, parameter->name, true);
        late_complain(late, parameter->place, "wanted a parameter that is used%s%s%s",
                      near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
    }
}

static int by_name(const void *a, const void *b)
{
    const struct service *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

int services_finish(struct services *services, struct buf *complaints, struct error *err)
{
    struct late late = {.complaints = complaints};

    heirs_resolve(&services->heirs, NULL, &late);
    services->shown = mem_resize(services->shown, services->heirs.count, sizeof services->shown[0]);
    services->count = 0;
    for (size_t i = 0; i < services->heirs.count; i++) {
        struct service_draft *draft = draft_of(services->heirs.items[i]);

        build(draft, &late);
        if (!heirs_is_hidden(&services->heirs, &draft->heir))
            services->shown[services->count++] = &draft->service;
    }
    for (size_t i = 0; i < services->heirs.count; i++)
        if (!services->heirs.items[i]->broken)
            refuse_unused(draft_of(services->heirs.items[i]), &late);
    qsort(services->shown, services->count, sizeof services->shown[0], by_name);
    return late.count > 0 ? error_set(err, E_CONFIG, "%s", late.first.text) : 0;
}

static int load(struct services *services, const char *file, struct span text, bool shipped,
                struct buf *complaints, struct error *err)
{
    const struct heirs_document document = {.word = "services",
                                            .file = file,
                                            .text = (const char *)text.data,
                                            .len = text.len,
                                            .shipped = shipped,
                                            .make = service_draft_read};

    return heirs_load(&services->heirs, &document, complaints, err);
}

int services_load(struct services *services, const char *file, const char *text, size_t len,
                  struct buf *complaints, struct error *err)
{
    return load(services, file, span_of(text, len), false, complaints, err);
}

struct services *services_open(void)
{
    struct services *services = mem_alloc(1, sizeof *services);
    struct error err = {0};
    AUTO_BUF struct buf complaints;
    int rc = 0;

    buf_init(&complaints, BUF_MAX_CONFIG);
    for (const struct embedded_file *file = embedded_services; file->name; file++)
        rc |= load(services, file->name, span_of(file->text, file->len), true, &complaints, &err);
    rc |= services_finish(services, &complaints, &err);
    assert(rc == 0);
    return services;
}

void services_free(struct services *services)
{
    if (!services)
        return;
    for (size_t i = 0; i < services->heirs.count; i++)
        service_draft_free(draft_of(services->heirs.items[i]));
    free(services->heirs.items);
    free(services->shown);
    free(services);
}

const struct service *services_get(const struct services *services, const char *name)
{
    for (size_t i = 0; i < services->count; i++)
        if (strcmp(services->shown[i]->name, name) == 0)
            return services->shown[i];
    return NULL;
}

size_t services_count(const struct services *services)
{
    return services->count;
}

const struct service *services_at(const struct services *services, size_t index)
{
    return index < services->count ? services->shown[index] : NULL;
}
