# SPDX-License-Identifier: GPL-2.0-or-later
# Images embedded in the binary. Our own guests are built freestanding, the same in every MODE. SeaBIOS and
# its VGA BIOSes are the distribution's, unmodified, where configure finds them: they are licensed under
# the GNU LGPL version 3, their source is that of Debian's package seabios, and they run in the guest only.

ROM_CFLAGS := -std=gnu17 -O2 -I. -ffreestanding -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -mno-red-zone -fno-strict-aliasing -Wall -Wextra \
	-Werror -MMD -MP

GUEST_OBJS := $(patsubst %,build/%.o,$(wildcard roms/guest/*.c) roms/guest/start.S)
BENCH_OBJS := $(patsubst %,build/roms/bench/%.o,main.c kernel.c privileged.c pci.c virtio.c disk.c net.c \
	virtio_net.c e1000.c entry.S) \
	build/roms/guest/start.S.o build/roms/guest/lib.c.o

$(GUEST_OBJS) $(BENCH_OBJS): ROM_CFLAGS += -fno-pic -fno-pie -mgeneral-regs-only
$(BENCH_WORK_OBJS): ROM_CFLAGS += -fpie -ffp-contract=off -fno-tree-vectorize

build/roms/%.o: roms/% config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ROM_CFLAGS) -c -o $@ $<

build/roms/guest.elf: $(GUEST_OBJS)
build/roms/bench.elf: $(BENCH_OBJS) $(BENCH_WORK_OBJS)
build/roms/%.elf: roms/guest/guest.ld
	$(call say,LD)$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-T,$< -o $@ $(filter %.o,$^)
	@strip $@

ifneq ($(SEABIOS),)
FIRMWARE := -DSEABIOS='"$(SEABIOS)/bios-256k.bin"' -DVGABIOS='"$(SEABIOS)/vgabios-stdvga.bin"' \
	-DVGABIOS_VIRTIO='"$(SEABIOS)/vgabios-virtio.bin"'
endif

$(B)/roms/images.o: roms/images.S build/roms/guest.elf build/roms/bench.elf config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(FIRMWARE) -c -o $@ $<

$(B)/roms/roms.o: ALL_CFLAGS += $(FIRMWARE)

-include $(GUEST_OBJS:.o=.d) $(BENCH_OBJS:.o=.d) $(BENCH_WORK_OBJS:.o=.d)
