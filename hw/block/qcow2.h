/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The qcow2 format (docs/interop/qcow2.txt of QEMU), versions 2 and 3: what its files share.
 *
 * Locks, in order: `commit` (one at a time writes metadata out), a range of `busy` (guest bytes: shared
 * for access in place, exclusive while their mapping changes), `lock` (all else here; held for a look at
 * tables or a read of one, never while data moves or the host syncs).
 *
 * Crash safety rests on four rules. A cluster's refcount reaches the disk before any reference to it;
 * data reaches the disk before the L2 entry that points to it; a new L2 table before the L1 entry that
 * points to it; and a cluster is free (in memory, too) only once nothing on the disk refers to it.
 * qcow2_commit() keeps the order with syncs between the steps; docs/block.md has the argument.
 */
#ifndef HW_BLOCK_QCOW2_H
#define HW_BLOCK_QCOW2_H

#include <endian.h>
#include <pthread.h>

#include "hw/block/image.h"

#define QCOW2_MAGIC              0x514649fbu
#define QCOW2_MAX_L1             (32u << 20) /* bytes */
#define QCOW2_MAX_REFTABLE       (8u << 20)  /* bytes */
#define QCOW2_MAX_SNAPSHOTS      65536
#define QCOW2_MAX_SNAPSHOT_TABLE (64u << 20)
#define QCOW2_MAX_NAME           1023 /* of the backing file */

/* L1 and L2 entries */
#define ENTRY_COPIED     (1ull << 63)
#define ENTRY_COMPRESSED (1ull << 62)
#define ENTRY_ZERO       1ull
#define ENTRY_OFFSET     0x00fffffffffffe00ull
#define L1_RESERVED      0x7f000000000001ffull
#define L2_RESERVED      0x3f000000000001feull
#define REFT_OFFSET      0xfffffffffffffe00ull

/* incompatible features */
#define FEAT_DIRTY       1u
#define FEAT_CORRUPT     2u
#define FEAT_DATA_FILE   4u
#define FEAT_COMPRESSION 8u
#define FEAT_EXTENDED_L2 16u
/* compatible, autoclear */
#define FEAT_LAZY    1u
#define FEAT_BITMAPS 1u

/* The header's fields, by offset. */
enum {
	H_MAGIC = 0,
	H_VERSION = 4,
	H_BACKING_OFFSET = 8,
	H_BACKING_SIZE = 16,
	H_CLUSTER_BITS = 20,
	H_SIZE = 24,
	H_CRYPT = 32,
	H_L1_SIZE = 36,
	H_L1_OFFSET = 40,
	H_REFT_OFFSET = 48,
	H_REFT_CLUSTERS = 56,
	H_NR_SNAPSHOTS = 60,
	H_SNAPSHOTS_OFFSET = 64,
	H_INCOMPAT = 72,
	H_COMPAT = 80,
	H_AUTOCLEAR = 88,
	H_REFCOUNT_ORDER = 96,
	H_LENGTH = 100,
	H_COMPRESSION = 104,
	H_V2_LENGTH = 72,
	H_V3_LENGTH = 104,
};

enum {
	EXT_END = 0,
	EXT_BACKING_FORMAT = 0xe2792aca,
	EXT_FEATURES = 0x6803f857,
	EXT_BITMAPS = 0x23852875,
	EXT_CRYPTO = 0x0537be77,
	EXT_DATA_FILE = 0x44415441
};

static inline uint64_t get_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return be64toh(v);
}

static inline uint32_t get_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline uint16_t get_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return be16toh(v);
}

static inline void put_be64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
}

static inline void put_be32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

static inline void put_be16(void *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, 2);
}

/* ---- tables in memory: qcow2_cache.c ---- */

/* One cluster of the file: an L2 table or a refcount block, as on the disk. */
struct table {
	struct table *next;            /* of the same hash */
	uint64_t offset;               /* in the file */
	uint64_t used;                 /* when, for who is evicted first */
	uint32_t dirty_from, dirty_to; /* bytes to be written; none when equal */
	bool pinned;                   /* being written from a copy */
	uint8_t data[];
};

struct table_cache {
	struct table **hash;
	unsigned mask, nr, max, nr_dirty;
	uint64_t clock;
};

struct qcow2_snapshot {
	struct image_snapshot info;
	uint64_t l1_offset;
	uint32_t l1_size;
	uint8_t *extra; /* past what we know */
	uint32_t extra_size;
};

struct host_range {
	uint64_t offset, clusters;
};

struct qcow2 {
	pthread_mutex_t lock, commit;
	struct range_locks busy;

	/* the header */
	unsigned version, cluster_bits, refcount_order, header_length, compression;
	uint64_t cluster_size, incompat, compat, autoclear;
	uint64_t l1_offset, reft_offset;
	uint32_t l1_size, reft_clusters; /* l1_size in entries */
	uint64_t snapshots_offset, snapshots_bytes;
	uint8_t *extensions; /* those that we keep as they are */
	size_t extensions_len;
	bool has_bitmaps;

