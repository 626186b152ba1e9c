#include "tests/fuzz/backup_file.h"

#include <string.h>

#include <openssl/sha.h>

#include "common/core/bytes.h"
#include "common/ctl/ctl_file.h"

#define ROOM (1u << 18)
#define TILE_LEN 4096u // pixels of a tile with edge 64
#define PLACEMENTS_MAX 24u
#define STEPS_MAX 24

static uint8_t room[ROOM];

struct making {
    struct bytes_writer out;
    uint32_t tiles;
    uint64_t users, placements;
    bool honest, tile_came, in_tile;
    uint8_t tiles_made[32];
    // The first placements of the first tile: users may claim them.
    uint8_t first_offset, first_color, first_user;
};

// ---- Records --------------------------------------------------------------------------------------------------------

static uint8_t *begin(struct making *making, enum ctl_record type)
{
    bytes_put_u8(&making->out, (uint8_t)type);
    bytes_put_u32(&making->out, 0);
    return making->out.at;
}

static void end(struct making *making, uint8_t *from)
{
    if (bytes_fits(&making->out))
        bytes_set_u32(from - 4, (uint32_t)(making->out.at - from));
}

static void put_field(struct making *making, const char *name, const char *value)
{
    bytes_put_u16(&making->out, (uint16_t)strlen(name));
    bytes_put(&making->out, name, strlen(name));
    bytes_put_u16(&making->out, (uint16_t)strlen(value));
    bytes_put(&making->out, value, strlen(value));
}

static void put_config(struct making *making, uint8_t odd)
{
    uint8_t *from = begin(making, CTL_CONFIG);
    bytes_put_u64(&making->out, 1700000000000);
    put_field(making, "version", "3");
    put_field(making, "width", (odd & 1) != 0 ? "64" : "2048");
    put_field(making, "height", "1024");
    put_field(making, "edge", (odd & 2) != 0 ? "128" : "64");
    put_field(making, "cooldown_ms", "5000");
    put_field(making, "guests_per_address", "16");
    put_field(making, "user_groups", "64");
    put_field(making, "read_only", "0");
    put_field(making, "palette", "a=#000000,b=#111111,c=#222222,d=#333333");
    put_field(making, (odd & 4) != 0 ? "announcement" : "a later one", "Hello");
    end(making, from);
    making->honest &= (odd & 3) == 0;
    making->in_tile = false;
}

// Of users who claim the first placement of tile (0, 0), or none that there is.
static void put_users(struct making *making, uint8_t odd)
{
    uint8_t *from = begin(making, CTL_USERS);
    for (unsigned i = 0; i < 1u + odd % 3; i++) {
        bytes_put_u64(&making->out, odd >> 4);
        bytes_put_u8(&making->out, 1); // layout
        bytes_put_u8(&making->out, odd & 3);
        bytes_put_u16(&making->out, odd >> 4);
        bytes_put_u16(&making->out, 0);
        bytes_put_u16(&making->out, 0);
        bytes_put_u32(&making->out, 1);
        bytes_put_u32(&making->out, 1 + i);
        bytes_put_u64(&making->out, 1700000000000);
        making->users++;
    }
    end(making, from);
    making->honest = false; // perhaps
}

static void put_names(struct making *making, uint8_t odd)
{
    uint8_t *from = begin(making, CTL_NAMES);
    static const char *const names[] = {"", "Ann", "admin", "\xff", "J\xc3\xb6rg"};
    const char *name = names[odd % 5];
    bytes_put_u64(&making->out, odd);
    bytes_put_u16(&making->out, (uint16_t)(CTL_NAME_RECORD_MIN + strlen(name)));
    bytes_put_u32(&making->out, 1);
    bytes_put_u64(&making->out, 0);
    bytes_put(&making->out, name, strlen(name));
    end(making, from);
}

struct placement {
    uint8_t offset, color, user, old_color;
    uint32_t old_seq;
};

