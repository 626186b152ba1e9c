# Chaos on real processes: what `make soak` and `make power-cuts` run, and the libraries that the tests of disk and clock preload.

PRELOADS := $(OUT)/libfsync_record.so $(OUT)/libclock_step.so

$(PRELOADS): $(OUT)/lib%.so: tests/tools/%.c Makefile tests/integration/chaos/chaos.mk
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(CPPFLAGS) -std=c11 -O2 -g $(WARNINGS) -fPIC -shared -o $@ $< -ldl

all: $(PRELOADS)

CHAOS := TESSERA_BUILD=$(OUT) /usr/bin/python3 tests/integration/chaos

# The last line is `kills N acked N lost N doubled N divergent N`; SEED=n has an earlier run again.
.PHONY: soak power-cuts
MINUTES ?= 30
soak: all
	@$(CHAOS)/soak.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# The last line is `power cuts N acked N lost N doubled N divergent N`.
N ?= 100
power-cuts: all
	@$(CHAOS)/power.py --cuts $(N) $(if $(SEED),--seed $(SEED))

# Every fault that is built in on purpose, by name, and what caught it: in the simulation, and on real processes.
.PHONY: mutants
mutants: all sim-mutants
	@out=$$(TESSERA_BUILD=$(OUT) /usr/bin/python3 -m pytest -q -s -p no:cacheprovider -m mutant tests/integration/chaos 2>&1); \
	    status=$$?; printf '%s\n' "$$out" | if [ $$status -eq 0 ]; then grep -oE 'mutant [a-z-]+: .*|[0-9]+ passed.*'; else cat; fi; \
	    exit $$status
