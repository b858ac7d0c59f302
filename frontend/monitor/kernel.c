/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A Linux guest seen from outside, from its memory alone: tasks, log, modules, maps, backtraces. Lists are the guest's, so
 * each walk is bounded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "frontend/debug/btf.h"
#include "frontend/debug/linux.h"
#include "frontend/debug/linux_module.h"
#include "frontend/debug/unwind.h"
#include "frontend/monitor/frames.h"
#include "frontend/monitor/view.h"
#include "hw/pc.h"

#define UNSLID      0xffffffff81000000ull /* where an image is without KASLR */
#define MAX_TASKS   100000u
#define MAX_MAPS    100000u
#define MAX_RECORDS (1u << 20)
#define MAX_TEXT    1024u
#define MAX_DEPTH   16u

static bool begin(struct view *w, struct monitor *m, const struct out *o, bool types)
{
	view_begin(w, m, o);
	if (w->linux_guest && (!types || linux_types(w->linux_guest)))
		return true;
	out(o, w->linux_guest ? "this kernel has no type information (CONFIG_DEBUG_INFO_BTF)\n"
			      : "no Linux kernel is found in the guest's memory\n");
	view_end(w);
	return false;
}

static uint64_t member(struct linux_guest *g, uint64_t base, const char *type, const char *path)
{
	uint64_t v = 0;

	return linux_member(g, base, type, path, &v) < 0 ? 0 : v;
}

/* ---- tasks ---- */

static void state_name(uint64_t state, uint64_t exit, char *to)
{
	static const char letters[] = "RSDTtXZPIN";

	if (exit)
		*to = exit & 0x10 ? 'X' : 'Z';
	else if (!state)
		*to = 'R';
	else if ((state & 0x402) == 0x402)
		*to = 'I';
	else
		*to = state & 0x7f ? letters[1 + __builtin_ctzll(state & 0x7f)] : '?';
}

/* The CPU that a task runs on now; -1: none. */
static int running_on(struct view *w, uint64_t task)
{
	for (unsigned n = 0; n < w->m->pc->cpus; n++)
		if (linux_current(w->linux_guest, n) == task)
			return (int)n;
	return -1;
}

/* Calls fn for each process, until it returns false; threads: also for the others of each. */
static void each_task(struct view *w, bool threads,
		      bool (*fn)(struct view *w, uint64_t task, void *opaque), void *opaque)
{
	struct linux_guest *g = w->linux_guest;
	uint64_t first = linux_symbol(g, "init_task"), task = first, next;
	int64_t tasks = linux_offset(g, "task_struct", "tasks", NULL);
	int64_t node = linux_offset(g, "task_struct", "thread_node", NULL);
	int64_t head = linux_offset(g, "signal_struct", "thread_head", NULL);

	for (unsigned n = 0; task && tasks >= 0 && n < MAX_TASKS; n++) {
		uint64_t signal = member(g, task, "task_struct", "signal");
		uint64_t list = signal + (uint64_t)head, at = list;

		if (!fn(w, task, opaque))
			return;
		for (unsigned k = 0; threads && head >= 0 && node >= 0 && k < MAX_TASKS; k++) {
			if (linux_read(g, at, &at, 8) < 0 || at == list || !at)
				break;
			if (at - (uint64_t)node != task && !fn(w, at - (uint64_t)node, opaque))
				return;
		}
		if (linux_read(g, task + (uint64_t)tasks, &next, 8) < 0)
			return;
		task = next - (uint64_t)tasks;
		if (task == first)
			return;
	}
}

