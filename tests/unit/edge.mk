# What the unit tests of the gateway's edge link.

test_proxy_OBJS := gateway/proxy gateway/proxy_v1 common/core/addr
test_http_OBJS := gateway/http gateway/http_fields
test_http_LIBS := -lhttp_parser
test_http_reply_OBJS := gateway/http_reply
test_session_OBJS := gateway/session gateway/http gateway/http_fields common/core/token common/core/bytes \
                     common/core/bytes_text common/core/hmac
test_session_LIBS := -lhttp_parser -lcrypto
test_origin_OBJS := gateway/origin
test_ws_upgrade_OBJS := gateway/ws_upgrade gateway/http gateway/http_fields
test_ws_upgrade_LIBS := -lhttp_parser -lcrypto
test_limits_OBJS := gateway/limits common/core/bucket common/core/addr common/core/monotime
test_outbox_OBJS := gateway/outbox
test_deadline_OBJS := gateway/deadline common/core/monotime
test_ws_recv_OBJS := gateway/ws_recv
test_ws_recv_LIBS := -lwslay
test_static_files_OBJS := gateway/static_files gateway/shared_buf common/core/bytes_text
test_static_files_LIBS := -lcrypto -lz

# The whole edge, with everything behind it faked.
edge_objs := $(addprefix gateway/,conn conn_open edge edge_broadcast edge_clients edge_drain edge_listen http http_fields http_conn \
             http_reply redirect routes api api_session api_ws static_files session origin limits proxy proxy_v1 ws_upgrade ws_conn ws_frame \
             ws_hello ws_input ws_recv outbox deadline shared_buf) \
             $(addprefix common/core/,addr bucket bytes bytes_text err hist hmac monotime palette token) \
             $(addprefix common/io/,loop sock sock_io log metrics rand) proto/ws_proto
edge_libs := -levent_core -levent_extra -lssl -lcrypto -lhttp_parser -lwslay -ljansson -lz
test_ws_conn_OBJS := $(edge_objs) tests/unit/edge_fakes proto/ws_proto_client common/core/geom
test_ws_conn_LIBS := $(edge_libs)
test_ws_tls_OBJS := $(test_ws_conn_OBJS)
test_ws_tls_LIBS := $(edge_libs)
test_http_conn_OBJS := $(test_ws_conn_OBJS)
test_http_conn_LIBS := $(edge_libs)

test_redirect_OBJS := gateway/redirect gateway/http gateway/http_fields
test_redirect_LIBS := -lhttp_parser
test_tls_OBJS := gateway/tls gateway/tls_tickets common/core/bytes common/core/bytes_text common/core/hmac common/io/rand
test_tls_LIBS := -lssl -lcrypto
