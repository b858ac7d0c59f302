/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sizes and offsets of the file are checked before they are used.
 */
#include "frontend/debug/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/debug/symtab.h"

static bool inside(const struct elf_file *f, uint64_t off, uint64_t len)
{
	return off <= f->len && len <= f->len - off;
}

static struct elf_section section_at(const struct elf_file *f, const uint8_t *p, uint32_t *name)
{
	Elf64_Shdr h;
	Elf32_Shdr h32;

	memcpy(&h, p, f->is64 ? sizeof(h) : 0);
	memcpy(&h32, p, f->is64 ? 0 : sizeof(h32));
	if (!f->is64)
		h = (Elf64_Shdr){.sh_name = h32.sh_name,
				 .sh_type = h32.sh_type,
				 .sh_flags = h32.sh_flags,
				 .sh_offset = h32.sh_offset,
				 .sh_size = h32.sh_size,
				 .sh_link = h32.sh_link};
	*name = h.sh_name;
	return (struct elf_section){.type = h.sh_type,
				    .loaded = h.sh_flags & SHF_ALLOC,
				    .code = h.sh_flags & SHF_EXECINSTR,
				    .offset = h.sh_offset,
				    .size = h.sh_size,
				    .link = h.sh_link};
}

/* A string of a table that is a section. */
static const char *string(const struct elf_file *f, unsigned table, uint32_t off)
{
	const struct elf_section *s = table < f->nr_sections ? &f->sections[table] : NULL;

	if (!s || s->type != SHT_STRTAB || off >= s->size || !inside(f, s->offset, s->size) ||
	    !memchr(f->data + s->offset + off, 0, s->size - off))
		return "";
	return (const char *)f->data + s->offset + off;
}

static int read_sections(struct elf_file *f, uint64_t off, unsigned nr, unsigned names)
{
	const size_t size = f->is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	uint32_t *at;

	if (!inside(f, off, nr * size))
		return -EINVAL;
	at = calloc(nr + 1, sizeof(*at));
	f->sections = calloc(nr + 1, sizeof(*f->sections));
	if (!at || !f->sections) {
		free(at);
		return -ENOMEM;
	}
	for (unsigned n = 0; n < nr; n++)
		f->sections[n] = section_at(f, f->data + off + n * size, &at[n]);
	f->nr_sections = nr;
	for (unsigned n = 0; n < nr; n++)
		f->sections[n].name = string(f, names, at[n]);
	free(at);
	return 0;
}

static void read_segments(struct elf_file *f, uint64_t off, unsigned nr)
{
	const size_t size = f->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (!inside(f, off, nr * size))
		return;
	f->lo = UINT64_MAX;
	for (unsigned n = 0; n < nr; n++) {
		Elf64_Phdr h;
		Elf32_Phdr h32;

		memcpy(&h, f->data + off + n * size, f->is64 ? sizeof(h) : 0);
		memcpy(&h32, f->data + off + n * size, f->is64 ? 0 : sizeof(h32));
		if (!f->is64)
			h = (Elf64_Phdr){.p_type = h32.p_type,
					 .p_vaddr = h32.p_vaddr,
					 .p_memsz = h32.p_memsz,
					 .p_align = h32.p_align};
		if (h.p_type != PT_LOAD || !h.p_memsz)
			continue;
		if (f->lo == UINT64_MAX)
			f->lo = h.p_vaddr & (h.p_align ? -h.p_align : UINT64_MAX);
		if (h.p_vaddr + h.p_memsz > f->hi)
			f->hi = h.p_vaddr + h.p_memsz;
	}
}

size_t elf_build_id(const uint8_t *notes, size_t len, uint8_t id[ELF_BUILD_ID])
{
	for (size_t at = 0; len - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr h; /* the same in 32-bit files */
		size_t name, desc;

		memcpy(&h, notes + at, sizeof(h));
		name = ((size_t)h.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)h.n_descsz + 3) & ~(size_t)3;
		at += sizeof(h);
		if (name > len - at || desc > len - at - name)
			return 0;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
		    memcmp(notes + at, "GNU", 4) == 0 && h.n_descsz <= ELF_BUILD_ID) {
			memcpy(id, notes + at + name, h.n_descsz);
			return h.n_descsz;
		}
		at += name + desc;
	}
	return 0;
}

