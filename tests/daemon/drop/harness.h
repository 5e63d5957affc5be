/*
 * A drop folder of the test's own, what a look at it handed over, and how that is filed.
 */
#ifndef UL_TESTS_DAEMON_DROP_HARNESS_H
#define UL_TESTS_DAEMON_DROP_HARNESS_H

#include "daemon/drop/drop.h"
#include "tests/testing.h"

/* Of the last look. */
struct harness_taken {
    char name[300];
    char text[64];
    size_t len;
    char problem[200];
    uint8_t sha256[SHA256_LEN];
    struct drop_stamp stamp;
};
extern struct harness_taken harness_taken[64];
extern size_t harness_taken_count;
extern bool harness_put_off; /* every file that is handed over */

/* The folder's path, since the first harness_open. */
extern char *harness_folder;
struct drop *harness_open(seconds_t settle);
/* A path in the folder; owned by the caller. */
char *harness_inside(const char *name);
/* Puts a file there, whole. */
void harness_put(const char *name, const char *text);
bool harness_is_there(const char *name);
/* Fails the test unless the file holds exactly this. */
void harness_content(const char *name, const char *text);
/* Names in a folder below the drop folder that are of temporary files of ours. */
int harness_leftovers(const char *sub);

/* One look, and everything it queued; returns drop_again. */
seconds_t harness_scan(struct drop *drop);
/* Files one of them, alone; *ret_name is owned by the caller. */
int harness_file_one(struct drop *drop, const struct harness_taken *from, bool accepted,
                     const char *receipt, char **ret_name, struct error *err);
/* Files the only one of the last look; the name it got, owned by the caller. */
char *harness_file_away(struct drop *drop, bool accepted, const char *receipt);

#endif
