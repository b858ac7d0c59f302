# SPDX-License-Identifier: GPL-2.0-or-later
#
# The benchmark guest is one static program, compiled alike whatever MODE is: its times must compare.

BENCH_WORK := build/bench/work
$(BENCH_WORK): $(wildcard tests/bench/work*.c tests/bench/work.h)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu17 -O2 -g -Wall -Wextra -Werror -static -pthread -o $@ \
		$(filter %.c,$^) -lm

#: make bench           native, interp, jit and QEMU's tcg side by side (BENCH="--only loop,pipe")
#: make bench-quick     the same, a tenth of the work, once
#: make bench-interp    the interpreter's speed beside Bochs
#: make bench-disks     fio in a Debian guest, beside QEMU's TCG (BENCH="--seconds 10 --only nvme-raw")
.PHONY: bench bench-quick bench-interp bench-disks
bench-disks: doppel
	@python3 tests/bench/fio.py $(BENCH)
bench: doppel $(BENCH_WORK)
	@python3 tests/bench/bench.py --work $(BENCH_WORK) $(BENCH)
bench-quick: doppel $(BENCH_WORK)
	@python3 tests/bench/bench.py --work $(BENCH_WORK) --scale 0.1 --repeat 1 $(BENCH)
bench-interp: doppel
	@sh tests/bench/interp.sh ./doppel

#: make stress          half an hour of load on two CPUs with little code memory (STRESS="--seconds 60")
#: make stress-sanitizers   ten minutes of it under each sanitizer
.PHONY: stress stress-sanitizers
stress: doppel $(BENCH_WORK)
	@python3 tests/stress/stress.py --work $(BENCH_WORK) $(STRESS)
stress-sanitizers: $(BENCH_WORK)
	@for mode in asan ubsan tsan; do \
		$(MAKE) --no-print-directory -s MODE=$$mode build/$$mode/doppel && \
		python3 tests/stress/stress.py --work $(BENCH_WORK) --doppel build/$$mode/doppel \
			--seconds 600 --timeout 900 $(STRESS) || exit 1; \
	done