	unsigned l2_bits;       /* log2 of the entries of an L2 table */
	unsigned refblock_bits; /* log2 of the entries of a refcount block */
	uint64_t *l1;           /* in the host's order */
	uint32_t l1_dirty_from, l1_dirty_to;
	uint64_t *reft;
	uint32_t reft_size; /* entries */
	struct table_cache l2, refblocks;
	uint64_t *meta; /* sorted: offsets of L2 tables and refcount blocks */
	size_t nr_meta, max_meta;

	uint64_t hint;              /* clusters before it are in use */
	uint64_t fresh;             /* clusters from it on were never written */
	struct host_range *pending; /* freed once the disk does not refer to them any more */
	size_t nr_pending, max_pending;
	uint64_t zip_offset; /* where the next compressed cluster may go; 0: nowhere */

	struct qcow2_snapshot *snapshots;
	unsigned nr_snapshots;
	bool discard, check_only, broken;
	bool committing;   /* what is not dirty may still be on its way to the disk */
	char problem[256]; /* why broken */
};

static inline struct qcow2 *qcow2_of(const struct image *img)
{
	return img->state;
}

static inline uint64_t cluster_down(const struct qcow2 *q, uint64_t offset)
{
	return offset & ~(q->cluster_size - 1);
}

static inline uint64_t cluster_up(const struct qcow2 *q, uint64_t offset)
{
	return (offset + q->cluster_size - 1) & ~(q->cluster_size - 1);
}

/* Entries of the L1 table for a disk of that many bytes. */
static inline uint64_t l1_entries(const struct qcow2 *q, uint64_t size)
{
	unsigned shift = q->cluster_bits + q->l2_bits;

	return (size >> shift) + ((size & ((1ull << shift) - 1)) != 0);
}

int cache_init(struct table_cache *c, unsigned max);
void cache_fini(struct table_cache *c);
/* NULL: not there. */
struct table *cache_find(struct table_cache *c, uint64_t offset);
/* A table for offset, which is not there, with its contents read or zeroed. May let another go, which is
 * written first by `write`, or, with NULL, only if it is clean. */
int cache_get(struct image *img, struct table_cache *c, uint64_t offset, bool read, bool may_write,
	      struct table **out);
void cache_drop(struct table_cache *c, uint64_t offset);
void cache_dirty(struct table_cache *c, struct table *t, uint32_t from, uint32_t to);
/* Writes what is dirty of t, or of all. */
int cache_write(struct image *img, struct table_cache *c, struct table *t);
int cache_write_all(struct image *img, struct table_cache *c);

/* ---- qcow2.c ---- */

/* Writes out everything dirty in any order, for an image that is marked dirty. */
int qcow2_write_caches(struct image *img);
void qcow2_drop_caches(struct image *img);
/* Finds the offsets of all L2 tables and refcount blocks anew. */
int qcow2_collect_meta(struct image *img);

/* ---- qcow2_header.c ---- */

int qcow2_read_header(struct image *img, unsigned flags, char *err, size_t errlen);
/* Writes the whole header anew: features, backing file, extensions. */
int qcow2_write_header(struct image *img);
/* Sets the incompatible features on the disk, and syncs. */
int qcow2_set_incompat(struct image *img, uint64_t features);
/* The image is corrupt, as the message says: marks it and lets nobody write any more. -EIO. */
int qcow2_corrupt(struct image *img, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- qcow2_refcount.c; lock held ---- */

int qcow2_get_refcount(struct image *img, uint64_t cluster, uint64_t *out);
/* Adds to the refcounts of n clusters. */
int qcow2_add_refcount(struct image *img, uint64_t offset, uint64_t clusters, int64_t add);
/* Makes sure that there is a block for a cluster. */
int qcow2_want_refblock(struct image *img, uint64_t cluster);
/* Offsets of metadata, which data may not overlap. */
int qcow2_add_meta(struct qcow2 *q, uint64_t offset);
void qcow2_drop_meta(struct qcow2 *q, uint64_t offset);
/* Whether [offset, offset + len) has any. */
bool qcow2_is_meta(const struct qcow2 *q, uint64_t offset, uint64_t len);
uint64_t qcow2_refcount_at(const struct qcow2 *q, const uint8_t *block, uint64_t index);
void qcow2_refcount_put(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t value);

/* ---- qcow2_alloc.c; lock held ---- */

/* Up to `want` clusters in a row, at least one: *got of them. *fresh: they are zeroes on the disk. */
int qcow2_alloc(struct image *img, uint64_t want, uint64_t *offset, uint64_t *got, bool *fresh);
/* Exactly n in a row. */
int qcow2_alloc_run(struct image *img, uint64_t n, uint64_t *offset);
/* Clusters that only memory refers to, at once. */
void qcow2_free_now(struct image *img, uint64_t offset, uint64_t clusters);
/* Clusters that the disk may refer to: after the next commit. */
void qcow2_free_later(struct image *img, uint64_t offset, uint64_t clusters);
/* What an L2 entry refers to. */
void qcow2_free_entry(struct image *img, uint64_t entry);
/* Bytes of a compressed cluster in the file. */
void qcow2_zip_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *len);

