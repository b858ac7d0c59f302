/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Just enough ACPI: lists the tables and finds how to switch the machine off (FADT, \_S5).
 */
#include "guest.h"

struct sdt {
	char sig[4];
	uint32_t len;
	uint8_t rev, sum;
	char oem[6], oem_table[8];
	uint32_t oem_rev, creator, creator_rev;
} __attribute__((packed));

static struct {
	const struct sdt *root;
	bool xsdt;
} acpi;

static bool sig_is(const struct sdt *t, const char *sig)
{
	for (unsigned n = 0; n < 4; n++)
		if (t->sig[n] != sig[n])
			return false;
	return true;
}

void acpi_init(uint64_t rsdp)
{
	const uint8_t *p = (const uint8_t *)rsdp;
	if (!rsdp)
		return;
	if (p[15] >= 2)
		acpi.root = (const struct sdt *)*(const uint64_t *)(p + 24);
	acpi.xsdt = acpi.root;
	if (!acpi.root)
		acpi.root = (const struct sdt *)(uint64_t) * (const uint32_t *)(p + 16);
}

static const struct sdt *table(unsigned n)
{
	unsigned size = acpi.xsdt ? 8 : 4;
	if (!acpi.root || n >= (acpi.root->len - sizeof(struct sdt)) / size)
		return NULL;
	const uint8_t *at = (const uint8_t *)(acpi.root + 1) + n * size;
	uint64_t v = *(const uint32_t *)at;
	if (acpi.xsdt)
		v |= (uint64_t) * (const uint32_t *)(at + 4) << 32;
	return (const struct sdt *)v;
}

void acpi_list(void)
{
	const struct sdt *t;
	if (!acpi.root)
		print("no ACPI tables\n");
	for (unsigned n = 0; (t = table(n)); n++)
		print("%c%c%c%c  %6u bytes at %lx\n", t->sig[0], t->sig[1], t->sig[2], t->sig[3],
		      t->len, (uint64_t)t);
}

/* \_S5 is Name(_S5, Package(n){SLP_TYPa, ...}): bytes "_S5_" 12 len n then a byte or byte-prefixed
 * constant. */
static int s5_type(const struct sdt *dsdt)
{
	const uint8_t *p = (const uint8_t *)dsdt;
	for (uint32_t n = sizeof(*dsdt); n + 8 < dsdt->len; n++) {
		if (p[n] != '_' || p[n + 1] != 'S' || p[n + 2] != '5' || p[n + 3] != '_' ||
		    p[n + 4] != 0x12)
			continue;
		const uint8_t *v = p + n + 7 + (p[n + 5] >> 6);
		return *v == 0x0a ? v[1] : *v;
	}
	return -1;
}

void acpi_poweroff(void)
{
	const struct sdt *t;
	for (unsigned n = 0; (t = table(n)); n++) {
		if (!sig_is(t, "FACP"))
			continue;
		const uint8_t *f = (const uint8_t *)t;
		const struct sdt *dsdt =
		    (const struct sdt *)(uint64_t) * (const uint32_t *)(f + 40);
		uint32_t pm1a = *(const uint32_t *)(f + 64);
		int type = s5_type(dsdt);
		if (type < 0)
			break;
		outw((uint16_t)pm1a, (uint16_t)((unsigned)type << 10 | 1u << 13));
		/* The machine may take a moment to notice. */
		for (uint64_t t0 = ticks(); ticks() < t0 + TICK_HZ;)
			__asm__ volatile("hlt");
		break;
	}
	print("this machine cannot be switched off by ACPI\n");
}
