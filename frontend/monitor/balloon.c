/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands for the memory balloon.
 */
#include <stdlib.h>

#include "frontend/monitor/command.h"
#include "hw/pc.h"
#include "hw/virtio/virtio_balloon.h"

#define MIB_PAGES (1u << (20 - PAGE_SHIFT))

static struct virtio_balloon *find(struct monitor *m, const struct out *o)
{
	struct virtio_balloon *d = pc_find_device(m->pc, &virtio_balloon_type);

	if (!d)
		out(o, "there is no balloon: -device virtio-balloon-pci adds one\n");
	return d;
}

static uint32_t ram_pages(const struct pc *pc)
{
	return (uint32_t)(pc->m.ram.size >> PAGE_SHIFT);
}

static void cmd_balloon(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct virtio_balloon *d = find(m, o);
	uint32_t all = ram_pages(m->pc);
	unsigned long mib;
	char *end;

	if (!d)
		return;
	mib = strtoul(a[0].text, &end, 10);
	if (*end || !mib || mib > all / MIB_PAGES)
		out(o, "balloon MIB: what the guest keeps, 1 to %u\n", all / MIB_PAGES);
	else
		virtio_balloon_ask(d, all - (uint32_t)mib * MIB_PAGES);
}

static void info_balloon(struct monitor *m, const struct out *o, const struct arg *a)
{
	const struct virtio_balloon *d = find(m, o);
	uint32_t all = ram_pages(m->pc), given;

	(void)a;
	if (!d)
		return;
	given = virtio_balloon_actual(d);
	out(o, "balloon: actual=%u\n", given < all ? (all - given) / MIB_PAGES : 0);
}

const struct command balloon_commands[] = {
    {"balloon", "MIB", cmd_balloon, "ask the guest to give up all memory but so much",
     "balloon 512"},
    {"info balloon", NULL, info_balloon, "how much memory the guest keeps", "info balloon"},
    {0},
};