static bool print_task(struct view *w, uint64_t task, void *opaque)
{
	struct linux_guest *g = w->linux_guest;
	int64_t comm = linux_offset(g, "task_struct", "comm", NULL);
	uint64_t parent = member(g, task, "task_struct", "real_parent"), state;
	char name[17] = "?", letter, on[12] = "";
	int cpu = running_on(w, task);

	(void)opaque;
	if (linux_member(g, task, "task_struct", "__state", &state) < 0) /* up to 5.13 */
		state = member(g, task, "task_struct", "state");
	state_name((uint32_t)state, member(g, task, "task_struct", "exit_state"), &letter);
	if (comm >= 0)
		linux_string(g, task + (uint64_t)comm, name, sizeof(name));
	if (cpu >= 0)
		snprintf(on, sizeof(on), "%d", cpu);
	out(w->o, "%6d %6d %c %3s 0x%016" PRIx64 " %s%s%s\n",
	    (int)member(g, task, "task_struct", "pid"),
	    parent ? (int)member(g, parent, "task_struct", "tgid") : 0, letter, on, task,
	    member(g, task, "task_struct", "mm") ? "" : "[", name,
	    member(g, task, "task_struct", "mm") ? "" : "]");
	return true;
}

static void cmd_ps(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct view w;

	if (!begin(&w, m, o, true))
		return;
	out(o, "   PID   PPID S CPU TASK               COMMAND\n");
	each_task(&w, a[0].given, print_task, NULL);
	view_end(&w);
}

struct wanted {
	int pid;
	uint64_t task;
};

static bool is_pid(struct view *w, uint64_t task, void *opaque)
{
	struct wanted *p = opaque;

	if ((int)member(w->linux_guest, task, "task_struct", "pid") != p->pid)
		return true;
	p->task = task;
	return false;
}

/* By PID, or by the address of its task_struct; without either, the current one. 0: none, and that is said. */
static uint64_t find_task(struct view *w, const struct arg *a)
{
	struct wanted p = {0};
	uint64_t n;

	if (!a->given)
		return linux_current(w->linux_guest, w->m->cpu);
	if (!view_number(w, a->text, &n))
		return 0;
	if (n >> 63)
		return n;
	p.pid = (int)n;
	each_task(w, true, is_pid, &p);
	if (!p.task)
		out(w->o, "there is no task %d; ps -t lists them\n", p.pid);
	return p.task;
}

/* ---- backtraces ---- */

static void cmd_bt(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct frame f;
	struct view w;
	uint64_t task;

	if (!a[0].given) {
		view_begin(&w, m, o);
		unwind_cpu(w.v, &f);
		print_backtrace(&w, &f);
		view_end(&w);
		return;
	}
	if (!begin(&w, m, o, true))
		return;
	task = find_task(&w, &a[0]);
	if (task) {
		int cpu = running_on(&w, task);

		if (cpu >= 0) {
			out(o, "it runs on CPU#%d: cpu %d, then bt\n", cpu, cpu);
		} else if (unwind_task(w.linux_guest, task, &f) < 0) {
			out(o, "its stack cannot be read\n");
		} else {
			print_backtrace(&w, &f);
		}
	}
	view_end(&w);
}

static void cmd_task(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct linux_guest *g;
	uint64_t task, mm;
	struct frame f;
	struct view w;

	if (!begin(&w, m, o, true))
		return;
	g = w.linux_guest;
	task = find_task(&w, &a[0]);
	if (task) {
		out(o, "   PID   PPID S CPU TASK               COMMAND\n");
		print_task(&w, task, NULL);
		mm = member(g, task, "task_struct", "mm");
		out(o, "stack 0x%" PRIx64 ", mm 0x%" PRIx64,
		    member(g, task, "task_struct", "stack"), mm);
		if (mm)
			out(o,
			    ", pgd 0x%" PRIx64 ", code 0x%" PRIx64 ", stack of its own 0x%" PRIx64,
			    member(g, mm, "mm_struct", "pgd"),
			    member(g, mm, "mm_struct", "start_code"),
			    member(g, mm, "mm_struct", "start_stack"));
		out(o, "\n");
		if (running_on(&w, task) < 0 && unwind_task(g, task, &f) == 0)
			print_backtrace(&w, &f);
	}
	view_end(&w);
}

