/* The verdicts of PROTOCOL.md, and the two that shard and Redis use between themselves and that never travel further.
 */
#ifndef TESSERA_PROTO_VERDICT_H
#define TESSERA_PROTO_VERDICT_H

enum verdict_code {
    VERDICT_PLACED = 0,
    VERDICT_COOLDOWN = 1,
    VERDICT_STALE = 2,
    VERDICT_BAD_COLOR = 3,
    VERDICT_OUT_OF_BOUNDS = 4,
    VERDICT_READ_ONLY = 5,
    VERDICT_OVERLOADED = 6,
    VERDICT_UNAVAILABLE = 7,
    VERDICT_ALLOWANCE = 8,
    VERDICT_LOCKED = 9,
    VERDICT_BANNED = 10,
    VERDICT_COUNT = 11,
};

/* "placed", "cooldown" …; "unknown" for any other. For metrics, logs and the load client's summary. */
const char *verdict_name(unsigned code);

#endif
