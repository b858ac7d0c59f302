/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptor lists (21143 HRM, 4.2), the filter (4.2.3), sending and receiving.
 */
#include <string.h>

#include "hw/net/net_check.h"
#include "hw/net/tulip_impl.h"

#define DESC_OWN (1u << 31)
/* TDES1 */
#define TX_IC        (1u << 31)
#define TX_LS        (1u << 30)
#define TX_FS        (1u << 29)
#define TX_FT1       (1u << 28)
#define TX_SET       (1u << 27)
#define TX_FT0       (1u << 22)
#define DESC_CHAINED (1u << 24)
/* RDES0 */
#define RX_FILTER_FAIL (1u << 30)
#define RX_LENGTH(n)   ((uint32_t)(n) << 16)
enum {
	RX_MF = 1 << 10,
	RX_FS = 1 << 9,
	RX_LS = 1 << 8,
	RX_ES = 1 << 15,
	RX_TL = 1 << 7,
	RX_FT = 1 << 5
};

enum { MAX_PER_KICK = 256, MAX_PER_FRAME = 64, MAX_FRAME = 1518, MAX_TAKEN = 2048 };
enum { PERFECT_ENTRIES = 16, ENTRY_LEN = 12, HASH_PERFECT_AT = 156, SETUP_STATUS = 0x7fffffff };

static size_t size1(uint32_t word1)
{
	return word1 & 0x7ff;
}
static size_t size2(uint32_t word1)
{
	return word1 & DESC_CHAINED ? 0 : word1 >> 11 & 0x7ff;
}

struct desc {
	uint64_t at;
	uint32_t word[4];
};

static int get_desc(struct tulip *t, struct desc *d, uint64_t at)
{
	uint8_t raw[DESC_LEN];
	int r = pci_dma_read(&t->func, at, raw, sizeof(raw));

	d->at = at;
	for (unsigned i = 0; i < 4; i++)
		d->word[i] = pci_get32(raw + 4 * i);
	if (r < 0)
		tulip_status(t, ST_FBE);
	return r;
}

static void put_status(struct tulip *t, const struct desc *d, uint32_t status)
{
	uint8_t raw[4];

	pci_set32(raw, status);
	pci_dma_write(&t->func, d->at, raw, sizeof(raw));
}

/* ---- the filter ---- */

/* Addresses lie in the lower halves of three longwords. */
static bool is_entry(const uint8_t *entry, const uint8_t *to)
{
	for (unsigned i = 0; i < 3; i++)
		if (memcmp(entry + 4 * i, to + 2 * i, 2) != 0)
			return false;
	return true;
}

static bool hash_hits(const struct tulip *t, const uint8_t *to)
{
	unsigned h = net_crc(to, NET_MAC_LEN) & 0x1ff;

	return t->setup[h / 16 * 4 + h % 16 / 8] >> h % 8 & 1;
}

static bool matches(const struct tulip *t, const uint8_t *to)
{
	bool hit = false;

	if (t->hash_only || (t->hash_perfect && net_is_multicast(to)))
		return hash_hits(t, to);
	if (t->hash_perfect)
		return is_entry(t->setup + HASH_PERFECT_AT, to);
	for (unsigned i = 0; i < PERFECT_ENTRIES; i++)
		hit |= is_entry(t->setup + ENTRY_LEN * i, to);
	return hit != t->inverse;
}

static void take_setup(struct tulip *t, const struct desc *d)
{
	size_t n = size1(d->word[1]);

	pci_dma_read(&t->func, d->word[2], t->setup, n < TULIP_SETUP ? n : TULIP_SETUP);
	t->hash_only = d->word[1] & TX_FT1 && d->word[1] & TX_FT0;
	t->inverse = d->word[1] & TX_FT1 && !(d->word[1] & TX_FT0);
	t->hash_perfect = !(d->word[1] & TX_FT1) && d->word[1] & TX_FT0;
}

/* ---- sending ---- */

static void add(struct tulip *t, uint32_t addr, size_t len)
{
	if (t->tx_len + len > sizeof(t->tx)) {
		t->tx_too_long = 1;
		return;
	}
	pci_dma_read(&t->func, addr, t->tx + t->tx_len, len);
	t->tx_len += (uint32_t)len;
}

static void take_tx(struct tulip *t, const struct desc *d)
{
	struct iovec iov = {t->tx, 0};

	if (d->word[1] & TX_FS) {
		t->tx_len = 0;
		t->tx_too_long = 0;
	}
	add(t, d->word[2], size1(d->word[1]));
	if (size2(d->word[1]))
		add(t, d->word[3], size2(d->word[1]));
	if (!(d->word[1] & TX_LS))
		return;
	iov.iov_len = t->tx_len;
	if (!t->tx_too_long && t->csr[6] & OP_LOOPBACK && t->tx_len >= NET_HEADER_LEN)
		tulip_receive(t, &iov, 1);
	else if (!t->tx_too_long)
		net_send(&t->end, &iov, 1, NULL);
	t->tx_len = 0;
	t->tx_too_long = 0;
}

