# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every tests/unit/test_*.c is one criterion program linked against the whole emulator but main.
# Programs in tests/insn and tests/fuzz have a main of their own and exit with 1 on a failure.

UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_BINS := $(UNIT_SRCS:%.c=$(B)/%)

# Criterion and the thread sanitizer do not go together.
ifeq ($(MODE),tsan)
$(B)/tests/unit/%: ALL_CFLAGS += -Itests/tsan
$(UNIT_BINS): $(B)/tests/tsan/mini.o
else
$(B)/tests/unit/%: LIBS += -lcriterion
endif

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lm

#: make unit            only the unit tests
.PHONY: unit
unit: $(UNIT_BINS)
	@sh tests/run-unit.sh $(UNIT_BINS)

$(B)/tests/insn/%: $(B)/tests/insn/%.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(B)/libdoppel.a $(LIBS)

$(B)/tests/insn/check_capstone: LIBS += -lcapstone

$(B)/tests/jit/%: $(B)/tests/jit/%.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/jit/emitted: LIBS += -lcapstone
-include $(patsubst %.c,$(B)/%.d,$(wildcard tests/jit/*.c))

#: make emitted         the translator's output for common shapes against what was reviewed
#: make emitted-accept  takes the output as reviewed
.PHONY: emitted emitted-accept
emitted: $(B)/tests/jit/emitted
	@$< tests/jit/emitted.txt
emitted-accept: $(B)/tests/jit/emitted
	$< > tests/jit/emitted.txt

FUZZ_INSN_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/insn/fuzz_*.c)) $(B)/tests/insn/fuzz_stub.o
$(B)/tests/insn/fuzz_stub.o: tests/insn/fuzz_stub.S
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/tests/insn/fuzz_insn: $(FUZZ_INSN_OBJS)

#: make fuzz-insn       random instructions against the host CPU (COUNT=20000000 SEED=1 ENGINE=both)
COUNT ?= 20000000
SEED ?= 1
ENGINE ?= both
.PHONY: fuzz-insn
fuzz-insn: $(B)/tests/insn/fuzz_insn
	$< -e $(ENGINE) -n $(COUNT) -s $(SEED)
	$< -e $(ENGINE) -b 30 -n $$(($(COUNT) / 10)) -s $(SEED)

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

#: make fuzz-loader     10,000 mutations of kernel images (use with MODE=asan)
.PHONY: fuzz-loader
fuzz-loader: $(B)/tests/fuzz/fuzz_loader
	$< 10000 1

FUZZ_OBJS := $(patsubst %,$(B)/tests/fuzz/%.o,\
	fuzz seeds fuzz_commands fuzz_disks fuzz_board fuzz_usb fuzz_nics fuzz_net fuzz_virtio fuzz_9p fuzz_raw \
	fuzz_sound fuzz_vsock fuzz_pci fuzz_state fuzz_types)
$(B)/tests/fuzz/fuzz_devices: $(FUZZ_OBJS) $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(LIBFUZZER) -o $@ $^ $(LIBS)
-include $(FUZZ_OBJS:.o=.d)

#: make debug-overhead  what breakpoints and watchpoints that are never hit cost a guest that computes (a minute, quiet host)
.PHONY: debug-overhead
debug-overhead: doppel
	@python3 tests/gdb/overhead.py --doppel ./doppel

#: make gdb-kernel      gdb with the kernel's DWARF and its own scripts (lx-ps, lx-dmesg...), two CPUs, jit and interp (400 MB, minutes)
.PHONY: gdb-kernel
gdb-kernel: doppel
	@python3 tests/gdb/lx.py --doppel ./doppel

#: make walkthrough      the sessions of docs/debugging.md, with sources and debug information fetched (400 MB)
.PHONY: walkthrough
walkthrough: doppel
	@python3 tests/monitor/monitor.py --doppel ./doppel bugs vmlinux

#: make profile         a busy guest for ten seconds into a flame graph that shows the right function
.PHONY: profile
profile: doppel
	@python3 tests/monitor/monitor.py --doppel ./doppel --seconds 10 --logs $(B)/profile profile

#: make fuzz-remote     a million inputs of gdb and of QMP clients each (use with MODE=asan; INPUTS=1000000)
INPUTS ?= 1000000
.PHONY: fuzz-remote
fuzz-remote: $(B)/tests/fuzz/fuzz_remote
	$< gdb $(INPUTS) $(SEED)
	$< qmp $(INPUTS) $(SEED)

#: make fuzz-devices    devices against lying drivers: seeds, then random inputs (use with MODE=asan; SECONDS=5 each, DEVICES="nvme ahci")
SECONDS ?= 5
DEVICES ?=
.PHONY: fuzz-devices
fuzz-devices: $(B)/tests/fuzz/fuzz_devices
	$< -t $(SECONDS) -s $(SEED) -j $$(nproc) -c tests/fuzz/seeds $(DEVICES)

#: make fuzz-long       libFuzzer (clang) on every device and on images, an hour each (HOURS=1 DEVICES=... CORPUS=folder)
HOURS ?= 1
CORPUS ?= $(HOME)/.cache/doppel/fuzz
.PHONY: fuzz-long
fuzz-long:
	@$(MAKE) --no-print-directory -s MODE=fuzz build/fuzz/tests/fuzz/fuzz_devices \
		build/fuzz/tests/block/fuzz_qcow2
	@sh tests/fuzz/long.sh $(HOURS) $(CORPUS) $(DEVICES)

#: make fuzz-check      a minute for each device and for qcow2, under the address and undefined-behaviour sanitizers (FUZZ=60)
FUZZ ?= 60
.PHONY: fuzz-check
fuzz-check:
	@$(MAKE) --no-print-directory -s MODE=asan SECONDS=$(FUZZ) fuzz-devices
	@$(MAKE) --no-print-directory -s MODE=asan FUZZ_SECONDS=$(FUZZ) fuzz-qcow2

#: make fuzz-seeds      what fuzz-long has found becomes tests/fuzz/seeds (DEVICES="nvme ahci" CORPUS=folder)
.PHONY: fuzz-seeds
fuzz-seeds:
	@$(MAKE) --no-print-directory -s MODE=fuzz build/fuzz/tests/fuzz/fuzz_devices \
		build/fuzz/tests/block/fuzz_qcow2
	@python3 tests/fuzz/seeds.py $(CORPUS) $(DEVICES)

#: make check-net       networks of guests: all back ends, other guests, QEMU and passt
.PHONY: check-net
check-net: doppel
	@python3 tests/net/net.py --doppel ./doppel all
	@python3 tests/net/saved.py --doppel ./doppel

#: make hostile-peers   ten minutes of garbage from peers of a guest's network (use with MODE=asan too; MINUTES=10)
#: make hostile-vnc     the same from clients of its VNC server
MINUTES ?= 10
.PHONY: hostile-peers hostile-vnc
hostile-peers: $(B)/doppel
	@python3 tests/net/hostile.py --doppel $< --slow 6 --seed $(SEED) --seconds $$((60 * $(MINUTES)))
hostile-vnc: $(B)/doppel
	@python3 tests/display/display.py --doppel $< --slow 6 --seconds $$((60 * $(MINUTES))) vnc_hostile

#: make bench-net       iperf3 in guests beside QEMU's TCG: a table (RUNS=1)
RUNS ?= 1
.PHONY: bench-net
bench-net: doppel
	@python3 tests/net/iperf.py --doppel ./doppel --runs $(RUNS)

#: make boot-disks      Debian 12 booted from every kind of disk
.PHONY: boot-disks
boot-disks: doppel
	@python3 tests/boot/disks.py --doppel ./doppel all

#: make boot-systems    Debian by its own boot loader, a rescue CD, the installer
.PHONY: boot-systems
boot-systems: doppel
	@python3 tests/boot/systems.py --doppel ./doppel

#: make snapshot-compile  a guest saved while it compiles and loaded in a new process, ten times (ROUNDS=10)
ROUNDS ?= 10
.PHONY: snapshot-compile
snapshot-compile: doppel
	@python3 tests/boot/compile.py --doppel ./doppel --rounds $(ROUNDS) --seed $(SEED)

#: make gui-install     Debian's graphical installer, in a window and by VNC
.PHONY: gui-install
gui-install: doppel
	@python3 tests/display/installer.py --doppel ./doppel

#: make gui-desktop     Weston in a guest: pictures a second in a window, on a quiet machine
.PHONY: gui-desktop
gui-desktop: doppel
	@python3 tests/display/desktop.py --doppel ./doppel

#: make start-time      milliseconds from exec to a guest's first instructions, on a quiet machine
.PHONY: start-time
start-time: doppel
	@python3 tests/cli/start.py --doppel ./doppel

#: make check-sanitizers  unit tests, endings and boots under the address and undefined-behaviour ones, and the thread one
.PHONY: check-sanitizers
check-sanitizers: config.mk
	@sh tests/sanitizers.sh

.PHONY: check demo
check:
	@sh tests/install-deps.sh check
	@$(MAKE) --no-print-directory config.mk
	@$(MAKE) --no-print-directory check-run

demo:
	@sh tests/install-deps.sh build
	@$(MAKE) --no-print-directory doppel
	@sh tests/guests/demo.sh

.PHONY: check-run
check-run: doppel
	@sh tests/check.sh $(MODE)

-include $(UNIT_SRCS:%.c=$(B)/%.d)

-include $(patsubst %.c,$(B)/%.d,$(wildcard tests/insn/*.c))
include tests/priv/rules.mk
include tests/bench/rules.mk
include tests/lockstep/rules.mk
include tests/hop/rules.mk
include tests/kvm/rules.mk
include tests/soak/rules.mk
include tests/block/rules.mk

# What check.sh runs side by side must be there before.
.PHONY: check-programs check-programs-asan
check-programs: doppel $(PRIV_GUESTS) $(addprefix $(B)/tests/,insn/check_capstone insn/fuzz_insn jit/emitted \
	hop/hop lockstep/lockstep block/crash_qcow2)
check-programs-asan: $(addprefix $(B)/tests/,fuzz/fuzz_loader fuzz/fuzz_devices fuzz/fuzz_remote block/fuzz_qcow2)