/* ---- log ---- */

struct ring {
	uint64_t descs, infos, data, count, size;
	uint64_t desc_size, info_size;
	int64_t begin, next, state, ts, len;
};

static bool find_ring(struct linux_guest *g, struct ring *r, uint64_t *tail, uint64_t *head)
{
	const struct types *b = linux_types(g);
	uint64_t prb, at = linux_symbol(g, "prb"), bits;

	if (!at || linux_read(g, at, &prb, 8) < 0)
		return false;
	bits = member(g, prb, "printk_ringbuffer", "desc_ring.count_bits");
	r->count = 1ull << (bits < 24 ? bits : 24);
	bits = member(g, prb, "printk_ringbuffer", "text_data_ring.size_bits");
	r->size = 1ull << (bits < 30 ? bits : 30);
	r->descs = member(g, prb, "printk_ringbuffer", "desc_ring.descs");
	r->infos = member(g, prb, "printk_ringbuffer", "desc_ring.infos");
	r->data = member(g, prb, "printk_ringbuffer", "text_data_ring.data");
	*head = member(g, prb, "printk_ringbuffer", "desc_ring.head_id.counter");
	*tail = member(g, prb, "printk_ringbuffer", "desc_ring.tail_id.counter");
	r->desc_size = type_size(b, type_find(b, TYPE_STRUCT, "prb_desc"));
	r->info_size = type_size(b, type_find(b, TYPE_STRUCT, "printk_info"));
	r->state = linux_offset(g, "prb_desc", "state_var.counter", NULL);
	r->begin = linux_offset(g, "prb_desc", "text_blk_lpos.begin", NULL);
	r->next = linux_offset(g, "prb_desc", "text_blk_lpos.next", NULL);
	r->ts = linux_offset(g, "printk_info", "ts_nsec", NULL);
	r->len = linux_offset(g, "printk_info", "text_len", NULL);
	return r->descs && r->infos && r->data && r->desc_size && r->info_size && r->state >= 0 &&
	       r->begin >= 0 && r->next >= 0 && r->ts >= 0 && r->len >= 0;
}

/* Committed or finalized records only: the others are being written. */
static void print_record(struct view *w, const struct ring *r, uint64_t id)
{
	struct linux_guest *g = w->linux_guest;
	uint64_t n = id & (r->count - 1), desc = r->descs + n * r->desc_size;
	uint64_t info = r->infos + n * r->info_size, state, first, next, ts;
	char text[MAX_TEXT + 1];
	uint16_t len;

	if (linux_read(g, desc + (uint64_t)r->state, &state, 8) < 0 ||
	    linux_read(g, desc + (uint64_t)r->begin, &first, 8) < 0 ||
	    linux_read(g, desc + (uint64_t)r->next, &next, 8) < 0 ||
	    linux_read(g, info + (uint64_t)r->ts, &ts, 8) < 0 ||
	    linux_read(g, info + (uint64_t)r->len, &len, 2) < 0)
		return;
	if ((state & ~(3ull << 62)) != (id & ~(3ull << 62)) || state >> 62 == 0 ||
	    state >> 62 == 3 || first & 1)
		return;
	/* A block that would not fit before the end begins at the start. */
	if (first / r->size != (next - 1) / r->size)
		first = 0;
	if (len > MAX_TEXT)
		len = MAX_TEXT;
	if (linux_read(g, r->data + first % r->size + 8, text, len) < 0)
		return;
	for (unsigned k = 0; k < len; k++)
		if ((unsigned char)text[k] < ' ' && text[k] != '\n' && text[k] != '\t')
			text[k] = '?';
	text[len] = 0;
	out(w->o, "[%5" PRIu64 ".%06" PRIu64 "] %s\n", ts / 1000000000, ts / 1000 % 1000000, text);
}

