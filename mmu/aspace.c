/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mmu/aspace.h"

#include <errno.h>
#include <string.h>

#define A20_BIT (1ull << 20)

void aspace_init(struct aspace *as, const char *name, unsigned addr_bits, pthread_mutex_t *dev_lock)
{
	memset(as, 0, sizeof(*as));
	as->name = name;
	as->limit = 1ull << addr_bits;
	as->addr_mask = ~0ull;
	as->dev_lock = dev_lock;
}

void aspace_init_over(struct aspace *as, const char *name, struct aspace *under)
{
	aspace_init(as, name, 0, under->dev_lock);
	as->under = under;
	as->limit = under->limit;
}

/* The seqlock: readers retry while seq is odd or has changed; writers are serialised by dev_lock.
 * Fields are loaded with acquire and stored with release, which orders them against seq on both
 * sides without a fence and costs x86 hosts nothing. */
#define LOAD(x)     __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

static void load_range(struct range *to, const struct range *from)
{
	to->base = LOAD(from->base);
	to->size = LOAD(from->size);
	to->kind = LOAD(from->kind);
	to->ram = LOAD(from->ram);
	to->ram_off = LOAD(from->ram_off);
	to->ops = LOAD(from->ops);
	to->dev = LOAD(from->dev);
	to->name = LOAD(from->name);
	to->use = LOAD(from->use);
}

static void store_range(struct range *to, const struct range *from)
{
	STORE(to->base, from->base);
	STORE(to->size, from->size);
	STORE(to->kind, from->kind);
	STORE(to->ram, from->ram);
	STORE(to->ram_off, from->ram_off);
	STORE(to->ops, from->ops);
	STORE(to->dev, from->dev);
	STORE(to->name, from->name);
	STORE(to->use, from->use);
}

static void write_begin(struct aspace *as)
{
	atomic_fetch_add_explicit(&as->seq, 1, memory_order_relaxed);
}

static void write_end(struct aspace *as)
{
	atomic_fetch_add_explicit(&as->seq, 1, memory_order_release);
}

