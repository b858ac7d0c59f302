/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mmu/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Guests race on their memory as they like, and we follow them with ordinary loads and stores: for
 * the thread sanitizer, races there are none of ours. */
#ifdef UNDER_TSAN
void AnnotateBenignRaceSized(const char *file, int line, const volatile void *mem, size_t size,
			     const char *what);
static void allow_races(const struct ram *ram)
{
	AnnotateBenignRaceSized(__FILE__, __LINE__, ram->host, ram->size, "guest memory");
}
#else
static void allow_races(const struct ram *ram)
{
	(void)ram;
}
#endif

int ram_init(struct ram *ram, const char *name, uint64_t size)
{
	int err;
	memset(ram, 0, sizeof(*ram));
	ram->fd = -1;
	size = (size + PAGE_SIZE - 1) & PAGE_MASK;
	if (!size)
		return -EINVAL;
	snprintf(ram->name, sizeof(ram->name), "%s", name);
	ram->size = size;
	ram->fd = memfd_create(ram->name, MFD_CLOEXEC);
	if (ram->fd < 0)
		return -errno;
	if (ftruncate(ram->fd, (off_t)size) < 0)
		goto fail;
	ram->host =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram->fd, 0);
	if (ram->host == MAP_FAILED) {
		ram->host = NULL;
		goto fail;
	}
	allow_races(ram);
	/* Missing huge pages cost speed only. */
	madvise(ram->host, size, MADV_HUGEPAGE);
	ram->pages = calloc(size / PAGE_SIZE, sizeof(*ram->pages));
	if (!ram->pages) {
		errno = ENOMEM;
		goto fail;
	}
	/* Repeated registration is harmless; a kernel without it makes ram_mark_code() fall back. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	return 0;
fail:
	err = -errno;
	ram_fini(ram);
	return err;
}

void ram_fini(struct ram *ram)
{
	if (ram->host)
		munmap(ram->host, ram->size);
	if (ram->fd >= 0)
		close(ram->fd);
	free(ram->pages);
	memset(ram, 0, sizeof(*ram));
	ram->fd = -1;
}

static void lock_page(struct ram_page *page)
{
	while (atomic_exchange_explicit(&page->lock, true, memory_order_acquire))
		sched_yield();
}

static void unlock_page(struct ram_page *page)
{
	atomic_store_explicit(&page->lock, false, memory_order_release);
}

void ram_barrier(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

uint32_t ram_mark_code(struct ram_page *page)
{
	/* In this order: a flag that is cleared after this makes the version old. */
	uint32_t v = ram_code_version(page);
	atomic_store_explicit(&page->decoded, true, memory_order_relaxed);
	if (atomic_load_explicit(&page->fenced, memory_order_acquire) &&
	    atomic_load_explicit(&page->flags, memory_order_acquire) & PAGE_CODE)
		return v;
	lock_page(page);
	/* Also the fence on this side where there is no membarrier. */
	atomic_fetch_or(&page->flags, PAGE_CODE);
	ram_barrier();
	v = ram_code_version(page);
	atomic_store_explicit(&page->fenced, true, memory_order_release);
	unlock_page(page);
	return v;
}

void ram_code_written(struct ram_page *page)
{
	lock_page(page);
	if (!atomic_exchange_explicit(&page->decoded, false, memory_order_relaxed)) {
		atomic_store_explicit(&page->fenced, false, memory_order_relaxed);
		/* A decoder that sets the flag again afterwards reads the new bytes. */
		atomic_fetch_and(&page->flags, (uint8_t)~PAGE_CODE);
	}
	atomic_fetch_add(&page->version, 1);
	unlock_page(page);
}

void ram_written(struct ram *ram, uint64_t off, uint64_t len)
{
	if (!len)
		return;
	struct ram_page *p = &ram->pages[off >> PAGE_SHIFT];
	struct ram_page *last = &ram->pages[(off + len - 1) >> PAGE_SHIFT];
	for (; p <= last; p++)
		if (atomic_load_explicit(&p->flags, memory_order_acquire))
			ram_page_written(p);
}

void ram_discard(struct ram *ram, uint64_t off, uint64_t len)
{
	if (!len)
		return;
	/* A host that cannot make holes keeps the pages. */
	if (fallocate(ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
		      (off_t)len) == 0)
		ram_written(ram, off, len);
}
