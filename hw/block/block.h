/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A disk, CD-ROM or floppy as its controller sees it: bytes at offsets, asked for in requests that
 * end later. What holds the bytes (a raw file, a qcow2 chain, a temporary overlay), how it is cached
 * and which threads do the work stays behind this header.
 *
 * Threads. Every function is called with the machine lock held, on any thread, and none waits but
 * those that say so. A request's done() is called with the machine lock held: on the main loop's
 * thread, or on the calling thread from within block_unplug() and the functions that say that they wait. It
 * is never called from within block_submit(), so a controller's state is what it was before the call. In
 * done() everything may be called that does not wait.
 *
 * Requests. The caller owns the request, usually embedded in what it keeps for a command; request,
 * iovec array and memory stay untouched and in place from block_submit() until done() is entered, which
 * may free or submit them again. The memory is guest RAM (a pointer from the address space) or a buffer
 * of the controller; it needs no alignment. Every request ends in exactly one done(), in no particular
 * order. Requests in flight at the same time that overlap have no order either: as on a real disk,
 * the guest waits for one before it sends the other. A guest may change a buffer that is being written;
 * what reaches the disk is then some mix, and nothing worse happens.
 *
 * Durability. A finished WRITE, DISCARD or WRITE_ZEROES is seen by every later READ. It survives a crash
 * of the emulator or of the host once a FLUSH submitted after its done() has ended with 0, or, with
 * BLOCK_FUA, once its own done() gave 0. While the write cache is off (block_set_write_cache(), or
 * cache=writethrough|directsync) every write is as if it had BLOCK_FUA. With cache=unsafe a FLUSH does
 * nothing. A FLUSH does not wait for requests in flight; the guest did not ask it to.
 *
 * Errors. ret in done() is 0 or -errno, and is what the guest should see: the user's policy (rerror=,
 * werror=) has been followed already. Where it says to ignore, ret is 0; where it says to stop the
 * guest (by default a write that meets a full host disk), the request is held, block_env.stop is called,
 * and the request is tried again by block_resume() when the user continues. A controller needs no code
 * for that. Codes: -EINVAL range or alignment (the controller refused it already, with its own status),
 * -EROFS, -ENOMEDIUM, -ENOTSUP, -ENOSPC, -ECANCELED (held, and dropped by block_drain()), -EIO and the
 * host's others. A failed WRITE may have been done in part.
 *
 * Reset. A controller's reset calls block_drain(): afterwards no request of that disk is in flight and
 * nothing writes to guest memory any more. Every done() has been called; those of the requests that a
 * reset throws away are best told apart by a flag that reset sets before it drains.
 *
 * Batches. Between block_plug() and block_unplug() requests are only collected; block_unplug() hands them
 * to the host in one system call, and then calls done() for those that have ended already. A controller
 * that takes several commands per doorbell, or that wants the shortest way for one, uses the pair:
 * with it a read of something in the host's cache takes no detour through the main loop.
 */
#ifndef HW_BLOCK_BLOCK_H
#define HW_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "hw/block/limits.h"
#include "hw/block/pool.h"
#include "hw/block/ranges.h"

struct block;
struct clock;
struct loop;

/* Offsets, lengths and sizes are multiples of this; the guest's own sector size may be larger. */
#define BLOCK_SECTOR 512

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,
	BLOCK_DISCARD, /* contents become undefined (zeroes, or what they were); may do nothing */
	BLOCK_WRITE_ZEROES, /* reads as zeroes afterwards, whatever it takes */
};

enum block_flag {
	BLOCK_FUA = 1 << 0,       /* WRITE, WRITE_ZEROES: durable when done */
	BLOCK_MAY_UNMAP = 1 << 1, /* WRITE_ZEROES: host space may be given back */
};

struct block_req {
	enum block_op op;
	unsigned flags;
	uint64_t offset, len;    /* bytes; not for FLUSH */
	const struct iovec *iov; /* READ, WRITE: exactly len bytes in all; NULL otherwise */
	unsigned nr_iov;
	void (*done)(struct block_req *req, int ret);
	void *opaque; /* the caller's */

	/* The block layer's own, from submit to done. */
	struct block *block;
	struct block_req *next;
	int ret;
	uint64_t started; /* ns, for the statistics */
	struct pool_job job;
	struct range_lock range;
	unsigned way;
	bool sync; /* as BLOCK_FUA */
};

