/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Direct boot: a loader reads an image from memory and makes a plan - what goes where in guest RAM
 * and the state in which the boot processor starts. Loaders touch no machine, so every header
 * field can be fuzzed; the board carries the plan out at every reset.
 */
#ifndef HW_LOADER_H
#define HW_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define E820_RAM      1
#define E820_RESERVED 2
#define E820_ACPI     3
#define E820_NVS      4

struct e820_entry {
	uint64_t base, size;
	uint32_t type;
};

/* A file in memory. */
struct blob {
	const char *name;
	const uint8_t *data;
	size_t len;
};

struct boot_module {
	struct blob file;
	const char *cmdline; /* the file name and its arguments */
};

#define BOOT_MAX_MODULES 32

/* What the board tells a loader. Everything is borrowed and must outlive the plan. */
struct boot_env {
	struct blob kernel;
	struct boot_module modules[BOOT_MAX_MODULES]; /* [0] is the initrd */
	unsigned nr_modules;
	const char *cmdline;
	const struct e820_entry *e820;
	unsigned nr_e820;
	uint64_t rsdp;            /* guest address; 0 when there are no ACPI tables */
	const uint8_t *rsdp_data; /* the 36 bytes there */
};

enum boot_entry {
	BOOT_PROT32, /* flat 32-bit protected mode, paging off */
	BOOT_LONG64, /* 64-bit mode, the first 4 GiB mapped one to one */
};

struct boot_segment {
	uint64_t addr, mem_len; /* bytes past len are zeroed */
	const uint8_t *data;
	size_t len;
	uint8_t *owned; /* freed with the plan */
};

#define BOOT_MAX_SEGMENTS 128

struct boot_plan {
	struct boot_segment seg[BOOT_MAX_SEGMENTS];
	unsigned nr;
	enum boot_entry entry;
	uint64_t rip, rsp, rax, rbx, rsi;
	uint64_t cr3;
	uint64_t gdt;
	uint16_t gdt_limit;
	uint16_t code_sel, data_sel, tss_sel;
	const char *protocol; /* "linux64", "multiboot", ... */
	char err[512];        /* one line, without the program's name */
};

enum boot_kind { BOOT_UNKNOWN, BOOT_BZIMAGE, BOOT_MULTIBOOT1, BOOT_MULTIBOOT2, BOOT_ELF };

enum boot_kind boot_kind(const uint8_t *img, size_t len);
/* Whether several modules with arguments are possible, or only one initrd. */
bool boot_kind_has_modules(enum boot_kind kind);

/* Makes a plan for env->kernel. 0, or -errno with plan->err set; boot_plan_free() either way. */
int boot_plan_make(struct boot_plan *plan, const struct boot_env *env);
void boot_plan_free(struct boot_plan *plan);

/* The loaders behind it. */
int load_linux(struct boot_plan *plan, const struct boot_env *env);
int load_elf(struct boot_plan *plan, const struct boot_env *env);
int load_multiboot1(struct boot_plan *plan, const struct boot_env *env);
int load_multiboot2(struct boot_plan *plan, const struct boot_env *env);

/* ---- what loaders build plans with ---- */

/* Sets plan->err to "file: message" and returns err. */
int boot_fail(struct boot_plan *plan, const struct boot_env *env, int err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Whether all of [addr, addr+len) is RAM that no segment of the plan uses yet. */
bool boot_is_ram(const struct boot_env *env, uint64_t addr, uint64_t len);
bool boot_is_free(const struct boot_plan *plan, const struct boot_env *env, uint64_t addr,
		  uint64_t len);
/* Places borrowed bytes; fails when they are not in free RAM. what names them in the message. */
int boot_place(struct boot_plan *plan, const struct boot_env *env, const char *what, uint64_t addr,
	       const uint8_t *data, size_t len, uint64_t mem_len);
/* The same for bytes the plan shall own; frees them on failure. */
int boot_place_owned(struct boot_plan *plan, const struct boot_env *env, const char *what,
		     uint64_t addr, uint8_t *data, size_t len);
/* Free RAM of len bytes inside [min, max), lowest or highest. 0 when there is none. align is a
 * power of two. */
uint64_t boot_find_low(const struct boot_plan *plan, const struct boot_env *env, uint64_t len,
		       uint64_t align, uint64_t min, uint64_t max);
uint64_t boot_find_high(const struct boot_plan *plan, const struct boot_env *env, uint64_t len,
			uint64_t align, uint64_t min, uint64_t max);
/* End of the RAM that starts at 1 MiB. */
uint64_t boot_low_ram_end(const struct boot_env *env);

/* GDT (and page tables) for the entry state; fills plan->gdt, cr3, selectors. */
int boot_place_tables(struct boot_plan *plan, const struct boot_env *env, enum boot_entry entry);
/* A string in low memory; its address in *addr. */
int boot_place_string(struct boot_plan *plan, const struct boot_env *env, const char *s,
		      uint64_t *addr);
/* The initrd, as high as possible below max; nothing when there is none (then *addr is 0). */
int boot_place_initrd(struct boot_plan *plan, const struct boot_env *env, uint64_t max,
		      uint64_t *addr);
/* Linux zero page; hdr (hdr_len bytes from 1F1h of the image) may be NULL. Places it with the
 * command line, the initrd and the entry tables; its address goes to rsi. */
int boot_place_zero_page(struct boot_plan *plan, const struct boot_env *env, const uint8_t *hdr,
			 size_t hdr_len, uint64_t initrd_max);

/* Loads the PT_LOAD segments of an ELF file at their physical addresses. */
struct elf_info {
	bool is64;
	uint16_t machine;
	uint64_t entry;      /* as in the header: virtual or physical */
	uint64_t entry_phys; /* through the segment that holds it, when it is virtual */
	uint64_t phoff;
	unsigned phnum, phentsize;
};
int elf_open(struct boot_plan *plan, const struct boot_env *env, struct elf_info *elf);
int elf_place(struct boot_plan *plan, const struct boot_env *env, const struct elf_info *elf);

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get_le32(const uint8_t *p)
{
	return get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}
static inline uint64_t get_le64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}
static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}
static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

#endif
