# The gateway's replicas and their fan-out.

hub_objs := gateway/hub gateway/hub_metrics gateway/watch_list gateway/tiles gateway/tiles_sync gateway/held gateway/pending \
            gateway/ring gateway/repair gateway/interest gateway/fanout gateway/fanout_clients gateway/round gateway/pump gateway/snaps \
            gateway/images gateway/frames gateway/shared_buf gateway/ws_frame common/core/replica common/core/mix \
            common/core/bytes common/core/geom common/core/monotime common/core/hist proto/ws_proto
ALLOC_FAIL_LDFLAGS := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
hub_world := tests/unit/alloc_fail tests/unit/hub_world tests/unit/hub_world_redis tests/unit/hub_world_bus tests/unit/hub_world_clients \
             tests/unit/fake_loop tests/unit/no_log common/io/loop_deferred proto/ws_proto_client common/core/bytes_text

test_hub_model_OBJS := $(hub_objs) $(hub_world)
test_hub_model_LIBS := -lz
test_hub_model_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)

test_ring_OBJS := gateway/ring
test_repair_OBJS := gateway/repair
test_held_OBJS := gateway/held gateway/ring gateway/pending gateway/interest common/core/replica common/core/mix \
                  common/core/bytes
test_interest_OBJS := gateway/interest
test_frames_OBJS := gateway/frames gateway/ring gateway/shared_buf gateway/ws_frame common/core/mix common/core/bytes \
                    common/core/bytes_text common/core/geom proto/ws_proto proto/ws_proto_client
test_frames_LIBS := -lz
test_watch_list_OBJS := gateway/watch_list common/core/geom common/core/bytes proto/ws_proto
test_hub_fanout_OBJS := $(hub_objs) $(hub_world) tests/unit/hub_steps
test_hub_fanout_LIBS := -lz
test_hub_fanout_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)
test_hub_lanes_OBJS := $(hub_objs) $(hub_world) tests/unit/hub_steps
test_hub_lanes_LIBS := -lz
test_hub_lanes_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)
test_hub_heal_OBJS := $(hub_objs) $(hub_world) tests/unit/hub_steps
test_hub_heal_LIBS := -lz
test_hub_heal_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)
test_hub_limits_OBJS := $(hub_objs) $(hub_world) tests/unit/hub_steps
test_hub_limits_LIBS := -lz
test_hub_limits_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)
test_hub_images_OBJS := $(hub_objs) $(hub_world) tests/unit/hub_steps
test_hub_images_LIBS := -lz
test_hub_images_LDFLAGS := $(ALLOC_FAIL_LDFLAGS)

content_objs := gateway/content_body gateway/canvas_png gateway/gzip gateway/png_rows gateway/region gateway/region_png gateway/query gateway/shared_buf common/core/bytes common/core/mix \
                common/core/geom common/core/palette

test_worker_OBJS := gateway/worker common/io/loop common/io/loop_deferred common/core/hist common/core/monotime
test_worker_LIBS := -levent_core -levent_extra
test_content_body_OBJS := $(content_objs)
test_content_body_LIBS := -lpng -lz
test_content_OBJS := gateway/content $(content_objs) tests/unit/fake_loop common/io/loop_deferred common/core/monotime
test_content_LIBS := -lpng -lz
test_tiles_OBJS := gateway/tiles gateway/tiles_sync gateway/held gateway/pending gateway/ring gateway/repair gateway/interest \
                   common/core/replica common/core/mix common/core/bytes common/core/geom common/core/monotime \
                   common/core/hist tests/unit/fake_loop tests/unit/no_log common/io/loop_deferred
