# Fuzzing: clang's libFuzzer, with the sanitizers for memory and undefined behaviour, over everything that reads bytes of
# strangers or of other processes.
#
#   make fuzz SECONDS=60                 every target for so long, side by side; prints its seed
#   make fuzz SECONDS=600 TARGET=edge    one of them
#   make fuzz-check                      every target over its corpus, and a fixed number of runs from a fixed seed
#
# A target is tests/fuzz/fuzz_<name>.c; it links the objects that its line names. What a long run finds of new inputs
# stays in build/fuzz/<name> for the next; what breaks a target lies beside it. Findings that were mended are kept in
# tests/fuzz/corpus/<name>, each named by what it shows.

FUZZ_SANITIZE := fuzzer-no-link,address,undefined
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TARGETS := $(FUZZ_NAMES:%=$(OUT)/fuzz/fuzz_%)
SECONDS ?= 60
TARGET ?= $(FUZZ_NAMES)

fuzz_mem := tests/fuzz/mem_world tests/fuzz/mem_sock tests/fuzz/fixed_rand tests/unit/fake_loop common/io/loop_deferred common/core/mix
# The linker hands these over to mem_sock.c and fixed_rand.c, and to big_blocks.c.
FUZZ_MEM_LDFLAGS := -Wl,--wrap=recv,--wrap=close,--wrap=shutdown,--wrap=evbuffer_write,--wrap=getauxval
FUZZ_BIG_LDFLAGS := -Wl,--wrap=calloc,--wrap=free

fuzz_edge_OBJS = tests/fuzz/edge_back tests/fuzz/edge_back_ask tests/fuzz/edge_client tests/fuzz/edge_text tests/unit/edge_facts $(fuzz_mem) \
                 $(filter-out common/io/loop common/io/sock common/io/sock_io common/io/rand,$(edge_objs)) gateway/watch_list \
                 proto/ws_proto_client
fuzz_edge_LIBS := $(edge_libs)
fuzz_edge_LDFLAGS := $(FUZZ_MEM_LDFLAGS)

fuzz_redis := tests/fuzz/mem_dial tests/fuzz/mem_redis tests/fuzz/redis_state tests/fuzz/redis_steps \
              tests/fuzz/resp proto/lua_scripts $(fuzz_mem)
fuzz_conn_objs = common/io/redis_conn common/io/redis_conn_send common/io/redis_conn_read common/io/redis_format \
                 common/io/redis_queue common/io/sock_text common/io/msg_sock common/io/stream common/io/log common/core/err common/core/hist \
                 common/core/monotime
fuzz_shard_OBJS = tests/fuzz/big_blocks $(filter shard/%,$(sim_shard_objs)) $(fuzz_redis) $(fuzz_conn_objs) proto/bus_proto proto/canvas_config \
                  proto/keys proto/link_proto proto/link_mac proto/members proto/msgpack_flat proto/verdict common/core/addr \
                  common/core/bytes common/core/bytes_text common/core/geom common/core/hmac common/core/member \
                  common/core/palette common/core/pressure
fuzz_shard_LIBS := -lhiredis -levent_core -levent_extra -lcrypto
fuzz_shard_LDFLAGS := $(FUZZ_MEM_LDFLAGS) $(FUZZ_BIG_LDFLAGS)

fuzz_cluster_OBJS = tests/fuzz/big_blocks tests/fuzz/cluster_ask $(fuzz_redis) $(fuzz_conn_objs) gateway/bus \
                    $(filter-out common/io/loop common/io/loop_deferred common/io/sock common/io/sock_io common/io/dial \
                    common/io/rand tests/%,$(test_cluster_OBJS))
fuzz_cluster_LIBS := -lhiredis -lm -levent_core -levent_extra -lcrypto
fuzz_cluster_LDFLAGS := $(FUZZ_MEM_LDFLAGS) $(FUZZ_BIG_LDFLAGS)

