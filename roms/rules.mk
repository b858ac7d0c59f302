# SPDX-License-Identifier: GPL-2.0-or-later
# Our own guest, embedded in the binary. Built freestanding, the same in every MODE.

GUEST_SRCS := $(wildcard roms/guest/*.c) roms/guest/start.S
GUEST_OBJS := $(patsubst %,build/%.o,$(GUEST_SRCS))
GUEST_CFLAGS := -std=gnu17 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -mno-red-zone -mgeneral-regs-only \
	-Wall -Wextra -Werror -MMD -MP

build/roms/guest/%.o: roms/guest/% config.mk
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(GUEST_CFLAGS) -c -o $@ $<

build/roms/guest.elf: $(GUEST_OBJS) roms/guest/guest.ld
	$(call say,LD)$(CC) -nostdlib -static -Wl,--build-id=none -Wl,-T,roms/guest/guest.ld -o $@ $(GUEST_OBJS)
	@strip $@

$(B)/roms/roms.o: roms/roms.S build/roms/guest.elf
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -DGUEST_ELF='"build/roms/guest.elf"' -c -o $@ $<

-include $(GUEST_OBJS:.o=.d)
