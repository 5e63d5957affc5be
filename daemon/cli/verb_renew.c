#include "daemon/cli/cli.h"

#include "daemon/cli/renewal.h"
#include "daemon/cli/reply.h"

VERB(verb_renew)
{
    struct renewal_arguments arguments = {0};
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (!renewal_parse(cli, argc, argv, &arguments))
        return cli->status;
    if (renewal_begin(cli, &arguments, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    bool existing = reply_bool(reply.json, "existing", &err);
    int64_t id = reply_number(reply.json, "renewal", &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    if (!cli_json(cli, &reply)) {
        cli_put(cli, arguments.name);
        fprintf(cli->out,
                existing ? ": renewal %lld is open already; --again begins anew\n"
                         : ": renewal %lld has begun\n",
                (long long)id);
    }
    return existing ? CLI_UNCHANGED : CLI_OK;
}
