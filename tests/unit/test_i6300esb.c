/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 6300ESB's watchdog timer.
 */
#include "chips.h"
#include "hw/i6300esb.h"

#define BAR   0xe0000000
#define TICKS 1000 /* of 2^15 PCI clocks: about a second */

static struct board b;
static struct pci_bus pci;
static struct i6300esb w;
static int barks;

static void bark(void *opaque)
{
	cr_assert_eq(opaque, &barks);
	barks++;
}

static void unlocked(unsigned off, uint32_t val)
{
	aspace_write(&b.mem, BAR + 0x0c, 0x80, 2);
	aspace_write(&b.mem, BAR + 0x0c, 0x86, 2);
	aspace_write(&b.mem, BAR + off, val, 4);
}

static bool timed_out(void)
{
	return aspace_read(&b.mem, BAR + 0x0c, 2) & 0x200;
}

static void setup(void)
{
	board_init(&b);
	barks = 0;
	cr_assert_eq(pci_bus_init(&pci, &b.mem, &b.io, NULL), 0);
	i6300esb_init(&w, &b.clock, bark, &barks);
	cr_assert_eq(pci_bus_add(&pci, &w.func, PCI_DEVFN(3, 0)), 0);
	device_reset(&w.func.dev);
	device_reset(&w.state);
	pci_config_write(&w.func, 0x10, BAR, 4);
	pci_config_write(&w.func, PCI_COMMAND, PCI_CMD_MEM, 2);
	unlocked(0, TICKS);
	unlocked(4, TICKS);
}

TestSuite(i6300esb, .init = setup);

Test(i6300esb, runs_out_after_two_stages)
{
	clock_step(&b.clock, 10 * NSEC_PER_SEC);
	cr_assert_eq(barks, 0, "it is off");
	pci_config_write(&w.func, 0x68, 2, 1);
	clock_step(&b.clock, NSEC_PER_SEC * 19 / 10);
	cr_assert_eq(barks, 0);
	cr_assert_not(timed_out());
	clock_step(&b.clock, NSEC_PER_SEC / 5);
	cr_assert_eq(barks, 1);
	cr_assert(timed_out());
	device_reset(&w.state);
	cr_assert(timed_out(), "what the guest wants to know after a reset");
	clock_step(&b.clock, 10 * NSEC_PER_SEC);
	cr_assert_eq(barks, 1, "it is off again");
	unlocked(0x0c, 0x200);
	cr_assert_not(timed_out());
}

Test(i6300esb, reloads)
{
	pci_config_write(&w.func, 0x68, 2, 1);
	for (int i = 0; i < 10; i++) {
		clock_step(&b.clock, NSEC_PER_SEC * 3 / 2);
		unlocked(0x0c, 0x100);
	}
	cr_assert_eq(barks, 0);
	/* without the sequence it does not count */
	clock_step(&b.clock, NSEC_PER_SEC * 3 / 2);
	aspace_write(&b.mem, BAR + 0x0c, 0x100, 2);
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(barks, 1);
}

Test(i6300esb, lock)
{
	pci_config_write(&w.func, 0x68, 3, 1);
	pci_config_write(&w.func, 0x68, 0, 1);
	cr_assert_eq(pci_config_read(&w.func, 0x68, 1), 3, "it cannot be switched off");
	clock_step(&b.clock, 3 * NSEC_PER_SEC);
	cr_assert_eq(barks, 1);
	device_reset(&w.func.dev);
	device_reset(&w.state);
	pci_config_write(&w.func, 0x68, 2, 1);
	pci_config_write(&w.func, 0x68, 0, 1);
	cr_assert_eq(pci_config_read(&w.func, 0x68, 1), 0);
}

Test(i6300esb, free_run)
{
	unlocked(0, 0);
	unlocked(4, 0);
	pci_config_write(&w.func, 0x60, 0x24, 2); /* the fast clock, no output */
	pci_config_write(&w.func, 0x68, 6, 1);
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(barks, 0);
	pci_config_write(&w.func, 0x60, 4, 2);
	clock_step(&b.clock, NSEC_PER_SEC);
	cr_assert_eq(barks, 500, "stages of a millisecond at least, not %d in a second", barks);
}
