/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A 93C46 serial EEPROM of 64 words (Microchip DS21749), as network cards have it for their address.
 */
#ifndef HW_NET_EEPROM93_H
#define HW_NET_EEPROM93_H

#include <stdbool.h>
#include <stdint.h>

#define EEPROM93_WORDS 64u

struct eeprom93 {
	uint16_t word[EEPROM93_WORDS];
	bool cs, sk, dout;
	bool writable; /* after EWEN */
	uint8_t phase; /* enum in eeprom93.c */
	uint8_t bits;  /* of the phase that have gone by */
	uint16_t shift;
	uint8_t op, addr;
};

/* The levels of its pins from now on; data are taken, and change, when the clock sk rises. */
void eeprom93_pins(struct eeprom93 *e, bool cs, bool sk, bool di);
/* The level of its output. */
static inline bool eeprom93_out(const struct eeprom93 *e)
{
	return e->dout;
}

/* Rows of a device's table of fields; the words survive a reset. */
#define EEPROM93_FIELDS(type, member)                                                              \
	FIELD_ARRAY_NORESET(type, member.word), FIELD(type, member.cs, 0),                         \
	    FIELD(type, member.sk, 0), FIELD(type, member.dout, 1),                                \
	    FIELD(type, member.writable, 0), FIELD(type, member.phase, 0),                         \
	    FIELD(type, member.bits, 0), FIELD(type, member.shift, 0), FIELD(type, member.op, 0),  \
	    FIELD(type, member.addr, 0)

#endif