static int parse(struct elf_file *f)
{
	Elf64_Ehdr h;
	Elf32_Ehdr h32;
	int err;

	if (f->len < sizeof(h) || memcmp(f->data, ELFMAG, SELFMAG) != 0 ||
	    f->data[EI_DATA] != ELFDATA2LSB)
		return -EINVAL;
	f->is64 = f->data[EI_CLASS] == ELFCLASS64;
	memcpy(&h, f->data, sizeof(h));
	memcpy(&h32, f->data, sizeof(h32));
	if (f->is64 ? h.e_machine != EM_X86_64 : h32.e_machine != EM_386)
		return -EINVAL;
	f->relocatable = h.e_type == ET_REL; /* at the same place in both */
	err = f->is64 ? read_sections(f, h.e_shoff, h.e_shnum, h.e_shstrndx)
		      : read_sections(f, h32.e_shoff, h32.e_shnum, h32.e_shstrndx);
	if (err < 0)
		return err;
	if (f->is64)
		read_segments(f, h.e_phoff, h.e_phnum);
	else
		read_segments(f, h32.e_phoff, h32.e_phnum);
	for (unsigned n = 0; n < f->nr_sections && !f->build_id_len; n++) {
		const struct elf_section *s = &f->sections[n];

		if (s->type == SHT_NOTE && inside(f, s->offset, s->size))
			f->build_id_len = elf_build_id(f->data + s->offset, s->size, f->build_id);
	}
	return 0;
}

int elf_file_open(struct elf_file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	struct stat st;
	void *p;

	*f = (struct elf_file){0};
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 64) {
		close(fd);
		return -EINVAL;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	err = errno;
	close(fd);
	if (p == MAP_FAILED)
		return -err;
	f->data = p;
	f->len = (size_t)st.st_size;
	err = parse(f);
	if (err < 0)
		elf_file_close(f);
	return err;
}

void elf_file_close(struct elf_file *f)
{
	if (f->data)
		munmap((void *)f->data, f->len);
	free(f->sections);
	*f = (struct elf_file){0};
}

const struct elf_section *elf_file_section(const struct elf_file *f, const char *name)
{
	for (unsigned n = 0; n < f->nr_sections; n++)
		if (strcmp(f->sections[n].name, name) == 0)
			return &f->sections[n];
	return NULL;
}

static int add(const struct elf_file *f, struct symtab *s, const struct elf_section *table,
	       const uint8_t *p, uint64_t (*section)(void *opaque, const char *name), void *opaque)
{
	Elf64_Sym sym;
	Elf32_Sym sym32;
	const char *name;
	unsigned type;

	memcpy(&sym, p, f->is64 ? sizeof(sym) : 0);
	memcpy(&sym32, p, f->is64 ? 0 : sizeof(sym32));
	if (!f->is64)
		sym = (Elf64_Sym){.st_name = sym32.st_name,
				  .st_value = sym32.st_value,
				  .st_size = sym32.st_size,
				  .st_info = sym32.st_info,
				  .st_shndx = sym32.st_shndx};
	type = ELF64_ST_TYPE(sym.st_info);
	name = string(f, table->link, sym.st_name);
	if (!*name || type > STT_FUNC || sym.st_shndx == SHN_UNDEF ||
	    (sym.st_shndx >= f->nr_sections && sym.st_shndx != SHN_ABS))
		return 0;
	bool text = sym.st_shndx != SHN_ABS && f->sections[sym.st_shndx].code;

	if (section) {
		uint64_t base =
		    sym.st_shndx == SHN_ABS ? 0 : section(opaque, f->sections[sym.st_shndx].name);

		if (!base)
			return 0;
		sym.st_value += base;
	}
	return symtab_add(s, sym.st_value, sym.st_size, text ? 't' : 'd', name, strlen(name));
}

int elf_file_symbols(const struct elf_file *f, struct symtab *s,
		     uint64_t (*section)(void *opaque, const char *name), void *opaque)
{
	const struct elf_section *table = elf_file_section(f, ".symtab");
	const size_t size = f->is64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	int err = 0;

	if (!table)
		table = elf_file_section(f, ".dynsym");
	if (!table || !inside(f, table->offset, table->size))
		return 0;
	for (uint64_t off = 0; err == 0 && table->size - off >= size; off += size)
		err = add(f, s, table, f->data + table->offset + off, section, opaque);
	return err;
}
