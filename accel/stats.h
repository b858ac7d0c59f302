/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the engines count: plain counters of each vCPU, written by its thread alone and read while it is
 * paused. Nothing is counted in generated code, only in C that it calls.
 */
#ifndef ACCEL_STATS_H
#define ACCEL_STATS_H

#include <stdint.h>

#define ENGINE_STATS(X)                                                                            \
	X(BLOCKS, "blocks decoded")                                                                \
	X(BLOCK_FLUSHES, "parts of decoded blocks dropped")                                        \
	X(STALE, "blocks found stale")                                                             \
	X(TRANSLATED, "blocks translated")                                                         \
	X(TRACES, "traces translated")                                                             \
	X(CAREFUL, "blocks translated once more")                                                  \
	X(HOT_BYTES, "bytes of code")                                                              \
	X(COLD_BYTES, "bytes of code out of the way")                                              \
	X(CELL_BYTES, "bytes of cells")                                                            \
	X(LINKS, "links made")                                                                     \
	X(RETURNS, "return points linked")                                                         \
	X(EVICTIONS, "regions evicted")                                                            \
	X(EVICTED, "translations evicted")                                                         \
	X(UNLINKED, "links undone")                                                                \
	X(EVICTION_NS, "ns spent in evictions")                                                    \
	X(EVICTION_NS_MOST, "ns of the longest eviction")                                          \
	X(TLB_REFILLED, "TLB misses refilled")                                                     \
	X(TLB_WALKED, "TLB misses refilled by a walk")                                             \
	X(TLB_FAILED, "TLB misses for the C operation")                                            \
	X(ENTRIES, "entries from the engine loop")                                                 \
	X(EXIT_LINK, "exits: jump not linked yet")                                                 \
	X(EXIT_LOOKUP, "exits: jump looked up in vain")                                            \
	X(EXIT_PENDING, "exits: event pending")                                                    \
	X(EXIT_OP, "exits: C operation ends the block")                                            \
	X(EXIT_STORED, "exits: store into code")                                                   \
	X(EXIT_OTHER, "exits: block cut short")                                                    \
	X(EXIT_FAULT, "exits: fault")                                                              \
	X(CONTINUED, "exits that went on in generated code")                                       \
	X(OPS_SLOW, "C operations for slow cases")                                                 \
	X(OPS, "C operations without translation")                                                 \
	X(YIELDS, "host time given away while spinning")                                           \
	X(KVM_PORT, "KVM exits: port I/O")                                                         \
	X(KVM_MMIO, "KVM exits: device memory")                                                    \
	X(KVM_MSR, "KVM exits: MSR")                                                               \
	X(KVM_HLT, "KVM exits: HLT")                                                               \
	X(KVM_WINDOW, "KVM exits: ready for an interrupt")                                         \
	X(KVM_TPR, "KVM exits: TPR")                                                               \
	X(KVM_KICKED, "KVM exits: kicked")                                                         \
	X(KVM_OTHER, "KVM exits: other")

enum engine_stat {
#define STAT_ID(id, name) STAT_##id,
	ENGINE_STATS(STAT_ID) NR_ENGINE_STATS
#undef STAT_ID
};

extern const char *const engine_stat_names[NR_ENGINE_STATS];

struct engine_stats {
	uint64_t n[NR_ENGINE_STATS];
	/* Calls of C operations by row of the opcode table (nr_opcodes); NULL: not counted. */
	uint64_t *slow, *untranslated;
};

/* 0 or -ENOMEM. */
int engine_stats_init(struct engine_stats *s);
void engine_stats_fini(struct engine_stats *s);
void engine_stats_add(struct engine_stats *sum, const struct engine_stats *s);
/* A line for each that is not 0, and the C operations by frequency; print is called with text in pieces. */
void engine_stats_print(const struct engine_stats *s, void (*print)(void *opaque, const char *text),
			void *opaque);

#endif
