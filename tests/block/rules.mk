# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs with a main of their own over the image formats; they exit with 1 on a failure.

BLOCK_TESTS := $(patsubst %.c,%,$(wildcard tests/block/*.c))
$(BLOCK_TESTS:%=$(B)/%): $(B)/tests/block/%: $(B)/tests/block/%.o $(B)/libdoppel.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
-include $(BLOCK_TESTS:%=$(B)/%.d)
