# What each unit test of common/ links. Other folders have fragments of their own beside this one.

test_bytes_OBJS := common/core/bytes common/core/bytes_text
test_geom_OBJS := common/core/geom
test_palette_OBJS := common/core/palette
test_mix_OBJS := common/core/mix
test_member_OBJS := common/core/member common/core/mix
test_replica_OBJS := common/core/replica common/core/mix common/core/bytes
test_bucket_OBJS := common/core/bucket common/core/monotime
test_hist_OBJS := common/core/hist
test_addr_OBJS := common/core/addr
test_token_OBJS := common/core/key_lines common/core/token common/core/hmac common/core/bytes common/core/bytes_text
test_token_LIBS := -lcrypto

stream_objs := common/io/stream common/io/dial common/io/sock common/io/sock_text common/io/loop common/io/loop_deferred common/io/rand common/core/addr \
               common/core/hist common/core/monotime
test_conf_OBJS := common/io/conf common/io/conf_flags common/io/conf_print common/io/conf_value common/io/sock_text common/core/addr
test_log_OBJS := common/io/log common/io/log_addr common/core/addr common/core/err common/core/hmac common/core/bytes_text
test_log_LIBS := -lcrypto
test_metrics_OBJS := common/io/metrics common/io/metrics_http common/io/metrics_process common/io/log common/core/err $(stream_objs)
test_metrics_LIBS := -levent_core -levent_extra -lhttp_parser
test_health_OBJS := common/io/health common/io/notify common/io/metrics common/io/metrics_http common/io/log common/core/err \
                    $(stream_objs)
test_health_LIBS := -levent_core -levent_extra -lhttp_parser
test_loop_deferred_OBJS := common/io/loop_deferred
test_loop_OBJS := common/io/loop common/io/loop_deferred common/io/rand common/core/hist common/core/monotime
test_loop_LIBS := -levent_core -levent_extra
test_sock_OBJS := common/io/sock common/io/sock_text common/io/sock_io common/core/addr
test_sock_LIBS := -lssl -lcrypto

test_msg_sock_OBJS := common/io/msg_sock $(stream_objs)
test_msg_sock_LIBS := -levent_core -levent_extra
redis_conn_objs := common/io/redis_conn common/io/redis_conn_send common/io/redis_conn_read common/io/redis_format \
                   common/io/redis_queue common/io/log common/core/err $(stream_objs)
test_redis_conn_OBJS := $(redis_conn_objs) tests/unit/redis_server tests/unit/redis_scene
test_redis_conn_LIBS := -lhiredis -levent_core -levent_extra
test_redis_conn_breaks_OBJS := $(redis_conn_objs) tests/unit/redis_server tests/unit/redis_scene
test_redis_conn_breaks_LIBS := -lhiredis -levent_core -levent_extra
test_redis_conn_subscribe_OBJS := $(redis_conn_objs) tests/unit/redis_server tests/unit/redis_scene
test_redis_conn_subscribe_LIBS := -lhiredis -levent_core -levent_extra
test_redis_wire_OBJS := $(redis_conn_objs)
test_redis_wire_LIBS := -lhiredis -levent_core -levent_extra
test_nomem_OBJS := common/core/replica common/core/mix common/core/bytes common/io/redis_queue common/io/metrics \
                   common/io/metrics_http common/io/msg_sock $(stream_objs)
test_nomem_LIBS := -levent_core -levent_extra -lhttp_parser
test_nomem_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
name_objs := common/core/name common/core/name_fold common/core/name_words common/core/mix
test_name_OBJS := $(name_objs) tests/unit/vectors common/core/bytes common/core/bytes_text
test_name_LIBS := -ljansson
