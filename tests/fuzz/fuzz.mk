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

# The linker hands these over to tests/fuzz/mem_sock.c and fixed_rand.c.
fuzz_mem := tests/fuzz/mem_sock tests/fuzz/fixed_rand tests/unit/fake_loop common/io/loop_deferred common/core/mix
FUZZ_MEM_LDFLAGS := -Wl,--wrap=recv,--wrap=close,--wrap=shutdown,--wrap=evbuffer_write,--wrap=getauxval

fuzz_edge_OBJS = tests/fuzz/edge_back tests/fuzz/edge_back_ask tests/fuzz/edge_client tests/fuzz/edge_text $(fuzz_mem) \
                 $(filter-out common/io/loop common/io/sock common/io/sock_io common/io/rand,$(edge_objs)) gateway/watch_list \
                 proto/ws_proto_client
fuzz_edge_LIBS := $(edge_libs)
fuzz_edge_LDFLAGS := $(FUZZ_MEM_LDFLAGS)

fuzz_proxy_OBJS := gateway/proxy gateway/proxy_v1 common/core/addr
fuzz_link_OBJS := proto/link_proto proto/bus_proto proto/msgpack_flat proto/keys shard/window common/core/addr \
                  common/core/bytes
fuzz_frames_OBJS := proto/ws_proto proto/ws_proto_client gateway/watch_list gateway/ws_frame common/core/bytes \
                    common/core/bytes_text common/core/geom
fuzz_names_OBJS = $(name_objs) common/core/palette common/core/bytes_text common/core/geom common/core/addr proto/canvas_config proto/keys
fuzz_names_LIBS := -ljansson

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