void tulip_send(struct tulip *t)
{
	uint32_t bits = 0;

	if (t->sending || !(t->csr[6] & OP_ST))
		return;
	t->sending = true;
	for (unsigned n = 0; n < MAX_PER_KICK && net_can_send(&t->end); n++) {
		struct desc d;

		if (get_desc(t, &d, t->tx_desc) < 0)
			break;
		if (!(d.word[0] & DESC_OWN)) {
			bits |= ST_TU;
			break;
		}
		if (d.word[1] & TX_SET)
			take_setup(t, &d);
		else
			take_tx(t, &d);
		put_status(t, &d, d.word[1] & TX_SET ? SETUP_STATUS : 0);
		if (d.word[1] & TX_IC && d.word[1] & (TX_LS | TX_SET))
			bits |= ST_TI;
		t->tx_desc = tulip_next_desc(t, d.at, d.word[1], d.word[3], t->csr[4]);
	}
	t->sending = false;
	tulip_status(t, bits);
}

/* ---- receiving ---- */

/* Whether the list has room for len bytes. -1: it never will, as it is shorter. */
static int find_room(struct tulip *t, size_t len)
{
	uint64_t at = t->rx_desc;
	size_t room = 0;

	for (unsigned n = 0; n < MAX_PER_FRAME && room < len; n++) {
		struct desc d;

		if (get_desc(t, &d, at) < 0 || !(d.word[0] & DESC_OWN))
			return 0;
		room += size1(d.word[1]) + size2(d.word[1]);
		at = tulip_next_desc(t, at, d.word[1], d.word[3], t->csr[3]);
		if (at == t->rx_desc)
			break;
	}
	return room < len ? -1 : 1;
}

bool tulip_can_receive(const struct tulip *t)
{
	uint8_t raw[4];

	return !(t->csr[6] & OP_SR) ||
	       (pci_dma_read(&t->func, t->rx_desc, raw, 4) == 0 && pci_get32(raw) & DESC_OWN);
}

/* Bytes from `off` on of the frame and its FCS. */
static size_t put_bytes(struct tulip *t, uint32_t addr, size_t room, const struct iovec *iov,
			unsigned nr, size_t len, size_t off)
{
	uint8_t buf[2048] = {0};
	size_t n = len + FCS_LEN - off;

	n = n < room ? n : room;
	net_copy(buf, n, iov, nr, off);
	pci_dma_write(&t->func, addr, buf, n);
	return n;
}

static void fill(struct tulip *t, const struct iovec *iov, unsigned nr, size_t len, uint32_t status)
{
	size_t total = len + FCS_LEN;

	for (size_t off = 0; off < total;) {
		bool first = off == 0;
		struct desc d;
		uint32_t st;

		if (get_desc(t, &d, t->rx_desc) < 0)
			return;
		off += put_bytes(t, d.word[2], size1(d.word[1]), iov, nr, len, off);
		if (off < total && size2(d.word[1]))
			off += put_bytes(t, d.word[3], size2(d.word[1]), iov, nr, len, off);
		st = first ? RX_FS : 0;
		if (off == total)
			st |= RX_LS | status | RX_LENGTH(total);
		put_status(t, &d, st);
		t->rx_desc = tulip_next_desc(t, d.at, d.word[1], d.word[3], t->csr[3]);
	}
}

bool tulip_receive(struct tulip *t, const struct iovec *iov, unsigned nr)
{
	size_t len = net_len(iov, nr);
	uint8_t to[NET_MAC_LEN];
	uint32_t status = RX_FT;
	bool hit;
	int room;

	if (!(t->csr[6] & OP_SR))
		return true;
	net_copy(to, sizeof(to), iov, nr, 0);
	hit = matches(t, to);
	if (!hit && !(t->csr[6] & OP_PR) && !(t->csr[6] & OP_PM && net_is_multicast(to)))
		return true;
	if (len + FCS_LEN > MAX_TAKEN)
		return true;
	room = find_room(t, len + FCS_LEN);
	if (room < 0)
		return true;
	if (room == 0) {
		tulip_status(t, ST_RU);
		return t->csr[6] & OP_LOOPBACK;
	}
	if (net_is_multicast(to))
		status |= RX_MF;
	if (!hit)
		status |= RX_FILTER_FAIL;
	if (len + FCS_LEN > MAX_FRAME)
		status |= RX_TL | RX_ES;
	fill(t, iov, nr, len, status);
	tulip_status(t, ST_RI);
	return true;
}
