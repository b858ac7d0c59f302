/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * MSI and MSI-X (PCI Local Bus Specification 3.0, 6.8.1 and 6.8.2).
 */
#include "hw/msi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	CTL = 2, /* message control, in both capabilities */
	MSI_ADDR = 4,
	MSI_ADDR_HI = 8,
	MSI_DATA = 12,
	MSI_MASK = 16,
	MSI_PENDING = 20,
	MSI_SIZE = 24,
	MSI_ENABLE = 1 << 0,
	MSI_64BIT = 1 << 7,
	MSI_MASKS = 1 << 8,
	MSIX_SIZE = 12,
	MSIX_MASK_ALL = 1 << 14,
	MSIX_ENABLE = 1 << 15,
	ENTRY_MASKED = 1,
};

static const struct field msix_fields[] = {
    FIELD_ARRAY_F(msix, table, MSIX_MAX * 4, (uint32_t)0, 0, FIELD_KEEP),
    FIELD_ARRAY(msix, pending, 0),
    FIELD_END,
};

static void send(const struct pci_func *f, uint64_t addr, uint32_t data)
{
	uint8_t le[4];

	if (!pci_is_master(f))
		return;
	if (addr >> 20 == 0xfee) {
		if (f->bus->msi)
			f->bus->msi(f->bus->msi_opaque, addr, data);
		return;
	}
	/* Anywhere else it is the memory write that it says it is. */
	pci_set32(le, data);
	pci_dma_write(f, addr & ~3ull, le, 4);
}

/* ---- MSI ---- */

int msi_init(struct pci_func *f, unsigned nr)
{
	unsigned log2 = 0;
	int at;

	while (nr > 1u << log2)
		log2++;
	if (!nr || nr > MSI_MAX || nr != 1u << log2)
		return -EINVAL;
	at = pci_func_cap(f, PCI_CAP_MSI, MSI_SIZE);
	if (at < 0)
		return at;
	f->msi = (uint8_t)at;
	pci_set16(f->start + at + CTL, (uint16_t)(log2 << 1 | MSI_64BIT | MSI_MASKS));
	pci_set16(f->wmask + at + CTL, 7 << 4 | MSI_ENABLE);
	pci_set32(f->wmask + at + MSI_ADDR, ~3u);
	pci_set32(f->wmask + at + MSI_ADDR_HI, ~0u);
	pci_set16(f->wmask + at + MSI_DATA, 0xffff);
	pci_set32(f->wmask + at + MSI_MASK, nr == 32 ? ~0u : (1u << nr) - 1);
	return 0;
}

bool msi_enabled(const struct pci_func *f)
{
	return f->msi && (f->config[f->msi + CTL] & MSI_ENABLE);
}

static unsigned msi_granted(const struct pci_func *f)
{
	unsigned ctl = f->config[f->msi + CTL], can = ctl >> 1 & 7, may = ctl >> 4 & 7;

	return 1u << (may < can ? may : can);
}

static void msi_send(struct pci_func *f, unsigned vector)
{
	uint8_t *c = f->config + f->msi;
	unsigned nr = msi_granted(f);
	uint32_t pending = pci_get32(c + MSI_PENDING);

	vector &= nr - 1;
	if (pci_get32(c + MSI_MASK) >> vector & 1) {
		pci_set32(c + MSI_PENDING, pending | 1u << vector);
		return;
	}
	pci_set32(c + MSI_PENDING, pending & ~(1u << vector));
	send(f, pci_get32(c + MSI_ADDR) | (uint64_t)pci_get32(c + MSI_ADDR_HI) << 32,
	     (pci_get16(c + MSI_DATA) & ~(nr - 1)) | vector);
}

/* ---- MSI-X ---- */

static uint16_t msix_ctl(const struct msix *x)
{
	return pci_get16(x->func->config + x->cap + CTL);
}

bool msix_enabled(const struct pci_func *f)
{
	return f->msix && (msix_ctl(f->msix) & MSIX_ENABLE);
}

static bool masked(const struct msix *x, unsigned vector)
{
	return (msix_ctl(x) & MSIX_MASK_ALL) || (x->table[vector][3] & ENTRY_MASKED);
}

static void msix_send(struct msix *x, unsigned vector)
{
	uint64_t bit = 1ull << (vector & 63), *pending;
	const uint32_t *e;

	if (vector >= x->nr)
		return;
	pending = &x->pending[vector / 64];
	e = x->table[vector];
	if (masked(x, vector)) {
		*pending |= bit;
		return;
	}
	*pending &= ~bit;
	send(x->func, (e[0] & ~3u) | (uint64_t)e[1] << 32, e[2]);
}

static void send_pending(struct msix *x)
{
	for (unsigned v = 0; v < x->nr; v++)
		if ((x->pending[v / 64] >> (v & 63) & 1) && !masked(x, v))
			msix_send(x, v);
}

bool msix_covers(const struct msix *x, uint64_t off)
{
	return (off >= x->table_off && off - x->table_off < x->nr * 16u) ||
	       (off >= x->pba_off && off - x->pba_off < (x->nr + 63u) / 64 * 8);
}

