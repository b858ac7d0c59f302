/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Linux bzImage, as Documentation/arch/x86/boot.rst describes it: by the 64-bit entry point
 * (protocol 2.12 with XLF_KERNEL_64), else by the 32-bit one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/loader.h"

/* Offsets in the image's first sectors and, from 1F1h on, in the zero page as well. */
enum {
	ZP_EXT_MEM_K = 0x002,
	ZP_RSDP = 0x070,
	ZP_ALT_MEM_K = 0x1e0,
	ZP_E820_ENTRIES = 0x1e8,
	HDR_START = 0x1f1,
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP_LEN = 0x201,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_CODE32_START = 0x214,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_HEAP_END = 0x224,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_RELOCATABLE = 0x234,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END_MAX = 0x290,
	ZP_E820 = 0x2d0,
	ZP_E820_MAX = 128,
	ZP_SIZE = 0x1000,
};

enum {
	LOADED_HIGH = 1 << 0,
	CAN_USE_HEAP = 1 << 7,
	XLF_KERNEL_64 = 1 << 0,
};

#define FOUR_G (1ull << 32)

/* What Linux can take as an initial ramdisk: cpio archives, plain or compressed, and images of
 * the file systems that prepare_namespace() knows. */
static bool looks_like_initrd(const uint8_t *p, size_t len)
{
	static const struct {
		uint16_t off;
		uint8_t n;
		const char *magic;
	} known[] = {
	    {0, 5, "07070"},    /* cpio newc, crc, odc */
	    {0, 2, "\x1f\x8b"}, /* gzip */
	    {0, 2, "\x1f\x9e"},
	    {0, 3, "BZh"},
	    {0, 6, "\xfd\x37zXZ\0"},
	    {0, 3, "\x5d\0\0"}, /* lzma */
	    {0, 4, "\x89LZO"},
	    {0, 4, "\x02\x21\x4c\x18"}, /* lz4, legacy frames */
	    {0, 4, "\x28\xb5\x2f\xfd"}, /* zstd */
	    {0, 8, "-rom1fs-"},
	    {0, 4, "hsqs"},
	    {0, 4, "\x45\x3d\xcd\x28"}, /* cramfs */
	    {512, 4, "\x45\x3d\xcd\x28"},
	    {1040, 2, "\x7f\x13"}, /* minix */
	    {1080, 2, "\x53\xef"}, /* ext2 */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (len >= (size_t)known[i].off + known[i].n &&
		    memcmp(p + known[i].off, known[i].magic, known[i].n) == 0)
			return true;
	return false;
}

int boot_place_zero_page(struct boot_plan *plan, const struct boot_env *env, const uint8_t *hdr,
			 size_t hdr_len, uint64_t initrd_max)
{
	uint64_t zp_addr, cmdline, initrd;
	uint64_t low_k = (boot_low_ram_end(env) - 0x100000) >> 10;
	const struct blob *rd = &env->modules[0].file;
	unsigned n = 0;
	uint8_t *zp;
	int r;

	if (env->nr_modules && rd->len && !looks_like_initrd(rd->data, rd->len))
		return boot_fail(
		    plan, env, -EINVAL,
		    "initrd %s is no cpio archive, compressed file or file system that "
		    "Linux can use",
		    rd->name);

	zp_addr = boot_find_low(plan, env, ZP_SIZE, 4096, 0x1000, 0xa0000);
	if (!zp_addr)
		return boot_fail(plan, env, -ENOMEM, "no low memory left for the zero page");
	zp = calloc(1, ZP_SIZE);
	if (!zp)
		return boot_fail(plan, env, -ENOMEM, "out of memory");
	r = boot_place_owned(plan, env, "zero page", zp_addr, zp, ZP_SIZE);
	if (r < 0)
		return r;

	if (hdr)
		memcpy(zp + HDR_START, hdr, hdr_len);
	else
		put_le16(zp + HDR_BOOT_FLAG, 0xaa55);
	put_le16(zp + ZP_EXT_MEM_K, (uint16_t)(low_k > 0xffff ? 0xffff : low_k));
	put_le32(zp + ZP_ALT_MEM_K, (uint32_t)low_k);
	put_le64(zp + ZP_RSDP, env->rsdp);
	for (unsigned i = 0; i < env->nr_e820 && n < ZP_E820_MAX; i++, n++) {
		uint8_t *e = zp + ZP_E820 + n * 20;

		put_le64(e, env->e820[i].base);
		put_le64(e + 8, env->e820[i].size);
		put_le32(e + 16, env->e820[i].type);
	}
	zp[ZP_E820_ENTRIES] = (uint8_t)n;

	r = boot_place_string(plan, env, env->cmdline, &cmdline);
	if (r < 0)
		return r;
	r = boot_place_initrd(plan, env, initrd_max, &initrd);
	if (r < 0)
		return r;

	zp[HDR_TYPE_OF_LOADER] = 0xff;
	zp[HDR_LOADFLAGS] = (uint8_t)((zp[HDR_LOADFLAGS] & ~CAN_USE_HEAP) | LOADED_HIGH);
	put_le16(zp + HDR_HEAP_END, 0);
	put_le32(zp + HDR_CMD_LINE_PTR, (uint32_t)cmdline);
	put_le32(zp + HDR_RAMDISK_IMAGE, (uint32_t)initrd);
	put_le32(zp + HDR_RAMDISK_SIZE, initrd ? (uint32_t)rd->len : 0);
	plan->rsi = zp_addr;
	return 0;
}

/* Where the kernel goes: its preferred address, else the lowest aligned one that has room for
 * what it unpacks to. 0 when there is none. */
static uint64_t choose_address(const struct boot_plan *plan, const struct boot_env *env,
			       const uint8_t *h, unsigned version, uint64_t need)
{
	uint64_t addr = get_le32(h + HDR_CODE32_START), align;

	if (version < 0x205 || !h[HDR_RELOCATABLE])
		return boot_is_free(plan, env, addr, need) ? addr : 0;
	align = get_le32(h + HDR_KERNEL_ALIGNMENT);
	if (!align || (align & (align - 1)))
		align = 0x200000;
	if (align < 4096)
		align = 4096;
	if (version >= 0x20a)
		addr = get_le64(h + HDR_PREF_ADDRESS);
	addr = addr & ~(align - 1);
	if (addr >= 0x100000 && addr < FOUR_G && boot_is_free(plan, env, addr, need))
		return addr;
	return boot_find_low(plan, env, need, align, 0x100000, FOUR_G);
}

int load_linux(struct boot_plan *plan, const struct boot_env *env)
{
	const uint8_t *img = env->kernel.data;
	size_t len = env->kernel.len, hdr_end, setup, payload, cmdline_max = 255;
	uint64_t addr, need, initrd_max = 0x38000000;
	unsigned version;
	uint8_t h[HDR_END_MAX];
	bool k64;
	int r;

	/* The header, zero-extended: fields past its end read as 0. */
	memset(h, 0, sizeof(h));
	if (len < 0x210)
		return boot_fail(plan, env, -ENOEXEC, "truncated: the setup header ends early");
	version = get_le16(img + HDR_VERSION);
	if (version < 0x202)
		return boot_fail(plan, env, -ENOTSUP,
				 "boot protocol %u.%02u is too old (2.02 or later is needed)",
				 version >> 8, version & 0xff);
	hdr_end = (size_t)0x202 + img[HDR_JUMP_LEN];
	if (hdr_end > HDR_END_MAX)
		hdr_end = HDR_END_MAX;
	if (hdr_end < HDR_CMD_LINE_PTR + 4)
		return boot_fail(plan, env, -ENOEXEC, "corrupt setup header (it is %zu bytes long)",
				 hdr_end - HDR_START);
	if (len < hdr_end)
		return boot_fail(plan, env, -ENOEXEC, "truncated: the setup header ends early");
	memcpy(h + HDR_START, img + HDR_START, hdr_end - HDR_START);

	if (!(h[HDR_LOADFLAGS] & LOADED_HIGH))
		return boot_fail(plan, env, -ENOTSUP, "a zImage; only bzImage is supported");
	setup = ((size_t)(h[HDR_SETUP_SECTS] ? h[HDR_SETUP_SECTS] : 4) + 1) * 512;
	payload = version >= 0x204 ? (size_t)get_le32(h + HDR_SYSSIZE) * 16
				   : (size_t)get_le16(h + HDR_SYSSIZE) * 16;
	/* syssize is in paragraphs: the last one may be partial. */
	if (len <= setup || len - setup + 15 < payload)
		return boot_fail(plan, env, -ENOEXEC,
				 "truncated: the header promises %zu bytes, the file has %zu",
				 setup + payload, len);
	payload = len - setup;

	k64 = version >= 0x20c && (get_le16(h + HDR_XLOADFLAGS) & XLF_KERNEL_64);
	if (k64 && payload < 0x200 + 16)
		return boot_fail(plan, env, -ENOEXEC, "truncated before the 64-bit entry point");
	if (version >= 0x203) {
		initrd_max = (uint64_t)get_le32(h + HDR_INITRD_ADDR_MAX) + 1;
		if (initrd_max < 0x200000)
			initrd_max = 0x38000000;
	}
	if (version >= 0x206)
		cmdline_max = get_le32(h + HDR_CMDLINE_SIZE);
	if (strlen(env->cmdline) > cmdline_max)
		return boot_fail(plan, env, -E2BIG,
				 "the command line has %zu bytes, this kernel takes %zu",
				 strlen(env->cmdline), cmdline_max);

	need = payload;
	if (version >= 0x20a && get_le32(h + HDR_INIT_SIZE) > need)
		need = get_le32(h + HDR_INIT_SIZE);
	addr = choose_address(plan, env, h, version, need);
	if (!addr)
		return boot_fail(
		    plan, env, -ENOMEM,
		    "the kernel needs %llu MiB of memory in one piece, more than the guest has: "
		    "give more with -m",
		    (unsigned long long)((need + 0xfffff) >> 20));
	r = boot_place(plan, env, "kernel", addr, img + setup, payload, need);
	if (r < 0)
		return r;
	put_le32(h + HDR_CODE32_START, (uint32_t)addr);

	r = boot_place_zero_page(plan, env, h + HDR_START, hdr_end - HDR_START, initrd_max);
	if (r < 0)
		return r;
	r = boot_place_tables(plan, env, k64 ? BOOT_LONG64 : BOOT_PROT32);
	if (r < 0)
		return r;
	plan->rip = k64 ? addr + 0x200 : addr;
	plan->protocol = k64 ? "linux64" : "linux32";
	return 0;
}
