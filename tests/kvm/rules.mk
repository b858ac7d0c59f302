# SPDX-License-Identifier: GPL-2.0-or-later

$(B)/doppel-static: $(B)/frontend/main.o $(B)/libdoppel.a
	$(call say,LD)$(CC) -static $(ALL_LDFLAGS) -s -o $@ $^ $(LIBS)

#: make check-kvm       Linux under a real KVM in QEMU's AMD-V, hopping between engines (a minute)
.PHONY: check-kvm
check-kvm: $(B)/doppel-static
	@sh tests/kvm/check.sh $<