static void cmd_dmesg(struct monitor *m, const struct out *o, const struct arg *a)
{
	uint64_t head, tail, last = a[0].given ? strtoull(a[0].text, NULL, 0) : MAX_RECORDS;
	struct ring r;
	struct view w;

	if (!begin(&w, m, o, true))
		return;
	if (!find_ring(w.linux_guest, &r, &tail, &head)) {
		out(o, "this kernel's log is not one of Linux 5.10 or later\n");
	} else {
		uint64_t nr = ((head - tail) & (r.count - 1)) + 1;

		if (nr > last)
			nr = last;
		for (uint64_t n = 0; n < nr; n++)
			print_record(&w, &r, head - nr + 1 + n);
	}
	view_end(&w);
}

/* ---- modules ---- */

static void cmd_lsmod(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct linux_module mod = {0};
	struct linux_guest *g;
	struct view w;

	(void)a;
	if (!begin(&w, m, o, true))
		return;
	g = w.linux_guest;
	out(o, "Module                  Size  Used by  Address\n");
	while (linux_next_module(g, &mod))
		out(o, "%-20s %7" PRIu64 "  %7d  0x%" PRIx64 "\n", mod.name, mod.size,
		    (int)member(g, mod.addr, "module", "refcnt.counter") - 1, mod.base);
	view_end(&w);
}

/* ---- maps ---- */

struct maps {
	struct view *w;
	unsigned nr;
	uint64_t brk_begin, brk_end, stack;
};

static void print_map(struct maps *p, uint64_t vma)
{
	struct linux_guest *g = p->w->linux_guest;
	uint64_t begin_ = member(g, vma, "vm_area_struct", "vm_start");
	uint64_t end = member(g, vma, "vm_area_struct", "vm_end");
	uint64_t flags = member(g, vma, "vm_area_struct", "vm_flags");
	uint64_t file = member(g, vma, "vm_area_struct", "vm_file");
	uint64_t off = member(g, vma, "vm_area_struct", "vm_pgoff") << 12;
	char name[64] = "";

	if (file) {
		uint64_t dentry = member(g, file, "file", "f_path.dentry");
		uint64_t at = member(g, dentry, "dentry", "d_name.name");

		linux_string(g, at, name, sizeof(name));
	} else if (begin_ <= p->brk_end && end > p->brk_begin) {
		strcpy(name, "[heap]");
	} else if (begin_ <= p->stack && end > p->stack) {
		strcpy(name, "[stack]");
	}
	out(p->w->o, "%016" PRIx64 "-%016" PRIx64 " %c%c%c%c %08" PRIx64 " %s\n", begin_, end,
	    flags & 1 ? 'r' : '-', flags & 2 ? 'w' : '-', flags & 4 ? 'x' : '-',
	    flags & 8 ? 's' : 'p', file ? off : 0, name);
}

/* Maple tree (Documentation/core-api/maple_tree.rst): bits 3-6 of a node's pointer are its type. */
static void walk_maple(struct maps *p, uint64_t enode, unsigned depth)
{
	static const char *const types[] = {NULL, "maple_range_64", "maple_range_64",
					    "maple_arange_64"};
	struct linux_guest *g = p->w->linux_guest;
	const unsigned type = enode >> 3 & 15;
	const uint64_t node = enode & ~0xffull;
	uint64_t size, pivots, entry, pivot;
	int64_t slot, piv;

	if (depth > MAX_DEPTH || type < 1 || type > 3)
		return;
	slot = linux_offset(g, types[type], "slot", &size);
	piv = linux_offset(g, types[type], "pivot", &pivots);
	if (slot < 0 || piv < 0 || size > 256)
		return;
	for (uint64_t n = 0; n < size / 8 && p->nr < MAX_MAPS; n++) {
		if (linux_read(g, node + (uint64_t)slot + 8 * n, &entry, 8) < 0)
			return;
		if (n < pivots / 8 && linux_read(g, node + (uint64_t)piv + 8 * n, &pivot, 8) < 0)
			return;
		if (type == 1 && entry && (entry & 3) != 2) {
			p->nr++;
			print_map(p, entry);
		} else if (type != 1 && entry > 4096) {
			p->nr++;
			walk_maple(p, entry, depth + 1);
		}
		/* What follows the last range is not used, or holds data about the node. */
		if (n < pivots / 8 && (pivot == ~0ull || (!pivot && n)))
			return;
	}
}

