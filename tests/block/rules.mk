# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs with a main of their own over the image formats; they exit with 1 on a failure.

BLOCK_TESTS := $(patsubst %.c,%,$(wildcard tests/block/*.c))
$(BLOCK_TESTS:%=$(B)/%): $(B)/tests/block/%: $(B)/tests/block/%.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(FUZZ_DRIVER) -o $@ $^ $(LIBS)
-include $(BLOCK_TESTS:%=$(B)/%.d)
$(B)/tests/block/fuzz_qcow2: FUZZ_DRIVER = $(LIBFUZZER)
$(B)/tests/block/fuzz_qcow2: $(B)/tests/fuzz/seeds.o

#: make kill-test        1,000 times kill -9 of a writer to a qcow2 image (KILLS=1000 SEED=1)
KILLS ?= 1000
.PHONY: kill-test
kill-test: $(B)/tests/block/kill9
	$< $(KILLS) $(SEED)

WRITER_OBJS := $(patsubst %,build/tests/block/writer/%.o,main.c virtio.c nvme.c ahci.c)
build/tests/block/writer/%.c.o: tests/block/writer/%.c config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ROM_CFLAGS) -fno-pic -fno-pie -mgeneral-regs-only -DWRITER_GUEST -c -o $@ $<
build/tests/block/writer.elf: $(WRITER_OBJS) build/roms/guest/start.S.o build/roms/guest/lib.c.o \
		roms/guest/guest.ld
	$(call say,LD)$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-T,roms/guest/guest.ld -o $@ \
		$(filter %.o,$^)
-include $(WRITER_OBJS:.o=.d)

#: make kill-guest-test  1,000 times kill -9 of an emulator whose guest writes to disks (KILLS=1000 SEED=1)
.PHONY: kill-guest-test
kill-guest-test: doppel $(B)/tests/block/kill_guest build/tests/block/writer.elf
	$(B)/tests/block/kill_guest ./doppel build/tests/block/writer.elf $(KILLS) $(SEED) $$(nproc)

#: make crash-test       20,000 power failures of one (CRASHES=20000 SEED=1)
CRASHES ?= 20000
.PHONY: crash-test
crash-test: $(B)/tests/block/crash_qcow2
	$< $(CRASHES) $(SEED)

#: make fuzz-qcow2       images with broken tables for some seconds (use with MODE=asan; FUZZ_SECONDS=5)
FUZZ_SECONDS ?= 5
.PHONY: fuzz-qcow2
fuzz-qcow2: $(B)/tests/block/fuzz_qcow2
	$< $(FUZZ_SECONDS) $(SEED) tests/fuzz/seeds/qcow2.tar.gz

#: make full-disk-test   a guest meets a full host disk, waits, and goes on (as root)
.PHONY: full-disk-test
full-disk-test: doppel
	python3 tests/block/full_disk.py --doppel ./doppel
