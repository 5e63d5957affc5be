#include "store/san.h"

#include <string.h>

#include "store/statement.h"

int san_add(struct inventory *inventory, const char *sql, int64_t owner, const struct names *names,
            struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < names->count; i++) {
        AUTO_STATEMENT struct statement statement = {0};

        rc = statement_open(inventory, sql, &statement, err);
        if (rc < 0)
            return rc;
        statement_bind_int(&statement, owner);
        statement_bind_int(&statement, (int64_t)i);
        statement_bind_text(&statement, name_type_text(names->items[i].type));
        statement_bind_text(&statement, names->items[i].text);
        rc = statement_run(&statement, err);
    }
    return rc;
}

static bool type_of(const char *text, enum name_type *ret)
{
    static const enum name_type types[] = {NAME_DNS, NAME_IP, NAME_EMAIL, NAME_URI};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (strcmp(text, name_type_text(types[i])) == 0) {
            *ret = types[i];
            return true;
        }
    }
    return false;
}

static int read_one(struct statement *statement, struct names *names, struct error *err)
{
    AUTO_FREE char *text = statement_read_text(statement);
    struct name name = {NAME_DNS, NULL};

    if (!type_of(text, &name.type))
        return error_set(err, E_CORRUPT, "inventory %s: a name has the unknown type %s",
                         statement->inventory->path, text);
    name.text = statement_read_text(statement);
    names->items = mem_resize(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = name;
    return 0;
}

int san_read(struct inventory *inventory, const char *sql, int64_t owner, struct names *ret,
             struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    AUTO_NAMES struct names names = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, owner);
    for (;;) {
        bool row = false;

        rc = statement_step(&statement, &row, err);
        if (rc == 0 && row)
            rc = read_one(&statement, &names, err);
        if (rc < 0)
            return rc;
        if (!row)
            break;
    }
    *ret = names;
    names = (struct names){0};
    return 0;
}
