/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reception (3.2): filters, checksums, and the descriptor ring.
 */
#include <string.h>
#include <zlib.h>

#include "hw/net/e1000_impl.h"
#include "hw/net/net_check.h"

enum {
	RCTL_UPE = 1 << 3,
	RCTL_MPE = 1 << 4,
	RCTL_LPE = 1 << 5,
	RCTL_BAM = 1 << 15,
	RCTL_VFE = 1 << 18,
	RCTL_BSEX = 1 << 25,
	RCTL_SECRC = 1 << 26,
};
enum { RXCSUM_IPOFL = 1 << 8, RXCSUM_TUOFL = 1 << 9 };
#define RAH_AV (1u << 31)
enum { ST_DD = 1, ST_EOP = 2, ST_IXSM = 4, ST_VP = 8, ST_TCPCS = 0x20, ST_IPCS = 0x40 };
enum { ERR_TCPE = 0x20, ERR_IPE = 0x40 };
enum { TYPE_AT = 12, STANDARD_MAX = 1518, JUMBO_MAX = 16384 };

static unsigned be16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/* ---- filters (3.2.1) ---- */

static bool is_mine(const struct e1000 *e, const uint8_t *to)
{
	static const uint8_t shift[4] = {4, 3, 2, 0};
	uint32_t rctl = e1000_get(e, RCTL);
	unsigned hash;

	if (net_is_broadcast(to) && rctl & RCTL_BAM)
		return true;
	if (rctl & (net_is_multicast(to) ? RCTL_MPE : RCTL_UPE))
		return true;
	for (unsigned i = 0; i < RA_ENTRIES; i++) {
		uint32_t low = e1000_get(e, RA + 8 * i), high = e1000_get(e, RA + 8 * i + 4);

		if (high & RAH_AV && low == pci_get32(to) && (high & 0xffff) == pci_get16(to + 4))
			return true;
	}
	if (!net_is_multicast(to))
		return false;
	hash = (unsigned)(pci_get16(to + 4) >> shift[rctl >> 12 & 3]) & 0xfff;
	return e1000_get(e, MTA + 4 * (hash >> 5)) >> (hash & 31) & 1;
}

static bool is_tagged(const struct e1000 *e, const uint8_t *head, size_t len)
{
	return len >= TYPE_AT + 2 + VLAN_LEN &&
	       be16(head + TYPE_AT) == (e1000_get(e, VET) & 0xffff);
}

static bool vlan_wanted(const struct e1000 *e, const uint8_t *head, size_t len)
{
	unsigned id;

	if (!(e1000_get(e, RCTL) & RCTL_VFE) || !is_tagged(e, head, len))
		return true;
	id = be16(head + TYPE_AT + 2) & 0xfff;
	return e1000_get(e, VFTA + 4 * (id >> 5)) >> (id & 31) & 1;
}

/* Status bits; errors << 8 (3.2.9). at is where the IP header begins. */
static unsigned check_csums(const struct e1000 *e, const struct iovec *iov, unsigned nr,
			    const uint8_t *head, unsigned at)
{
	uint32_t rxcsum = e1000_get(e, RXCSUM);
	struct net_checked c;
	unsigned status = 0;

	net_check(&c, iov, nr, head, at);
	if (c.v4 && rxcsum & RXCSUM_IPOFL)
		status |= ST_IPCS | (c.ip_bad ? ERR_IPE << 8 : 0);
	if (c.proto && rxcsum & RXCSUM_TUOFL)
		status |= ST_TCPCS | (c.l4_bad ? ERR_TCPE << 8 : 0);
	return status ? status : ST_IXSM;
}

/* ---- the ring ---- */

static size_t buffer_size(const struct e1000 *e)
{
	uint32_t rctl = e1000_get(e, RCTL);
	unsigned shift = rctl >> 16 & 3;

	return rctl & RCTL_BSEX && shift ? 32768u >> shift : 2048u >> shift;
}

static uint32_t ring_size(const struct e1000 *e)
{
	return e1000_get(e, RDLEN) / DESC_LEN;
}

static uint32_t free_descs(const struct e1000 *e)
{
	uint32_t size = ring_size(e), head = e1000_get(e, RDH), tail = e1000_get(e, RDT);

	if (head >= size)
		return 0;
	/* A tail beyond the end is never met: the whole ring is the card's. */
	return tail >= size ? size : (tail + size - head) % size;
}

bool e1000_can_receive(const struct e1000 *e)
{
	size_t buf = buffer_size(e);

	if (!(e1000_get(e, RCTL) & RCTL_EN))
		return true;
	return pci_is_master(&e->func) && free_descs(e) * buf >= STANDARD_MAX + FCS_LEN;
}

static void count_received(struct e1000 *e, const uint8_t *head, size_t len)
{
	e1000_count(e, GPRC, 1);
	e1000_count64(e, GORCL, len + FCS_LEN);
	e1000_count_size(e, PRC64, len + FCS_LEN);
	if (net_is_broadcast(head))
		e1000_count(e, BPRC, 1);
	else if (net_is_multicast(head))
		e1000_count(e, MPRC, 1);
}

