/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Devices against drivers that lie. A device under test is one row in a table: it is made once in a small
 * world, and then plays rounds, in which all that a driver might choose comes from an input: from libFuzzer,
 * from a file, or at random. Nothing may crash, hang, or stay in flight; run it under sanitizers.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/block/block.h"
#include "hw/clock.h"
#include "hw/pci.h"
#include "hw/storage/drive_bus.h"
#include "mmu/aspace.h"

#define FUZZ_RAM  0x100000u
#define FUZZ_DISK 0x100000u
#define STRUCTS   0x10000u /* rings, tables and lists are below this, data above */

struct fuzz_device {
	const char *name;
	void (*init)(void);  /* makes the device, tells of its state by fuzz_add() */
	void (*reset)(void); /* to what it was after init(); NULL: device_reset() of all */
	void (*round)(void); /* what a driver does in one go, with values from next() */
	void (*fini)(void);
	const void *what; /* for init(), which finds it in the world */
};

/* Each ends with a NULL name. A table more: one line in fuzz.c. */
extern const struct fuzz_device fuzz_disks[], fuzz_board[], fuzz_usb[], fuzz_nics[], fuzz_net[],
    fuzz_virtio[], fuzz_9p[], fuzz_raw[], fuzz_sound[], fuzz_vsock[], fuzz_pci[], fuzz_state[];

/* How many types of -device have no row, each named. */
unsigned fuzz_types_missing(bool (*there_is)(const char *row));

/* What init() finds, and may replace by its own. */
struct fuzz_world {
	struct aspace *mem, *io;
	struct ram *ram;     /* FUZZ_RAM bytes at 0 */
	struct clock *clock; /* manual */
	struct pci_bus pci;
	struct block *disk, *cd; /* of FUZZ_DISK bytes */
	struct drive_bus *buses;
	struct device *devices;
	const void *what;
	void (*load_hook)(void *board); /* as of struct machine */
	void *board;
};
extern struct fuzz_world world;

/* Time passes, at least until `ns` from now. The first timers that are due fire at their times; those of a driver that
 * has asked for more are late, as on a busy host. */
void fuzz_step(uint64_t ns);

/* The device's state: what is reset between inputs, and loaded with malice. */
void fuzz_add(struct device *dev);

/* From the input; 0 once it has ended. */
uint64_t next(void);
unsigned below(unsigned n);
static inline bool one_in(unsigned n)
{
	return below(n) == 0;
}
/* A value that may mean something: an address, a length, a bit, or noise. */
uint64_t value(void);

/* The guest's accesses. */
static inline void put(uint64_t a, uint64_t v, unsigned size)
{
	aspace_write(world.mem, a, v, size);
}
static inline void out(unsigned port, uint64_t v, unsigned size)
{
	aspace_write(world.io, port, v, size);
}
/* Writes n values somewhere below STRUCTS. */
void noise(unsigned n);

/* Puts f into slot 2 and adds it; fuzz_pci_start() assigns its BARs and lets it be a bus master, as after every
 * reset. */
void fuzz_pci_add(struct pci_func *f);
void fuzz_pci_start(void);
uint64_t bar(struct pci_func *f, unsigned n);
/* What any driver may do at any time with a PCI device. */
void any_access(struct pci_func *f);

struct pc;
struct pc_board;
/* A whole machine, whose vCPUs rest, becomes the world; and a device of it, with properties "NAME=VALUE,...". */
struct pc *fuzz_pc_new(const struct pc_board *board);
void fuzz_pc_add(struct pc *pc, const char *type, const char *props);
/* For reset(), at its end. */
void fuzz_pc_reset(struct pc *pc);

struct virtio_pci;
/* What a virtio driver may do with a queue, modern and packed or split: chains of a head of head_len (64 at most)
 * bytes that head(), which may be NULL, writes to guest memory, and of other buffers. */
void fuzz_virtio_round(struct virtio_pci *v, unsigned queue, unsigned head_len,
		       void (*head)(uint64_t at));

/* Buffers of a request: two to the device, two from it, those of length 0 left out. The first one is written at
 * the address that make() gets; the second lies at `out`. */
struct fuzz_chain {
	unsigned len[4];
	uint64_t out;
};
/* As fuzz_virtio_round(), with make(), which may change what c holds. */
void fuzz_virtio_chains(struct virtio_pci *v, unsigned queue,
			void (*make)(uint64_t at, struct fuzz_chain *c));

/* More of them to the queue that was started last. */
void fuzz_virtio_more(struct virtio_pci *v, unsigned queue,
		      void (*make)(uint64_t at, struct fuzz_chain *c));

/* A command, and what is sent along with it: out_len is at most sizeof(out). */
struct fuzz_scsi {
	uint8_t cdb[16], out[2048];
	unsigned out_len;
};
void fuzz_scsi_command(struct fuzz_scsi *c);
/* What goes into the registers of an ATA drive. */
struct fuzz_ata {
	uint8_t feature, count, low, mid, high, device, command;
};
void fuzz_ata_command(struct fuzz_ata *a);

/* Until no request is in flight. */
void drain(void);
/* What happens to media: the CD goes or comes, the disk grows or shrinks, or the host cannot read and write it. */
void fuzz_media(void);

#endif
