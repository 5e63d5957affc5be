#include "base/codes.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

static const struct code_row {
    int code;
    enum retry_class retry;
    const char *name;
    const char *text;
} rows[] = {
#define X(name, value, retry, text) {name, retry, #name, text},
    CODE_TABLE(X)
#undef X
};

static const struct code_row *find(int code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

const char *code_name(int code)
{
    const struct code_row *row = find(code);

    if (code == 0)
        return "OK";
    return row ? row->name : "unknown";
}

const char *code_text(int code)
{
    const struct code_row *row = find(code);

    if (code == 0)
        return "success";
    return row ? row->text : "unknown";
}

enum retry_class code_retry(int code)
{
    const struct code_row *row = find(code);

    assert(row);
    return row->retry;
}

int code_from_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return E_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return E_DENIED;
    case ENOENT:
    case ENOTDIR:
        return E_NOT_FOUND;
    case EEXIST:
        return E_EXISTS;
    case ETIMEDOUT:
        return E_TIMEOUT;
    default:
        return E_IO;
    }
}