/* Writes bytes [off, off + n) of the frame and its FCS to guest memory. */
static void put_data(struct e1000 *e, uint64_t to, const struct iovec *iov, unsigned nr, size_t len,
		     const uint8_t *fcs, size_t off, size_t n)
{
	size_t at = 0;

	for (unsigned i = 0; i < nr && n; at += iov[i++].iov_len) {
		size_t skip = off - at, m;

		if (skip >= iov[i].iov_len)
			continue;
		m = iov[i].iov_len - skip < n ? iov[i].iov_len - skip : n;
		pci_dma_write(&e->func, to, (const uint8_t *)iov[i].iov_base + skip, m);
		to += m;
		off += m;
		n -= m;
	}
	if (n)
		pci_dma_write(&e->func, to, fcs + (off - len), n);
}

static void fill(struct e1000 *e, const struct iovec *iov, unsigned nr, size_t len, unsigned status,
		 uint16_t csum, uint16_t vlan)
{
	uint64_t base = (e1000_get(e, RDBAL) & ~15ull) | (uint64_t)e1000_get(e, RDBAH) << 32;
	size_t fcs_len = e1000_get(e, RCTL) & RCTL_SECRC ? 0 : FCS_LEN, buf = buffer_size(e);
	uint32_t *head = e1000_reg(e, RDH), fcs = (uint32_t)crc32(0, NULL, 0);
	uint8_t fcs_bytes[FCS_LEN];

	for (unsigned i = 0; i < nr && fcs_len; i++)
		fcs = (uint32_t)crc32(fcs, iov[i].iov_base, (uInt)iov[i].iov_len);
	pci_set32(fcs_bytes, fcs);
	for (size_t off = 0, total = len + fcs_len; off < total;) {
		size_t n = total - off < buf ? total - off : buf;
		uint64_t at = base + (uint64_t)*head * DESC_LEN, addr;
		uint8_t d[DESC_LEN];
		bool last = off + n == total;

		pci_dma_read(&e->func, at, d, 8);
		addr = pci_get32(d) | (uint64_t)pci_get32(d + 4) << 32;
		if (addr) /* a null pointer is skipped (3.2.7.1.1) */
			put_data(e, addr, iov, nr, len, fcs_bytes, off, n);
		pci_set16(d + 8, (uint16_t)n);
		pci_set16(d + 10, csum);
		d[12] = (uint8_t)(last ? status | ST_DD | ST_EOP : ST_DD);
		d[13] = (uint8_t)(last ? status >> 8 : 0);
		pci_set16(d + 14, last ? vlan : 0);
		/* The status goes last: the guest may be looking. */
		pci_dma_write(&e->func, at + 8, d + 8, 4);
		pci_dma_write(&e->func, at + 13, d + 13, 3);
		pci_dma_write(&e->func, at + 12, d + 12, 1);
		if (++*head >= ring_size(e))
			*head = 0;
		off += n;
	}
}

/* Takes the tag out of a frame: the frame without it in out, whose last pieces are those of iov. */
static unsigned untag(const struct iovec *iov, unsigned nr, uint8_t *head, struct iovec *out)
{
	size_t skip = TYPE_AT + VLAN_LEN;
	unsigned n = 0;

	out[n++] = (struct iovec){head, TYPE_AT};
	for (unsigned i = 0; i < nr; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		out[n++] = (struct iovec){(uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip};
		skip = 0;
	}
	return n;
}

bool e1000_receive(struct e1000 *e, const struct iovec *iov, unsigned nr)
{
	uint32_t rctl = e1000_get(e, RCTL), causes = ICR_RXT0, wait;
	struct iovec plain[NET_MAX_PIECES + 1];
	uint8_t head[NET_HEAD] = {0};
	size_t len = net_len(iov, nr), room;
	unsigned status, at = TYPE_AT + 2;
	uint16_t vlan = 0, csum;
	bool tagged;

	if (!(rctl & RCTL_EN))
		return true;
	if (!pci_is_master(&e->func))
		return false;
	net_copy(head, sizeof(head), iov, nr, 0);
	tagged = is_tagged(e, head, len);
	e1000_count(e, TPR, 1);
	e1000_count64(e, TORL, len + FCS_LEN);
	if (!is_mine(e, head) || !vlan_wanted(e, head, len))
		return true;
	if (len + FCS_LEN >
	    (rctl & RCTL_LPE ? JUMBO_MAX : STANDARD_MAX + (tagged ? VLAN_LEN : 0))) {
		e1000_count(e, ROC, 1);
		return true;
	}
	room = free_descs(e) * buffer_size(e);
	if (room < len + FCS_LEN) {
		if (ring_size(e) * buffer_size(e) >= len + FCS_LEN && !e1000_loopback(e))
			return false;
		e1000_count(e, MPC, 1);
		e1000_interrupt(e, ICR_RXO);
		return true;
	}
	status = check_csums(e, iov, nr, head, tagged ? at + VLAN_LEN : at);
	if (tagged && e1000_get(e, CTRL) & CTRL_VME) {
		vlan = (uint16_t)be16(head + TYPE_AT + 2);
		status |= ST_VP;
		nr = untag(iov, nr, head, plain);
		iov = plain;
		len -= VLAN_LEN;
	}
	csum = (uint16_t)net_sum_pieces(iov, nr, e1000_get(e, RXCSUM) & 0xff, len, 0);
	count_received(e, head, len);
	fill(e, iov, nr, len, status, csum, vlan);
	wait = ring_size(e) >> (1 + (rctl >> 8 & 3));
	if (free_descs(e) <= wait)
		causes |= ICR_RXDMT0;
	e1000_interrupt(e, causes);
	return true;
}
