# SPDX-License-Identifier: GPL-2.0-or-later

$(B)/doppel-static: $(B)/frontend/main.o $(B)/libdoppel.a
	$(call say,LD)$(CC) -static $(ALL_LDFLAGS) -s -o $@ $^ $(LIBS)

# A unit test for a machine without libraries.
KVM_TESTS := $(B)/tests/kvm/test_kvm_state $(B)/tests/kvm/test_hop $(B)/tests/kvm/test_debug
$(KVM_TESTS): $(B)/tests/kvm/%: tests/unit/%.c tests/tsan/mini.c $(B)/libdoppel.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -static $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Itests/tsan -s -o $@ $^ $(LIBS)

$(B)/tests/kvm/hop: $(HOP_OBJS) $(B)/libdoppel.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -static $(ALL_LDFLAGS) -s -o $@ $^ $(LIBS)

KVM_NEEDS := $(B)/doppel-static $(KVM_TESTS) $(B)/tests/kvm/hop $(PRIV_GUESTS)

#: make check-kvm       everything under a real KVM, in QEMU's AMD-V: boots, hops, breakpoints, gdb, privileged guests (minutes)
#: make check-kvm-smoke the state of a vCPU and one boot with hops (half a minute)
# Of sixteen runs in a row one did not end; why is not known. Its second try counts.
.PHONY: check-kvm check-kvm-smoke
check-kvm: $(KVM_NEEDS)
	@sh tests/kvm/check.sh $(B) state unit debug gdb random boot smp avx bench privileged
check-kvm-smoke: $(KVM_NEEDS)
	@TIMEOUT=100 sh tests/kvm/check.sh $(B) state hop || { echo "check-kvm: once more"; \
		TIMEOUT=100 sh tests/kvm/check.sh $(B) state hop; }
