# The codecs, each against the golden vectors.

proto_vectors := tests/unit/vectors common/core/bytes common/core/bytes_text

test_members_OBJS := proto/members common/core/member common/core/mix common/core/bytes common/core/bytes_text
test_ws_proto_OBJS := proto/ws_proto proto/ws_proto_client common/core/geom $(proto_vectors)
test_ws_proto_LIBS := -ljansson

test_link_proto_OBJS := proto/link_proto proto/msgpack_flat $(proto_vectors)
test_link_proto_LIBS := -ljansson

test_link_mac_OBJS := proto/link_mac common/core/hmac $(proto_vectors)
test_link_mac_LIBS := -ljansson -lcrypto

test_bus_proto_OBJS := proto/bus_proto proto/msgpack_flat $(proto_vectors)
test_bus_proto_LIBS := -ljansson

test_keys_OBJS := proto/keys common/core/addr
test_verdict_OBJS := proto/verdict
test_canvas_config_OBJS := proto/canvas_config common/core/bytes_text common/core/geom common/core/palette
test_checksum_OBJS := common/core/mix $(proto_vectors)
test_checksum_LIBS := -ljansson
test_lua_scripts_OBJS := proto/lua_scripts

test_admin_proto_OBJS := proto/admin_proto proto/admin_mac proto/msgpack_flat common/core/bytes common/core/hmac
test_admin_proto_LIBS := -lcrypto

test_ctl_late_OBJS := common/ctl/ctl_late proto/bus_proto proto/msgpack_flat common/core/bytes

# What the page's decoders are held against (tests/unit/js/differential.test.mjs).
ws_oracle_objs := tests/unit/ws_oracle proto/ws_proto_client common/core/bytes common/core/bytes_text common/core/geom \
                  gateway/preview gateway/query gateway/origin
unit-build: $(OUT)/ws-oracle
$(OUT)/ws-oracle: $(ws_oracle_objs:%=$(OUT)/obj/%.o)
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