static void cmd_vmmap(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct linux_guest *g;
	struct maps p = {0};
	uint64_t task, mm, root;
	struct view w;

	if (!begin(&w, m, o, true))
		return;
	g = w.linux_guest;
	task = find_task(&w, &a[0]);
	mm = task ? member(g, task, "task_struct", "mm") : 0;
	if (task && !mm)
		out(o, "a kernel thread has no memory of its own\n");
	if (mm) {
		p.w = &w;
		p.brk_begin = member(g, mm, "mm_struct", "start_brk");
		p.brk_end = member(g, mm, "mm_struct", "brk");
		p.stack = member(g, mm, "mm_struct", "start_stack");
		if (linux_member(g, mm, "mm_struct", "mm_mt.ma_root", &root) == 0) {
			if ((root & 3) == 2 && root > 4096)
				walk_maple(&p, root, 0);
			else if (root)
				print_map(&p, root);
		} else { /* before 6.1: a list */
			for (uint64_t vma = member(g, mm, "mm_struct", "mmap");
			     vma && p.nr < MAX_MAPS;
			     vma = member(g, vma, "vm_area_struct", "vm_next"), p.nr++)
				print_map(&p, vma);
		}
	}
	view_end(&w);
}

static void info_kernel(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct linux_guest *g;
	char text[256];
	struct view w;

	(void)a;
	if (!begin(&w, m, o, false))
		return;
	g = w.linux_guest;
	if (linux_string(g, linux_symbol(g, "linux_banner"), text, sizeof(text)) == 0)
		out(o, "%s\n", text);
	out(o, "image 0x%" PRIx64 "-0x%" PRIx64 ", KASLR moved it by 0x%" PRIx64 "\n", g->text,
	    g->end, (uint64_t)(g->text - UNSLID));
	out(o, "%zu symbols, %zu of modules, %u types\n", g->symbols.nr, g->modules.nr,
	    linux_types(g) ? btf_nr(g->btf) : 0);
	view_end(&w);
}

static void info_symbol(struct monitor *m, const struct out *o, const struct arg *a)
{
	char text[VIEW_ADDRESS];
	struct view w;
	uint64_t n;

	view_begin(&w, m, o);
	if (view_place(&w, a[0].text, &n)) {
		view_address(m->env, n, text);
		out(o, "%s\n", text);
	}
	view_end(&w);
}

const struct command kernel_commands[] = {
    {"bt|backtrace|where", "[TASK]", cmd_bt, "backtrace of the CPU, or of a task by PID", "bt 1"},
    {"ps", "[-t]", cmd_ps, "Linux: processes; -t: threads too", "ps"},
    {"task", "[TASK]", cmd_task, "Linux: one task by PID or address, and what it waits in",
     "task 1"},
    {"dmesg", "[LAST]", cmd_dmesg, "Linux: the kernel's log from its memory", "dmesg 20"},
    {"lsmod", NULL, cmd_lsmod, "Linux: modules; reads their symbols too", "lsmod"},
    {"vmmap", "[TASK]", cmd_vmmap, "Linux: what a process has mapped", "vmmap 1"},
    {"info kernel", NULL, info_kernel, "Linux: which one, where, what is known of it",
     "info kernel"},
    {"info symbol", "PLACE...", info_symbol, "the symbol at an address", "info symbol $rip"},
    {0},
};
