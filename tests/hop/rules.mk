# SPDX-License-Identifier: GPL-2.0-or-later

HOP_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/hop/*.c)) $(B)/tests/hop/runtime.S.o \
	$(addprefix $(B)/tests/insn/,fuzz_gen.o fuzz_seg.o) $(B)/tests/lockstep/state.o
$(B)/tests/hop/hop: $(HOP_OBJS) $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
-include $(HOP_OBJS:.o=.d)

#: make hop             random programs that move between engines (COUNT=20000 SEED=1)
.PHONY: hop
hop: COUNT := $(if $(filter file,$(origin COUNT)),20000,$(COUNT))
hop: $(B)/tests/hop/hop
	$< -n $(COUNT) -s $(SEED)
