/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Transmission (3.3 to 3.5): descriptors become frames; checksums and segmentation are left to the link.
 */
#include <endian.h>
#include <string.h>

#include "hw/net/e1000_impl.h"

/* Commands of a descriptor; those of data and context descriptors are the same where they have them. */
enum {
	CMD_EOP = 0x01,
	CMD_IC = 0x04,
	CMD_TSE = 0x04,
	CMD_RS = 0x08,
	CMD_RPS = 0x10,
	CMD_DEXT = 0x20,
	CMD_VLE = 0x40,
};
enum { TUCMD_TCP = 1, TUCMD_IP = 2 };
enum { POPTS_IXSM = 1, POPTS_TXSM = 2 };
enum { STA_DD = 1, DTYP_DATA = 1, FOR_TSO = 0, FOR_CSUM = 1 };
enum { TYPE_AT = 12, IP4_LEN_AT = 2, IP6_LEN_AT = 4 };
#define IP6_HEADER 40u
/* Bytes that one write to a register may send, and what a descriptor of none counts as. A ring can have 4 GiB. */
enum { AT_ONCE = 1 << 20, DESC_COST = 256 };

struct desc {
	uint64_t addr;
	uint32_t lower, upper;
};

static void put16be(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void set_context(struct e1000 *e, const struct desc *d)
{
	struct e1000_context c = {
	    .ipcss = (uint8_t)d->addr,
	    .ipcso = (uint8_t)(d->addr >> 8),
	    .ipcse = (uint16_t)(d->addr >> 16),
	    .tucss = (uint8_t)(d->addr >> 32),
	    .tucso = (uint8_t)(d->addr >> 40),
	    .tucse = (uint16_t)(d->addr >> 48),
	    .tucmd = (uint8_t)(d->lower >> 24),
	    .hdr_len = (uint8_t)(d->upper >> 8),
	    .mss = (uint16_t)(d->upper >> 16),
	};
	bool tso = c.tucmd & CMD_TSE;

	e->tx_context[tso ? FOR_TSO : FOR_CSUM] = c;
	if (tso)
		e1000_count(e, TSCTC, 1);
}

/* The checksum of bytes [start, end], or to the end of the frame (0), goes to `at`. */
static void put_csum(struct e1000 *e, size_t start, size_t end, size_t at)
{
	size_t stop = end && end < e->tx_len ? end + 1 : e->tx_len;
	uint16_t sum;

	if (start >= stop || at + 2 > e->tx_len)
		return;
	sum = (uint16_t)~net_sum(e->tx + start, stop - start, 0);
	memcpy(e->tx + at, &sum, 2);
}

/* The guest leaves lengths out of the headers of what is to be cut; the link wants them in. */
static void fill_lengths(struct e1000 *e, const struct e1000_context *c)
{
	size_t tcp_len = e->tx_len - c->tucss;
	uint16_t part;

	if (c->tucmd & TUCMD_IP)
		put16be(e->tx + c->ipcss + IP4_LEN_AT, e->tx_len - c->ipcss);
	else
		put16be(e->tx + c->ipcss + IP6_LEN_AT, tcp_len);
	memcpy(&part, e->tx + c->tucso, 2);
	part = (uint16_t)net_sum(&(uint16_t){htobe16((uint16_t)tcp_len)}, 2, part);
	memcpy(e->tx + c->tucso, &part, 2);
}

static bool offload(struct e1000 *e, struct net_offload *o)
{
	const struct e1000_context *c = &e->tx_context[e->tx_tse ? FOR_TSO : FOR_CSUM];

	if (e->tx_tse && c->tucmd & TUCMD_TCP && c->mss && c->ipcss + IP6_HEADER <= e->tx_len &&
	    c->tucss <= c->tucso && c->tucso + 2u <= e->tx_len) {
		fill_lengths(e, c);
		o->gso_type = c->tucmd & TUCMD_IP ? NET_GSO_TCP4 : NET_GSO_TCP6;
		o->gso_size = c->mss;
		o->hdr_len = c->hdr_len;
		o->flags = NET_NEEDS_CSUM;
	}
	if (e->tx_popts & POPTS_IXSM)
		put_csum(e, c->ipcss, c->ipcse, c->ipcso);
	if (e->tx_popts & POPTS_TXSM && (c->tucse || c->tucso < c->tucss))
		put_csum(e, c->tucss, c->tucse, c->tucso);
	else if (e->tx_popts & POPTS_TXSM)
		o->flags = NET_NEEDS_CSUM;
	if (o->flags) {
		o->csum_start = c->tucss;
		o->csum_offset = (uint16_t)(c->tucso - c->tucss);
	}
	return o->flags;
}

static void count_sent(struct e1000 *e)
{
	size_t len = (e->tx_len < NET_MIN_FRAME ? NET_MIN_FRAME : e->tx_len) + FCS_LEN;

	e1000_count(e, TPT, 1);
	e1000_count(e, GPTC, 1);
	e1000_count64(e, TOTL, len);
	e1000_count64(e, GOTCL, len);
	e1000_count_size(e, PTC64, len);
	if (net_is_broadcast(e->tx))
		e1000_count(e, BPTC, 1);
	else if (net_is_multicast(e->tx))
		e1000_count(e, MPTC, 1);
}

/* The frame is complete. */
static void send_frame(struct e1000 *e, uint16_t vlan, bool tagged)
{
	struct net_offload o = {0};
	struct iovec iov = {e->tx, 0};
	bool has_offload;

	if (e->tx_too_long || e->tx_len < NET_HEADER_LEN)
		return;
	has_offload = offload(e, &o);
	if (tagged && e1000_get(e, CTRL) & CTRL_VME && e->tx_len + VLAN_LEN <= sizeof(e->tx)) {
		memmove(e->tx + TYPE_AT + VLAN_LEN, e->tx + TYPE_AT, e->tx_len - TYPE_AT);
		put16be(e->tx + TYPE_AT, e1000_get(e, VET));
		put16be(e->tx + TYPE_AT + 2, vlan);
		e->tx_len += VLAN_LEN;
		if (has_offload)
			o.csum_start += VLAN_LEN;
	}
	count_sent(e);
	iov.iov_len = e->tx_len;
	if (!e1000_loopback(e))
		net_send(&e->end, &iov, 1, has_offload ? &o : NULL);
	else if (net_finish_csum(e->tx, e->tx_len, &o) == 0)
		e1000_receive(e, &iov, 1);
}

static void add_data(struct e1000 *e, uint64_t addr, uint32_t len)
{
	if (e->tx_len + len > sizeof(e->tx)) {
		e->tx_too_long = 1;
		return;
	}
	pci_dma_read(&e->func, addr, e->tx + e->tx_len, len);
	e->tx_len += len;
}

/* How many bytes were moved. */
static uint32_t take(struct e1000 *e, const struct desc *d)
{
	uint8_t cmd = (uint8_t)(d->lower >> 24);
	bool ext = cmd & CMD_DEXT;
	uint32_t len = ext ? d->lower & 0xfffff : d->lower & 0xffff;

	if (ext && (d->lower >> 20 & 15) != DTYP_DATA) {
		set_context(e, d);
		return 0;
	}
	if (ext && !e->tx_len) { /* the first of a frame says what is to be done with it (3.3.7) */
		e->tx_popts = (uint8_t)(d->upper >> 8);
		e->tx_tse = (cmd & CMD_TSE) != 0;
	}
	add_data(e, d->addr, len);
	if (!(cmd & CMD_EOP))
		return len;
	if (!ext) {
		e->tx_popts = e->tx_tse = 0;
		if (cmd & CMD_IC)
			put_csum(e, d->upper >> 8 & 0xff, 0, d->lower >> 16 & 0xff);
	}
	send_frame(e, (uint16_t)(d->upper >> 16), cmd & CMD_VLE);
	e->tx_len = 0;
	e->tx_popts = e->tx_tse = e->tx_too_long = 0;
	return len;
}

/* Reports a descriptor as done when it asks for that; whether it did. */
static bool write_back(struct e1000 *e, uint64_t at, const struct desc *d)
{
	uint8_t upper[4];

	if (!(d->lower >> 24 & (CMD_RS | CMD_RPS)))
		return false;
	pci_set32(upper, d->upper | STA_DD);
	pci_dma_write(&e->func, at + 12, upper, sizeof(upper));
	return true;
}

void e1000_send(struct e1000 *e)
{
	uint64_t base = (e1000_get(e, TDBAL) & ~15ull) | (uint64_t)e1000_get(e, TDBAH) << 32;
	uint32_t size = e1000_get(e, TDLEN) / DESC_LEN, causes = 0, cost = 0;
	uint32_t *head = e1000_reg(e, TDH);

	if (e->sending || !(e1000_get(e, TCTL) & TCTL_EN) || !pci_is_master(&e->func))
		return;
	e->sending = true;
	/* No more than the ring has, wherever head and tail point to. */
	for (uint32_t n = 0; n < size && *head != e1000_get(e, TDT) && net_can_send(&e->end); n++) {
		if (cost >= AT_ONCE) {
			timer_arm(&e->more, clock_now(e->clock));
			break;
		}
		uint64_t at = base + (uint64_t)*head * DESC_LEN;
		uint8_t raw[DESC_LEN];
		struct desc d;

		if (pci_dma_read(&e->func, at, raw, sizeof(raw)) < 0)
			break;
		d.addr = pci_get32(raw) | (uint64_t)pci_get32(raw + 4) << 32;
		d.lower = pci_get32(raw + 8);
		d.upper = pci_get32(raw + 12);
		cost += DESC_COST + take(e, &d);
		if (write_back(e, at, &d))
			causes |= ICR_TXDW;
		if (++*head >= size)
			*head = 0;
		if (*head == e1000_get(e, TDT))
			causes |= ICR_TXQE;
	}
	e->sending = false;
	e1000_interrupt(e, causes);
}
