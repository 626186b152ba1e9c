# What the unit tests of the gateway's edge link.

test_proxy_OBJS := gateway/proxy gateway/proxy_v1 common/core/addr
test_http_OBJS := gateway/http gateway/http_fields
test_http_LIBS := -lhttp_parser
test_http_reply_OBJS := gateway/http_reply
test_session_OBJS := gateway/session gateway/http gateway/http_fields common/core/key_lines common/core/token common/core/bytes \
                     common/core/bytes_text common/core/hmac
test_session_LIBS := -lhttp_parser -lcrypto
test_origin_OBJS := gateway/origin
test_ws_upgrade_OBJS := gateway/ws_upgrade gateway/http gateway/http_fields
test_ws_upgrade_LIBS := -lhttp_parser -lcrypto
test_limits_OBJS := gateway/limits common/core/addr common/core/bucket common/core/monotime
test_outbox_OBJS := gateway/outbox
test_deadline_OBJS := gateway/deadline common/core/monotime
test_ws_recv_OBJS := gateway/ws_recv gateway/deadline common/core/monotime
test_ws_recv_LIBS := -lwslay
test_static_files_OBJS := gateway/static_files gateway/shared_buf common/core/bytes_text
test_static_files_LIBS := -lcrypto -lz

# The whole edge, with everything behind it faked.
edge_objs := $(addprefix gateway/,conn gzip page conn_open edge edge_broadcast edge_clients edge_drain edge_metrics edge_listen http http_fields http_conn \
             http_reply redirect routes api api_heat api_me api_pixel api_session api_wait api_ws preview query region user_name static_files session origin limits proxy proxy_v1 ws_upgrade ws_conn ws_frame \
             ws_hello ws_input ws_recv ws_tiles outbox deadline shared_buf) \
             $(addprefix common/core/,addr bucket bytes bytes_text err geom hist hmac key_lines mix monotime name name_fold name_words palette token) \
             $(addprefix common/io/,loop loop_deferred sock sock_io sock_text log metrics rand) proto/ws_proto
edge_libs := -levent_core -levent_extra -lssl -lcrypto -lhttp_parser -lwslay -ljansson -lz
test_query_OBJS := gateway/query
test_preview_OBJS := gateway/preview gateway/query gateway/origin common/core/geom
edge_test_objs := $(edge_objs) tests/unit/edge_fakes tests/unit/edge_facts
ws_client_objs := $(edge_test_objs) tests/unit/ws_client proto/ws_proto_client
test_ws_conn_OBJS := $(ws_client_objs)
test_ws_conn_LIBS := $(edge_libs)
test_ws_output_OBJS := $(ws_client_objs)
test_ws_output_LIBS := $(edge_libs)
test_ws_input_OBJS := $(ws_client_objs)
test_ws_input_LIBS := $(edge_libs)
test_ws_tiles_OBJS := $(ws_client_objs)
test_ws_tiles_LIBS := $(edge_libs)
test_ws_broadcast_OBJS := $(ws_client_objs)
test_ws_broadcast_LIBS := $(edge_libs)
test_ws_tls_OBJS := $(edge_test_objs) proto/ws_proto_client
test_ws_tls_LIBS := $(edge_libs)
test_http_conn_OBJS := $(edge_test_objs)
test_http_conn_LIBS := $(edge_libs)

test_redirect_OBJS := gateway/redirect gateway/http gateway/http_fields
test_redirect_LIBS := -lhttp_parser
test_tls_OBJS := gateway/tls gateway/tls_tickets common/core/key_lines common/core/bytes common/core/bytes_text common/core/hmac common/io/rand
test_tls_LIBS := -lssl -lcrypto
test_user_name_OBJS := gateway/user_name common/core/name common/core/name_fold common/core/name_words common/core/mix
test_region_OBJS := gateway/region gateway/region_png gateway/png_rows gateway/query gateway/shared_buf common/core/geom \
                    common/core/palette
test_region_LIBS := -lpng -lz
test_api_OBJS := $(edge_test_objs)
test_api_LIBS := $(edge_libs)

test_gzip_OBJS := gateway/gzip gateway/shared_buf common/core/bytes
test_gzip_LIBS := -lz
