/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ELF kernels: by the PVH entry point where the file has the Xen note (Xen docs/misc/pvh.pandoc,
 * public/arch-x86/hvm/start_info.h), else a 64-bit vmlinux by its own entry point with the Linux
 * zero page in RSI. ELF: System V gABI chapters 4 and 5.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/loader.h"

#define PT_LOAD   1
#define PT_NOTE   4
#define EM_386    3
#define EM_X86_64 62

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define HVM_START_MAGIC          0x336ec578

#define FOUR_G (1ull << 32)

struct phdr {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz;
};

static bool in_file(size_t len, uint64_t off, uint64_t n)
{
	return off <= len && n <= len - off;
}

static struct phdr get_phdr(const struct boot_env *env, const struct elf_info *elf, unsigned i)
{
	const uint8_t *p = env->kernel.data + elf->phoff + (size_t)i * elf->phentsize;

	if (elf->is64)
		return (struct phdr){
		    .type = get_le32(p),
		    .offset = get_le64(p + 8),
		    .vaddr = get_le64(p + 16),
		    .paddr = get_le64(p + 24),
		    .filesz = get_le64(p + 32),
		    .memsz = get_le64(p + 40),
		};
	return (struct phdr){
	    .type = get_le32(p),
	    .offset = get_le32(p + 4),
	    .vaddr = get_le32(p + 8),
	    .paddr = get_le32(p + 12),
	    .filesz = get_le32(p + 16),
	    .memsz = get_le32(p + 20),
	};
}

int elf_open(struct boot_plan *plan, const struct boot_env *env, struct elf_info *elf)
{
	const uint8_t *p = env->kernel.data;
	size_t len = env->kernel.len;

	memset(elf, 0, sizeof(*elf));
	if (len < 20 || memcmp(p, "\177ELF", 4) != 0)
		return boot_fail(plan, env, -ENOEXEC, "not an ELF file");
	elf->is64 = p[4] == 2;
	if (p[4] != 1 && p[4] != 2)
		return boot_fail(plan, env, -ENOEXEC, "corrupt ELF header (class %u)", p[4]);
	if (p[5] != 1)
		return boot_fail(plan, env, -ENOEXEC, "a big-endian ELF file");
	elf->machine = get_le16(p + 18);
	if (elf->machine != EM_386 && elf->machine != EM_X86_64)
		return boot_fail(plan, env, -ENOEXEC, "an ELF file for another CPU (machine %u)",
				 elf->machine);
	if (len < (elf->is64 ? 64u : 52u))
		return boot_fail(plan, env, -ENOEXEC, "truncated: the ELF header ends early");
	elf->entry = elf->is64 ? get_le64(p + 24) : get_le32(p + 24);
	elf->phoff = elf->is64 ? get_le64(p + 32) : get_le32(p + 28);
	elf->phentsize = get_le16(p + (elf->is64 ? 54 : 42));
	elf->phnum = get_le16(p + (elf->is64 ? 56 : 44));
	if (!elf->phnum)
		return boot_fail(plan, env, -ENOEXEC, "an ELF file without program headers");
	if (elf->phentsize < (elf->is64 ? 56u : 32u))
		return boot_fail(plan, env, -ENOEXEC,
				 "corrupt ELF header (program headers of %u "
				 "bytes)",
				 elf->phentsize);
	if (!in_file(len, elf->phoff, (uint64_t)elf->phnum * elf->phentsize))
		return boot_fail(plan, env, -ENOEXEC,
				 "truncated: program headers lie past the end");

	elf->entry_phys = elf->entry;
	for (unsigned i = 0; i < elf->phnum; i++) {
		struct phdr ph = get_phdr(env, elf, i);

		if (ph.type == PT_LOAD && elf->entry >= ph.vaddr &&
		    elf->entry - ph.vaddr < ph.memsz) {
			elf->entry_phys = elf->entry - ph.vaddr + ph.paddr;
			break;
		}
	}
	return 0;
}

int elf_place(struct boot_plan *plan, const struct boot_env *env, const struct elf_info *elf)
{
	unsigned n = 0;
	int r;

	for (unsigned i = 0; i < elf->phnum; i++) {
		struct phdr ph = get_phdr(env, elf, i);

		if (ph.type != PT_LOAD || !ph.memsz)
			continue;
		if (ph.filesz > ph.memsz)
			return boot_fail(plan, env, -ENOEXEC,
					 "corrupt: segment %u is larger in the file than in memory",
					 i);
		if (!in_file(env->kernel.len, ph.offset, ph.filesz))
			return boot_fail(plan, env, -ENOEXEC,
					 "truncated: segment %u lies past the end of the file", i);
		r = boot_place(plan, env, "segment", ph.paddr, env->kernel.data + ph.offset,
			       (size_t)ph.filesz, ph.memsz);
		if (r < 0)
			return r;
		n++;
	}
	if (!n)
		return boot_fail(plan, env, -ENOEXEC, "an ELF file with nothing to load");
	return 0;
}

