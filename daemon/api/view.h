/* One certificate as the handlers see it: its row, its facts, and what policies/ says of them. */
#ifndef UL_DAEMON_API_VIEW_H
#define UL_DAEMON_API_VIEW_H

#include "daemon/api/handler.h"

struct view {
    const struct certificate_row *row; /* borrowed */
    struct certificate_facts facts;
    const struct policy *policy;
    enum state state;
    struct next next;
};

/* The certificate that the path names. E_NOT_FOUND. */
int view_find_row(const struct api_call *call, struct certificate_row *ret, struct error *err);

int view_init(const struct api_call *call, const struct certificate_row *row, struct view *ret,
              struct error *err);

/* "nobody", "daemon", "person" */
const char *owner_text(enum owner owner);

/* name, names, policy, state, says, not_after, next: what a list shows and all else begins with. */
void view_put_head(json_t *object, const struct view *view);
/* The same keys for one whose record cannot be read: the state is "unreadable". */
void view_put_damaged(json_t *object, const struct certificate_row *row, const char *why);

/* False when no certificate in this state can be a problem. */
bool view_may_be_problem(enum state state);

/* One sentence when somebody should look at it, else false: expired, refused, rolled back, waiting
 * for a chain, failing. */
bool view_problem(const struct view *view, char *ret, size_t size);

/* "nginx (/etc/ssl/www.pem, ...)" for people; owned by the caller. */
char *target_shown(const struct target_row *target);

#endif
