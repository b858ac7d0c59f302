/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands for disks and CD-ROM drives that are valid, but for a byte now and then: ATA/ATAPI-7, SPC-3, SBC-3, MMC-5.
 * Noise alone is refused at the first operand, and gets nowhere.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define ONE_OF(a) ((a)[below(sizeof(a) / sizeof((a)[0]))])

/* Big-endian. */
static void set_be(uint8_t *p, unsigned bytes, uint64_t v)
{
	while (bytes--) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* ---- SCSI ---- */

/* Somewhere on the medium, or just past it. */
static uint64_t some_block(void)
{
	return one_in(8) ? FUZZ_DISK / 512 - below(4) : below(FUZZ_DISK / 2048);
}

static void inquiry(struct fuzz_scsi *c)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2, 0xb3};

	c->cdb[0] = 0x12;
	if (one_in(4))
		return;
	c->cdb[1] = 1;
	c->cdb[2] = ONE_OF(pages);
}

static void mode(struct fuzz_scsi *c)
{
	static const uint8_t pages[][2] = {{0x01, 10}, {0x04, 22}, {0x05, 14}, {0x08, 18},
					   {0x0e, 14}, {0x1a, 10}, {0x2a, 20}, {0x3f, 10}};
	bool ten = one_in(2);
	uint8_t *p = c->out;

	if (one_in(2)) {
		c->cdb[0] = ten ? 0x5a : 0x1a;
		c->cdb[1] = one_in(2) ? 8 : 0;
		c->cdb[2] = (uint8_t)(ONE_OF(pages)[0] | below(4) << 6);
		return;
	}
	c->cdb[0] = ten ? 0x55 : 0x15;
	c->cdb[1] = 0x10;
	p += ten ? 8 : 4;
	if (one_in(4)) {
		c->out[ten ? 7 : 3] = 8;
		p += 8;
	}
	for (unsigned n = below(3); n; n--) {
		const uint8_t *page = ONE_OF(pages);

		if (p + 2 + page[1] > c->out + sizeof(c->out))
			break;
		p[0] = page[0];
		p[1] = page[1];
		p[2] = page[0] == 8 ? 4 * below(2) : page[0] == 1 ? 0x80 : 0;
		p += 2 + page[1];
	}
	c->out_len = (unsigned)(p - c->out);
}

static void unmap(struct fuzz_scsi *c)
{
	unsigned n = below(4);

	c->cdb[0] = 0x42;
	c->out_len = 8 + 16 * n;
	set_be(c->out, 2, c->out_len - 2);
	set_be(c->out + 2, 2, 16 * n);
	for (unsigned i = 0; i < n; i++) {
		set_be(c->out + 8 + 16 * i, 8, some_block());
		set_be(c->out + 16 + 16 * i, 4, below(9));
	}
}

static void write_same(struct fuzz_scsi *c)
{
	bool sixteen = one_in(2);

	c->cdb[0] = sixteen ? 0x93 : 0x41;
	c->cdb[1] = (uint8_t)(below(2) << 3 | (sixteen ? below(2) : 0));
	set_be(c->cdb + (sixteen ? 6 : 2), 4, some_block());
	set_be(c->cdb + (sixteen ? 12 : 7), 2, sixteen ? 0 : 1 + below(20));
	c->cdb[13] = sixteen ? (uint8_t)(1 + below(20)) : 0;
	c->out_len = 512;
}

static void move(struct fuzz_scsi *c)
{
	static const uint8_t ops[] = {0x08, 0x0a, 0x28, 0x2a, 0x2e, 0x2f, 0x35, 0x88,
				      0x8a, 0x8f, 0x91, 0xa8, 0xaa, 0xbe, 0xb9};
	uint8_t op = ONE_OF(ops);
	unsigned n = below(4);

	c->cdb[0] = op;
	if (op < 0x20) {
		set_be(c->cdb + 2, 2, some_block());
		c->cdb[4] = (uint8_t)n;
	} else if (op < 0x80) {
		c->cdb[1] = (uint8_t)below(2) << 3;
		set_be(c->cdb + 2, 4, some_block());
		c->cdb[8] = (uint8_t)n;
	} else if (op < 0xa0) {
		set_be(c->cdb + 2, 8, some_block());
		c->cdb[13] = (uint8_t)n;
	} else {
		set_be(c->cdb + 2, 4, some_block());
		c->cdb[op == 0xbe ? 8 : 9] = (uint8_t)n;
		c->cdb[op == 0xbe ? 9 : 10] = op == 0xbe ? (uint8_t)(below(32) << 3) : 0;
	}
	c->out_len = 512 * n;
}

