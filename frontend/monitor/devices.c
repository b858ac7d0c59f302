/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the machine is made of: memory map, buses, interrupt controllers, and the state of any device by the
 * table that saved states have too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpus.h"
#include "accel/stats.h"
#include "frontend/monitor/view.h"
#include "hw/display/display.h"
#include "hw/pc.h"

#define MAX_SHOWN 32

static void print_space(const struct out *o, const struct aspace *as)
{
	static const char *const kinds[] = {
	    [RANGE_RAM] = "ram", [RANGE_ROM] = "rom", [RANGE_DEV] = "i/o"};

	out(o, "address-space: %s\n", as->name);
	for (unsigned n = 0; n < as->nr; n++) {
		const struct range *r = &as->ranges[n];

		out(o, "  %016" PRIx64 "-%016" PRIx64 " (%s): %s", r->base, r->base + r->size - 1,
		    kinds[r->kind], r->name);
		if (r->ram)
			out(o, " @%s %016" PRIx64, r->ram->name, r->ram_off);
		if (r->kind == RANGE_DEV && r->use < as->nr_uses)
			out(o, " %" PRIu64 " accesses", as->uses[r->use].accesses);
		out(o, "\n");
	}
}

static void info_mtree(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	print_space(o, &m->pc->m.mem);
	print_space(o, &m->pc->m.io);
}

static void info_qtree(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	out(o, "%s\n", m->pc->board->product);
	for (const struct device *d = m->pc->m.devices; d; d = d->next) {
		unsigned fields = 0;

		for (const struct field *f = d->fields; f && f->name; f++)
			fields++;
		out(o, "  dev: %s, %u fields (info device %s)\n", d->name, fields, d->name);
	}
}

static void print_field(const struct out *o, const struct device *d, const struct field *f)
{
	const char *at = (const char *)d->state + f->offset;

	out(o, "  %s =", f->name);
	for (uint32_t n = 0; n < f->count && n < MAX_SHOWN; n++) {
		uint64_t v = 0;

		memcpy(&v, at + (size_t)n * field_stride(f), f->size > 8 ? 8 : f->size);
		out(o, " 0x%" PRIx64, v);
	}
	out(o, f->count > MAX_SHOWN ? " ... (%u)\n" : "\n", f->count);
}

static void info_device(struct monitor *m, const struct out *o, const struct arg *a)
{
	for (const struct device *d = m->pc->m.devices; d; d = d->next) {
		if (strcmp(d->name, a[0].text) != 0)
			continue;
		out(o, "%s\n", d->name);
		for (const struct field *f = d->fields; f && f->name; f++)
			print_field(o, d, f);
		return;
	}
	out(o, "there is no device %s; info qtree lists them\n", a[0].text);
}

static void info_pci(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	for (unsigned devfn = 0; devfn < 256; devfn++) {
		const struct pci_func *f = m->pc->pci.func[devfn];
		const uint8_t *c;

		if (!f)
			continue;
		c = f->config;
		out(o, "  Bus  0, device %3u, function %u: %s\n", devfn >> 3, devfn & 7, f->name);
		out(o, "    Class %02x%02x: PCI device %02x%02x:%02x%02x", c[PCI_CLASS + 1],
		    c[PCI_CLASS], c[PCI_VENDOR + 1], c[PCI_VENDOR], c[PCI_DEVICE + 1],
		    c[PCI_DEVICE]);
		if (c[PCI_INT_PIN])
			out(o, ", IRQ %u, pin %c", c[PCI_INT_LINE], 'A' + (c[PCI_INT_PIN] - 1) % 4);
		out(o, "\n");
		for (unsigned n = 0; n <= PCI_BAR_ROM; n++) {
			const struct pci_bar *b = &f->bar[n];

			if (b->kind == PCI_BAR_NONE)
				continue;
			out(o, "      BAR%u: %s, %" PRIu64 " bytes, ", n,
			    b->kind == PCI_BAR_IO      ? "ports"
			    : b->kind == PCI_BAR_MEM64 ? "64-bit memory"
						       : "32-bit memory",
			    b->size);
			out(o, b->mapped ? "at 0x%" PRIx64 "\n" : "not mapped\n", b->at);
		}
	}
}

static void info_pic(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	for (unsigned n = 0; n < 2; n++) {
		const struct i8259_chip *c = &m->pc->pic.chip[n];

		out(o, "pic%u: irr=%02x imr=%02x isr=%02x lines=%02x elcr=%02x base=%02x%s%s\n", n,
		    c->irr, c->imr, c->isr, c->lines, c->elcr, c->icw2,
		    c->read_isr ? " read-isr" : "", c->smask ? " special-mask" : "");
	}
}

