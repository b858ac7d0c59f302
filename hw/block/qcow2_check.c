/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checking a qcow2 image: counts what everything in it refers to and compares with its refcounts and
 * "copied" flags. Repair writes new refcount tables past the end of the file and switches to them with
 * one write, so that a crash leaves the old ones or the new.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hw/block/qcow2.h"

/* Clusters of a file that can be checked, and L2 tables looked at: more is no honest image. */
#define MAX_CLUSTERS (1ull << 30)
#define MAX_TABLES   (4u << 20)

struct check {
	struct image *img;
	struct qcow2 *q;
	struct qcow2_check *c;
	uint32_t *counts; /* references, by cluster */
	uint64_t n;       /* clusters of the file */
	uint64_t tables;
	uint64_t frag_next;
};

static void report(struct check *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void report(struct check *k, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	if (!k->c->report)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	k->c->report(k->c->opaque, line);
}

/* Counts a reference to [offset, offset + len). */
static void count(struct check *k, uint64_t offset, uint64_t len)
{
	uint64_t first = offset >> k->q->cluster_bits;
	uint64_t last = (offset + len - 1) >> k->q->cluster_bits;

	for (uint64_t i = first; len && i <= last; i++) {
		if (i > k->n) {
			report(k,
			       "ERROR: counting reference for region exceeding the end of the "
			       "file by one cluster or more: offset 0x%llx size 0x%llx",
			       (unsigned long long)offset, (unsigned long long)len);
			k->c->corruptions++;
			return;
		}
		if (k->counts[i] < UINT32_MAX)
			k->counts[i]++;
	}
}

static void count_entry(struct check *k, uint64_t entry, bool active)
{
	struct qcow2 *q = k->q;
	uint64_t offset = entry & ENTRY_OFFSET, len;

	if (entry & ENTRY_COMPRESSED) {
		qcow2_zip_range(q, entry, &offset, &len);
		if (entry & ENTRY_COPIED) {
			report(k,
			       "ERROR: coffset=0x%llx: copied flag must never be set for "
			       "compressed clusters",
			       (unsigned long long)(entry >> 1 << 1));
			k->c->corruptions++;
		}
		count(k, offset, len);
		if (active) {
			k->c->allocated++;
			k->c->compressed++;
			k->c->fragmented++;
		}
		return;
	}
	if (!offset)
		return;
	if (offset & (q->cluster_size - 1)) {
		report(k,
		       "ERROR offset=%llx: Data cluster is not properly aligned; L2 entry "
		       "corrupted.",
		       (unsigned long long)offset);
		k->c->corruptions++;
		return;
	}
	count(k, offset, q->cluster_size);
	if (!active)
		return;
	k->c->allocated++;
	if (k->frag_next && k->frag_next != offset)
		k->c->fragmented++;
	k->frag_next = offset + q->cluster_size;
}

static int count_l1(struct check *k, uint64_t offset, uint32_t entries, bool active)
{
	struct qcow2 *q = k->q;
	uint8_t *l2 = malloc(q->cluster_size);
	uint64_t *l1 = NULL;
	int r = l2 ? qcow2_read_l1(k->img, offset, entries, &l1) : -ENOMEM;

	if (r == 0 && entries)
		count(k, offset, entries * 8ull);
	for (uint32_t i = 0; i < entries && r == 0; i++) {
		uint64_t at = l1[i] & ENTRY_OFFSET;

		if (!at)
			continue;
		if (at & (q->cluster_size - 1)) {
			report(k,
			       "ERROR l2_offset=%llx: Table is not cluster aligned; L1 entry "
			       "corrupted",
			       (unsigned long long)at);
			k->c->corruptions++;
			continue;
		}
		if (++k->tables > MAX_TABLES) {
			r = -EFBIG;
			break;
		}
		count(k, at, q->cluster_size);
		r = bfile_read(k->img->file, at, l2, q->cluster_size);
		for (uint64_t n = 0; n < 1ull << q->l2_bits && r == 0; n++)
			count_entry(k, get_be64(l2 + n * 8), active);
	}
	free(l1);
	free(l2);
	return r;
}

/* Refcounts' own clusters: part of what is in use, or not where they are to be replaced. */
static void count_refcounts(struct check *k)
{
	struct qcow2 *q = k->q;

	count(k, q->reft_offset, q->reft_clusters * q->cluster_size);
	for (uint32_t i = 0; i < q->reft_size; i++) {
		uint64_t at = q->reft[i] & REFT_OFFSET;

		if (!at)
			continue;
		if ((at & (q->cluster_size - 1)) || at >> q->cluster_bits >= k->n) {
			report(k, "ERROR refcount block %u is %s", i,
			       at & (q->cluster_size - 1) ? "not cluster aligned; refcount table "
							    "entry corrupted"
							  : "outside image");
			k->c->corruptions++;
			continue;
		}
		count(k, at, q->cluster_size);
		if (k->counts[at >> q->cluster_bits] != 1) {
			report(k, "ERROR refcount block %u refcount=%u", i,
			       k->counts[at >> q->cluster_bits]);
			k->c->corruptions++;
		}
	}
}

/* All but the refcounts themselves. */
static int count_all(struct check *k)
{
	struct qcow2 *q = k->q;
	int r;

	count(k, 0, q->cluster_size);
	r = count_l1(k, q->l1_offset, q->l1_size, true);
	for (unsigned i = 0; i < q->nr_snapshots && r == 0; i++)
		r = count_l1(k, q->snapshots[i].l1_offset, q->snapshots[i].l1_size, false);
	if (q->nr_snapshots)
		count(k, q->snapshots_offset, q->snapshots_bytes);
	return r;
}

static int stored_count(struct check *k, uint64_t cluster, uint64_t *out)
{
	struct qcow2 *q = k->q;
	uint64_t index = cluster >> q->refblock_bits, at;

	*out = 0;
	if (index >= q->reft_size)
		return 0;
	at = q->reft[index] & REFT_OFFSET;
	/* Already complained about. */
	if ((at & (q->cluster_size - 1)) || at >> q->cluster_bits >= k->n)
		return 0;
	return qcow2_get_refcount(k->img, cluster, out);
}

static int compare(struct check *k, uint64_t *leaks, uint64_t *errors)
{
	*leaks = *errors = 0;
	for (uint64_t i = 0; i <= k->n; i++) {
		uint64_t stored;
		int r = stored_count(k, i, &stored);

		if (r < 0)
			return r;
		if (stored || k->counts[i])
			k->c->end_offset = (i + 1) << k->q->cluster_bits;
		if (stored == k->counts[i])
			continue;
		if (stored > k->counts[i])
			++*leaks;
		else
			++*errors;
		report(k, "%s cluster %llu refcount=%llu reference=%u",
		       stored > k->counts[i] ? "Leaked" : "ERROR", (unsigned long long)i,
		       (unsigned long long)stored, k->counts[i]);
	}
	return 0;
}

/* ---- the "copied" flags of the active tables ---- */

/* By what is stored; while mending, by what was counted. */
static bool flag_is_wrong(struct check *k, uint64_t *entry, bool fix)
{
	uint64_t offset = *entry & ENTRY_OFFSET, stored;

	if ((*entry & ENTRY_COMPRESSED) || !offset || (offset & (k->q->cluster_size - 1)) ||
	    offset >> k->q->cluster_bits > k->n)
		return false;
	if (fix)
		stored = k->counts[offset >> k->q->cluster_bits];
	else if (stored_count(k, offset >> k->q->cluster_bits, &stored) < 0)
		return false;
	if ((stored == 1) == !!(*entry & ENTRY_COPIED))
		return false;
	*entry ^= ENTRY_COPIED;
	return true;
}

static int check_l2_flags(struct check *k, uint64_t at, bool fix, uint64_t *wrong, uint8_t *l2)
{
	struct qcow2 *q = k->q;
	bool changed = false;
	int r = bfile_read(k->img->file, at, l2, q->cluster_size);

	for (uint64_t n = 0; n < 1ull << q->l2_bits && r == 0; n++) {
		uint64_t entry = get_be64(l2 + n * 8), old = entry;

		if (!flag_is_wrong(k, &entry, fix))
			continue;
		++*wrong;
		changed = true;
		put_be64(l2 + n * 8, entry);
		if (!fix)
			report(k, "ERROR OFLAG_COPIED data cluster: l2_entry=%llx refcount=%u",
			       (unsigned long long)old,
			       k->counts[(old & ENTRY_OFFSET) >> q->cluster_bits]);
	}
	if (r == 0 && fix && changed)
		r = bfile_write(k->img->file, at, l2, q->cluster_size);
	return r;
}

static int check_flags(struct check *k, bool fix, uint64_t *wrong)
{
	struct qcow2 *q = k->q;
	uint8_t *l2 = malloc(q->cluster_size);
	int r = l2 ? 0 : -ENOMEM;

	*wrong = 0;
	for (uint32_t i = 0; i < q->l1_size && r == 0; i++) {
		uint64_t entry = q->l1[i], at = entry & ENTRY_OFFSET;

		if (!at || (at & (q->cluster_size - 1)))
			continue;
		if (flag_is_wrong(k, &entry, fix)) {
			++*wrong;
			if (!fix)
				report(k,
				       "ERROR OFLAG_COPIED L2 cluster: l1_index=%u "
				       "l1_entry=%llx refcount=%u",
				       i, (unsigned long long)q->l1[i],
				       k->counts[at >> q->cluster_bits]);
			else
				q->l1[i] = entry;
		}
		r = check_l2_flags(k, at, fix, wrong, l2);
	}
	free(l2);
	if (r == 0 && fix && q->l1_size)
		r = qcow2_write_l1(k->img, q->l1_offset, q->l1, 0, q->l1_size);
	return r;
}

/* ---- new refcounts ---- */

static int write_blocks(struct check *k, uint64_t start, uint64_t blocks, uint64_t used)
{
	struct qcow2 *q = k->q;
	uint64_t max = q->refcount_order == 6 ? INT64_MAX : (1ull << (1u << q->refcount_order)) - 1;
	uint8_t *buf = malloc(q->cluster_size);
	int r = buf ? 0 : -ENOMEM;

	for (uint64_t b = 0; b < blocks && r == 0; b++) {
		memset(buf, 0, q->cluster_size);
		for (uint64_t i = 0; i < 1ull << q->refblock_bits; i++) {
			uint64_t cluster = (b << q->refblock_bits) + i, n = 0;

			if (cluster >= start)
				n = cluster < start + used;
			else if (cluster <= k->n)
				n = k->counts[cluster];
			if (n > max)
				r = -EOVERFLOW;
			qcow2_refcount_put(q, buf, i, n);
		}
		if (r == 0)
			r = bfile_write(k->img->file, (start + b) << q->cluster_bits, buf,
					q->cluster_size);
	}
	free(buf);
	return r;
}

/* counts: without the old refcounts' clusters. */
static int rebuild(struct check *k)
{
	struct qcow2 *q = k->q;
	uint64_t start = k->n + 1, blocks = 0, clusters = 0, need;
	uint8_t *be, header[12];
	uint64_t *reft;
	int r;

	do {
		need = start + blocks + clusters;
		blocks = (need + (1ull << q->refblock_bits) - 1) >> q->refblock_bits;
		clusters = (blocks * 8 + q->cluster_size - 1) >> q->cluster_bits;
	} while (start + blocks + clusters > need);
	if (clusters * q->cluster_size > QCOW2_MAX_REFTABLE)
		return -EFBIG;
	r = write_blocks(k, start, blocks, blocks + clusters);
	if (r < 0)
		return r;
	be = calloc(clusters, q->cluster_size);
	reft = calloc(clusters, q->cluster_size);
	for (uint64_t b = 0; b < blocks && be && reft; b++) {
		reft[b] = (start + b) << q->cluster_bits;
		put_be64(be + b * 8, reft[b]);
	}
	r = be && reft ? bfile_write(k->img->file, (start + blocks) << q->cluster_bits, be,
				     clusters * q->cluster_size)
		       : -ENOMEM;
	free(be);
	if (r == 0)
		r = bfile_sync(k->img->file);
	put_be64(header, (start + blocks) << q->cluster_bits);
	put_be32(header + 8, (uint32_t)clusters);
	if (r == 0)
		r = bfile_write(k->img->file, H_REFT_OFFSET, header, 12);
	if (r == 0)
		r = bfile_sync(k->img->file);
	if (r < 0) {
		free(reft);
		return r;
	}
	free(q->reft);
	q->reft = reft;
	q->reft_size = (uint32_t)(clusters * q->cluster_size / 8);
	q->reft_clusters = (uint32_t)clusters;
	q->reft_offset = (start + blocks) << q->cluster_bits;
	return 0;
}

static int start_check(struct check *k)
{
	uint64_t bytes;
	int r = bfile_size(k->img->file, &bytes);

	if (r < 0)
		return r;
	k->n = (bytes + k->q->cluster_size - 1) >> k->q->cluster_bits;
	if (k->n > MAX_CLUSTERS)
		return -EFBIG;
	k->counts = mmap(NULL, (k->n + 1) * sizeof(*k->counts), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return k->counts == MAP_FAILED ? -ENOMEM : 0;
}

static int fix_all(struct check *k)
{
	struct qcow2 *q = k->q;
	uint64_t wrong;
	int r;

	/* The old refcounts' clusters are free with the new ones. */
	memset(k->counts, 0, (k->n + 1) * sizeof(*k->counts));
	k->tables = 0;
	k->c->report = NULL;
	r = count_all(k);
	if (r == 0)
		r = rebuild(k);
	if (r == 0)
		r = check_flags(k, true, &wrong);
	if (r == 0)
		r = bfile_sync(k->img->file);
	/* What memory holds is from before. */
	qcow2_drop_caches(k->img);
	if (r == 0)
		r = qcow2_collect_meta(k->img);
	q->hint = 0;
	q->fresh = UINT64_MAX;
	return r;
}

int qcow2_check(struct image *img, unsigned fix, struct qcow2_check *c)
{
	struct check k = {.img = img, .q = qcow2_of(img), .c = c};
	uint64_t leaks, errors, flags, before;
	int r;

	if (k.q->has_bitmaps)
		return -ENOTSUP;
	r = img->read_only ? 0 : qcow2_write_caches(img);
	if (r == 0)
		r = start_check(&k);
	if (r < 0)
		return r;
	c->total = (img->size + k.q->cluster_size - 1) >> k.q->cluster_bits;
	r = count_all(&k);
	before = c->corruptions;
	if (r == 0) {
		count_refcounts(&k);
		r = compare(&k, &leaks, &errors);
	}
	if (r == 0)
		r = check_flags(&k, false, &flags);
	if (r == 0) {
		bool fixable = before == 0;
		uint64_t bad = c->corruptions + errors + flags;

		c->leaks = leaks;
		c->corruptions = bad;
		if (((fix & CHECK_FIX_ERRORS) && (bad || leaks)) ||
		    ((fix & CHECK_FIX_LEAKS) && leaks && !bad)) {
			r = fix_all(&k);
			if (r == 0) {
				c->fixed_leaks = leaks;
				c->leaks = 0;
				/* An entry that points nowhere is not mended by counting. */
				c->fixed_corruptions = bad - before;
				c->corruptions = before;
			}
		}
		if (r == 0 && (fix & CHECK_FIX_ERRORS) && fixable)
			r = qcow2_set_incompat(img, k.q->incompat &
							~(uint64_t)(FEAT_DIRTY | FEAT_CORRUPT));
		if (r == 0 && fixable && fix)
			k.q->broken = false;
	}
	munmap(k.counts, (k.n + 1) * sizeof(*k.counts));
	return r;
}
