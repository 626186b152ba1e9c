// Every bound of PROTOCOL.md that both ends, or several files, must agree on.
#pragma once

#define LIMIT_WATCH_TILES 256u           // tiles one client may watch
#define LIMIT_NEW_TILES_PER_S 128u       // tiles new to the watch of one client, or resumed; HELLO counts
#define LIMIT_NEW_TILES_BURST 1024u      // at once
#define LIMIT_ADDRESS_TILES_PER_S 2560u  // of all clients of an address; as many as 20 clients may
#define LIMIT_ADDRESS_TILES_BURST 20480u // at once: 256 clients that come back together, of 80 tiles each
#define LIMIT_WS_MESSAGE 4112u           // bytes of one message from a client
#define LIMIT_WS_FRAMES 16u              // frames per message from a client
#define LIMIT_TILE_FRAME_UPDATES 8192u   // placements in one TILE frame
#define LIMIT_BATCH_DRAWS 512u           // draws in one place script, FORWARD or VERDICTS
#define LIMIT_LINK_MESSAGE 65536u        // bytes of one gateway-shard message
#define LIMIT_LINK_IN_FLIGHT 8192u       // draws in flight on one link
#define LIMIT_GATEWAY_WAITING 16384u     // draws waiting at a gateway for an owner
#define LIMIT_SHARD_WAITING 32768u       // draws waiting at a shard
#define LIMIT_SHARD_LINKS 256u           // links of one shard
#define LIMIT_MEMBERS 256u               // shards in a view
#define LIMIT_WHOLE_CANVAS 4096u         // edge up to which whole-canvas forms are served

// Nonces of draws that are made with cooldown 0 have this bit, all others have not: PROTOCOL.md, "Nonces".
#define NONCE_COUNTED 0x80000000u
#define NONCE_COUNTED_FIRST 0x80000001u

#define LINK_PROTO_VERSION 1u
#define LINK_NONCE_LEN 32u
#define LINK_MAC_LEN 32u
