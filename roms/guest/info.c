/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the machine is made of: CPU, PCI bus, clock.
 */
#include "guest.h"

struct feature_bit {
	uint32_t leaf;
	uint8_t reg, bit;
	const char *name;
};

static const struct feature_bit features[] = {
    {1, 3, 0, "fpu"},
    {1, 3, 23, "mmx"},
    {1, 3, 25, "sse"},
    {1, 3, 26, "sse2"},
    {1, 2, 0, "sse3"},
    {1, 2, 9, "ssse3"},
    {1, 2, 19, "sse4.1"},
    {1, 2, 20, "sse4.2"},
    {1, 2, 23, "popcnt"},
    {1, 2, 25, "aes"},
    {1, 2, 1, "pclmulqdq"},
    {1, 2, 28, "avx"},
    {1, 2, 12, "fma"},
    {1, 2, 29, "f16c"},
    {1, 2, 22, "movbe"},
    {1, 2, 30, "rdrand"},
    {1, 2, 13, "cx16"},
    {1, 2, 26, "xsave"},
    {1, 2, 21, "x2apic"},
    {1, 2, 17, "pcid"},
    {1, 2, 24, "tsc-deadline"},
    {7, 1, 3, "bmi1"},
    {7, 1, 8, "bmi2"},
    {7, 1, 5, "avx2"},
    {7, 1, 16, "avx512f"},
    {7, 1, 19, "adx"},
    {7, 1, 29, "sha"},
    {7, 1, 0, "fsgsbase"},
    {7, 1, 7, "smep"},
    {7, 1, 20, "smap"},
    {7, 2, 2, "umip"},
    {7, 2, 3, "pku"},
    {7, 2, 16, "la57"},
    {0x80000001, 3, 20, "nx"},
    {0x80000001, 3, 26, "1gpages"},
    {0x80000001, 3, 27, "rdtscp"},
    {0x80000001, 2, 5, "lzcnt"},
    {0x80000007, 3, 8, "invariant-tsc"},
    {1, 2, 31, "hypervisor"},
};

static void print_regs(const uint32_t *r, unsigned n)
{
	for (unsigned k = 0; k < n * 4; k++) {
		char c = (char)(r[k / 4] >> k % 4 * 8);
		if (c)
			putch(c);
	}
}

void show_cpu(void)
{
	struct cpuid v = cpuid(0, 0), id = cpuid(1, 0);
	uint32_t max_ext = cpuid(0x80000000, 0).a;
	print("vendor    ");
	print_regs((uint32_t[]){v.b, v.d, v.c}, 3);
	if (max_ext >= 0x80000004) {
		print("\nmodel     ");
		for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
			struct cpuid r = cpuid(leaf, 0);
			print_regs((uint32_t[]){r.a, r.b, r.c, r.d}, 4);
		}
	}
	unsigned family = id.a >> 8 & 15, model = id.a >> 4 & 15;
	if (family == 6 || family == 15)
		model |= id.a >> 12 & 0xf0;
	if (family == 15)
		family += id.a >> 20 & 0xff;
	print("\nfamily    %u, model %u, stepping %u\nfeatures ", family, model, id.a & 15);
	unsigned col = 10;
	for (unsigned n = 0; n < sizeof(features) / sizeof(features[0]); n++) {
		const struct feature_bit *f = &features[n];
		uint32_t top = f->leaf >= 0x80000000 ? max_ext : v.a;
		if (f->leaf > top)
			continue;
		struct cpuid r = cpuid(f->leaf, 0);
		uint32_t regs[4] = {r.a, r.b, r.c, r.d};
		if (!(regs[f->reg] >> f->bit & 1))
			continue;
		col += (unsigned)str_len(f->name) + 1;
		if (col > 78) {
			print("\n         ");
			col = 10 + (unsigned)str_len(f->name);
		}
		print(" %s", f->name);
	}
	print("\n");
}

static uint32_t pci_read(unsigned bus, unsigned dev, unsigned fn, unsigned reg)
{
	outl(0xcf8, 0x80000000u | bus << 16 | dev << 11 | fn << 8 | (reg & 0xfc));
	return inl(0xcfc);
}

void show_pci(void)
{
	for (unsigned dev = 0; dev < 32; dev++) {
		unsigned fns = pci_read(0, dev, 0, 12) >> 16 & 0x80 ? 8 : 1;
		for (unsigned fn = 0; fn < fns; fn++) {
			uint32_t id = pci_read(0, dev, fn, 0);
			if (id == 0xffffffff)
				continue;
			print("00:%02x.%u  %04x:%04x  class %06x\n", dev, fn, id & 0xffff, id >> 16,
			      pci_read(0, dev, fn, 8) >> 8);
		}
	}
}

static unsigned rtc(unsigned reg)
{
	outb(0x70, (uint8_t)reg);
	unsigned v = inb(0x71);
	outb(0x70, 0x0b);
	if (!(inb(0x71) & 4))
		v = (v >> 4) * 10 + (v & 15);
	return v;
}

void show_time(void)
{
	do
		outb(0x70, 0x0a);
	while (inb(0x71) & 0x80);
	print("%u%02u-%02u-%02u %02u:%02u:%02u UTC, up %lu.%02lu s\n", rtc(0x32), rtc(9), rtc(8),
	      rtc(7), rtc(4), rtc(2), rtc(0), ticks() / TICK_HZ, ticks() % TICK_HZ * 100 / TICK_HZ);
}
