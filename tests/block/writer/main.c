/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest's command line is the version of its first write; it writes until somebody kills it.
 */
#include "roms/guest/guest.h"
#include "tests/block/writer/writer.h"

#define COM1 0x3f8

/* xen/include/public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline;
};

static uint32_t data[WRITER_DEPTH][WRITER_SLOT_BLOCKS * WRITER_BLOCK / 4]
    __attribute__((aligned(4096)));

static void say(const char *s)
{
	for (; *s; s++) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		outb(COM1, (uint8_t)*s);
	}
}

static void say_number(uint32_t v)
{
	char buf[12], *p = buf + sizeof(buf) - 1;

	*p = 0;
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	say(p);
}

static _Noreturn void stop(const char *why)
{
	say(why);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Of roms/guest/start.S. */
void trap(struct frame *f);
void trap(struct frame *f)
{
	(void)f;
	stop("E exception\n");
}

uint32_t pci_read(int dev, unsigned reg)
{
	outl(0xcf8, 0x80000000u | (uint32_t)dev << 11 | reg);
	return inl(0xcfc);
}

void pci_write(int dev, unsigned reg, uint32_t v)
{
	outl(0xcf8, 0x80000000u | (uint32_t)dev << 11 | reg);
	outl(0xcfc, v);
}

int pci_find(unsigned reg, uint32_t mask, uint32_t want)
{
	for (int dev = 0; dev < 32; dev++)
		if ((pci_read(dev, reg) & mask) == want) {
			pci_write(dev, 4, (pci_read(dev, 4) & 0xffff) | 7); /* bus master */
			return dev;
		}
	return -1;
}

void guest_main(const struct start_info *info);
void guest_main(const struct start_info *info)
{
	static const struct writer_disk *const kinds[] = {&writer_virtio, &writer_nvme,
							  &writer_ahci};
	const struct writer_disk *disk = NULL;
	const char *end;
	uint32_t version = (uint32_t)parse_number((const char *)info->cmdline, &end);

	for (unsigned i = 0; !disk && i < 3; i++)
		if (kinds[i]->init())
			disk = kinds[i];
	if (!disk)
		stop("E no disk\n");
	say("ready\n");
	for (;; version += WRITER_DEPTH) {
		for (uint32_t i = 0; i < WRITER_DEPTH; i++) {
			uint32_t len = writer_blocks(version + i) * WRITER_BLOCK;

			for (uint32_t k = 0; k < len / 4; k++)
				data[i][k] = version + i;
			disk->start(i,
				    writer_slot(version + i) *
					(uint64_t)(WRITER_SLOT_BLOCKS * WRITER_BLOCK),
				    data[i], len);
		}
		if (!disk->wait())
			stop("E a write failed\n");
		if (!writer_flushes(version))
			continue;
		if (!disk->flush())
			stop("E a flush failed\n");
		say("F ");
		say_number(version + WRITER_DEPTH - 1);
		say("\n");
	}
}