/* ---- what a controller calls ---- */

void block_submit(struct block *b, struct block_req *req);
/* May nest. */
void block_plug(struct block *b);
void block_unplug(struct block *b);
/* Waits until no request is in flight (for as long as the host's disk needs). Requests
 * held by the error policy end with -ECANCELED. */
void block_drain(struct block *b);
/* The same, but held requests stay held: for pausing the whole machine. */
void block_quiesce(struct block *b);
/* Reads at once, and waits for it: for partition tables, firmware volumes and the like, before the guest runs.
 * 0 or -errno. */
int block_read_now(struct block *b, uint64_t offset, void *buf, size_t len);

/* The user's name of it: the id of -drive, or what QEMU would call it ("ide0-hd0"). Never NULL. */
const char *block_name(const struct block *b);
/* Whether there is a medium. A disk always has one; a CD-ROM or floppy drive may have none. */
bool block_present(const struct block *b);
/* Bytes, a multiple of BLOCK_SECTOR; 0 without a medium. The last sector of an image with an odd size
 * is padded with zeroes (writes past the image's end make it longer). */
uint64_t block_size(const struct block *b);
bool block_read_only(const struct block *b);
/* Whether its medium may come and go: a CD-ROM or floppy drive. */
bool block_removable(const struct block *b);
/* The write cache as the guest may see and change it (ATA SET FEATURES, virtio-blk, NVMe VWC). */
bool block_write_cache(const struct block *b);
void block_set_write_cache(struct block *b, bool on);
/* Whether DISCARD does anything (discard=unmap); if not, a controller need not offer it. */
bool block_can_discard(const struct block *b);
/* Bytes that DISCARD gives back at least: smaller or unaligned ends of a range are kept. */
uint32_t block_discard_granularity(const struct block *b);

/* ---- media that come and go ---- */

/* What the controller is told; any may be NULL. */
struct block_user {
	/* A medium came or went, or its size changed; block_present(), block_size() and
	 * block_read_only() are the new ones already. No request of the old medium is in flight. */
	void (*changed)(void *opaque);
	/* The user wants the medium, but the guest has locked it: tell the guest by its eject button. */
	void (*eject_request)(void *opaque);
};
/* One controller per disk. user NULL: detaches; waits as block_drain(). 0, or -EBUSY if it has one. */
int block_attach(struct block *b, const struct block_user *user, void *opaque);
/* The guest locks the medium in (PREVENT ALLOW MEDIUM REMOVAL) and moves the tray (START STOP UNIT). A
 * drive that does neither, as a floppy, calls neither. Both are off after block_open(); a controller's
 * reset unlocks. */
void block_lock_medium(struct block *b, bool locked);
void block_open_tray(struct block *b, bool open);
bool block_tray_is_open(const struct block *b);
bool block_is_locked(const struct block *b);

/* ---- what the board, the front end and the monitor call ---- */

enum block_error_policy { POLICY_REPORT, POLICY_IGNORE, POLICY_STOP, POLICY_ENOSPC };
enum block_aio { AIO_AUTO, AIO_THREADS, AIO_NATIVE, AIO_URING };

/* What becomes of writes of nothing but zeroes. */
enum block_detect { DETECT_OFF, DETECT_ON, DETECT_UNMAP };

/* Drives that share one set of limits, that of whoever has set it last; each has its turn. Lives longer than its
 * members. NULL without memory. */
struct limit_group;
struct limit_group *limit_group_new(const char *name);
void limit_group_free(struct limit_group *g);

struct block_options {
	const char *name;   /* copied */
	const char *file;   /* path; NULL: a drive without a medium */
	const char *format; /* "raw", "qcow2", NULL: found out by looking */
	bool read_only;
	bool snapshot; /* writes go to a temporary overlay, lost at block_close() */
	bool removable;
	/* cache=: writeback is none of them set; none: direct; unsafe: no_flush; directsync: direct and
	 * writethrough. */
	bool direct, no_flush, writethrough;
	bool discard; /* discard=unmap */
	enum block_detect detect_zeroes;
	bool no_lock; /* file.locking=off */
	enum block_aio aio;
	enum block_error_policy rerror, werror; /* QEMU's defaults: report, enospc */
	struct limit_config limits;             /* passed limits_check() */
	struct limit_group *group;              /* shares its limits; NULL: with nobody */
};

