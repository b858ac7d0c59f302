/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Receiving: filters, the receive buffer, and the ring of C+ mode.
 */
#include <string.h>

#include "hw/net/net_check.h"
#include "hw/net/rtl8139_impl.h"

enum { RCR_AAP = 1, RCR_APM = 2, RCR_AM = 4, RCR_AB = 8, RCR_WRAP = 0x80 };
enum { RX_ROK = 1, RX_BAR = 0x2000, RX_PAM = 0x4000, RX_MAR = 0x8000, RX_HEADER = 4 };
enum { MAX_FRAME = 1792, MAX_LARGE = 4096, CAPR_OFFSET = 16 };

/* Of a descriptor of C+ mode. */
#define CP_FS   (1u << 29)
#define CP_LS   (1u << 28)
#define CP_MAR  (1u << 26)
#define CP_PAM  (1u << 25)
#define CP_BAR  (1u << 24)
#define CP_IPF  (1u << 15)
#define CP_UDPF (1u << 14)
#define CP_TCPF (1u << 13)
#define CP_TAVA (1u << 16) /* in the second word */
enum { CP_PID_SHIFT = 16, PID_TCP = 1, PID_UDP = 2, PID_IP = 3, CP_SIZE = 0x1fff };

/* RX_BAR, RX_PAM or RX_MAR; 0: it is not for the card. */
static unsigned match(const struct rtl8139 *r, const uint8_t *to)
{
	uint32_t rcr = rtl8139_get32(r, RCR), crc;
	unsigned hash = 0;

	if (net_is_broadcast(to))
		return rcr & (RCR_AB | RCR_AAP) ? RX_BAR : 0;
	if (net_is_multicast(to)) {
		crc = net_crc(to, NET_MAC_LEN);
		for (unsigned i = 0; i < 6; i++)
			hash |= (crc >> i & 1) << (5 - i);
		if (rcr & RCR_AAP || (rcr & RCR_AM && r->reg[MAR0 + hash / 8] >> hash % 8 & 1))
			return RX_MAR;
		return 0;
	}
	if (memcmp(to, r->reg + IDR0, NET_MAC_LEN) == 0)
		return rcr & (RCR_APM | RCR_AAP) ? RX_PAM : 0;
	return rcr & RCR_AAP ? RX_ROK : 0;
}

/* ---- the buffer ---- */

static unsigned buffer_size(const struct rtl8139 *r)
{
	return 8192u << (rtl8139_get32(r, RCR) >> 11 & 3);
}

/* Bytes that are in the buffer. */
static unsigned used(const struct rtl8139 *r)
{
	unsigned read = rtl8139_get16(r, CAPR) + CAPR_OFFSET;

	return (r->cbr - read) & (buffer_size(r) - 1);
}

bool rtl8139_buffer_empty(const struct rtl8139 *r)
{
	return used(r) == 0;
}

static size_t in_buffer(size_t len)
{
	return (RX_HEADER + len + FCS_LEN + 3) & ~(size_t)3;
}

static void put(struct rtl8139 *r, unsigned *at, const void *p, size_t len)
{
	unsigned size = buffer_size(r);
	bool wraps = !(rtl8139_get32(r, RCR) & RCR_WRAP) || size == 65536;
	uint64_t base = rtl8139_get32(r, RBSTART);
	size_t n = wraps && *at + len > size ? size - *at : len;

	pci_dma_write(&r->func, base + *at, p, n);
	if (n < len)
		pci_dma_write(&r->func, base, (const uint8_t *)p + n, len - n);
	*at += (unsigned)len;
	if (wraps)
		*at &= size - 1;
}

static void to_buffer(struct rtl8139 *r, const struct iovec *iov, unsigned nr, size_t len,
		      unsigned status)
{
	static const uint8_t fcs[FCS_LEN];
	unsigned at = r->cbr & (buffer_size(r) - 1), start = at;
	uint8_t header[RX_HEADER];

	/* The header goes last: the guest may be looking. */
	at += RX_HEADER;
	for (unsigned i = 0; i < nr; i++)
		put(r, &at, iov[i].iov_base, iov[i].iov_len);
	put(r, &at, fcs, FCS_LEN);
	pci_set16(header, (uint16_t)(status | RX_ROK));
	pci_set16(header + 2, (uint16_t)(len + FCS_LEN));
	put(r, &start, header, RX_HEADER);
	r->cbr = (uint16_t)((r->cbr + in_buffer(len)) & (buffer_size(r) - 1));
}

/* ---- C+ mode ---- */

static bool is_cplus(const struct rtl8139 *r)
{
	return r->reg[CPCR] & CPCR_RX;
}

static uint64_t desc_addr(const struct rtl8139 *r)
{
	return rtl8139_ring(r, RDSAR) + (uint64_t)r->rx_desc * DESC_LEN;
}

