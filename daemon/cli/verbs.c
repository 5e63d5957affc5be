#include "daemon/cli/cli.h"

#include <string.h>

const struct verb cli_verbs[] = {
    {"add", verb_add,
     "NAME [--name [dns:|ip:|email:|uri:]VALUE]... [--policy POLICY] [--target TARGET]...",
     "look after a certificate from now on",
     "  --name VALUE    a name it is for; without one, those of the certificate that is installed\n"
     "  --policy POLICY the rules it follows (default: default)\n"
     "  --target SERVICE,PART=/PATH,...,endpoint=HOST:PORT[/SERVERNAME]\n"
     "                  where it is installed and seen. PART: key, leaf, chain, fullchain, "
     "combined.\n"
     "                  An IPv6 address stands in brackets: endpoint=[2001:db8::1]:443\n"},
    {"list", verb_list,
     "[--state STATE] [--match PATTERN] [--policy POLICY] [--expiring TIME] [--limit NUMBER]",
     "all certificates",
     "  --state STATE   only those that are ok, due, expired, \"handed over\", ...\n"
     "  --match PATTERN only names like that: \"web-*\", \"db-[12]\"\n"
     "  --policy POLICY only those that follow it\n"
     "  --expiring TIME only those that end within 12h, 30d, 2w, ..., and those that have ended,\n"
     "                  the nearest end first\n"
     "  --limit NUMBER  at most so many\n"},
    {"show", verb_show, "NAME", "everything about one certificate", ""},
    {"explain", verb_explain, "NAME",
     "what is so, why, what happens next, when, by whom, and who was told", ""},
    {"status", verb_status, "", "how the daemon does", ""},
    {"doctor", verb_doctor, "",
     "look whether everything is as it must be, and say what to do where it is not",
     "Exit status: 0 all is well, 1 something is not.\n"},
    {"renew", verb_renew, "NAME [--again]", "begin a renewal now",
     "  --again         begin anew, with another key, when one is open already\n"},
    {"request", verb_request, "NAME [--again]",
     "print the certificate request (CSR), beginning a renewal when none is open",
     "  --again         begin anew, with another key, when one is open already\n"},
    {"trust", verb_trust, "add FILE [--comment TEXT] [--all] | remove FINGERPRINT | list [--pool]",
     "the authorities that are trusted besides those of the system",
     "  add FILE        trusts the authority's certificate in FILE (PEM or DER; - is standard "
     "input)\n"
     "                  wherever a policy uses the system's store\n"
     "  --comment TEXT  why, for those who come later\n"
     "  --all           every certificate in FILE, when it holds several\n"
     "  remove FINGERPRINT\n"
     "                  trusts it no longer: SHA-256, or its first 8 digits or more; what is "
     "installed stays\n"
     "  list            those that were added\n"
     "  --pool          all authorities seen in deliveries: material for chains, trusted or not\n"},
    {"seal", verb_seal, "status | rotate", "the key that private keys are sealed under",
     "  status          which one is in force, and how many keys are under older ones\n"
     "  rotate          a new one, from now on; all keys are sealed anew under it\n"},
    {"history", verb_history, "[NAME] [--limit NUMBER]", "what happened, the newest last",
     "  --limit NUMBER  at most so many lines (default: 100)\n"},
    {"backup", verb_backup, "[FILE] | list",
     "make a backup of the inventory now; or those there are",
     "  FILE            also copy it there, with your own rights: mode 0600, verified, never over "
     "another file\n"
     "  list            those in the daemon's folder, newest first\n"},
    {"restore", verb_restore, "[--config FILE] [--anyway] FILE",
     "put a backup in the place of the inventory, while unlapsed is stopped",
     "  --config FILE   the daemon's configuration\n"
     "  --anyway        also when its keys were sealed with another sealing key\n"},
    {"audit", verb_audit,
     "[--since TIME] [--until TIME] [--limit NUMBER] [--follow] | verify [--expect NUMBER:HASH]",
     "the audit trail: who did what, when, to which certificate",
     "  --since TIME    from then on: 2026-11-22T16:57:14Z, 2026-11-22, @SECONDS, or 12h, 30d ago\n"
     "  --until TIME    up to then\n"
     "  --limit NUMBER  the newest of them (default: 100, all with --since)\n"
     "  --follow        and what happens from now on, until it is interrupted\n"
     "  verify          proves that nothing was changed, taken out or put in. Exit status: 0 "
     "whole,\n"
     "                  1 broken\n"
     "  --expect NUMBER:HASH\n"
     "                  and that this event, which verify or status printed before, is in it\n"
     "With --json one event a line.\n"},
    {"inspect", verb_inspect, "[--password-file FILE] FILE",
     "what a file is: each object in it, and for which certificate of ours it would be",
     "  --password-file FILE\n"
     "                  passwords to try on what is encrypted, one a line\n"
     "  FILE            any delivery, \"-\" for standard input; works without the daemon, which "
     "only knows what is ours\n"},
    {"check", verb_check,
     "[--host NAME|IP]... [--at TIME] [--anchor FILE]... [--untrusted FILE]... "
     "[--purpose server|client|any] [--starttls PROTOCOL] FILE|HOST[:PORT]",
     "say everything about a certificate file or a server; needs no daemon",
     "  --host NAME|IP  a name it must be for (default: HOST of HOST:PORT; none for a file)\n"
     "  --at TIME       2026-11-22T16:57:14Z, 2026-11-22 or @SECONDS instead of now\n"
     "  --anchor FILE   trust these, and not the system's store\n"
     "  --untrusted FILE\n"
     "                  certificates that may help to build the chain\n"
     "  --purpose server|client|any\n"
     "                  what it must be good for (default: server)\n"
     "  --starttls PROTOCOL\n"
     "                  smtp, imap, pop3, ftp, ldap, postgres, mysql, xmpp or sieve\n"
     "A FILE may be of any kind; \"-\" is standard input. Exit status: 0 good, 1 bad, 2 usage,\n"
     "3 could not look.\n"},
    {"check-config", verb_check_config, "[FILE]",
     "check a configuration and its policies and services; needs no daemon", ""},
    {"version", verb_version, "", "the version of unlapse", ""},
    {"help", verb_help, "[VERB]", "this help, or that of a verb", ""},
    {0},
};

const struct verb *cli_verb_find(const char *name)
{
    for (const struct verb *verb = cli_verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}
