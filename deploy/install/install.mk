# make install, make uninstall: programs, page, man pages, systemd units, and first configuration files, which a later
# install leaves alone and uninstall does not touch.
#
#   make install PREFIX=/usr DESTDIR=/tmp/package      for a package
#   make install && systemd-sysusers                   on this machine

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
INSTALL ?= install

BINDIR := $(PREFIX)/bin
DATADIR := $(PREFIX)/share/tessera
DOCDIR := $(PREFIX)/share/doc/tessera
MANDIR := $(PREFIX)/share/man
UNITDIR := $(PREFIX)/lib/systemd/system
SYSUSERSDIR := $(PREFIX)/lib/sysusers.d
CONFDIR := $(SYSCONFDIR)/tessera

installed_programs := $(filter-out %/tessera-load,$(PROGRAMS))
installed_page := $(filter-out web/package.json,$(shell find web -type f))
installed_docs := README.md LICENSE proto/PROTOCOL.md proto/REDIS.md $(wildcard proto/ADMIN.md) deploy/METRICS.md
installed_redis := $(wildcard deploy/redis/*)
installed_pages := $(patsubst deploy/man/%.in,$(OUT)/man/%,$(wildcard deploy/man/*.in))
installed_units := $(patsubst deploy/systemd/%.in,$(OUT)/systemd/%,$(wildcard deploy/systemd/*.service.in deploy/systemd/*.timer.in))
installed_configs := gateway.conf shard.conf redis.conf ctl.conf

fill_in = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' -e 's|@VERSION@|$(VERSION)|g'

# The options of a man page are those that the program itself explains.
$(OUT)/man/%: deploy/man/%.in deploy/install/options-to-man $(installed_programs) FORCE
	@mkdir -p $(@D)
	$(Q)deploy/install/options-to-man $(OUT)/$(basename $*) <$< | $(fill_in) >$@

$(OUT)/systemd/%: deploy/systemd/%.in FORCE
	@mkdir -p $(@D)
	$(Q)$(fill_in) $< >$@

.PHONY: install uninstall man FORCE
FORCE:
man: $(installed_pages)

install: $(installed_programs) $(installed_pages) $(installed_units) $(installed_configs:%=$(OUT)/systemd/%)
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DATADIR)/redis $(DESTDIR)$(DOCDIR) $(DESTDIR)$(UNITDIR) \
	    $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(CONFDIR)
	$(INSTALL) -m 755 $(installed_programs) $(DESTDIR)$(BINDIR)
	$(Q)for file in $(installed_page); do $(INSTALL) -D -m 644 $$file $(DESTDIR)$(DATADIR)/$$file || exit 1; done
	$(INSTALL) -m 644 $(filter-out %/start,$(installed_redis)) $(DESTDIR)$(DATADIR)/redis
	$(INSTALL) -m 755 $(filter %/start,$(installed_redis)) $(DESTDIR)$(DATADIR)/redis
	$(INSTALL) -m 755 deploy/install/secrets $(DESTDIR)$(DATADIR)
	$(INSTALL) -m 644 $(installed_docs) $(DESTDIR)$(DOCDIR)
	$(Q)for page in $(installed_pages); do \
	    $(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done
	$(INSTALL) -m 644 $(installed_units) $(DESTDIR)$(UNITDIR)
	$(INSTALL) -m 644 deploy/systemd/tessera.sysusers $(DESTDIR)$(SYSUSERSDIR)/tessera.conf
	$(Q)for file in $(installed_configs); do \
	    [ -e $(DESTDIR)$(CONFDIR)/$$file ] || $(INSTALL) -m 644 $(OUT)/systemd/$$file $(DESTDIR)$(CONFDIR) || exit 1; done

uninstall:
	rm -f $(installed_programs:$(OUT)/%=$(DESTDIR)$(BINDIR)/%) $(DESTDIR)$(SYSUSERSDIR)/tessera.conf \
	    $(installed_units:$(OUT)/systemd/%=$(DESTDIR)$(UNITDIR)/%)
	$(Q)for page in $(installed_pages); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -rf $(DESTDIR)$(DATADIR) $(DESTDIR)$(DOCDIR)
	@echo "$(DESTDIR)$(CONFDIR) stays"
