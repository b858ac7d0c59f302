/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 16550A UART with FIFOs on a chardev.
 */
#ifndef HW_UART16550_H
#define HW_UART16550_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/clock.h"
#include "hw/device.h"
#include "hw/irq.h"

#define UART_FIFO 16

struct aspace;
struct chardev;

struct uart16550 {
	struct device dev;
	char name[16]; /* "uart3f8" */
	struct clock *clock;
	struct timer timeout; /* character timeout of the receive FIFO */
	struct chardev *chr;
	struct irq_pin irq;
	uint8_t rx[UART_FIFO];
	uint8_t rx_head, rx_len;
	uint8_t rbr; /* last byte read; what an empty receiver gives */
	uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
	uint16_t divisor;
	uint8_t thre_pending; /* THRE interrupt not yet cleared by an IIR read or a write */
	uint8_t timeout_pending;
	uint8_t level; /* level of irq */
};

/* base: 3F8h and so on, 8 ports. chr may be NULL. 0 or -errno. */
int uart16550_init(struct uart16550 *u, struct aspace *io, uint64_t base, struct clock *clk,
		   const struct irq_pin *irq, struct chardev *chr);
/* Connects it to another back end, or to none. */
void uart16550_attach(struct uart16550 *u, struct chardev *chr);
/* A break condition arrived. */
void uart16550_break(struct uart16550 *u);

#endif
