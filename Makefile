# SPDX-License-Identifier: GPL-2.0-or-later
#
# make                 builds ./doppel
# make demo            installs what is missing, builds, boots a Linux guest
# make check           the same, then all tests
# make MODE=asan|ubsan|tsan|cov [check]   instrumented builds, in build/MODE
# make help            the other targets

MODE ?= release
B := build/$(MODE)

# demo and check install the compiler first if need be, so they must not run configure themselves.
ifeq ($(filter demo check help clean,$(MAKECMDGOALS)),)
include config.mk
endif

CFLAGS_release := -O2 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-DUNDER_ASAN
CFLAGS_ubsan := -O1 -g -fsanitize=undefined -fno-sanitize-recover=all
CFLAGS_tsan := -O2 -g -fsanitize=thread -DUNDER_TSAN
CFLAGS_cov := -O0 -g --coverage
# For libFuzzer: make MODE=fuzz fuzz-devices.
CFLAGS_fuzz := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fsanitize-coverage=inline-8bit-counters,pc-table -fno-omit-frame-pointer -DUNDER_ASAN -DLIBFUZZER \
	-Wno-gnu-variable-sized-type-not-at-end
ifeq ($(CFLAGS_$(MODE)),)
$(error MODE=$(MODE) is not known; use release, asan, ubsan, tsan, cov or fuzz)
endif

CC ?= gcc
ifeq ($(MODE),fuzz)
CC := clang
LIBFUZZER := -fsanitize=fuzzer
endif
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -fno-strict-aliasing -pthread \
	-I. -I$(B) -MMD -MP $(CFLAGS_$(MODE)) $(CONFIG_CFLAGS)
LIBS += -lm
ALL_LDFLAGS := -pthread $(CFLAGS_$(MODE)) $(CONFIG_CFLAGS)

# What is compared tells libFuzzer the magic numbers of a file's header. An input to a device is a list of choices,
# in which it would find nothing, at half the inputs a second.
ifeq ($(MODE),fuzz)
$(B)/hw/block/%.o $(B)/tests/block/%.o: ALL_CFLAGS += -fsanitize-coverage=trace-cmp
endif

# Operations touch their own vCPU and guest memory only, where all races are the guest's: following
# each of their loads would make a boot under the thread sanitizer ten times slower and find nothing.
ifeq ($(MODE),tsan)
$(B)/cpu/op_%.o $(B)/cpu/decode.o $(B)/accel/interp_%.o: \
	ALL_CFLAGS := $(filter-out -fsanitize=thread,$(ALL_CFLAGS))
endif

LIB_SRCS := $(filter-out cpu/gen_%,$(wildcard mmu/*.c cpu/*.c hw/*.c hw/*/*.c accel/*.c accel/*/*.c)) \
	$(filter-out frontend/main.c,$(wildcard frontend/*.c frontend/*/*.c))
LIB_OBJS := $(LIB_SRCS:%.c=$(B)/%.o)
# The x87 unit may hold the guest's registers while C code runs.
$(LIB_OBJS): ALL_CFLAGS += -mno-80387
# Of roms/bench, what runs in the guest and natively alike.
BENCH_WORK_OBJS := $(patsubst %,build/%.o,roms/bench/jobs.c $(wildcard roms/bench/work_*.c))
ROM_OBJS := $(B)/roms/roms.o $(B)/roms/images.o $(BENCH_WORK_OBJS)
ASM_OBJS := $(B)/accel/probe/kvm_guest.S.o

# V=1 shows whole commands.
ifeq ($(V),)
say = @echo "  $(1)	$@";
endif

.PHONY: all
all: doppel

config.mk: configure
	./configure

# The binary of the last mode asked for.
doppel: $(B)/doppel FORCE
	@cmp -s $< $@ || cp -f $< $@

.PHONY: FORCE
FORCE:

$(B)/doppel: $(B)/frontend/main.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(STATIC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/libdoppel.a: $(LIB_OBJS) $(ROM_OBJS) $(ASM_OBJS)
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(B)/%.o: %.c config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/%.S.o: %.S config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The decoder's index over the opcode table is made at build time.
$(B)/gen/decode_index.h: $(B)/gen/gen_decode
	$(call say,GEN)$< > $@.tmp && mv $@.tmp $@

$(B)/gen/gen_decode: cpu/gen_decode.c $(wildcard cpu/*.def) cpu/opcode.h config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -I. -o $@ $<

$(B)/cpu/decode.o: $(B)/gen/decode_index.h

include roms/rules.mk
include tests/rules.mk

.PHONY: clean install help
clean:
	rm -rf build doppel config.mk

install: doppel
	install -D -m 755 doppel $(DESTDIR)$(PREFIX)/bin/doppel

help:
	@sed -n '3,7s/^# //p' Makefile; sed -n 's/^#: //p' Makefile tests/rules.mk tests/*/rules.mk

-include $(LIB_OBJS:.o=.d) $(ASM_OBJS:.o=.d) $(B)/frontend/main.d