fuzz_admin_OBJS = $(patsubst %.c,%,$(wildcard common/admin/*.c)) $(fuzz_redis) $(fuzz_conn_objs) common/io/conf_value \
                  proto/admin_mac proto/admin_proto proto/bus_proto proto/canvas_config proto/keys proto/msgpack_flat \
                  common/core/addr common/core/bytes common/core/bytes_text common/core/geom common/core/hmac \
                  common/core/member common/core/palette common/core/pressure
fuzz_admin_LIBS := -lhiredis -ljansson -levent_core -levent_extra -lcrypto
fuzz_admin_LDFLAGS := $(FUZZ_MEM_LDFLAGS)

fuzz_proxy_OBJS := gateway/proxy gateway/proxy_v1 common/core/addr
fuzz_link_OBJS := proto/link_proto proto/bus_proto proto/msgpack_flat proto/keys shard/window common/core/addr \
                  common/core/bytes
fuzz_frames_OBJS := proto/ws_proto proto/ws_proto_client gateway/watch_list gateway/ws_frame common/core/bytes \
                    common/core/bytes_text common/core/geom
fuzz_names_OBJS = $(name_objs) common/core/palette common/core/bytes_text common/core/geom common/core/addr proto/canvas_config proto/keys
fuzz_names_LIBS := -ljansson

fuzz_replies_OBJS = tests/fuzz/resp $(test_store_reply_OBJS) common/core/pressure
fuzz_replies_LIBS := -lhiredis -lm
fuzz_request_OBJS := tests/fuzz/edge_text gateway/http gateway/http_fields gateway/origin gateway/preview gateway/query gateway/redirect \
                     gateway/region gateway/session gateway/shared_buf gateway/ws_upgrade common/core/bytes \
                     common/core/bytes_text common/core/geom common/core/hmac common/core/key_lines common/core/token
fuzz_request_LIBS := -lhttp_parser -lcrypto
fuzz_conf_OBJS = $(test_conf_OBJS) gateway/options gateway/origin proto/canvas_options proto/canvas_config common/core/palette \
                 common/core/geom common/core/key_lines common/core/token common/core/hmac common/core/bytes common/core/bytes_text
fuzz_conf_LIBS := -lcrypto
fuzz_conf_LDFLAGS := -Wl,--wrap=fopen
fuzz_region_OBJS := gateway/query gateway/region gateway/region_png gateway/png_rows gateway/shared_buf common/core/geom
fuzz_region_LIBS := -lpng -lz
fuzz_replica_OBJS := common/core/replica common/core/mix common/core/bytes
fuzz_hub_OBJS = $(hub_objs) $(hub_world)
fuzz_hub_LIBS := -lz -lcmocka
fuzz_hub_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)

fuzz_backup_OBJS = tests/fuzz/backup_file tests/fuzz/deaf_redis tests/fuzz/redis_state tests/fuzz/resp tests/fuzz/big_blocks \
                   common/ctl/ctl_file common/ctl/ctl_verify common/ctl/ctl_restore common/ctl/ctl_restore_settings common/ctl/ctl_restore_tiles common/ctl/ctl_restore_users \
                   common/ctl/ctl_restorer \
                   common/ctl/ctl_late common/ctl/ctl_show tests/fuzz/fixed_rand common/core/bytes common/core/bytes_text \
                   common/core/addr common/core/geom common/core/palette $(name_objs) proto/bus_proto proto/canvas_config \
                   proto/keys proto/msgpack_flat
fuzz_backup_LIBS := -lhiredis -ljansson -lz -lcrypto
fuzz_backup_LDFLAGS := -Wl,--wrap=gzopen,--wrap=getauxval $(FUZZ_BIG_LDFLAGS)

.PHONY: fuzz fuzz-check fuzz-build
fuzz-build: $(FUZZ_TARGETS)

fuzz fuzz-check:
	@$(MAKE) --no-print-directory -j"$$(nproc)" CC=clang SANITIZE=$(FUZZ_SANITIZE) fuzz-build
	@tests/fuzz/run $(if $(filter fuzz,$@),long $(SECONDS),check) \
	    build/clang-$(subst $(comma),-,$(FUZZ_SANITIZE))/fuzz $(TARGET)

$(OUT)/fuzz/fuzz_%: $(OUT)/obj/tests/fuzz/fuzz_%.o $$(sort $$(addprefix $(OUT)/obj/,$$(addsuffix .o,tests/fuzz/fuzz $$(fuzz_$$*_OBJS))))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer $(fuzz_$*_LDFLAGS) -o $@ $^ $(fuzz_$*_LIBS)
