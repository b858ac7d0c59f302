/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * 16550A UART (National PC16550D).
 *
 * Bytes leave at once, so the transmitter is empty again before the guest can look; the THRE
 * interrupt still drops and rises with each byte, as edge-triggered controllers need. Input is
 * paced by the room in the FIFO. The interrupt is not gated by OUT2 as on PC boards: guests that
 * forget it are more common than guests that rely on it.
 */
#include "hw/uart16550.h"

#include <stdio.h>
#include <string.h>

#include "hw/chardev.h"
#include "mmu/aspace.h"

enum { RBR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_RDA = 1, IER_THRE = 2, IER_LINE = 4, IER_MODEM = 8 };
enum {
	IIR_NONE = 1,
	IIR_MODEM = 0,
	IIR_THRE = 2,
	IIR_RDA = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 0xc,
	IIR_FIFO = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum {
	LSR_DR = 1,
	LSR_OE = 2,
	LSR_PE = 4,
	LSR_FE = 8,
	LSR_BI = 0x10,
	LSR_THRE = 0x20,
	LSR_TEMT = 0x40
};
#define LSR_ERRORS (LSR_OE | LSR_PE | LSR_FE | LSR_BI)
enum {
	MSR_DCTS = 1,
	MSR_DDSR = 2,
	MSR_TERI = 4,
	MSR_DDCD = 8,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80
};
#define MSR_DELTAS 0x0f

#define CLOCK_HZ 1843200ull

static bool fifo_on(const struct uart16550 *u)
{
	return u->fcr & FCR_ENABLE;
}
static unsigned depth(const struct uart16550 *u)
{
	return fifo_on(u) ? UART_FIFO : 1;
}

static unsigned trigger(const struct uart16550 *u)
{
	static const uint8_t levels[4] = {1, 4, 8, 14};

	return fifo_on(u) ? levels[u->fcr >> 6] : 1;
}

static uint8_t interrupt(const struct uart16550 *u)
{
	if ((u->ier & IER_LINE) && (u->lsr & LSR_ERRORS))
		return IIR_LINE;
	if ((u->ier & IER_RDA) && u->rx_len >= trigger(u))
		return IIR_RDA;
	if ((u->ier & IER_RDA) && u->timeout_pending)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MODEM) && (u->msr & MSR_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct uart16550 *u)
{
	uint8_t level = interrupt(u) != IIR_NONE;

	if (level != u->level) {
		u->level = level;
		irq_set(&u->irq, level);
	}
}

/* Four character times without traffic. */
static uint64_t timeout_ns(const struct uart16550 *u)
{
	unsigned bits = 1 + 5 + (u->lcr & 3) + !!(u->lcr & 8) + (u->lcr & 4 ? 2 : 1);
	uint64_t ns = 4 * bits * 16 * (u->divisor ? u->divisor : 1) * NSEC_PER_SEC / CLOCK_HZ;

	return ns < 20000000 ? ns : 20000000; /* nobody types better at 50 baud */
}

static void restart_timeout(struct uart16550 *u)
{
	u->timeout_pending = 0;
	if (fifo_on(u) && u->rx_len)
		timer_arm(&u->timeout, clock_now(u->clock) + timeout_ns(u));
	else
		timer_cancel(&u->timeout);
}

static void timed_out(void *opaque)
{
	struct uart16550 *u = opaque;

	u->timeout_pending = u->rx_len != 0;
	update_irq(u);
}

static void push_rx(struct uart16550 *u, uint8_t byte)
{
	if (u->rx_len >= depth(u)) {
		u->lsr |= LSR_OE;
		/* Without FIFOs the new byte replaces the unread one. */
		if (!fifo_on(u))
			u->rx[u->rx_head] = byte;
		return;
	}
	u->rx[(u->rx_head + u->rx_len++) % UART_FIFO] = byte;
	u->lsr |= LSR_DR;
}

static void accept_input(struct uart16550 *u)
{
	if (u->chr && u->chr->accept_input)
		u->chr->accept_input(u->chr);
}

static uint8_t read_rbr(struct uart16550 *u)
{
	if (u->rx_len) {
		u->rbr = u->rx[u->rx_head];
		u->rx_head = (u->rx_head + 1) % UART_FIFO;
		u->rx_len--;
	}
	if (!u->rx_len)
		u->lsr &= ~LSR_DR;
	restart_timeout(u);
	update_irq(u);
	if (!u->rx_len)
		accept_input(u);
	return u->rbr;
}

static void clear_rx(struct uart16550 *u)
{
	u->rx_len = 0;
	u->lsr &= ~(LSR_DR | LSR_BI);
	restart_timeout(u);
}

static size_t can_receive(void *opaque)
{
	struct uart16550 *u = opaque;

	if ((u->mcr & MCR_LOOP) || u->rx_len >= depth(u))
		return 0;
	return depth(u) - u->rx_len;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct uart16550 *u = opaque;

	for (size_t i = 0; i < len; i++)
		push_rx(u, buf[i]);
	restart_timeout(u);
	update_irq(u);
}

void uart16550_break(struct uart16550 *u)
{
	if (u->mcr & MCR_LOOP)
		return;
	push_rx(u, 0);
	u->lsr |= LSR_BI;
	restart_timeout(u);
	update_irq(u);
}

static void write_thr(struct uart16550 *u, uint8_t byte)
{
	u->thre_pending = 0;
	update_irq(u);
	if (u->mcr & MCR_LOOP) {
		push_rx(u, byte);
		restart_timeout(u);
	} else {
		chardev_write(u->chr, &byte, 1);
	}
	u->thre_pending = 1;
	update_irq(u);
}

static void update_msr(struct uart16550 *u)
{
	uint8_t old = u->msr & ~MSR_DELTAS, now = MSR_CTS | MSR_DSR | MSR_DCD, deltas;

	if (u->mcr & MCR_LOOP)
		now = (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
		      (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
	deltas = (old ^ now) >> 4;
	/* The ring indicator counts when it ends. */
	if (now & MSR_RI)
		deltas &= ~MSR_TERI;
	u->msr = now | (u->msr & MSR_DELTAS) | deltas;
}

static void write_ier(struct uart16550 *u, uint8_t val)
{
	/* Enabling the interrupt with the transmitter empty raises it. */
	if ((val & IER_THRE) && !(u->ier & IER_THRE))
		u->thre_pending = 1;
	u->ier = val & 0x0f;
	update_irq(u);
}

static void write_fcr(struct uart16550 *u, uint8_t val)
{
	/* Turning the FIFOs on or off empties them. */
	if ((val ^ u->fcr) & FCR_ENABLE)
		val |= FCR_CLEAR_RX | FCR_CLEAR_TX;
	if (val & FCR_CLEAR_RX)
		clear_rx(u);
	u->fcr = val & FCR_ENABLE ? val & 0xc9 : 0;
	if (val & FCR_CLEAR_TX)
		u->thre_pending = 1;
	update_irq(u);
	if (val & FCR_CLEAR_RX)
		accept_input(u);
}

static void write_mcr(struct uart16550 *u, uint8_t val)
{
	bool was_loop = u->mcr & MCR_LOOP;

	u->mcr = val & 0x1f;
	update_msr(u);
	update_irq(u);
	if (was_loop && !(u->mcr & MCR_LOOP))
		accept_input(u);
}

static void uart_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct uart16550 *u = opaque;
	bool dlab = u->lcr & LCR_DLAB;

	(void)size;
	switch (off) {
	case RBR:
		if (dlab)
			u->divisor = (u->divisor & 0xff00) | (val & 0xff);
		else
			write_thr(u, val);
		break;
	case IER:
		if (dlab)
			u->divisor = (u->divisor & 0xff) | (val & 0xff) << 8;
		else
			write_ier(u, val);
		break;
	case IIR:
		write_fcr(u, val);
		break;
	case LCR:
		u->lcr = val;
		break;
	case MCR:
		write_mcr(u, val);
		break;
	case SCR:
		u->scr = val;
		break;
	}
}

static uint64_t uart_read(void *opaque, uint64_t off, unsigned size)
{
	struct uart16550 *u = opaque;
	bool dlab = u->lcr & LCR_DLAB;
	uint8_t val;

	(void)size;
	switch (off) {
	case RBR:
		return dlab ? u->divisor & 0xff : read_rbr(u);
	case IER:
		return dlab ? u->divisor >> 8 : u->ier;
	case IIR:
		val = interrupt(u);
		if (val == IIR_THRE) {
			u->thre_pending = 0;
			update_irq(u);
		}
		return val | (fifo_on(u) ? IIR_FIFO : 0);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		val = u->lsr;
		u->lsr &= ~LSR_ERRORS;
		update_irq(u);
		return val;
	case MSR:
		val = u->msr;
		u->msr &= ~MSR_DELTAS;
		update_irq(u);
		return val;
	default:
		return u->scr;
	}
}

static const struct mmio_ops ops = {uart_read, uart_write, 1, 1};

static const struct field fields[] = {
    FIELD_ARRAY(uart16550, rx, 0),
    FIELD(uart16550, rx_head, 0),
    FIELD(uart16550, rx_len, 0),
    FIELD(uart16550, rbr, 0),
    FIELD(uart16550, ier, 0),
    FIELD(uart16550, fcr, 0),
    FIELD(uart16550, lcr, 0),
    FIELD(uart16550, mcr, 0),
    FIELD(uart16550, lsr, LSR_THRE | LSR_TEMT),
    FIELD(uart16550, msr, MSR_CTS | MSR_DSR | MSR_DCD),
    FIELD(uart16550, scr, 0),
    FIELD(uart16550, divisor, 12),
    FIELD(uart16550, thre_pending, 0),
    FIELD(uart16550, timeout_pending, 0),
    FIELD(uart16550, level, 0),
    FIELD_END,
};

static void reset_done(void *state)
{
	struct uart16550 *u = state;

	timer_cancel(&u->timeout);
	irq_set(&u->irq, 0);
	accept_input(u);
}

static void tame(void *state)
{
	struct uart16550 *u = state;

	u->rx_head %= UART_FIFO;
	if (u->rx_len > depth(u))
		u->rx_len = depth(u);
}

static void loaded(void *state)
{
	struct uart16550 *u = state;

	if (!u->timeout_pending)
		restart_timeout(u);
	irq_set(&u->irq, u->level);
}

void uart16550_attach(struct uart16550 *u, struct chardev *chr)
{
	u->chr = chr;
	chardev_attach(chr, can_receive, receive, u);
}

int uart16550_init(struct uart16550 *u, struct aspace *io, uint64_t base, struct clock *clk,
		   const struct irq_pin *irq, struct chardev *chr)
{
	memset(u, 0, sizeof(*u));
	u->clock = clk;
	if (irq)
		u->irq = *irq;
	timer_init(&u->timeout, clk, timed_out, u);
	snprintf(u->name, sizeof(u->name), "uart%x", (unsigned)base);
	device_init(&u->dev, u->name, fields, u);
	u->dev.reset_done = reset_done;
	u->dev.tame = tame;
	u->dev.loaded = loaded;
	uart16550_attach(u, chr);
	return aspace_map_dev(io, "uart", base, 8, &ops, u);
}