/* Index of the first range that ends after addr. */
static unsigned range_index(const struct aspace *as, unsigned nr, uint64_t addr)
{
	unsigned lo = 0, hi = nr;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (LOAD(as->ranges[mid].base) + LOAD(as->ranges[mid].size) <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void notify(struct aspace *as)
{
	atomic_fetch_add(&as->generation, 1);
	for (unsigned n = 0; n < as->nr_listeners; n++)
		as->listeners[n].changed(as->listeners[n].opaque);
}

static unsigned find_use(struct aspace *as, const char *name)
{
	unsigned n = 0;
	while (n < as->nr_uses && strcmp(as->uses[n].name, name) != 0)
		n++;
	if (n == ASPACE_MAX_RANGES)
		return n - 1;
	if (n == as->nr_uses)
		as->uses[as->nr_uses++].name = name;
	return n;
}

static int map(struct aspace *as, const struct range *r)
{
	if (!r->size || r->base >= as->limit || r->size > as->limit - r->base)
		return -EINVAL;
	if (as->nr == ASPACE_MAX_RANGES)
		return -ENOSPC;
	unsigned at = range_index(as, as->nr, r->base);
	if (at < as->nr && as->ranges[at].base < r->base + r->size)
		return -EEXIST;
	struct range mapped = *r;
	if (r->ops)
		mapped.use = find_use(as, r->name);
	write_begin(as);
	for (unsigned n = as->nr; n > at; n--)
		store_range(&as->ranges[n], &as->ranges[n - 1]);
	store_range(&as->ranges[at], &mapped);
	STORE(as->nr, as->nr + 1);
	write_end(as);
	notify(as);
	return 0;
}

static int map_pages(struct aspace *as, const char *name, enum range_kind kind, uint64_t base,
		     uint64_t size, struct ram *ram, uint64_t ram_off, const struct mmio_ops *ops,
		     void *dev)
{
	if ((base | size | ram_off) & ~PAGE_MASK || ram_off > ram->size ||
	    size > ram->size - ram_off)
		return -EINVAL;
	return map(as, &(struct range){.base = base,
				       .size = size,
				       .kind = kind,
				       .ram = ram,
				       .ram_off = ram_off,
				       .ops = ops,
				       .dev = dev,
				       .name = name});
}

int aspace_map_ram(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		   struct ram *ram, uint64_t ram_off)
{
	return map_pages(as, name, RANGE_RAM, base, size, ram, ram_off, NULL, NULL);
}

int aspace_map_rom(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		   struct ram *ram, uint64_t ram_off)
{
	return map_pages(as, name, RANGE_ROM, base, size, ram, ram_off, NULL, NULL);
}

static bool width_ok(unsigned w)
{
	return w == 1 || w == 2 || w == 4 || w == 8;
}

static bool widths_ok(const struct mmio_ops *ops)
{
	return width_ok(ops->min_size) && width_ok(ops->max_size) && ops->min_size <= ops->max_size;
}

int aspace_map_rom_dev(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		       struct ram *ram, uint64_t ram_off, const struct mmio_ops *ops, void *dev)
{
	if (!widths_ok(ops))
		return -EINVAL;
	return map_pages(as, name, RANGE_ROM, base, size, ram, ram_off, ops, dev);
}

int aspace_map_dev(struct aspace *as, const char *name, uint64_t base, uint64_t size,
		   const struct mmio_ops *ops, void *dev)
{
	if (!widths_ok(ops))
		return -EINVAL;
	return map(as, &(struct range){.base = base,
				       .size = size,
				       .kind = RANGE_DEV,
				       .ops = ops,
				       .dev = dev,
				       .name = name});
}

int aspace_unmap(struct aspace *as, uint64_t base)
{
	unsigned at = range_index(as, as->nr, base);
	if (at == as->nr || as->ranges[at].base != base)
		return -ENOENT;
	struct range old = as->ranges[at];
	write_begin(as);
	for (unsigned n = at; n + 1 < as->nr; n++)
		store_range(&as->ranges[n], &as->ranges[n + 1]);
	STORE(as->nr, as->nr - 1);
	write_end(as);
	/* Blocks are found by guest-physical address, where other memory may be next. */
	if (old.ram)
		ram_written(old.ram, old.ram_off, old.size);
	notify(as);
	return 0;
}

int aspace_resize_ram(struct aspace *as, uint64_t base, uint64_t size)
{
	unsigned at = range_index(as, as->nr, base);
	if (at == as->nr || as->ranges[at].base != base || as->ranges[at].kind != RANGE_RAM)
		return -ENOENT;
	struct range r = as->ranges[at];
	if (!size || size & ~PAGE_MASK || size > as->limit - base || size > r.ram->size - r.ram_off)
		return -EINVAL;
	if (at + 1 < as->nr && as->ranges[at + 1].base < base + size)
		return -EEXIST;
	uint64_t was = r.size;
	r.size = size;
	write_begin(as);
	store_range(&as->ranges[at], &r);
	write_end(as);
	if (size < was)
		ram_written(r.ram, r.ram_off + size, was - size);
	notify(as);
	return 0;
}

void aspace_set_a20(struct aspace *as, bool open)
{
	uint64_t mask = open ? ~0ull : ~A20_BIT;
	if (atomic_exchange(&as->addr_mask, mask) != mask)
		notify(as);
}

bool aspace_a20(const struct aspace *as)
{
	return as->addr_mask & A20_BIT;
}

int aspace_listen(struct aspace *as, void (*changed)(void *opaque), void *opaque)
{
	if (as->nr_listeners == ASPACE_MAX_LISTENERS)
		return -ENOSPC;
	as->listeners[as->nr_listeners].changed = changed;
	as->listeners[as->nr_listeners++].opaque = opaque;
	return 0;
}

void aspace_unlisten(struct aspace *as, void (*changed)(void *opaque), void *opaque)
{
	for (unsigned n = 0; n < as->nr_listeners; n++) {
		if (as->listeners[n].changed != changed || as->listeners[n].opaque != opaque)
			continue;
		as->listeners[n] = as->listeners[--as->nr_listeners];
		return;
	}
}

/* The first range that ends after addr; false where there is none. */
static bool find_from(const struct aspace *as, uint64_t addr, struct range *out)
{
	for (;;) {
		uint32_t seq = atomic_load_explicit(&as->seq, memory_order_acquire);
		if (seq & 1)
			continue;
		unsigned nr = LOAD(as->nr);
		unsigned at = range_index(as, nr, addr);
		bool found = at < nr;
		if (found)
			load_range(out, &as->ranges[at]);
		if (atomic_load_explicit(&as->seq, memory_order_relaxed) == seq)
			return found;
	}
}

bool aspace_find(const struct aspace *as, uint64_t addr, struct range *out)
{
	bool above = find_from(as, addr, out);

	if (above && out->base <= addr)
		return true;
	if (!as->under)
		return false;
	uint64_t end = above ? out->base : as->limit;
	if (!aspace_find(as->under, addr, out))
		return false;
	if (out->size > end - out->base)
		out->size = end - out->base;
	return true;
}

/* What of an access concerns only the space below. */
static bool only_under(const struct aspace *as, uint64_t addr, unsigned size)
{
	struct range r;

	return as->under && (!find_from(as, addr & aspace_mask(as), &r) ||
			     r.base >= (addr & aspace_mask(as)) + size);
}

static uint64_t low_bits(uint64_t v, unsigned size)
{
	return size >= 8 ? v : v & ((1ull << (size * 8)) - 1);
}

/* Takes the lock for an access to a range that was found when the map was of that generation. False, without the lock,
 * when the map is another by now: the device may be gone. */
static bool lock_dev(struct aspace *as, uint32_t generation)
{
	if (as->dev_lock)
		pthread_mutex_lock(as->dev_lock);
	if (atomic_load(&as->generation) == generation)
		return true;
	if (as->dev_lock)
		pthread_mutex_unlock(as->dev_lock);
	return false;
}

static void unlock_dev(struct aspace *as)
{
	if (as->dev_lock)
		pthread_mutex_unlock(as->dev_lock);
}

/* The lock is held. */
static uint64_t dev_read(struct aspace *as, const struct range *r, uint64_t off, unsigned size)
{
	const struct mmio_ops *ops = r->ops;
	uint64_t v = 0;
	if (!ops->read)
		return low_bits(~0ull, size);
	as->uses[r->use].accesses++;
	if (size < ops->min_size) {
		uint64_t base = off & ~(uint64_t)(ops->min_size - 1);
		v = ops->read(r->dev, base, ops->min_size) >> ((off - base) * 8);
	} else {
		unsigned step = size < ops->max_size ? size : ops->max_size;
		for (unsigned n = 0; n < size; n += step)
			v |= low_bits(ops->read(r->dev, off + n, step), step) << (n * 8);
	}
	return low_bits(v, size);
}

/* Likewise. */
static void dev_write(struct aspace *as, const struct range *r, uint64_t off, uint64_t val,
		      unsigned size)
{
	const struct mmio_ops *ops = r->ops;
	if (!ops->write)
		return;
	as->uses[r->use].accesses++;
	if (size < ops->min_size) {
		uint64_t base = off & ~(uint64_t)(ops->min_size - 1);
		ops->write(r->dev, base, low_bits(val, size) << ((off - base) * 8), ops->min_size);
	} else {
		unsigned step = size < ops->max_size ? size : ops->max_size;
		for (unsigned n = 0; n < size; n += step)
			ops->write(r->dev, off + n, low_bits(val >> (n * 8), step), step);
	}
}

/* Accesses that straddle the end of a range are made byte by byte. */
uint64_t aspace_read(struct aspace *as, uint64_t addr, unsigned size)
{
	uint32_t generation = atomic_load(&as->generation);
	struct range r;
	uint64_t v = 0;
	if (only_under(as, addr, size))
		return aspace_read(as->under, addr, size);
	addr &= aspace_mask(as);
	if (!aspace_find(as, addr, &r))
		memset(&r, 0, sizeof(r));
	uint64_t off = addr - r.base;
	if (r.kind && size > r.size - off) {
		for (unsigned n = 0; n < size; n++)
			v |= aspace_read(as, addr + n, 1) << (n * 8);
		return v;
	}
	switch (r.kind) {
	case RANGE_RAM:
	case RANGE_ROM:
		memcpy(&v, r.ram->host + r.ram_off + off, size);
		return v;
	case RANGE_DEV:
		if (!lock_dev(as, generation))
			return aspace_read(as, addr, size);
		v = dev_read(as, &r, off, size);
		unlock_dev(as);
		return v;
	}
	if (size == 1)
		return 0xff;
	for (unsigned n = 0; n < size; n++) /* something may be mapped further on */
		v |= aspace_read(as, addr + n, 1) << (n * 8);
	return v;
}

void aspace_write(struct aspace *as, uint64_t addr, uint64_t val, unsigned size)
{
	uint32_t generation = atomic_load(&as->generation);
	struct range r;
	if (only_under(as, addr, size)) {
		aspace_write(as->under, addr, val, size);
		return;
	}
	addr &= aspace_mask(as);
	bool found = aspace_find(as, addr, &r);
	uint64_t off = found ? addr - r.base : 0;
	if (!found || size > r.size - off) {
		if (size > 1)
			for (unsigned n = 0; n < size; n++)
				aspace_write(as, addr + n, val >> (n * 8) & 0xff, 1);
		return;
	}
	if (r.kind == RANGE_RAM) {
		memcpy(r.ram->host + r.ram_off + off, &val, size);
		ram_written(r.ram, r.ram_off + off, size);
	} else if (r.ops) {
		if (!lock_dev(as, generation)) {
			aspace_write(as, addr, val, size);
			return;
		}
		dev_write(as, &r, off, val, size);
		unlock_dev(as);
	}
}

int aspace_dma_read(struct aspace *as, uint64_t addr, void *buf, size_t len)
{
	uint8_t *p = buf;
	int ret = 0;
	while (len) {
		struct range r;
		uint64_t a = addr & aspace_mask(as);
		size_t n = PAGE_SIZE - (a & ~PAGE_MASK);
		n = n < len ? n : len;
		if (aspace_find(as, a, &r) && r.kind != RANGE_DEV) {
			uint64_t off = r.ram_off + a - r.base;
			memcpy(p, r.ram->host + off, n);
		} else {
			memset(p, 0xff, n);
			ret = -EFAULT;
		}
		p += n;
		addr += n;
		len -= n;
	}
	return ret;
}

int aspace_dma_write(struct aspace *as, uint64_t addr, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	int ret = 0;
	while (len) {
		struct range r;
		uint64_t a = addr & aspace_mask(as);
		size_t n = PAGE_SIZE - (a & ~PAGE_MASK);
		n = n < len ? n : len;
		if (aspace_find(as, a, &r) && r.kind == RANGE_RAM) {
			uint64_t off = r.ram_off + a - r.base;
			memcpy(r.ram->host + off, p, n);
			ram_written(r.ram, off, n);
		} else {
			ret = -EFAULT;
		}
		p += n;
		addr += n;
		len -= n;
	}
	return ret;
}
