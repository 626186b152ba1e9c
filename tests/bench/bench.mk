# `make bench`: what Tessera costs, beside what the least that could do the same work costs. A quarter of an hour, on an
# otherwise quiet machine; `make bench QUICK=1` is a few minutes with smaller crowds, to see whether anything is far off.
#
#   make bench ONLY=fanout,draws     only some figures (tests/bench/run --help names them)
#
# Results: the table, var/bench.json, and var/bench.svg.

BENCH_PROGRAMS := $(OUT)/floor-fanout $(OUT)/floor-draws

$(OUT)/floor-fanout: $(OUT)/obj/tests/bench/floor_fanout.o $(OUT)/obj/gateway/tls.o $(OUT)/obj/gateway/tls_tickets.o \
                     $(OUT)/obj/gateway/ws_frame.o $(OUT)/libcommon.a
$(OUT)/floor-draws: $(OUT)/obj/tests/bench/floor_draws.o $(OUT)/libcommon.a

$(BENCH_PROGRAMS):
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: bench bench-build
bench-build: $(BENCH_PROGRAMS)

bench: setup-test
	@$(MAKE) all $(BENCH_PROGRAMS)
	@TESSERA_BUILD=$(abspath $(OUT)) tests/bench/run $(if $(QUICK),--quick) $(if $(ONLY),--only=$(ONLY))

# What the page costs a browser: frames and main thread under 5,000 updates a second, opening, a pixel on another screen. In
# Debian's Chromium without a graphics device. Two minutes. Results: the tables, and var/bench-page.json.

.PHONY: bench-page
bench-page: setup-test
	@$(MAKE) all
	@TESSERA_BUILD=$(abspath $(OUT)) tests/browser/run --bench
