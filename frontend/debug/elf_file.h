/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A 64-bit or 32-bit ELF file of x86, mapped: its sections, symbols and build id (System V ABI, chapter 4). The file is not to be
 * trusted.
 */
#ifndef FRONTEND_DEBUG_ELF_FILE_H
#define FRONTEND_DEBUG_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symtab;

#define ELF_BUILD_ID 64

struct elf_section {
	const char *name;
	uint32_t type;
	bool loaded, code;
	uint64_t offset, size;
	uint32_t link;
};

struct elf_file {
	const uint8_t *data;
	size_t len;
	bool is64;
	bool relocatable; /* an object file, as kernel modules are */
	struct elf_section *sections;
	unsigned nr_sections;
	uint64_t lo, hi; /* of what it loads, as linked; lo as aligned as its first segment */
	uint8_t build_id[ELF_BUILD_ID];
	size_t build_id_len;
};

/* 0, -EINVAL: it is no such file, or -errno. */
int elf_file_open(struct elf_file *f, const char *path);
void elf_file_close(struct elf_file *f);
const struct elf_section *elf_file_section(const struct elf_file *f, const char *name);
/* Adds its functions and variables, as it has them. section: where a section of a relocatable file is, 0 for nowhere; NULL for
 * other files. 0 or -ENOMEM; symtab_sort() is the caller's. */
int elf_file_symbols(const struct elf_file *f, struct symtab *s,
		     uint64_t (*section)(void *opaque, const char *name), void *opaque);
/* Finds the build id in notes as they are in files and in memory. Its length, 0: none. */
size_t elf_build_id(const uint8_t *notes, size_t len, uint8_t id[ELF_BUILD_ID]);

#endif
