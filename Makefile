# Tessera. `make` builds, `make test` installs what is missing and runs everything, `make run` starts a cluster here.
#
#   make run                             builds, and starts a cluster in the foreground (deploy/run-cluster says how)
#   make test                            everything that has to be right
#   make unit, make unit-bytes           the unit tests in C, or one of them
#   make test-docker                     docker-compose.yml with an engine of its own, as root
#   make sim, make bench                 whole clusters on virtual time; what Tessera costs
#   make soak, power-cuts, mutants       processes killed, power lost, for long; faults built in that these must find
#   make fuzz SECONDS=60                 everything that reads strangers' bytes (tests/fuzz/fuzz.mk)
#   make bench-page                      what the page costs a browser
#   make lint, make format               who includes whom, cppcheck, clang-tidy; clang-format
#   make setup, make setup-test          the Debian packages to build and run; and to test
#   make install, make uninstall         PREFIX=/usr/local, DESTDIR= (deploy/install/install.mk)
#   make clean
#
#   make CC=clang                        another compiler      (into build/clang)
#   make SANITIZE=address,undefined      with sanitizers       (into build/address-undefined)
#   make V=1                             shows the commands
#   make CFLAGS='-O3 -g' WERROR=         other flags than -O2 -g, CPPFLAGS and LDFLAGS besides; warnings are no errors

.DEFAULT_GOAL := all
.SECONDEXPANSION:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif

Q := $(if $(V),,@)

CFLAGS ?= -O2 -g
WERROR ?= -Werror

comma := ,
variant := $(filter-out gcc,$(notdir $(CC))) $(subst $(comma),-,$(SANITIZE))
variant := $(subst $() ,-,$(strip $(variant)))
OUT := build$(if $(variant),/$(variant))

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wpointer-arith \
            -Wcast-qual -Wwrite-strings -Wformat=2 -Wold-style-definition $(WERROR)
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection
# What is given comes behind ours. The same sources make the same programs, in whatever folder.
override CPPFLAGS := -I. -D_GNU_SOURCE -DTESSERA_VERSION='"$(VERSION)"' $(CPPFLAGS)
override CFLAGS := -std=c11 -fno-common $(HARDENING) $(WARNINGS) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
override LDFLAGS := -pie -pthread -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS)
LIBS := -lhiredis -levent_openssl -levent_core -levent_extra -lwslay -lmsgpackc -lssl -lcrypto -lhttp_parser -ljansson \
        -lpng -lz -lm

ifdef SANITIZE
override CFLAGS += -O1 -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=$(SANITIZE)
else ifeq ($(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),)
override CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# ---- Programs --------------------------------------------------------------------------------------------------------

COMMON_SRC := $(wildcard common/core/*.c common/io/*.c common/admin/*.c proto/*.c)
GATEWAY_SRC := $(wildcard gateway/*.c)
SHARD_SRC := $(wildcard shard/*.c)
CTL_SRC := $(wildcard common/ctl/*.c)
LOAD_SRC := $(wildcard tests/tools/load_*.c)

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

PROGRAMS := $(if $(GATEWAY_SRC),$(OUT)/tessera-gateway) $(if $(SHARD_SRC),$(OUT)/tessera-shard) \
            $(if $(CTL_SRC),$(OUT)/tessera-ctl) \
            $(if $(LOAD_SRC),$(OUT)/tessera-load)

.PHONY: all
all: $(PROGRAMS) $(OUT)/libcommon.a

$(OUT)/tessera-gateway: $(call objects,$(GATEWAY_SRC)) $(OUT)/libcommon.a
$(OUT)/tessera-shard: $(call objects,$(SHARD_SRC)) $(OUT)/libcommon.a
$(OUT)/tessera-ctl: $(call objects,$(CTL_SRC)) $(OUT)/libcommon.a
$(OUT)/tessera-load: $(call objects,$(LOAD_SRC)) $(OUT)/libcommon.a

$(OUT)/tessera-%:
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/libcommon.a: $(call objects,$(COMMON_SRC))
	@echo "  AR $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The scripts are built into the program.
$(OUT)/obj/proto/lua_scripts.o: $(wildcard proto/lua/*.lua)

# ---- Unit tests ------------------------------------------------------------------------------------------------------
#
# Each test links only the objects that its line in a fragment names, so that the link proves what is pure:
#   test_bytes_OBJS := common/core/bytes common/core/err
#   test_hmac_LIBS := -lcrypto

include $(wildcard tests/unit/*.mk)
-include tests/bench/bench.mk
-include tests/integration/chaos/chaos.mk

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_NAMES := $(patsubst tests/unit/test_%.c,%,$(UNIT_SRC))
UNIT_TESTS := $(UNIT_NAMES:%=$(OUT)/unit/test_%)

.PHONY: unit unit-build unit-run $(UNIT_NAMES:%=unit-%)
unit-build: $(UNIT_TESTS)

unit: unit-build
	@tests/run unit $(UNIT_TESTS)

unit-run:
	@tests/run unit $(UNIT_TESTS)

$(UNIT_NAMES:%=unit-%): unit-%: $(OUT)/unit/test_%
	$<

$(OUT)/unit/test_%: $(OUT)/obj/tests/unit/test_%.o $$(addprefix $(OUT)/obj/,$$(addsuffix .o,$$(test_$$*_OBJS)))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) $(test_$*_LDFLAGS) -o $@ $^ $(test_$*_LIBS) -lcmocka

.SECONDARY:

-include tests/sim/sim.mk
-include tests/fuzz/fuzz.mk
-include deploy/install/install.mk

# ---- Form and lint ---------------------------------------------------------------------------------------------------

C_FILES = $(wildcard common/*/*.[ch] proto/*.[ch] gateway/*.[ch] shard/*.[ch] tests/unit/*.[ch] tests/sim/*.[ch] \
          tests/fuzz/*.[ch] tests/bench/*.[ch] tests/tools/*.[ch])
TIDY_FILES = $(COMMON_SRC) $(GATEWAY_SRC) $(SHARD_SRC) $(CTL_SRC) $(LOAD_SRC)

.PHONY: format format-check lint lint-layers lint-cppcheck lint-tidy
format:
	clang-format -i $(C_FILES)

format-check:
	clang-format --dry-run --Werror $(C_FILES)

lint: lint-layers lint-cppcheck lint-tidy

lint-layers:
	tests/lint-layers

lint-cppcheck:
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=ctuuninitvar -I. -D_GNU_SOURCE \
	    -DTESSERA_VERSION='"$(VERSION)"' $(TIDY_FILES)

lint-tidy: $(TIDY_FILES:%=$(OUT)/tidy/%.ok)

$(OUT)/tidy/%.c.ok: %.c .clang-tidy $(wildcard common/*/*.h proto/*.h gateway/*.h shard/*.h)
	@mkdir -p $(@D)
	@echo "  TIDY $<"
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) -std=c11
	@touch $@

# ---- Everything ------------------------------------------------------------------------------------------------------

.PHONY: setup setup-test test test-docker run clean help
setup:
	@tests/setup build

setup-test:
	@tests/setup build test docker

test: setup-test
	@tests/run all

test-docker: setup-test all
	@tests/docker/run; status=$$?; if [ $$status = 77 ]; then echo "docker: NOT RUN, no engine can start here"; \
	    echo "0 passed, 0 failed, 1 skipped"; else exit $$status; fi

run: setup
	@$(MAKE) --no-print-directory -s -j"$$(nproc)" all
	deploy/run-cluster

clean:
	rm -rf build

help:
	@sed -e '/^#/!q' -e 's/^# \{0,1\}//' Makefile

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