static uint32_t csum_status(const struct rtl8139 *r, const struct iovec *iov, unsigned nr,
			    const uint8_t *head, bool tagged)
{
	struct net_checked c;
	uint32_t st;

	if (!(r->reg[CPCR] & CPCR_CSUM))
		return 0;
	net_check(&c, iov, nr, head, NET_HEADER_LEN + (tagged ? VLAN_LEN : 0));
	if (!c.v4)
		return 0;
	st = c.ip_bad ? CP_IPF : 0;
	if (c.proto == NET_PROTO_TCP)
		return st | PID_TCP << CP_PID_SHIFT | (c.l4_bad ? CP_TCPF : 0);
	if (c.proto == NET_PROTO_UDP)
		return st | PID_UDP << CP_PID_SHIFT | (c.l4_bad ? CP_UDPF : 0);
	return st | PID_IP << CP_PID_SHIFT;
}

/* Into the next descriptor, whole or not at all. False: there is none yet. */
static bool to_ring(struct rtl8139 *r, const struct iovec *iov, unsigned nr, size_t len,
		    unsigned status)
{
	static const uint8_t fcs[FCS_LEN];
	uint64_t at = desc_addr(r), to;
	uint8_t d[DESC_LEN], head[NET_HEAD] = {0};
	size_t cut = 0, skip, size;
	uint32_t st, own;
	bool tagged;

	if (pci_dma_read(&r->func, at, d, sizeof(d)) < 0 || !(pci_get32(d) & DESC_OWN))
		return false;
	own = pci_get32(d);
	net_copy(head, sizeof(head), iov, nr, 0);
	tagged = head[TYPE_AT] == 0x81 && head[TYPE_AT + 1] == 0;
	st = csum_status(r, iov, nr, head, tagged);
	pci_set32(d + 4, 0);
	if (tagged && r->reg[CPCR] & CPCR_VLAN && len >= TYPE_AT + VLAN_LEN + 2) {
		pci_set32(d + 4, CP_TAVA | pci_get16(head + TYPE_AT + 2));
		cut = VLAN_LEN;
	}
	size = len - cut + FCS_LEN;
	r->rx_desc = own & DESC_EOR ? 0 : (r->rx_desc + 1) % DESCS;
	if (size > (own & CP_SIZE)) {
		r->missed++;
		rtl8139_interrupt(r, INT_RX_FULL);
		size = own & CP_SIZE;
	}
	to = pci_get32(d + 8) | (uint64_t)pci_get32(d + 12) << 32;
	skip = 0; /* where the piece begins in the frame */
	for (unsigned i = 0; i < nr; skip += iov[i++].iov_len) {
		const uint8_t *p = iov[i].iov_base;

		for (size_t j = 0, n; j < iov[i].iov_len; j += n) {
			size_t off = skip + j, out = off < TYPE_AT ? off : off - cut;

			n = iov[i].iov_len - j;
			if (cut && off >= TYPE_AT && off < TYPE_AT + cut) { /* the tag */
				n = n < TYPE_AT + cut - off ? n : TYPE_AT + cut - off;
				continue;
			}
			if (off < TYPE_AT)
				n = n < TYPE_AT - off ? n : TYPE_AT - off;
			if (out < size)
				pci_dma_write(&r->func, to + out, p + j,
					      n < size - out ? n : size - out);
		}
	}
	if (size == len - cut + FCS_LEN)
		pci_dma_write(&r->func, to + size - FCS_LEN, fcs, FCS_LEN);
	st |= CP_FS | CP_LS | (own & DESC_EOR) | (uint32_t)size;
	st |= status & RX_BAR ? CP_BAR : status & RX_PAM ? CP_PAM : status & RX_MAR ? CP_MAR : 0;
	pci_dma_write(&r->func, at + 4, d + 4, 4);
	/* The owner changes last: the guest may be looking. */
	pci_set32(d, st);
	pci_dma_write(&r->func, at, d, 4);
	return true;
}

/* ---- both ---- */

static bool is_on(const struct rtl8139 *r)
{
	return r->reg[CR] & CR_RE;
}

static bool has_room(const struct rtl8139 *r, size_t len)
{
	/* The buffer is never filled up, since it would look empty. */
	return in_buffer(len) < buffer_size(r) - used(r);
}

bool rtl8139_can_receive(const struct rtl8139 *r)
{
	uint8_t d[4];

	if (!is_on(r))
		return true;
	if (!pci_is_master(&r->func))
		return false;
	if (!is_cplus(r))
		return has_room(r, MAX_FRAME);
	return pci_dma_read(&r->func, desc_addr(r), d, 4) == 0 && pci_get32(d) & DESC_OWN;
}

bool rtl8139_receive(struct rtl8139 *r, const struct iovec *iov, unsigned nr)
{
	size_t len = net_len(iov, nr);
	uint8_t to[NET_MAC_LEN];
	unsigned status;

	if (!is_on(r))
		return true;
	if (!pci_is_master(&r->func))
		return false;
	net_copy(to, sizeof(to), iov, nr, 0);
	status = match(r, to);
	if (!status || len > (is_cplus(r) ? MAX_LARGE : MAX_FRAME))
		return true;
	if (is_cplus(r)) {
		if (!to_ring(r, iov, nr, len, status))
			return false;
	} else if (has_room(r, len)) {
		to_buffer(r, iov, nr, len, status & ~RX_ROK);
	} else {
		return false;
	}
	rtl8139_interrupt(r, INT_ROK);
	return true;
}
