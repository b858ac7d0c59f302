/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Debug registers. SDM vol. 3B chapter 17.
 */
#ifndef CPU_DEBUG_H
#define CPU_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#define DR6_BS (1u << 14)

struct core;

/* DR6 bits (B0-B3) of enabled breakpoints that match. */
uint64_t debug_insn_hits(const struct core *c, uint64_t lin);
uint64_t debug_data_hits(const struct core *c, uint64_t lin, unsigned size, bool write);
uint64_t debug_io_hits(const struct core *c, uint16_t port, unsigned size);
/* Does any enabled data breakpoint lie in the page of lin? Its accesses must not be cached. */
bool debug_data_page(const struct core *c, uint64_t lin);

#endif
