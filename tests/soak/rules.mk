# SPDX-License-Identifier: GPL-2.0-or-later

$(B)/tests/soak/soak: $(B)/tests/soak/main.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/soak/linux: $(B)/tests/soak/linux.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
-include $(B)/tests/soak/main.d $(B)/tests/soak/linux.d

build/tests/soak/guest.elf: tests/soak/guest.S tests/soak/soak.h config.mk
	@mkdir -p $(@D)
	$(call say,AS)$(CC) -I. -c -o $(@:.elf=.o) $<
	@ld -m elf_x86_64 -static -n --no-warn-rwx-segments -e start -Ttext 0x100000 -o $@ $(@:.elf=.o)

#: make hop-soak        interrupts, timers and characters while a guest hops (SECONDS=600)
#: make hop-soak-linux  ticks and echo of a Linux guest that hops between the software engines (SECONDS=600)
.PHONY: hop-soak hop-soak-linux
SECONDS ?= 600
hop-soak-linux: $(B)/tests/soak/linux
	$< -t $(SECONDS) "$$(sh tests/guests/fetch.sh kernel amd64)" \
		"$$(sh tests/guests/fetch.sh initrd amd64)"
hop-soak: $(B)/tests/soak/soak build/tests/soak/guest.elf
	$< -t $(SECONDS) build/tests/soak/guest.elf
