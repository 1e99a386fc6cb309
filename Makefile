# SPDX-License-Identifier: GPL-2.0-or-later
PREFIX	?= /usr/local
CC	?= gcc
CLANG	?= clang
BPFTOOL	?= bpftool
CFLAGS	?= -O2 -g
B	:= build

PKGS	:= libbpf libxdp inih libcap-ng jansson libmnl
WARN	:= -Wall -Wextra -Wno-missing-field-initializers -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Werror
ALL_CFLAGS := -std=gnu11 $(WARN) $(CFLAGS) -Iinclude -Iuser/lib -I$(B) $(shell pkg-config --cflags $(PKGS) 2>/dev/null) -MMD -MP
LIBS	:= $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread
ARCH	:= $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Werror -Iinclude -I/usr/include/$(ARCH) -MMD -MP

LIB	:= $(patsubst user/lib/%.c,$(B)/lib/%.o,$(wildcard user/lib/*.c))
DAEMON	:= $(patsubst user/siprtxd/%.c,$(B)/siprtxd.d/%.o,$(wildcard user/siprtxd/*.c))
CLI	:= $(patsubst user/siprtx/%.c,$(B)/siprtx.d/%.o,$(wildcard user/siprtx/*.c))
UNIT	:= $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))

all: $(B)/siprtxd $(B)/siprtx

$(B)/siprtx.bpf.o: bpf/siprtx.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/siprtx.skel.h: $(B)/siprtx.bpf.o
	$(BPFTOOL) gen skeleton $< name siprtx_bpf > $@.tmp && mv $@.tmp $@

$(B)/lib/%.o: user/lib/%.c | $(B)/siprtx.skel.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@
$(B)/lib/load.o: $(B)/siprtx.skel.h
$(B)/siprtxd.d/%.o: user/siprtxd/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iuser/siprtxd -c $< -o $@
$(B)/siprtx.d/%.o: user/siprtx/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iuser/siprtx -c $< -o $@
$(B)/libsiprtx.a: $(LIB)
	rm -f $@ && ar rcs $@ $^
$(B)/siprtxd: $(DAEMON) $(B)/libsiprtx.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/siprtx: $(CLI) $(B)/libsiprtx.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Unit tests link the pure parts of the library: no root, no kernel.
$(B)/unit/%: tests/unit/%.c $(B)/libsiprtx.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/unit -o $@ $< $(B)/libsiprtx.a $(LIBS) -lcmocka
unit: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

clean:
	rm -rf $(B)

-include $(wildcard $(B)/*.d $(B)/*/*.d)
.PHONY: all unit clean
