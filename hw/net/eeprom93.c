/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 93C46: a start bit, two bits of operation, six of address, then sixteen of data.
 */
#include "hw/net/eeprom93.h"

enum phase { START, COMMAND, READING, WRITING, DONE };
enum { OP_OTHER = 0, OP_WRITE = 1, OP_READ = 2, OP_ERASE = 3 };
enum { COMMAND_BITS = 8, WORD_BITS = 16 };

static uint8_t addr_mask(uint16_t v)
{
	return (uint8_t)(v % EEPROM93_WORDS);
}

static void command(struct eeprom93 *e)
{
	e->op = e->shift >> 6 & 3;
	e->addr = addr_mask(e->shift);
	e->phase = DONE;
	e->bits = 0;
	switch (e->op) {
	case OP_READ:
		e->phase = READING;
		e->shift = e->word[e->addr];
		e->dout = false; /* the dummy bit */
		break;
	case OP_WRITE:
		e->phase = WRITING;
		e->shift = 0;
		break;
	case OP_ERASE:
		if (e->writable)
			e->word[e->addr] = 0xffff;
		break;
	case OP_OTHER: /* the upper address bits say which */
		if (e->addr >> 4 == 3 || e->addr >> 4 == 0)
			e->writable = e->addr >> 4 == 3;
		break;
	}
}

static void clock_in(struct eeprom93 *e, bool di)
{
	switch (e->phase) {
	case START:
		if (di) {
			e->phase = COMMAND;
			e->bits = 0;
			e->shift = 0;
		}
		break;
	case COMMAND:
		e->shift = (uint16_t)(e->shift << 1 | di);
		if (++e->bits >= COMMAND_BITS)
			command(e);
		break;
	case READING:
		e->dout = e->shift >> 15;
		e->shift = (uint16_t)(e->shift << 1);
		if (++e->bits >= WORD_BITS) { /* goes on with the next word */
			e->bits = 0;
			e->addr = addr_mask(e->addr + 1);
			e->shift = e->word[e->addr];
		}
		break;
	case WRITING:
		e->shift = (uint16_t)(e->shift << 1 | di);
		if (++e->bits < WORD_BITS)
			break;
		if (e->writable)
			e->word[addr_mask(e->addr)] = e->shift;
		e->phase = DONE;
		break;
	}
}

void eeprom93_pins(struct eeprom93 *e, bool cs, bool sk, bool di)
{
	if (!cs) {
		e->phase = START;
		e->dout = true;
	} else if (sk && !e->sk) {
		clock_in(e, di);
	}
	e->cs = cs;
	e->sk = sk;
}
