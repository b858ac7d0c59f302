/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The watchdog timer of Intel's 6300ESB (datasheet 300641, chapter 16): a guest that does not reload it in time is
 * reset, or what else the user wants.
 */
#ifndef HW_I6300ESB_H
#define HW_I6300ESB_H

#include "hw/clock.h"
#include "hw/device_type.h"
#include "hw/pci.h"

struct i6300esb {
	struct pci_func func;
	struct device state;
	struct clock *clock;
	struct timer timer;
	uint32_t preload[2]; /* of the two stages: upper 20 bits of a counter of PCI clocks */
	uint64_t expires;    /* guest time of the end of the stage; 0: it stands still */
	uint8_t stage;       /* 0 or 1 */
	uint8_t unlocked;    /* writes of the sequence seen, 2: the next write counts */
	bool barked;         /* it has run out; reset does not change that */
	void (*bark)(void *opaque);
	void *opaque;
};

/* A function for the caller to put on a bus, and state for it to add to the machine. bark: time is up. */
void i6300esb_init(struct i6300esb *w, struct clock *clock, void (*bark)(void *opaque),
		   void *opaque);
void i6300esb_fini(struct i6300esb *w);
extern const struct device_type i6300esb_type;

#endif
