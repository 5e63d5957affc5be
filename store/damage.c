#include "store/damage.h"

#include <stdio.h>

#include "store/statement.h"

bool damage_is_found(const struct damage *damage)
{
    return damage && atomic_load(&damage->found);
}

void damage_report(struct damage *damage, const char *text)
{
    if (atomic_flag_test_and_set(&damage->claimed))
        return;
    snprintf(damage->text, sizeof damage->text, "%s", text);
    atomic_store(&damage->found, true);
    if (damage->tell)
        damage->tell(damage->self);
}

void inventory_watch(struct inventory *inventory, struct damage *damage)
{
    inventory->damage = damage;
}
