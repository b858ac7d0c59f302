/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One file of symbols (struct symfile): opened, and put to where it is in the guest.
 */
#ifndef FRONTEND_DEBUG_SYMFILE_H
#define FRONTEND_DEBUG_SYMFILE_H

#include "frontend/debug/symbols.h"

struct linux_module;

/* 0, or -1 with one line in err; 1: with one line about what cannot be used of it. */
int symfile_open(struct symfile **out, const char *path, uint64_t address, char *err, size_t len);
void symfile_close(struct symfile *f);
/* Addresses of the file below this do not move with it. */
uint64_t symfile_fixed(const struct symfile *f);
/* A kernel's: to where that kernel is. */
void symfile_place_kernel(struct symfile *f, struct linux_guest *g);
/* A module's; module NULL: it is not loaded. */
void symfile_place_module(struct symfile *f, struct linux_guest *g,
			  const struct linux_module *module);

#endif
