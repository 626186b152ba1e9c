#include "common/core/err.h"

const char *err_text(int err)
{
    switch (err) {
    case ERR_OK:
        return "no error";
    case ERR_NOMEM:
        return "out of memory";
    case ERR_MALFORMED:
        return "malformed";
    case ERR_RANGE:
        return "out of range";
    case ERR_FULL:
        return "full";
    case ERR_TIMEOUT:
        return "too late";
    case ERR_CLOSED:
        return "closed";
    case ERR_AUTH:
        return "not authentic";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_IO:
        return "system error";
    case ERR_AGAIN:
        return "try again";
    case ERR_NOT_FOUND:
        return "not found";
    default:
        return "unknown error";
    }
}
