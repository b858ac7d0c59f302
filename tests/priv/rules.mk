# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bare-metal guests that check the processor's privileged half, each with the runtime of rt.S.

PRIV_SRCS := $(filter-out tests/priv/rt.S tests/priv/real.S,$(wildcard tests/priv/*.S))
PRIV_GUESTS := $(PRIV_SRCS:%.S=build/%.elf)

build/tests/priv/%.o: tests/priv/%.S config.mk
	@mkdir -p $(@D)
	$(call say,AS)$(CC) -Wa,--noexecstack -MMD -MP -c -o $@ $<

build/tests/priv/%.elf: build/tests/priv/%.o build/tests/priv/rt.o tests/priv/priv.ld
	$(call say,LD)ld -m elf_x86_64 -static -n --no-warn-rwx-segments -T tests/priv/priv.ld -o $@ $(filter %.o,$^)

build/tests/priv/modes.elf build/tests/priv/v86.elf: build/tests/priv/real.o

.SECONDARY: $(PRIV_GUESTS:.elf=.o)

#: make privileged      assembly guests: modes, gates, exceptions, paging, interrupts (ACCEL=interp)
#: make privileged-qemu the same guests on QEMU, as an oracle
ACCEL ?= interp
.PHONY: privileged privileged-qemu
privileged: $(PRIV_GUESTS) doppel
	@python3 tests/priv/run.py --accel $(ACCEL) ./doppel
privileged-qemu: $(PRIV_GUESTS)
	@python3 tests/priv/run.py --qemu qemu-system-x86_64

-include $(wildcard build/tests/priv/*.d)
