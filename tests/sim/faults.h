// What goes wrong, and when. Everything from the seed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct faults_settings {
    uint32_t shards, gateways, clients;
    int64_t lease_us; // of a shard
    bool clock;       // it is set back at times
    bool dropping;    // the bus loses messages from the beginning
    bool undisturbed; // processes are only restarted, one after the other, as a careful operator does
    int64_t every_us; // between two of them, on average; 0 = nothing goes wrong
};

void faults_begin(const struct faults_settings *settings);
// The bus has lost messages at some time.
bool faults_dropped(void);
// Nothing goes wrong any more: what was down is up, what was apart is together.
void faults_heal(void);
