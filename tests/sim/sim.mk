# The simulation: the programs' own objects on virtual time (tests/sim/sim.h).
#
#   make sim SEEDS=10000 EVENTS=3000     seeds from 1 on; a broken promise says its seed
#   make sim-forever                     from a seed of the clock, until a promise is broken
#   make sim-check                       all of these, once
#   make sim-diff                        its Redis against proto/lua on a real one
#   make sim-mutants                     faults built in on purpose: each has to be found

SEEDS ?= 10000
EVENTS ?= 3000
SIM_TRACES ?= 132 67 129 125

sim_shard_objs := shard/shard shard/membership shard/store shard/store_tiles shard/link_server shard/place shard/place_tile \
                  shard/ownership shard/batch shard/batch_args shard/draw shard/peer shard/rules shard/window shard/windows
sim_gateway_objs := $(hub_objs) $(filter gateway/%,$(route_objs)) gateway/bus gateway/cluster gateway/cluster_links \
                    gateway/cluster_metrics gateway/cluster_state gateway/shard_link gateway/store gateway/store_cluster \
                    gateway/store_reply gateway/store_reply_page gateway/store_tile gateway/store_user gateway/conn \
                    gateway/deadline gateway/edge gateway/edge_broadcast gateway/edge_clients gateway/edge_drain gateway/edge_metrics \
                    gateway/edge_listen gateway/limits gateway/outbox gateway/ws_conn gateway/ws_hello gateway/ws_input gateway/ws_tiles \
                    gateway/ws_recv
sim_gateway_objs := $(filter gateway/%,$(sim_gateway_objs))
sim_common_objs := $(patsubst %.c,%,$(filter-out common/core/hmac.c common/core/token.c,$(wildcard common/core/*.c))) \
                   common/io/loop_deferred common/io/sock_text proto/bus_proto proto/canvas_config proto/keys proto/link_proto proto/lua_scripts proto/members proto/msgpack_flat \
                   proto/verdict proto/ws_proto proto/ws_proto_client
sim_objs := $(filter-out tests/sim/diff%,$(patsubst %.c,%,$(wildcard tests/sim/*.c)))

sim_o = $(patsubst %,$(OUT)/obj/%.o,$(1))

# Both programs have a store: each keeps its own to itself. The gateway's replicas are looked over (sim_replica.c).
$(OUT)/obj/tests/sim/all_shard.o: $(call sim_o,$(sim_shard_objs))
	@mkdir -p $(@D)
	$(Q)ld -r -o $@ $^ && objcopy --wildcard --localize-symbol='store_*' --redefine-sym close=sim_close $@

$(OUT)/obj/tests/sim/all_gateway.o: $(call sim_o,$(sim_gateway_objs))
	@mkdir -p $(@D)
	$(Q)ld -r -o $@ $^ && objcopy --redefine-sym replica_apply=sim_replica_apply \
	    --redefine-sym close=sim_close --redefine-sym shutdown=sim_shutdown $@


$(OUT)/sim: $(call sim_o,$(sim_objs) $(sim_common_objs)) $(OUT)/obj/tests/sim/all_shard.o $(OUT)/obj/tests/sim/all_gateway.o
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lwslay -lz -lm

sim_diff_objs := tests/sim/diff tests/sim/diff_call tests/sim/diff_random tests/sim/db tests/sim/db_scripts tests/sim/db_command tests/sim/db_place tests/sim/reply tests/sim/mutant \
                 tests/unit/redis_server $(sim_common_objs)

$(OUT)/sim-diff: $(call sim_o,$(sim_diff_objs))
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lhiredis -lcmocka

.PHONY: sim sim-check sim-diff sim-forever sim-mutants sim-traces
sim: $(OUT)/sim
	$(OUT)/sim --seeds $(SEEDS) --events $(EVENTS)
	@# a seed replays identically, to the last word
	@for seed in $(SIM_TRACES); do \
	    [ "$$($(OUT)/sim --seed $$seed --trace | grep -v ' s; failures' | cksum)" = \
	        "$$($(OUT)/sim --seed $$seed --trace | grep -v ' s; failures' | cksum)" ] || \
	        { echo "seed $$seed is not the same the second time"; exit 1; }; done

sim-diff: $(OUT)/sim-diff
	$(OUT)/sim-diff

sim-forever: $(OUT)/sim
	$(OUT)/sim --forever --from $$(date +%s)000000 --events $(EVENTS)

sim_mutants := no-fence epoch-plus-one not-taken-anew duplicates gap-ignored resume-off-by-one snapshot-late write-first \
               everysec cooldown-short no-drain no-handover

sim-mutants: $(OUT)/sim
	@failed=0; for mutant in $(sim_mutants); do \
	    $(OUT)/sim --mutant $$mutant --seeds 5000 --events $(EVENTS) || failed=1; done; exit $$failed

sim-check: sim sim-mutants sim-diff

# What tests/unit/js/sim.test.mjs replays: seeds with gaps, reconnections, moves, takeovers and snapshots.
sim-traces: $(OUT)/sim
	rm -f tests/sim/traces/*.jsonl
	for seed in $(SIM_TRACES); do $(OUT)/sim --seed $$seed --events 4000 --record tests/sim/traces/$$seed.jsonl; done
