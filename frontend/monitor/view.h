/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a command looks at: the guest at rest, as one vCPU sees it, with the names of addresses.
 */
#ifndef FRONTEND_MONITOR_VIEW_H
#define FRONTEND_MONITOR_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/expr.h"
#include "frontend/debug/unwind.h"
#include "frontend/monitor/command.h"

#define VIEW_ADDRESS 448

struct view {
	struct monitor *m;
	const struct out *o;
	bool ran;
	struct vcpu *v;
	struct linux_guest *linux_guest; /* NULL: there is none */
	struct expr_env env;
	struct frame frame; /* that the user has chosen; env.frame: it is not the first */
};

/* Holds the guest until view_end(). */
void view_begin(struct view *w, struct monitor *m, const struct out *o);
void view_end(struct view *w);
/* What to evaluate expressions with, for a vCPU that is stopped or held. */
void view_env(struct monitor_env *e, unsigned cpu, struct expr_env *env);
/* For backtraces; while the view is. */
struct unwind view_unwind(const struct view *w);
/* The nth frame, 0 is the vCPU's; false: there are fewer. */
bool view_frame(const struct view *w, unsigned n, struct frame *f);
/* An expression's number; says what is wrong with it, and returns false. */
bool view_number(struct view *w, const char *text, uint64_t *out);
/* An address: like view_number(), but a symbol alone is where it is, not what is there. */
bool view_place(struct view *w, const char *text, uint64_t *out);
/* Of linear memory, whoever's page table reaches it. 0 or -EFAULT. */
int view_read(struct view *w, uint64_t addr, void *buf, size_t len);
/* The symbol an address is in, as in "start_kernel+0x10"; "" where there is none. after: that of what ends there. */
void view_symbol(struct monitor_env *e, uint64_t addr, bool after, char *buf, size_t len);
/* The source line, as in "init/main.c:936"; "" where it is not known. after: that of what ends there. */
void view_line(struct monitor_env *e, uint64_t addr, bool after, char *buf, size_t len);
/* "0xffffffff81000010 <start_kernel+0x10 init/main.c:936>". */
void view_address(struct monitor_env *e, uint64_t addr, char buf[VIEW_ADDRESS]);
/* One instruction with its address; its length, 1 for what is none, or 0 where nothing is mapped. */
unsigned view_insn(struct view *w, uint64_t addr, bool physical, char mark);
/* The instruction that is next, and its source line. */
void view_here(struct view *w);

#endif
