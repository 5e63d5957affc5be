/* Any text as the --target of `unlapse add`: refused in one sentence, or an object with all its
 * parts. */
#include <assert.h>

#include "base/mem.h"
#include "daemon/cli/reply.h"
#include "daemon/cli/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = mem_printf("%.*s", (int)(size < 4096 ? size : 4096), (const char *)data);
    AUTO_JSON json_t *target = NULL;
    struct error err = {0};

    if (target_parse(text, &target, &err) < 0) {
        assert(err.code == E_INPUT && err.text[0] != '\0');
        return 0;
    }
    assert(json_is_string(json_object_get(target, "service")));
    assert(json_is_object(json_object_get(target, "files")));
    assert(json_is_array(json_object_get(target, "endpoints")));
    return 0;
}
