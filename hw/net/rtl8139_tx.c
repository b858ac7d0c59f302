/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sending: from the four transmit registers, and from the ring of C+ mode with checksums, tags and large sends.
 */
#include <string.h>

#include "hw/net/net_check.h"
#include "hw/net/rtl8139_impl.h"

#define TSD_OWN  (1u << 13)
#define TSD_TOK  (1u << 15)
#define TSD_SIZE 0x1fffu

/* Of a descriptor of C+ mode. */
#define TX_FS     (1u << 29)
#define TX_LS     (1u << 28)
#define TX_LGS    (1u << 27) /* with the segment size in bits 26..16 */
#define TX_IPCS   (1u << 18)
#define TX_UDPCS  (1u << 17)
#define TX_TCPCS  (1u << 16)
#define TX_STATUS (0x7ffu << 16) /* errors of a frame that is done; the card makes none */
#define TX_TAGC   (1u << 17)     /* in the second word */
enum { MAX_PER_KICK = 4 * DESCS, IP4_MIN = 20, TCP_CSUM = 16, UDP_CSUM = 6 };

static bool loops(const struct rtl8139 *r)
{
	return (rtl8139_get32(r, TCR) & TCR_LOOPBACK) == TCR_LOOPBACK;
}

static void give(struct rtl8139 *r, size_t len, const struct net_offload *o)
{
	struct iovec iov = {r->tx, len};

	if (!loops(r))
		net_send(&r->end, &iov, 1, o);
	else if (!o || net_finish_csum(r->tx, len, o) == 0)
		rtl8139_receive(r, &iov, 1);
}

void rtl8139_send(struct rtl8139 *r, unsigned n)
{
	uint8_t *tsd = r->reg + TSD0 + 4 * n;
	uint32_t v = pci_get32(tsd), len = v & TSD_SIZE;

	if (!(r->reg[CR] & CR_TE) || !pci_is_master(&r->func))
		return;
	pci_dma_read(&r->func, rtl8139_get32(r, TSAD0 + 4 * n), r->tx, len);
	r->tx_len = 0;
	give(r, len, NULL);
	pci_set32(tsd, v | TSD_OWN | TSD_TOK);
	rtl8139_interrupt(r, INT_TOK);
}

/* ---- C+ mode ---- */

static void set16be(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* What the descriptor asks for a frame of IPv4. Whether o says that something is left to do. */
static bool offload(struct rtl8139 *r, uint32_t cmd, struct net_offload *o)
{
	uint8_t *ip = r->tx + NET_HEADER_LEN;
	unsigned ihl, csum_at;
	size_t l4;
	uint16_t sum;
	uint32_t part;

	if (r->tx_len < NET_HEADER_LEN + IP4_MIN || r->tx[TYPE_AT] != 0x08 || r->tx[TYPE_AT + 1])
		return false;
	ihl = (ip[0] & 15) * 4u;
	l4 = NET_HEADER_LEN + ihl;
	csum_at = ip[9] == NET_PROTO_TCP ? TCP_CSUM : UDP_CSUM;
	if (ip[0] >> 4 != 4 || ihl < IP4_MIN || l4 + csum_at + 2 > r->tx_len)
		return false;
	if (cmd & TX_LGS) {
		o->gso_type = NET_GSO_TCP4;
		o->gso_size = cmd >> 16 & 0x7ff;
		if (!o->gso_size)
			return false;
		set16be(ip + 2, (unsigned)(r->tx_len - NET_HEADER_LEN));
	}
	if (cmd & (TX_IPCS | TX_LGS)) {
		set16be(ip + 10, 0);
		sum = (uint16_t)~net_sum(ip, ihl, 0);
		memcpy(ip + 10, &sum, 2);
	}
	if (!(cmd & TX_LGS) && !(cmd & (csum_at == TCP_CSUM ? TX_TCPCS : TX_UDPCS)))
		return false;
	/* The sum of the pseudo header, which the card makes itself. */
	part = (uint32_t)(r->tx_len - l4);
	part =
	    net_sum(ip + 12, 8, (uint32_t)ip[9] << 8) + ((part & 0xff) << 8) + (part >> 8 & 0xff);
	part = (part & 0xffff) + (part >> 16);
	sum = (uint16_t)((part & 0xffff) + (part >> 16));
	memcpy(r->tx + l4 + csum_at, &sum, 2);
	o->flags = NET_NEEDS_CSUM;
	o->csum_start = (uint16_t)l4;
	o->csum_offset = (uint16_t)csum_at;
	return true;
}

static void send_frame(struct rtl8139 *r, uint32_t cmd, uint32_t vlan)
{
	struct net_offload o = {0};
	bool left;

	if (r->tx_too_long || r->tx_len < NET_HEADER_LEN)
		return;
	left = offload(r, cmd, &o);
	if (vlan & TX_TAGC && r->tx_len + VLAN_LEN <= sizeof(r->tx)) {
		memmove(r->tx + TYPE_AT + VLAN_LEN, r->tx + TYPE_AT, r->tx_len - TYPE_AT);
		set16be(r->tx + TYPE_AT, 0x8100);
		pci_set16(r->tx + TYPE_AT + 2, (uint16_t)vlan);
		r->tx_len += VLAN_LEN;
		o.csum_start += left ? VLAN_LEN : 0;
	}
	give(r, r->tx_len, left ? &o : NULL);
}

static void take(struct rtl8139 *r, const uint8_t *d)
{
	uint32_t cmd = pci_get32(d), len = cmd & 0xffff;

	if (cmd & TX_FS) {
		r->tx_len = 0;
		r->tx_too_long = 0;
	}
	if (r->tx_len + len > sizeof(r->tx) - VLAN_LEN) {
		r->tx_too_long = 1;
	} else {
		pci_dma_read(&r->func, pci_get32(d + 8) | (uint64_t)pci_get32(d + 12) << 32,
			     r->tx + r->tx_len, len);
		r->tx_len += len;
	}
	if (!(cmd & TX_LS))
		return;
	send_frame(r, cmd, pci_get32(d + 4));
	r->tx_len = 0;
	r->tx_too_long = 0;
}

void rtl8139_send_ring(struct rtl8139 *r)
{
	uint16_t causes = 0;

	if (r->sending || !(r->reg[CR] & CR_TE) || !(r->reg[CPCR] & CPCR_TX) ||
	    !pci_is_master(&r->func))
		return;
	r->sending = true;
	for (unsigned n = 0; n < MAX_PER_KICK && net_can_send(&r->end); n++) {
		uint64_t at = rtl8139_ring(r, TNPDS) + (uint64_t)r->tx_desc * DESC_LEN;
		uint8_t d[DESC_LEN];

		if (pci_dma_read(&r->func, at, d, sizeof(d)) < 0)
			break;
		if (!(pci_get32(d) & DESC_OWN)) {
			causes |= causes ? INT_TDU : 0;
			break;
		}
		take(r, d);
		r->tx_desc = pci_get32(d) & DESC_EOR ? 0 : (r->tx_desc + 1) % DESCS;
		pci_set32(d, pci_get32(d) & ~(DESC_OWN | TX_STATUS));
		pci_dma_write(&r->func, at, d, 4);
		if (pci_get32(d) & TX_LS)
			causes |= INT_TOK;
	}
	r->sending = false;
	rtl8139_interrupt(r, causes);
}