static void other(struct fuzz_scsi *c)
{
	static const uint8_t ops[] = {0x00, 0x03, 0x1b, 0x1e, 0x25, 0x2b, 0x42, 0x43, 0x46,
				      0x4a, 0x51, 0x52, 0x9e, 0xa0, 0xa7, 0xad, 0xbb, 0xbd};

	c->cdb[0] = ONE_OF(ops);
	c->cdb[1] = (uint8_t)below(4);
	switch (c->cdb[0]) {
	case 0x1b: /* the tray */
	case 0x1e: /* and its lock */
		c->cdb[1] = 0;
		c->cdb[4] = (uint8_t)below(4);
		break;
	case 0x43:
		c->cdb[2] = (uint8_t)below(6);
		c->cdb[6] = (uint8_t)below(3);
		break;
	case 0x46:
	case 0x4a:
		c->cdb[3] = c->cdb[4] = (uint8_t)(one_in(2) ? 0x10 : 0);
		break;
	case 0x9e:
		c->cdb[1] = 0x10;
		break;
	case 0xad:
		c->cdb[7] = (uint8_t)below(6);
		break;
	}
}

void fuzz_scsi_command(struct fuzz_scsi *c)
{
	static void (*const makers[])(struct fuzz_scsi *) = {inquiry, mode,  unmap, write_same,
							     move,    other, move,  other};
	uint8_t op;

	memset(c, 0, sizeof(*c));
	ONE_OF(makers)(c);
	op = c->cdb[0];
	/* Where the length of what is moved goes in those that move bytes, not blocks. */
	if (op == 0x55 || op == 0x42)
		set_be(c->cdb + 7, 2, c->out_len ? c->out_len : below(256));
	else if (op == 0x15)
		c->cdb[4] = (uint8_t)c->out_len;
	else if (op == 0x12 || op == 0x03 || op == 0x1a)
		set_be(c->cdb + 3, 2, below(300));
	else if ((op >= 0x43 && op <= 0x5a) || op == 0xad)
		set_be(c->cdb + 7, 2, below(300));
	else if (op == 0x9e)
		c->cdb[13] = (uint8_t)below(40);
	else if (op == 0xa0 || op == 0xbd)
		c->cdb[9] = (uint8_t)below(40);
	if (one_in(16))
		c->cdb[below(sizeof(c->cdb))] = (uint8_t)value();
	if (one_in(16))
		c->out[below(64)] = (uint8_t)value();
	if (one_in(16))
		c->out_len = below(sizeof(c->out));
}

/* ---- ATA ---- */

void fuzz_ata_command(struct fuzz_ata *a)
{
	static const uint8_t any[] = {0x00, 0x06, 0x08, 0x10, 0x27, 0x2f, 0x40, 0x42,
				      0x47, 0x70, 0x90, 0x91, 0xa1, 0xb0, 0xc6, 0xe0,
				      0xe3, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf5, 0xf8};
	static const uint8_t moves[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35,
					0x39, 0x3d, 0xc4, 0xc5, 0xc8, 0xca, 0xce};
	static const uint8_t smart[] = {0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd8, 0xd9, 0xda};
	static const uint8_t features[] = {0x02, 0x03, 0x03, 0x03, 0x05, 0x42, 0x55,
					   0x66, 0x82, 0x85, 0xaa, 0xc2, 0xcc};
	static const uint8_t logs[] = {0x00, 0x03, 0x04, 0x10, 0x30};
	uint32_t lba = (uint32_t)some_block();

	*a = (struct fuzz_ata){.count = (uint8_t)below(4),
			       .low = (uint8_t)lba,
			       .mid = (uint8_t)(lba >> 8),
			       .device = 0x40};
	switch (below(8)) {
	case 0:
		a->command = 0xb0;
		a->feature = ONE_OF(smart);
		a->count = one_in(2) ? 0xf1 : 1;
		a->low = (uint8_t)below(8);
		a->mid = 0x4f;
		a->high = 0xc2;
		break;
	case 1:
		a->command = 0xef;
		a->feature = ONE_OF(features);
		a->count = (uint8_t)(below(10) << 3 | below(8));
		break;
	case 2:
		a->command = 0x06;
		a->feature = 1;
		break;
	case 3:
		a->command = one_in(2) ? 0x2f : 0x47;
		a->low = ONE_OF(logs);
		a->mid = (uint8_t)below(2);
		break;
	case 4:
		a->command = ONE_OF(any);
		break;
	default:
		a->command = ONE_OF(moves);
	}
	if (one_in(16))
		((uint8_t *)a)[below(sizeof(*a))] = (uint8_t)value();
}
