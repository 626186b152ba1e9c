// What a hub lives in, made up and driven by a seed: the loop on virtual time, Redis with its bus, the worker, sockets
// that fill up, and clients that follow PROTOCOL.md to the letter. The hub itself is the real one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/geom.h"
#include "common/core/position.h"
#include "gateway/hub.h"

#define WORLD_EDGE 64u
#define WORLD_TILE_LEN (WORLD_EDGE * WORLD_EDGE)
#define WORLD_ACROSS 3u
#define WORLD_TILES 6u
#define WORLD_CLIENTS 12u
#define WORLD_ENTRY_MAX 512u

struct ws_conn; // a client

// Options with which a short life has some of everything; `tight`: with hardly any room for watches.
struct hub_options world_options(bool tight);

// Starts with the store and the bus down. `options` beyond the addresses are the caller's.
void world_begin(uint64_t seed, const struct hub_options *options);
// The hub is freed; the store may answer nobody after that.
void world_end(void);
struct hub *world_hub(void);
uint64_t world_random(uint64_t below);
// A gateway metric by name and label (NULL: none).
uint64_t world_metric(const char *name, const char *labels);

// Time passes; the hub takes its turn.
void world_turn(int64_t us);

// ---- Redis ---------------------------------------------------------------------------------------------------------

struct tile world_tile(unsigned i);
void world_place(unsigned tile, unsigned count); // one batch of random placements, published
void world_take(unsigned tile);                  // the next batch has a new epoch
void world_beat(unsigned tile);                  // POSITION
struct position world_position(unsigned tile);
const uint8_t *world_pixels(unsigned tile);
// Redis dies and comes back with the last `lost` batches of the tile taken back. Connections break.
void world_crash(unsigned tile, unsigned lost);
// The log forgets all but the last `keep` batches.
void world_trim(unsigned tile, unsigned keep);
// The next snapshot that is read has one pixel wrong.
void world_corrupt_next(void);

void world_store(bool up);
void world_bus(bool up);
void world_drop_bus(unsigned percent); // of the messages, from now on
bool world_serve(void);                // Redis works on the oldest question that waits; false if none
bool world_answer(void);               // its answer arrives
bool world_deliver(void);              // the oldest message of the bus arrives
bool world_work(void);                 // the worker finishes its oldest job
unsigned world_subscriptions(void);
unsigned world_reads_peak(void); // most questions that were open at once

// ---- Clients -------------------------------------------------------------------------------------------------------

// A client that watches these tiles (bit i: tile i), with nothing yet. `strict`: it fails the test on a gap or on a
// placement that comes twice. 0 or what hub_join said.
int world_join(unsigned client, unsigned tiles, bool strict, size_t socket_bytes);
bool world_joined(unsigned client);
int world_watch(unsigned client, unsigned tiles);
int world_keep(unsigned client, unsigned tiles); // a WATCH that has to wait
uint32_t world_asked(unsigned client);           // tiles, with its last HELLO, WATCH or RESUME
void world_resume(unsigned client, unsigned tile, bool from_nothing);
void world_leave(unsigned client);  // it keeps its tiles and positions for the next world_join
void world_forget(unsigned client); // and then forgets them
// Clients whose connection was ended for want of memory leave.
void world_bury(void);
// It reads so many bytes from its socket.
void world_read(unsigned client, size_t bytes);
unsigned world_gaps(unsigned client);
unsigned world_snapshots(unsigned client);
unsigned world_complaints(unsigned client); // ERROR TILE_UNAVAILABLE
unsigned world_writes(unsigned client);
unsigned world_updates(unsigned client);
struct position world_client_position(unsigned client, unsigned tile);

// All that is broken works again, all reads, and time passes until nothing happens any more.
void world_settle(void);
// Every client has of all its tiles what Redis has; fails the test otherwise.
void world_check_equal(void);
