/* The daemon's configuration: one YAML file, and the folders of policies and services it names.
 * Read whole or not at all. */
#ifndef UL_DAEMON_CONFIG_CONFIG_H
#define UL_DAEMON_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "pki/delivery/passwords.h"
#include "notify/smtp.h"
#include "policies/policy.h"
#include "policies/service.h"

struct config {
    char *file;        /* where it came from */
    char *host;        /* how mails call this machine */
    char *inventory;   /* /var/lib/unlapsed/inventory.db */
    char *sealing_key; /* /var/lib/unlapsed/sealing.key; $CREDENTIALS_DIRECTORY/sealing-key when
                          that exists and nothing is set */
    bool sealing_key_given;     /* it is such a credential: nobody can write there */
    char *sealing_key_previous; /* a key that only opens; NULL: none. Default:
                                   $CREDENTIALS_DIRECTORY/sealing-key-previous when that exists */
    char *socket;               /* /run/unlapsed/api.sock */
    char *requests;             /* /var/lib/unlapsed/requests */
    char *drop;                 /* /var/lib/unlapsed/drop */
    char *drop_shown; /* the drop folder as people see it (a share's path), for mails; default: drop
                       */
    char *backups;    /* folder; default: "backups" beside the inventory */
    seconds_t backups_every; /* 1 d; 0: only when somebody asks */
    int64_t backups_keep;    /* 14 */
    char *read_group;        /* NULL: only root and the daemon's user */
    char *admin_group;
    seconds_t drop_settle;           /* 2 s */
    seconds_t drop_scan;             /* 60 s */
    struct passwords drop_passwords; /* to try on locked deliveries; wiped when they are freed */
    bool drop_erase_keys;       /* what holds a private key is overwritten after it was filed */
    struct text_list aia_allow; /* what a URL of a certificate may reach besides public addresses */
    int aia_ports[POLICY_LIST_MAX]; /* and besides the ports 80 and 443 */
    size_t aia_port_count;
    struct smtp_settings mail;
    seconds_t mail_retry[POLICY_LIST_MAX]; /* 1, 5, 15, 60 min; the last one repeats */
    size_t mail_retry_count;
    seconds_t mail_give_up;      /* 3 d */
    struct text_list recipients; /* where a policy names none */
    seconds_t audit_keep;        /* so long the audit trail goes back; 0: for ever */
    struct policies *policies;
    struct services *services;
};

#define CONFIG_DEFAULT_FILE "/etc/unlapsed/unlapsed.yaml"

/*
 * Reads file and every *.yaml of its `policies` and `services` folders (default: policies/ and
 * services/ beside the file, when they exist; byte order of names). All of them must be trusted in
 * the sense of file_check_trusted, file itself or E_DENIED. Groups, password file and anchors are
 * looked at, too. E_CONFIG: complaints holds one line for each mistake of all the files; nothing is
 * returned.
 */
int config_load(const char *file, struct config **ret, struct buf *complaints, struct error *err);
void config_free(struct config *config);

#endif