static void info_ioapic(struct monitor *m, const struct out *o, const struct arg *a)
{
	static const char *const modes[] = {"fixed", "lowest", "SMI", "?",
					    "NMI",   "INIT",   "?",   "ExtINT"};
	const struct ioapic *io = &m->pc->ioapic;

	(void)a;
	out(o, "ioapic: id %u, select 0x%02x\n", io->id, io->select);
	for (unsigned n = 0; n < IOAPIC_PINS; n++) {
		uint64_t r = io->redir[n];

		out(o, "  pin %-2u 0x%016" PRIx64 " vector %3u %s %s %s destination %u%s%s%s\n", n,
		    r, (unsigned)(r & 0xff), modes[r >> 8 & 7],
		    r & 1 << 11 ? "logical" : "physical", r & 1 << 15 ? "level" : "edge",
		    (unsigned)(r >> 56), r & 1 << 16 ? " masked" : "",
		    r & 1 << 14 ? " remote-irr" : "", io->lines >> n & 1 ? " asserted" : "");
	}
}

static void bits(const struct out *o, const char *name, const uint32_t v[8])
{
	out(o, "%s", name);
	for (unsigned n = 0; n < 256; n++)
		if (v[n / 32] >> n % 32 & 1)
			out(o, " %u", n);
	out(o, "\n");
}

static void info_lapic(struct monitor *m, const struct out *o, const struct arg *a)
{
	static const char *const names[LVT_COUNT] = {"timer", "thermal", "perf",
						     "LINT0", "LINT1",   "error"};
	const struct lapic *l = &m->pc->lapic[m->cpu];

	(void)a;
	out(o, "lapic of CPU#%u: id %u, base 0x%" PRIx64 ", %s%s\n", m->cpu, l->id,
	    l->base & PAGE_MASK, l->base & 1 << 11 ? "enabled" : "disabled",
	    l->base & 1 << 10 ? ", x2APIC" : "");
	out(o, "TPR 0x%02x LDR 0x%08x DFR 0x%08x SVR 0x%08x ESR 0x%x ICR 0x%016" PRIx64 "\n",
	    l->tpr, l->ldr, l->dfr, l->svr, l->esr, l->icr);
	for (unsigned n = 0; n < LVT_COUNT; n++)
		out(o, "LVT %-7s 0x%08x vector %u%s\n", names[n], l->lvt[n], l->lvt[n] & 0xff,
		    l->lvt[n] & 1 << 16 ? " masked" : "");
	out(o, "timer: divide 0x%x initial %u deadline %" PRIu64 "\n", l->divide, l->initial,
	    l->deadline);
	bits(o, "ISR", l->isr);
	bits(o, "IRR", l->irr);
}

static void info_irq(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	for (unsigned n = 0; n < 16; n++)
		if (m->pc->isa_level[n])
			out(o, "ISA IRQ %u is asserted (sources 0x%x)\n", n, m->pc->isa_level[n]);
	for (unsigned n = 0; n < IOAPIC_PINS; n++)
		if (m->pc->gsi_level[n])
			out(o, "GSI %u is asserted\n", n);
}

static void info_exits(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	for (unsigned k = 0; k < 2; k++) {
		const struct aspace *as = k ? &m->pc->m.io : &m->pc->m.mem;

		for (unsigned n = 0; n < as->nr_uses; n++)
			if (as->uses[n].accesses)
				out(o, "%12" PRIu64 " %s accesses of %s\n", as->uses[n].accesses,
				    k ? "port" : "memory", as->uses[n].name);
	}
	monitor_command(m, "info jit", o->print, o->opaque);
}

const struct command device_commands[] = {
    {"info mtree", NULL, info_mtree, "memory and port map", "info mtree"},
    {"info qtree", NULL, info_qtree, "devices", "info qtree"},
    {"info device", "NAME", info_device, "the state of a device, field by field",
     "info device i8254"},
    {"info pci", NULL, info_pci, "PCI functions and their BARs", "info pci"},
    {"info pic", NULL, info_pic, "the 8259A interrupt controllers", "info pic"},
    {"info ioapic", NULL, info_ioapic, "the I/O APIC's pins", "info ioapic"},
    {"info lapic", NULL, info_lapic, "the local APIC of the CPU", "info lapic"},
    {"info irq", NULL, info_irq, "interrupt lines that are asserted", "info irq"},
    {"info exits", NULL, info_exits, "accesses of devices, and what the engine has counted",
     "info exits"},
    {0},
};