static uint64_t align_up(uint64_t v, uint64_t a)
{
	return (v + a - 1) & ~(a - 1);
}

/* Looks for the PVH note among the notes in [off, off+size) of the file. */
static bool find_pvh_note(const struct boot_env *env, uint64_t off, uint64_t size, uint64_t *entry)
{
	const uint8_t *p = env->kernel.data + off;
	uint64_t at = 0;

	while (size - at >= 12) {
		uint64_t namesz = get_le32(p + at), descsz = get_le32(p + at + 4);
		uint32_t type = get_le32(p + at + 8);
		uint64_t name = at + 12, desc = name + align_up(namesz, 4);

		if (desc > size || descsz > size - desc)
			return false;
		if (type == XEN_ELFNOTE_PHYS32_ENTRY && namesz == 4 &&
		    memcmp(p + name, "Xen", 4) == 0 && descsz >= 4) {
			*entry = descsz >= 8 ? get_le64(p + desc) : get_le32(p + desc);
			return true;
		}
		at = desc + align_up(descsz, 4);
		if (at > size)
			return false;
	}
	return false;
}

static bool find_pvh(const struct boot_env *env, const struct elf_info *elf, uint64_t *entry)
{
	for (unsigned i = 0; i < elf->phnum; i++) {
		struct phdr ph = get_phdr(env, elf, i);

		if (ph.type == PT_NOTE && in_file(env->kernel.len, ph.offset, ph.filesz) &&
		    find_pvh_note(env, ph.offset, ph.filesz, entry))
			return true;
	}
	return false;
}

/* hvm_start_info version 1, the memory map and the module list, in one low block. */
static int place_start_info(struct boot_plan *plan, const struct boot_env *env)
{
	uint64_t cmdline, initrd, base;
	size_t mods = 56, map = mods + 32, len = map + (size_t)env->nr_e820 * 24;
	uint8_t *p;
	int r;

	r = boot_place_string(plan, env, env->cmdline, &cmdline);
	if (r < 0)
		return r;
	r = boot_place_initrd(plan, env, FOUR_G, &initrd);
	if (r < 0)
		return r;
	base = boot_find_low(plan, env, len, 16, 0x1000, FOUR_G);
	if (!base)
		return boot_fail(plan, env, -ENOMEM, "no memory left for the start info");
	p = calloc(1, len);
	if (!p)
		return boot_fail(plan, env, -ENOMEM, "out of memory");
	put_le32(p, HVM_START_MAGIC);
	put_le32(p + 4, 1);
	put_le32(p + 12, initrd ? 1 : 0);
	put_le64(p + 16, initrd ? base + mods : 0);
	put_le64(p + 24, cmdline);
	put_le64(p + 32, env->rsdp);
	put_le64(p + 40, base + map);
	put_le32(p + 48, env->nr_e820);
	put_le64(p + mods, initrd);
	put_le64(p + mods + 8, initrd ? env->modules[0].file.len : 0);
	for (unsigned i = 0; i < env->nr_e820; i++) {
		put_le64(p + map + i * 24, env->e820[i].base);
		put_le64(p + map + i * 24 + 8, env->e820[i].size);
		put_le32(p + map + i * 24 + 16, env->e820[i].type);
	}
	plan->rbx = base;
	return boot_place_owned(plan, env, "start info", base, p, len);
}

int load_elf(struct boot_plan *plan, const struct boot_env *env)
{
	struct elf_info elf;
	uint64_t entry = 0;
	bool pvh;
	int r;

	r = elf_open(plan, env, &elf);
	if (r < 0)
		return r;
	pvh = find_pvh(env, &elf, &entry);
	if (!pvh) {
		if (!elf.is64)
			return boot_fail(plan, env, -ENOEXEC,
					 "a 32-bit ELF file without PVH note or multiboot header");
		entry = elf.entry_phys;
	}
	r = elf_place(plan, env, &elf);
	if (r < 0)
		return r;
	if (entry >= FOUR_G || !boot_is_ram(env, entry, 1))
		return boot_fail(plan, env, -ENOEXEC, "the entry point 0x%llx is not in memory",
				 (unsigned long long)entry);
	r = boot_place_tables(plan, env, pvh ? BOOT_PROT32 : BOOT_LONG64);
	if (r < 0)
		return r;
	plan->rip = entry;
	plan->protocol = pvh ? "pvh" : "elf64";
	if (pvh)
		return place_start_info(plan, env);
	return boot_place_zero_page(plan, env, NULL, 0, FOUR_G);
}
