# SPDX-License-Identifier: GPL-2.0-or-later
PREFIX	?= /usr/local
CC	?= gcc
CLANG	?= clang
BPFTOOL	?= bpftool
CFLAGS	?= -O2 -g
B	:= build

PKGS	:= libbpf libxdp inih libcap-ng jansson libmnl libseccomp libsystemd
WARN	:= -Wall -Wextra -Wno-missing-field-initializers -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Werror
ALL_CFLAGS := -std=gnu11 $(WARN) $(CFLAGS) -Iinclude -Iuser/lib -I$(B) $(shell pkg-config --cflags $(PKGS) 2>/dev/null) -MMD -MP
# each program needs what it uses, no more
LIBS	:= -Wl,--as-needed $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread
ARCH	:= $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Werror -Iinclude -I/usr/include/$(ARCH) -MMD -MP
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_SECONDS ?= 60

LIB	:= $(patsubst user/lib/%.c,$(B)/lib/%.o,$(wildcard user/lib/*.c))
DAEMON	:= $(patsubst user/siprtxd/%.c,$(B)/daemon/%.o,$(wildcard user/siprtxd/*.c))
CLI	:= $(patsubst user/siprtx/%.c,$(B)/cli/%.o,$(wildcard user/siprtx/*.c))
NOTIFY	:= $(patsubst user/notify/%.c,$(B)/notify/%.o,$(wildcard user/notify/*.c))
UNIT	:= $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
PROG	:= $(patsubst tests/prog/%.c,$(B)/prog/%,$(wildcard tests/prog/test_*.c))
PLAIN	:= $(patsubst tests/fuzz/%.c,$(B)/prog/%.o,$(wildcard tests/fuzz/plain_*.c))
PROG_HELP := $(patsubst tests/prog/%.c,$(B)/prog/%.o,$(filter-out tests/prog/test_% %.bpf.c %/play_pcap.c,$(wildcard tests/prog/*.c))) \
	$(PLAIN)
PROG_LIBS := -lcmocka -lpcap
# pkg-config knows the distribution's own folder; systemd looks under /usr/local too
UNITDIR	?= $(or $(if $(filter /usr,$(PREFIX)),$(shell pkg-config --variable=systemdsystemunitdir systemd 2>/dev/null)),$(PREFIX)/lib/systemd/system)
UNITS	:= siprtxd.service siprtx-load.service siprtx-notify.service
MAN	:= $(patsubst docs/%.scd,$(B)/man/%,$(wildcard docs/*.scd))

all: $(B)/siprtxd $(B)/siprtx $(B)/siprtx-notify ## the controller, the CLI, the notifier (needs scripts/install-deps build)

$(B)/siprtx.bpf.o: bpf/siprtx.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/siprtx.skel.h: $(B)/siprtx.bpf.o
	$(BPFTOOL) gen skeleton $< name siprtx_bpf > $@.tmp && mv $@.tmp $@

$(B)/lib/%.o: user/lib/%.c | $(B)/siprtx.skel.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@
$(B)/lib/load.o: $(B)/siprtx.skel.h
$(B)/daemon/%.o: user/siprtxd/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iuser/siprtxd -c $< -o $@
$(B)/cli/%.o: user/siprtx/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iuser/siprtx -c $< -o $@
$(B)/notify/%.o: user/notify/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iuser/notify -c $< -o $@
$(B)/libsiprtx.a: $(LIB)
	rm -f $@ && ar rcs $@ $^
$(B)/siprtxd: $(DAEMON) $(B)/libsiprtx.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/siprtx: $(CLI) $(B)/libsiprtx.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/siprtx-notify: $(NOTIFY) $(B)/libsiprtx.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

root = [ "$$(id -u)" -eq 0 ] || { echo "make $(1) makes network namespaces and loads BPF programs: run sudo make $(1)" >&2; exit 1; }
# Runs each cmocka program named, whatever the others say.
run_each = [ -n "$(1)" ] || { echo "no test_*.c in $(2)" >&2; exit 1; }; \
	bad=0; for t in $(1); do $$t || bad=1; done; exit $$bad

demo: ## the whole job in a minute, in network namespaces (root; DEMO=full: the 32 s list)
	@$(call root,demo)
	@scripts/install-deps demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(abspath $(B)) scripts/demo

test: ## every layer of tests, closes with "N passed, N failed" (root)
	@$(call root,test)
	@scripts/install-deps test
	@B=$(B) MAKE="$(MAKE)" tests/run

# Unit tests link the pure parts of the library: no root, no kernel.
$(B)/unit/%: tests/unit/%.c $(B)/libsiprtx.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/unit -Iuser/notify -o $@ $< $(B)/libsiprtx.a $(LIBS) -lcmocka
unit: $(UNIT) ## unit tests
	@$(call run_each,$(UNIT),tests/unit)

sanitize: ## unit tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory B=$(B)/asan CFLAGS="-O1 -g $(SANITIZE)" unit

lint: $(B)/siprtx.skel.h $(B)/bench/bench.skel.h $(B)/prog/scan.skel.h $(B)/prog/tagged.skel.h ## clang-format, clang-tidy and the house's rules
	@BUILD=$(abspath $(B)) scripts/lint
format: ## rewrite all C files by .clang-format
	clang-format -i $$(find include bpf user tests -name '*.[ch]')

$(B)/fuzz/fuzz_sip: tests/fuzz/fuzz_sip.c
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -O1 -g $(SANITIZE) -fsanitize=fuzzer -Iinclude -Iuser/lib -MMD -MP -o $@ $<
fuzz: $(B)/fuzz/fuzz_sip ## the scanner under libFuzzer for FUZZ_SECONDS (60)
	@mkdir -p $(B)/fuzz/corpus # what libFuzzer finds goes into the first folder, the tree stays clean
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(B)/fuzz/ \
		-dict=tests/fuzz/sip.dict $(B)/fuzz/corpus tests/fuzz/corpus tests/fuzz/seeds && echo "1 passed, 0 failed" || { echo "0 passed, 1 failed"; exit 1; }

# The kernel side's programs, run by BPF_PROG_TEST_RUN.
$(B)/prog/%.bpf.o: tests/prog/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/prog/%.skel.h: $(B)/prog/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@
$(B)/prog/%.o: tests/prog/%.c | $(B)/siprtx.skel.h $(B)/prog/scan.skel.h $(B)/prog/tagged.skel.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/prog -I$(B)/prog -c $< -o $@
$(PLAIN): $(B)/prog/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@
$(PROG) $(B)/prog/play_pcap: %: %.o $(PROG_HELP) $(B)/libsiprtx.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(PROG_LIBS)
prog: $(PROG) $(B)/prog/play_pcap ## BPF_PROG_TEST_RUN tests (root)
	@$(call run_each,$(PROG),tests/prog)

e2e: all ## end to end, in network namespaces (root)
	@BUILD=$(abspath $(B)) tests/e2e/run

pdd: all ## post-dial delay through Kamailio with a silent first gateway, a table of all modes; five minutes (root)
	@BUILD=$(abspath $(B)) tests/pdd

SOAK_ROUND := 300
soak: all ## an hour of crashes: the controller killed while disk, link and profile make trouble (root; SOAK_SECONDS=3600)
	@end=$$(($$(date +%s) + $${SOAK_SECONDS:-3600})); while [ "$$(date +%s)" -lt "$$end" ]; do \
		CRASH_SECONDS=$(SOAK_ROUND) BUILD=$(abspath $(B)) tests/e2e/run -j1 killed_ || exit 1; done

$(B)/vm/peer: tests/vm/peer.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $<
vmtest: all $(B)/vm/peer ## boot Debian's kernels 6.1 and 6.12 and try siprtx there
	@BUILD=$(abspath $(B)) tests/vm/run

service: all $(MAN) ## what systemd gets: units, their exposure, install and uninstall
	@MAKE="$(MAKE)" tests/service

rules: ## which test shows which rule of docs/matching.md, by what `make test` left
	@tests/rules $(B)/test

$(B)/bench/%.bpf.o: tests/bench/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/bench/bench.skel.h: $(B)/bench/bench.bpf.o
	$(BPFTOOL) gen skeleton $< name bench_bpf > $@.tmp && mv $@.tmp $@
$(B)/bench/prog_bench: $(addprefix tests/bench/,prog_bench.c rule_bench.c step_bench.c samples.c) $(B)/bench/bench.skel.h $(PROG_HELP) $(B)/libsiprtx.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/prog -I$(B)/bench -o $@ $(filter %.c %.o %.a,$^) $(LIBS) $(PROG_LIBS)
# What the bench's modules run besides `all`; small peers in C they build by themselves.
BENCH	:= $(B)/bench/prog_bench $(B)/bench/wire.bpf.o
bench: ## measure beside the peers: a table, and bench.json in the build folder; a quarter of an hour (root)
	@$(call root,bench)
	@scripts/install-deps bench
	@$(MAKE) --no-print-directory all $(BENCH)
	@BUILD=$(abspath $(B)) tests/bench/run

$(B)/man/%: docs/%.scd
	@mkdir -p $(@D)
	scdoc < $< > $@
install: all $(MAN) ## PREFIX=/usr/local, DESTDIR=; writes no configuration
	install -D -m 755 $(B)/siprtxd $(DESTDIR)$(PREFIX)/sbin/siprtxd
	install -D -m 755 $(B)/siprtx-notify $(DESTDIR)$(PREFIX)/sbin/siprtx-notify
	install -D -m 755 $(B)/siprtx $(DESTDIR)$(PREFIX)/bin/siprtx
	for e in examples/*.conf; do install -D -m 644 $$e $(DESTDIR)$(PREFIX)/share/doc/siprtx/$${e##*/} || exit 1; done
	install -D -m 755 examples/notify-hook $(DESTDIR)$(PREFIX)/share/doc/siprtx/notify-hook
	for m in $(MAN); do install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/} || exit 1; done
	install -d $(DESTDIR)$(UNITDIR)
	for u in $(UNITS); do sed 's|@PREFIX@|$(PREFIX)|g' systemd/$$u.in > $(DESTDIR)$(UNITDIR)/$$u && chmod 644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	for d in sysusers tmpfiles; do install -D -m 644 systemd/siprtx.$$d.conf $(DESTDIR)$(PREFIX)/lib/$$d.d/siprtx.conf || exit 1; done
	cd examples && for e in */*; do install -D -m $$([ -x $$e ] && echo 755 || echo 644) $$e $(DESTDIR)$(PREFIX)/share/doc/siprtx/$$e || exit 1; done
uninstall: ## take away what install put there
	rm -f $(DESTDIR)$(PREFIX)/sbin/siprtxd $(DESTDIR)$(PREFIX)/sbin/siprtx-notify $(DESTDIR)$(PREFIX)/bin/siprtx
	for e in examples/*.conf examples/notify-hook; do rm -f $(DESTDIR)$(PREFIX)/share/doc/siprtx/$${e##*/}; done
	for m in $(MAN); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	for u in $(UNITS); do rm -f $(DESTDIR)$(UNITDIR)/$$u; done
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/siprtx.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/siprtx.conf
	cd examples && for d in */; do for e in $$d*; do rm -f $(DESTDIR)$(PREFIX)/share/doc/siprtx/$$e; done; \
		rmdir $(DESTDIR)$(PREFIX)/share/doc/siprtx/$$d; done
	-rmdir $(DESTDIR)$(PREFIX)/share/doc/siprtx

clean: ## remove the build folder, the test kernels in it too
	rm -rf $(B)
help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.* ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

-include $(wildcard $(B)/*.d $(B)/*/*.d)
.PHONY: all demo test unit sanitize lint format fuzz prog e2e pdd soak vmtest service rules bench install uninstall clean help
