/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between the parts of the 21143: registers (tulip.c), SROM and MII (tulip_mii.c), frames (tulip_ring.c).
 */
#ifndef HW_NET_TULIP_IMPL_H
#define HW_NET_TULIP_IMPL_H

#include "hw/net/tulip.h"

/* CSR5, and CSR7, which enables them. */
enum {
	ST_TI = 1u << 0,
	ST_TPS = 1u << 1,
	ST_TU = 1u << 2,
	ST_RI = 1u << 6,
	ST_RU = 1u << 7,
	ST_RPS = 1u << 8,
	ST_GTE = 1u << 11,
	ST_FBE = 1u << 13,
	ST_AIS = 1u << 15,
	ST_NIS = 1u << 16,
};
/* CSR6 */
enum {
	OP_SR = 1u << 1,
	OP_PR = 1u << 6,
	OP_PM = 1u << 7,
	OP_LOOPBACK = 3u << 10,
	OP_ST = 1u << 13,
};
/* CSR9 */
enum {
	SROM_CS = 1u << 0,
	SROM_CLK = 1u << 1,
	SROM_DI = 1u << 2,
	SROM_DO = 1u << 3,
	SROM_SELECT = 1u << 11,
	MII_CLK = 1u << 16,
	MII_DO = 1u << 17,
	MII_IN = 1u << 18, /* the transceiver drives the line */
	MII_DI = 1u << 19,
};
enum { FCS_LEN = 4, DESC_LEN = 16 };

/* ---- tulip.c ---- */

void tulip_status(struct tulip *t, uint32_t bits);
/* The next descriptor behind one at `at`, whose second and fourth words are given; base: of the list. */
uint64_t tulip_next_desc(const struct tulip *t, uint64_t at, uint32_t word1, uint32_t word3,
			 uint32_t base);

/* ---- tulip_mii.c ---- */

void tulip_fill_srom(struct tulip *t, bool is_21140);
void tulip_mii_reset(struct tulip *t);
void tulip_mii_link(struct tulip *t, bool up);
void tulip_csr9_write(struct tulip *t, uint32_t val);
uint32_t tulip_csr9_read(const struct tulip *t);

/* ---- tulip_ring.c ---- */

void tulip_send(struct tulip *t);
bool tulip_receive(struct tulip *t, const struct iovec *iov, unsigned nr);
bool tulip_can_receive(const struct tulip *t);

#endif