static uint32_t read_dword(const struct msix *x, uint64_t off)
{
	if (off >= x->table_off && off - x->table_off < x->nr * 16u) {
		off -= x->table_off;
		return x->table[off / 16][off / 4 % 4];
	}
	if (off >= x->pba_off && off - x->pba_off < (x->nr + 63u) / 64 * 8) {
		off -= x->pba_off;
		return (uint32_t)(x->pending[off / 8] >> (off & 4) * 8);
	}
	return 0;
}

/* Software makes accesses of 4 and 8 bytes that are aligned; others find the dword they begin in. */
uint64_t msix_read(struct msix *x, uint64_t off, unsigned size)
{
	uint64_t v = read_dword(x, off & ~3ull);

	if (size == 8)
		v |= (uint64_t)read_dword(x, (off & ~3ull) + 4) << 32;
	return v >> (off & 3) * 8;
}

static void write_dword(struct msix *x, uint64_t off, uint32_t val)
{
	unsigned v;

	if (off < x->table_off || off - x->table_off >= x->nr * 16u)
		return;
	off -= x->table_off;
	v = (unsigned)(off / 16);
	x->table[v][off / 4 % 4] = off / 4 % 4 == 3 ? val & ENTRY_MASKED : val;
	if (off / 4 % 4 == 3 && msix_enabled(x->func))
		send_pending(x);
}

void msix_write(struct msix *x, uint64_t off, uint64_t val, unsigned size)
{
	/* What is narrower than a dword is undefined; here it is lost. */
	if (off & 3 || size < 4)
		return;
	write_dword(x, off, (uint32_t)val);
	if (size == 8)
		write_dword(x, off + 4, (uint32_t)(val >> 32));
}

static uint64_t bar_read(void *dev, uint64_t off, unsigned size)
{
	return msix_read(dev, off, size);
}

static void bar_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	msix_write(dev, off, val, size);
}

static const struct mmio_ops bar_ops = {bar_read, bar_write, 1, 8};

static void msix_reset_done(void *state)
{
	struct msix *x = state;

	memset(x->table, 0, sizeof(x->table));
	for (unsigned v = 0; v < MSIX_MAX; v++)
		x->table[v][3] = ENTRY_MASKED;
}

int msix_init_in(struct msix *x, struct pci_func *f, unsigned nr, unsigned bar, uint32_t table_off,
		 uint32_t pba_off)
{
	int at;

	memset(x, 0, sizeof(*x));
	if (!nr || nr > MSIX_MAX || bar >= PCI_BARS || (table_off | pba_off) & 7)
		return -EINVAL;
	at = pci_func_cap(f, PCI_CAP_MSIX, MSIX_SIZE);
	if (at < 0)
		return at;
	snprintf(x->name, sizeof(x->name), "%s-msix", f->name);
	device_init(&x->dev, x->name, msix_fields, x);
	x->dev.reset_done = msix_reset_done;
	msix_reset_done(x);
	x->func = f;
	x->cap = (uint8_t)at;
	x->nr = (uint16_t)nr;
	x->table_off = table_off;
	x->pba_off = pba_off;
	f->msix = x;
	pci_set16(f->start + at + CTL, (uint16_t)(nr - 1));
	pci_set16(f->wmask + at + CTL, MSIX_ENABLE | MSIX_MASK_ALL);
	pci_set32(f->start + at + 4, table_off | bar);
	pci_set32(f->start + at + 8, pba_off | bar);
	return 0;
}

int msix_init(struct msix *x, struct pci_func *f, unsigned nr, unsigned bar)
{
	int r = msix_init_in(x, f, nr, bar, 0, MSIX_MAX * 16);

	if (r == 0)
		pci_func_bar(f, bar, PCI_BAR_MEM32, 4096, &bar_ops, x, "msix");
	return r;
}

/* ---- both ---- */

bool msi_notify(struct pci_func *f, unsigned vector)
{
	if (msix_enabled(f))
		msix_send(f->msix, vector);
	else if (msi_enabled(f))
		msi_send(f, vector);
	else
		return false;
	return true;
}

/* How many vectors there are is the function's own. */
void msi_tame(struct pci_func *f)
{
	for (unsigned i = 0; f->msi && i < 2; i++) {
		unsigned at = f->msi + CTL + i;

		f->config[at] =
		    (uint8_t)((f->config[at] & f->wmask[at]) | (f->start[at] & ~f->wmask[at]));
	}
}

void msi_config_changed(struct pci_func *f)
{
	if (msix_enabled(f))
		send_pending(f->msix);
	if (msi_enabled(f)) {
		const uint8_t *c = f->config + f->msi;
		uint32_t due = pci_get32(c + MSI_PENDING) & ~pci_get32(c + MSI_MASK);

		for (unsigned v = 0; v < msi_granted(f); v++)
			if (due >> v & 1)
				msi_send(f, v);
	}
}
