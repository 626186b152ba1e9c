# The pure parts of the shard.

place_objs := shard/place shard/place_tile shard/ownership shard/batch shard/batch_args shard/draw shard/peer \
              shard/rules shard/window shard/windows proto/keys common/core/addr common/core/bytes common/core/geom \
              common/core/hist common/core/member common/core/mix common/core/monotime common/core/palette \
              tests/unit/fake_redis

test_window_OBJS := shard/window common/core/bytes
test_windows_OBJS := shard/windows shard/window common/core/bytes common/core/monotime
test_peer_OBJS := shard/peer
test_rules_OBJS := shard/rules common/core/geom common/core/palette
test_draw_OBJS := shard/draw
test_pressure_OBJS := common/core/pressure
place_scene := $(place_objs) tests/unit/place_scene
test_place_OBJS := $(place_scene)
test_place_batches_OBJS := $(place_scene)
test_place_tiles_OBJS := $(place_scene)
test_place_model_OBJS := $(place_objs)
