/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the host's profiler needs to name generated code, in the kernel's tools/perf/Documentation:
 *
 *   /tmp/perf-PID.map   address, size and name of what is in code memory (jit-interface.txt). Lines of
 *                       code that is evicted are taken out, so the file is right for the moment it
 *                       is read in.
 *   ./jit-PID.dump      the same and the code with the time at which it was made
 *                       (jitdump-specification.txt), for memory that is used again.
 *
 * All vCPUs write to the same files; the first makes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "accel/host_time.h"
#include "accel/engine.h"
#include "accel/jit/jit_impl.h"

enum { ELF_X86_64 = 62, CODE_LOAD = 0, NAME_SIZE = 64 };

struct jit_perf {
	int map, dump;     /* -1: not wanted */
	void *marker;      /* a mapping of the dump tells the profiler of it */
	uint64_t vcpu, nr; /* make the number of a piece of code */
};

struct dump_header {
	uint32_t magic, version, size, machine, pad, pid;
	uint64_t time, flags;
};

struct dump_code {
	uint32_t id, size;
	uint64_t time;
	uint32_t pid, tid;
	uint64_t vma, address, code_size, index;
};

static int open_file(const char *pattern, bool first)
{
	char path[64];
	snprintf(path, sizeof(path), pattern, (int)getpid());
	return open(path,
		    O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | (first ? O_TRUNC : 0),
		    0600);
}

static bool put(int fd, const struct iovec *v, int n)
{
	ssize_t size = 0;
	for (int k = 0; k < n; k++)
		size += (ssize_t)v[k].iov_len;
	flock(fd, LOCK_EX);
	ssize_t put = writev(fd, v, n);
	flock(fd, LOCK_UN);
	return put == size;
}

static int start_dump(struct jit_perf *p)
{
	struct dump_header h = {.magic = 0x4a695444, /* as a number: tells the byte order */
				.version = 1,
				.size = sizeof(h),
				.machine = ELF_X86_64,
				.pid = (uint32_t)getpid(),
				.time = host_ns()};
	if (!put(p->dump, &(struct iovec){&h, sizeof(h)}, 1))
		return -EIO;
	p->marker = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, p->dump, 0);
	if (p->marker == MAP_FAILED) {
		p->marker = NULL;
		return -errno;
	}
	return 0;
}

void perf_close(struct jit *j)
{
	struct jit_perf *p = j->perf;
	if (!p)
		return;
	if (p->marker)
		munmap(p->marker, PAGE_SIZE);
	if (p->map >= 0)
		close(p->map);
	if (p->dump >= 0)
		close(p->dump);
	free(p);
	j->perf = NULL;
}

/* What is lost of a file on a full disk is only a name. */
void perf_code(struct jit *j, const uint8_t *from, const uint8_t *to, const char *name)
{
	struct jit_perf *p = j->perf;
	size_t size = (size_t)(to - from);
	uint64_t at = (uint64_t)(uintptr_t)(from - j->write + j->exec);
	char line[NAME_SIZE + 40];

	if (!p || from >= to)
		return;
	if (p->map >= 0) {
		int n = snprintf(line, sizeof(line), "%" PRIx64 " %zx %s\n", at, size, name);
		put(p->map, &(struct iovec){line, (size_t)n}, 1);
	}
	if (p->dump >= 0) {
		struct dump_code c = {.id = CODE_LOAD,
				      .size = (uint32_t)(sizeof(c) + strlen(name) + 1 + size),
				      .time = host_ns(),
				      .pid = (uint32_t)getpid(),
				      .tid = (uint32_t)gettid(),
				      .vma = at,
				      .address = at,
				      .code_size = size,
				      .index = p->vcpu << 40 | p->nr++};
		const struct iovec v[] = {{&c, sizeof(c)},
					  {(void *)(uintptr_t)name, strlen(name) + 1},
					  {(void *)(uintptr_t)from, size}};
		put(p->dump, v, 3);
	}
}

