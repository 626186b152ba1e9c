// Error codes shared by every module.
//
// A function that can fail returns an int: 0 or a documented positive value on success, one of these on failure. It is
// marked MUST_CHECK, so that the compiler refuses a caller who forgets.
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_OK = 0,
    ERR_NOMEM = -1,       // memory could not be had; the object is as it was before the call
    ERR_MALFORMED = -2,   // the bytes break the format; nothing of them was used
    ERR_RANGE = -3,       // well-formed, but outside what is allowed
    ERR_FULL = -4,        // a bound of ours is reached: a queue, a table, a buffer of the caller
    ERR_TIMEOUT = -5,     // too late: a deadline passed, a token expired
    ERR_CLOSED = -6,      // the other side is gone, or the object is not open
    ERR_AUTH = -7,        // a signature or a secret does not match
    ERR_UNSUPPORTED = -8, // understood, but not offered: an unknown version, kind or family
    ERR_IO = -9,          // the system refused; errno tells why where the comment of the function says so
    ERR_AGAIN = -10,      // nothing can be done now; try when the descriptor is ready
    ERR_NOT_FOUND = -11,  // no such thing
};

// A short lower-case text in static memory, for logs. Unknown codes give "unknown error".
const char *err_text(int err);