/* Where a disk lives; borrowed until block_close(). */
struct block_env {
	struct loop
	    *loop; /* NULL: without a guest; only block_drain() and block_unplug() end requests */
	/* What limits go by; NULL: there are none, whatever is set. */
	struct clock *clock;
	/* A request was held: pause the guest and show the message (one line, the remedy in it). Called
	 * with the machine lock held, on any thread; must not wait for the vCPUs. May be NULL: then the
	 * policies that stop report instead. */
	void (*stop)(void *opaque, struct block *b, const char *message);
	/* The tray has moved, by whomever. Machine lock held. May be NULL. */
	void (*tray)(void *opaque, struct block *b, bool open);
	void *opaque;
};

/* Opens the image with its backing chain and locks it. 0, or -errno and one line in err. Waits. */
int block_open(struct block **out, const struct block_options *o, const struct block_env *env,
	       char *err, size_t errlen);
/* Drains, flushes, closes. The controller has gone, or will not be called again. Waits. The first
 * failure to write what was still in memory. */
int block_close(struct block *b);
/* The main loop goes before the disk: as block_env.loop NULL from now on. Waits as block_quiesce(). */
void block_leave_loop(struct block *b);
/* Tries the held requests again: the guest continues. Does not wait. */
void block_resume(struct block *b);
/* Limits on reads, writes and zeroes from now on, which passed limits_check(). A request that comes too early
 * waits, in the order of its kind (reads, or what writes), and counts as in flight meanwhile. Whoever waits for requests
 * (block_drain(), block_quiesce()) lets all of them go at once; they count against what comes later. */
void block_set_limits(struct block *b, const struct limit_config *c);
const struct limit_config *block_limits(const struct block *b);
/* The group's name; a drive of its own has its own name. */
const char *block_limit_group(const struct block *b);
/* How many requests the limits hold back now. */
unsigned block_waiting(const struct block *b);
/* How many are held: the machine's state cannot be saved while there are any. */
unsigned block_held(const struct block *b);
/* Writes out all caches and waits for it. 0 or -errno. */
int block_flush_now(struct block *b);
/* The monitor's eject and change, which wait. Without force, a locked medium stays: -EBUSY, and the guest is
 * asked for it. -ENOTSUP for a drive that is not removable. One line in err. */
int block_eject(struct block *b, bool force, char *err, size_t errlen);
/* What a new medium is for: as the one before, not to be written, or to be written itself, even where the drive
 * has snapshot=on. */
enum block_access { BLOCK_RETAIN, BLOCK_READ_ONLY, BLOCK_READ_WRITE };
/* Another file, with the drive's own options but for what is said here; format as in block_options. If it
 * cannot be opened, the old medium stays. */
int block_change(struct block *b, const char *file, const char *format, enum block_access access,
		 bool force, char *err, size_t errlen);
/* Brings what the image has to its backing file, for `commit`: then it has nothing of its own. The backing file
 * stays open for writing. Waits. 0, or -errno and one line in err. */
int block_commit(struct block *b, char *err, size_t errlen);
/* Makes the disk longer or shorter; the guest is told. Waits. 0, or -errno and one line in err. */
int block_resize(struct block *b, uint64_t size, char *err, size_t errlen);

struct block_stats {
	uint64_t ops[5], bytes[5], failed[5], ns[5];   /* by enum block_op */
	uint64_t inline_done, uring_done, thread_done; /* by the way they took */
};
void block_stats(const struct block *b, struct block_stats *out);
/* What becomes of errors from now on. */
void block_set_policies(struct block *b, enum block_error_policy rerror,
			enum block_error_policy werror);
/* As it was opened, or changed since; the strings are NULL. */
const struct block_options *block_options(const struct block *b);
/* The file as the user named it, or NULL without a medium; and its format. */
const char *block_file(const struct block *b);
const char *block_format(const struct block *b);
struct image;
/* The format's side of the medium, for snapshots and `info block` (hw/block/image.h). Borrowed; NULL
 * without a medium. */
struct image *block_image(struct block *b);

#endif