static void put_log(struct making *making, const struct placement *placements, uint32_t first, uint32_t count)
{
    uint8_t *from = begin(making, CTL_LOG);
    bytes_put_u64(&making->out, 7); // epoch
    bytes_put_u64(&making->out, 1700000000000);
    bytes_put_u32(&making->out, first + 1);
    bytes_put_u16(&making->out, (uint16_t)count);
    for (uint32_t i = first; i < first + count; i++) {
        bytes_put_u16(&making->out, placements[i].offset);
        bytes_put_u8(&making->out, placements[i].color);
    }
    for (uint32_t i = first; i < first + count; i++)
        bytes_put_u64(&making->out, placements[i].user);
    for (uint32_t i = first; i < first + count; i++)
        bytes_put_u8(&making->out, placements[i].old_color);
    for (uint32_t i = first; i < first + count; i++)
        bytes_put_u32(&making->out, placements[i].old_seq);
    end(making, from);
}

// A tile with the log that gives its pixels.
static void put_tile(struct making *making, uint8_t tx, struct fuzz_in *in)
{
    struct placement placements[PLACEMENTS_MAX];
    uint8_t px[256] = {0}, lasts[256 * 4] = {0};
    uint32_t count = 1 + fuzz_below(in, PLACEMENTS_MAX), first = fuzz_below(in, count + 1), seqs[256] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint8_t offset = fuzz_u8(in), color = fuzz_u8(in) % 4;
        placements[i] = (struct placement){offset, color, offset >> 4, px[offset], seqs[offset]};
        px[offset] = color;
        seqs[offset] = i + 1;
        lasts[4 * offset + 3] = (uint8_t)(i + 1);
    }
    tx %= 32;
    making->honest &= making->tiles_made[tx]++ == 0;
    uint8_t *from = begin(making, CTL_TILE);
    bytes_put_u16(&making->out, tx);
    bytes_put_u16(&making->out, 0);
    bytes_put_u64(&making->out, 7);
    bytes_put_u32(&making->out, count);
    bytes_put_u32(&making->out, sizeof px);
    bytes_put(&making->out, px, sizeof px);
    bytes_put_u32(&making->out, sizeof lasts);
    bytes_put(&making->out, lasts, sizeof lasts);
    end(making, from);
    if (first > 0)
        put_log(making, placements, 0, first);
    if (first < count)
        put_log(making, placements, first, count - first);
    making->tiles++;
    making->placements += count;
}

static void put_raw(struct making *making, struct fuzz_in *in)
{
    size_t len;
    uint8_t type = fuzz_u8(in) % 8;
    const uint8_t *bytes = fuzz_take(in, fuzz_u16(in) % 1024, &len);
    uint8_t *from = begin(making, (enum ctl_record)type);
    bytes_put(&making->out, bytes, len);
    end(making, from);
    making->honest = false;
}

// ---- The file -------------------------------------------------------------------------------------------------------

static void step(struct making *making, struct fuzz_in *in)
{
    uint8_t what = fuzz_u8(in), odd = fuzz_u8(in);
    uint8_t *before = making->out.at;
    switch (what & 7) {
    case 0:
        put_raw(making, in);
        break;
    case 1:
        put_config(making, odd);
        break;
    case 2:
        put_users(making, odd);
        break;
    case 3:
        put_names(making, odd);
        break;
    default:
        put_tile(making, odd, in);
        break;
    }
    if ((what & 128) == 0 || making->out.at == before)
        return;
    // One byte of it is made another.
    before[fuzz_u16(in) % (size_t)(making->out.at - before)] = fuzz_u8(in);
    making->honest = false;
}

static void put_end(struct making *making, uint8_t odd)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(room, bytes_written(&making->out), digest);
    uint8_t *from = begin(making, CTL_END);
    bytes_put_u32(&making->out, making->tiles + (odd == 1));
    bytes_put_u64(&making->out, making->users + (odd == 2));
    bytes_put_u64(&making->out, making->placements + (odd == 3));
    bytes_put(&making->out, digest, sizeof digest);
    end(making, from);
    if (odd == 4)
        bytes_put_u8(&making->out, 0); // something behind it
    making->honest &= odd == 0 || odd > 4;
}

void backup_file_make(struct backup_file *file, struct fuzz_in *in)
{
    struct making making = {.honest = true};
    uint8_t odd = fuzz_u8(in);
    bytes_writer_init(&making.out, room, sizeof room);
    bytes_put(&making.out, CTL_FILE_MAGIC, strlen(CTL_FILE_MAGIC));
    put_config(&making, 0);
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(in); i++)
        step(&making, in);
    put_config(&making, 0);
    put_end(&making, odd);
    *file = (struct backup_file){room, bytes_written(&making.out), making.honest && bytes_fits(&making.out)};
}
