/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gdb's packets and its view of the registers. The stub as a whole is tests/gdb.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/vcpu.h"
#include "frontend/gdb/regs.h"
#include "frontend/gdb/wire.h"
#include "hw/lapic.h"

static struct gdb_wire w;
static char got[GDB_PACKET + 1], out[2 * GDB_PACKET + 64];
static size_t got_len, out_len;
static unsigned packets, interrupts;

static void on_packet(void *opaque, char *data, size_t len)
{
	(void)opaque;
	memcpy(got, data, len + 1);
	got_len = len;
	packets++;
}

static void on_interrupt(void *opaque)
{
	(void)opaque;
	interrupts++;
}

static void on_write(void *opaque, const uint8_t *buf, size_t len)
{
	(void)opaque;
	memcpy(out + out_len, buf, len);
	out_len += len;
	out[out_len] = 0;
}

static void setup(void)
{
	w.packet = on_packet;
	w.interrupt = on_interrupt;
	w.write = on_write;
	gdb_wire_reset(&w);
}

static void feed(const char *text)
{
	out_len = 0;
	out[0] = 0;
	gdb_wire_receive(&w, (const uint8_t *)text, strlen(text));
}

TestSuite(gdb, .init = setup);

Test(gdb, packets)
{
	feed("noise$g#67\003");
	cr_assert_str_eq(out, "+");
	cr_assert(packets == 1 && got_len == 1 && got[0] == 'g' && interrupts == 1);
	feed("$g#68");
	cr_assert_str_eq(out, "-", "its checksum is wrong");
	cr_assert_eq(packets, 1u);
	/* Another begins before the first has ended; escapes count in the checksum. */
	feed("$cut$X}\003}]#b2");
	cr_assert_str_eq(out, "+");
	cr_assert(packets == 2 && got_len == 3 && memcmp(got, "X#}", 4) == 0);
	cr_assert_eq(interrupts, 1u, "a byte of 3 in a packet is none");
	w.no_acks = true;
	feed("$g#00");
	cr_assert_str_eq(out, "");
	cr_assert_eq(packets, 3u);
}

Test(gdb, too_long)
{
	char *text = malloc(2 * GDB_PACKET);
	unsigned sum = 0;

	memset(text, 'a', 2 * GDB_PACKET);
	text[0] = '$';
	for (size_t n = 1; n < 2 * GDB_PACKET - 4; n++)
		sum += 'a';
	snprintf(text + 2 * GDB_PACKET - 4, 4, "#%02x", sum & 0xff);
	feed(text);
	cr_assert_eq(packets, 0u);
	cr_assert_str_eq(out, "+$E22#a9");
	free(text);
}

static void expect_sent(const char *text, size_t len, const char *want)
{
	out_len = 0;
	gdb_wire_send(&w, text, len);
	cr_expect_str_eq(out, want);
}

Test(gdb, replies)
{
	expect_sent("OK", 2, "$OK#9a");
	expect_sent("0000", 4, "$0* #7a");
	expect_sent("000", 3, "$000#90");
	/* Seven more would be '$', eight '%'. */
	expect_sent("00000000", 8, "$0*\"00#dc");
	expect_sent("000000000", 9, "$0*%#7f");
	expect_sent("a#b", 3, "$a}\003b#43");
	expect_sent("####", 4, "$}\003}\003}\003}\003#00");
	feed("-");
	cr_assert_str_eq(out, "$}\003}\003}\003}\003#00", "again");
	feed("+-");
	cr_assert_str_eq(out, "", "nothing waits for an acknowledgment");
}

Test(gdb, registers)
{
	struct cpu_model model;
	struct gdb_regs r;
	struct lapic apic = {0};
	uint8_t val[GDB_REG_SIZE];
	char err[100];
	struct vcpu v;

	vcpu_reset(&v, 0);
	cr_assert_eq(cpu_model_parse(&model, "max", err, sizeof(err)), 0);
	cr_assert_eq(gdb_regs_init(&r, &model), 0);
	cr_assert(strstr(r.xml, "\"rax\"") && strstr(r.xml, "\"eax\"") &&
		  strstr(r.xml, "\"ymm15h\""));
	cr_assert_not(strstr(r.xml, "<architecture>"), "it has them all");
	/* At reset the CPU fetches from FFFFFFF0h. */
	v.gpr[RBX] = 0x1122334455667788;
	for (unsigned n = 0; n < r.nr; n++) {
		size_t size = gdb_reg_read(&r, n, &v, &apic, val);
		struct vcpu copy = v;

		cr_assert_eq(size, gdb_reg_size(&r, n));
		if (n == 1)
			cr_assert_eq(memcmp(val, &v.gpr[RBX], 8), 0);
		if (n == 16)
			cr_assert_eq(memcmp(val, "\xf0\xff\0\0\0\0\0\0", 8), 0);
		/* What is written as it was read changes nothing, but for the upper half of a name for the lower. */
		if (gdb_reg_write(&r, n, &copy, val) && size != 4)
			cr_expect_eq(memcmp(&copy, &v, sizeof(v)), 0, "register %u", n);
	}
	gdb_regs_fini(&r);

	cr_assert_eq(cpu_model_parse(&model, "max,-lm", err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(gdb_regs_init(&r, &model), 0);
	cr_assert(!strstr(r.xml, "rax") && strstr(r.xml, "<architecture>i386<"));
	cr_assert_not(strstr(r.xml, "xmm8"));
	gdb_reg_read(&r, 8, &v, &apic, val);
	cr_assert_eq(memcmp(val, "\xf0\xff\xff\xff", 4), 0, "eip is where the CPU fetches from");
	gdb_regs_fini(&r);
}