void perf_block(struct engine_cpu *e, const struct block *b, uint64_t rip, const uint8_t *from,
		const uint8_t *to, const char *what)
{
	char name[NAME_SIZE];
	if (!e->jit->perf)
		return;
	snprintf(name, sizeof(name), "guest%s%s_%" PRIx64 "%s", (b->key & 15) == 8 ? "64" : "32",
		 b->key & BLOCK_RING3 ? "u" : "k", (rip & PAGE_MASK) | (b->gpa & ~PAGE_MASK), what);
	perf_code(e->jit, from, to, name);
}

static bool in_range(const char *line, uint64_t from, uint64_t to)
{
	uint64_t at = strtoull(line, NULL, 16);
	return at >= from && at < to;
}

/* Leaves lines of addresses in the range out of the file; its lock is held. */
static void filter(int fd, uint64_t from, uint64_t to)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return;
	size_t size = (size_t)st.st_size, kept = 0;
	char *text = malloc(size + 1);
	if (!text || pread(fd, text, size, 0) != (ssize_t)size) {
		free(text);
		return;
	}
	text[size] = 0;
	for (char *line = text, *end; line < text + size; line = end) {
		end = strchr(line, '\n');
		end = end ? end + 1 : text + size;
		if (in_range(line, from, to))
			continue;
		memmove(text + kept, line, (size_t)(end - line));
		kept += (size_t)(end - line);
	}
	/* A file that is cut short lacks names, no more. */
	if (ftruncate(fd, 0) < 0 || write(fd, text, kept) < 0)
		kept = 0;
	free(text);
}

void perf_evicted(struct jit *j, const uint8_t *from, const uint8_t *to)
{
	struct jit_perf *p = j->perf;
	if (!p || p->map < 0)
		return;
	flock(p->map, LOCK_EX);
	filter(p->map, (uint64_t)(uintptr_t)(from - j->write + j->exec),
	       (uint64_t)(uintptr_t)(to - j->write + j->exec));
	flock(p->map, LOCK_UN);
}

struct stub {
	const uint8_t *at;
	const char *name;
};

static int by_address(const void *a, const void *b)
{
	const struct stub *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void name_stubs(struct jit *j, const uint8_t *end)
{
	struct stub stubs[] = {
	    {j->enter, "jit_enter"},
	    {j->leave, "jit_leave"},
	    {j->call_op, "jit_call_op"},
	    {j->call_plain, "jit_call_op_plain"},
	    {j->call_cross, "jit_call_op_cross"},
	    {j->lookup, "jit_lookup"},
	    {j->go, "jit_go"},
	    {j->lookup_cell[0], "jit_lookup_cell"},
	    {j->go_cell[0], "jit_go_cell"},
	    {j->stored, "jit_stored"},
	    {j->refill[0][0], "jit_refill"},
	    {j->careful, "jit_careful"},
	    {j->x87_load, "jit_x87_load"},
	    {j->vec_load, "jit_vec_load"},
	    {j->call_string, "jit_call_string"},
	    {j->string[0][0][0][0], "jit_string"},
	    {end, NULL},
	};
	size_t n = sizeof(stubs) / sizeof(stubs[0]);
	qsort(stubs, n, sizeof(stubs[0]), by_address);
	for (size_t k = 0; k + 1 < n; k++)
		if (stubs[k].at)
			perf_code(j, stubs[k].at, stubs[k + 1].at, stubs[k].name);
}

int jit_tell_perf(struct jit *j, const struct engine_config *config, unsigned vcpu)
{
	if (!config->perfmap && !config->jitdump)
		return 0;
	struct jit_perf *p = j->perf = calloc(1, sizeof(*p));
	int err = 0;
	if (!p)
		return -ENOMEM;
	p->vcpu = vcpu;
	p->map = p->dump = -1;
	if (config->perfmap && (p->map = open_file("/tmp/perf-%d.map", vcpu == 0)) < 0)
		err = -errno;
	else if (config->jitdump && (p->dump = open_file("jit-%d.dump", vcpu == 0)) < 0)
		err = -errno;
	else if (config->jitdump && vcpu == 0)
		err = start_dump(p);
	if (err < 0)
		perf_close(j);
	else
		name_stubs(j, codemem_begin(j));
	return err;
}
