/* What the tests of the deployer share: bundles from a test authority, and the files of a target in
 * the test's folder. */
#ifndef UL_TESTS_DAEMON_BIND_SITE_H
#define UL_TESTS_DAEMON_BIND_SITE_H

#include "daemon/bind/deployer.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

/* A bundle and what is in it; the certificates belong to the authority. */
struct pair {
    const struct authority *root, *intermediate, *leaf;
    struct blobs chain; /* the intermediate */
    struct bundle bundle;
};

void pair_make(const char *name, struct pair *ret);
void pair_done(struct pair *pair);
struct expectation pair_expected(const struct pair *pair);

/* A service that allows every part and does nothing. */
struct service site_service(void);

/* DIR/www.key and so on for the parts that are named. */
void site_order(const struct service *service, const char *parts, struct deploy_order *ret);
void site_order_done(struct deploy_order *order);

/* Writes the bundle's parts straight to the live files. */
void site_install(const struct deploy_order *order, const struct bundle *bundle);

/* Each live file holds exactly the bundle's part; NULL: none of them exists. */
bool site_holds(const struct deploy_order *order, const struct bundle *bundle);

/* Nothing but live files is left in the folder. */
bool site_is_clean(void);

#endif
