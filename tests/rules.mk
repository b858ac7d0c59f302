# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every tests/unit/test_*.c is one criterion program linked against the whole emulator but main.

UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_BINS := $(UNIT_SRCS:%.c=$(B)/%)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libdoppel.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcriterion -lm

#: make unit            only the unit tests
.PHONY: unit
unit: $(UNIT_BINS)
	@sh tests/run-unit.sh $(UNIT_BINS)

-include $(UNIT_SRCS:%.c=$(B)/%.d)
