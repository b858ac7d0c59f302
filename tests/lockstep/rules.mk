# SPDX-License-Identifier: GPL-2.0-or-later

LOCKSTEP_SRCS := $(wildcard tests/lockstep/*.c)
$(B)/tests/lockstep/lockstep: $(LOCKSTEP_SRCS:%.c=$(B)/%.o) $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcapstone
-include $(LOCKSTEP_SRCS:%.c=$(B)/%.d)

#: make lockstep        whole boots under interpreter and translator, compared after every block
.PHONY: lockstep lockstep-short
lockstep: $(B)/tests/lockstep/lockstep $(PRIV_GUESTS) $(BENCH_WORK)
	@sh tests/lockstep/run.sh $<
lockstep-short: $(B)/tests/lockstep/lockstep $(PRIV_GUESTS)
	@sh tests/lockstep/run.sh $< short
