# The parts of the load client that have no sockets. The whole of it is tested by tests/tools/test_load.py.

test_load_heap_OBJS := tests/tools/load_heap
test_load_work_OBJS := tests/tools/load_work common/core/mix common/core/monotime
test_load_frame_OBJS := tests/tools/load_frame
test_load_frame_LIBS := -lwslay
test_load_seen_OBJS := tests/tools/load_seen tests/tools/load_shared common/core/mix common/core/monotime
test_load_image_OBJS := tests/tools/load_image common/core/geom
test_load_image_LIBS := -lpng
test_load_upgrade_OBJS := tests/tools/load_upgrade
test_load_upgrade_LIBS := -lhttp_parser
