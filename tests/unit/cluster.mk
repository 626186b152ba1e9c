# The gateway's way to the shards.

route_objs := gateway/route gateway/route_links gateway/route_pool gateway/route_tile proto/link_proto \
              proto/msgpack_flat common/core/bytes common/core/member common/core/mix common/core/monotime \
              common/core/geom

test_route_OBJS := $(route_objs) tests/unit/route_scene
test_route_links_OBJS := $(route_objs) tests/unit/route_scene
test_route_model_OBJS := $(route_objs)

test_shard_link_OBJS = tests/unit/fake_shard gateway/shard_link common/io/msg_sock common/io/log common/core/err common/core/bytes \
                        common/core/bytes_text common/core/hmac proto/link_mac proto/link_proto proto/msgpack_flat common/io/sock_io \
                        $(stream_objs)
test_shard_link_LIBS := -levent_core -levent_extra -lssl -lcrypto

test_store_reply_OBJS = $(sort gateway/store_reply gateway/store_reply_page proto/members $(name_objs) common/core/bytes common/core/bytes_text common/core/member \
                         common/core/mix common/core/geom common/core/palette \
                         proto/bus_proto proto/msgpack_flat proto/canvas_config)
test_store_reply_LIBS := -lhiredis -lm

cluster_scene = $(sort gateway/cluster gateway/cluster_links gateway/cluster_metrics gateway/cluster_state \
                           gateway/shard_link gateway/store gateway/store_cluster gateway/store_reply gateway/store_reply_page proto/members gateway/store_tile gateway/store_user $(name_objs) $(route_objs) \
                           $(redis_conn_objs) common/io/msg_sock common/io/log common/io/metrics common/io/sock_io \
                           common/core/bytes_text common/core/hmac common/core/palette common/core/pressure \
                           proto/bus_proto proto/canvas_config proto/keys proto/link_mac proto/lua_scripts \
                           proto/verdict tests/unit/redis_server tests/unit/fake_shard tests/unit/cluster_scene)
test_cluster_OBJS = $(cluster_scene)
test_cluster_LIBS := -lhiredis -lm -levent_core -levent_extra -lssl -lcrypto
test_store_OBJS = $(cluster_scene)
test_store_LIBS := $(test_cluster_LIBS)