/* ---- qcow2_table.c; lock held ---- */

enum cluster_kind { CLUSTER_NONE, CLUSTER_ZERO, CLUSTER_ZERO_ALLOC, CLUSTER_DATA, CLUSTER_ZIPPED };

struct run {
	enum cluster_kind kind;
	bool copied;    /* may be written in place */
	uint64_t host;  /* of the first byte, for DATA and ZERO_ALLOC */
	uint64_t entry; /* of the first cluster */
	uint64_t len;   /* bytes that are alike, at least 1 */
};

/* The mapping of guest bytes; cached: only from memory, -EAGAIN otherwise. */
int qcow2_lookup(struct image *img, uint64_t offset, uint64_t len, bool cached, struct run *out);
/* The L2 table of an offset, to be changed: made or copied where needed. */
int qcow2_l2_for_write(struct image *img, uint64_t offset, struct table **out);
int qcow2_load_l2(struct image *img, uint64_t l2_offset, struct table **out);
/* Sets n entries from offset's on; the old ones' clusters are freed later. */
void qcow2_set_entries(struct image *img, struct table *t, uint64_t offset, uint64_t n,
		       uint64_t entry, bool advance);
int qcow2_grow_l1(struct image *img, uint64_t entries);
/* Writes n entries of an L1 table. */
int qcow2_write_l1(struct image *img, uint64_t offset, const uint64_t *l1, uint32_t from,
		   uint32_t to);
int qcow2_read_l1(struct image *img, uint64_t offset, uint32_t entries, uint64_t **out);

/* ---- qcow2_commit.c; no lock held ---- */

/* Brings all metadata to the disk, and data before it; then it is safe. */
int qcow2_commit(struct image *img);
/* The same where `commit` is held already. */
int qcow2_commit_held(struct image *img);

/* ---- qcow2_io.c ---- */

int qcow2_readv(struct image *img, uint64_t offset, struct iovs *v, uint64_t len);
int qcow2_writev(struct image *img, uint64_t offset, struct iovs *v, uint64_t len);
int qcow2_zero(struct image *img, uint64_t offset, uint64_t len, bool unmap);
/* The machine's state, which lies past the disk's end. */
int qcow2_zero_past(struct image *img, uint64_t offset, uint64_t len);
int qcow2_discard(struct image *img, uint64_t offset, uint64_t len);
int qcow2_extent(struct image *img, uint64_t offset, uint64_t len, struct extent *out);
bool qcow2_map(struct image *img, uint64_t offset, uint64_t len, bool write, struct range_lock *r,
	       uint64_t *host);
void qcow2_unmap(struct image *img, struct range_lock *r);
bool qcow2_clean(struct image *img);

/* ---- qcow2_zip.c ---- */

/* out: a cluster. */
int qcow2_unzip(const struct qcow2 *q, const void *in, size_t len, void *out);
/* Writes one whole cluster (the last may be shorter than one) compressed, if that is shorter; else as it
 * is. */
int qcow2_write_zipped(struct image *img, uint64_t offset, const void *buf, size_t len);

/* ---- qcow2_snapshot_table.c ---- */

int qcow2_read_snapshots(struct image *img, char *err, size_t errlen);
/* A new table of n snapshots, and the header that says so. The old one is freed later. Lock held. */
int qcow2_write_snapshots(struct image *img, const struct qcow2_snapshot *list, unsigned n);
/* What s refers to. */
void qcow2_free_snapshot(struct qcow2_snapshot *s);
void qcow2_free_snapshots(struct qcow2 *q);

/* ---- qcow2_tree.c; lock held ---- */

/* Adds to the counts of all that an L1 table of n entries refers to. */
int qcow2_count_tree(struct image *img, const uint64_t *l1, uint32_t n, int add);
/* Puts the flags of the active tables right. Drops the lock and takes it again. */
int qcow2_flag_tree(struct image *img);

/* ---- qcow2_check.c ---- */

struct qcow2_check {
	uint64_t corruptions, leaks, errors;
	uint64_t fixed_corruptions, fixed_leaks;
	uint64_t allocated, total, compressed, fragmented; /* clusters */
	uint64_t end_offset;
	void (*report)(void *opaque, const char *line); /* each finding; may be NULL */
	void *opaque;
};
enum { CHECK_FIX_LEAKS = 1, CHECK_FIX_ERRORS = 2 };
/* The image is the caller's alone. 0 if it could be checked. */
int qcow2_check(struct image *img, unsigned fix, struct qcow2_check *c);

#endif
