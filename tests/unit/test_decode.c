/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Decoder corner cases, against the SDM. Breadth comes from tests/insn.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/opcode.h"
#include "cpu/vcpu.h"

#define CODE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* Decodes exactly these bytes, padded with NOPs. */
static enum decode_result dec(struct insn *i, unsigned mode, const uint8_t *code, size_t len)
{
	uint8_t buf[32];

	memset(buf, 0x90, sizeof(buf));
	memcpy(buf, code, len);
	return decode(i, buf, sizeof(buf), mode, NULL);
}

/* Checks text and length at address 0x1000. */
static void is_text(unsigned mode, const uint8_t *code, size_t len, const char *want)
{
	struct insn i;
	char text[128];

	cr_assert_eq(dec(&i, mode, code, len), DECODE_OK, "%s", want);
	cr_expect_eq(i.len, len, "%s: length %u", want, i.len);
	insn_print(text, sizeof(text), &i, 0x1000);
	cr_expect_str_eq(text, want);
}

static void is_ud(unsigned mode, const uint8_t *code, size_t len)
{
	struct insn i;

	cr_expect_eq(dec(&i, mode, code, len), DECODE_UD, "mode %u, %02x %02x %02x", mode, code[0],
		     code[1], len > 2 ? code[2] : 0);
}

Test(decode, addressing_64)
{
	is_text(8, CODE(0x48, 0x8b, 0x04, 0x24), "mov rax, qword ptr [rsp]");
	is_text(8, CODE(0x8b, 0x44, 0x8d, 0xfc), "mov eax, dword ptr [rbp + rcx*4 - 4]");
	is_text(8, CODE(0x8b, 0x05, 0x10, 0, 0, 0), "mov eax, dword ptr [rip + 0x10]");
	is_text(8, CODE(0x8b, 0x04, 0x25, 0x10, 0, 0, 0), "mov eax, dword ptr [0x10]");
	is_text(8, CODE(0x67, 0x8b, 0x04, 0x18), "mov eax, dword ptr [eax + ebx]");
	is_text(8, CODE(0x43, 0x8b, 0x44, 0xa5, 0), "mov eax, dword ptr [r13 + r12*4]");
	is_text(8, CODE(0x64, 0x8b, 0x00), "mov eax, dword ptr fs:[rax]");
}

Test(decode, addressing_16)
{
	is_text(2, CODE(0x8b, 0x00), "mov ax, word ptr [bx + si]");
	is_text(2, CODE(0x8b, 0x46, 0xfe), "mov ax, word ptr [bp - 2]");
	is_text(2, CODE(0x8b, 0x0e, 0x34, 0x12), "mov cx, word ptr [0x1234]");
	is_text(2, CODE(0x66, 0x67, 0x8b, 0x04, 0x24), "mov eax, dword ptr [esp]");
	is_text(4, CODE(0x67, 0x8b, 0x07), "mov eax, dword ptr [bx]");
}

Test(decode, default_segment)
{
	struct insn i;

	dec(&i, 4, CODE(0x8b, 0x45, 0));
	cr_expect_eq(i.seg, SS);
	dec(&i, 4, CODE(0x3e, 0x8b, 0x45, 0));
	cr_expect_eq(i.seg, DS);
	dec(&i, 4, CODE(0x8b, 0x04, 0x2d, 0, 0, 0, 0)); /* no base, EBP index */
	cr_expect_eq(i.seg, DS);
	dec(&i, 8, CODE(0x64, 0x2e, 0x8b, 0x00)); /* CS is ignored, FS stays */
	cr_expect_eq(i.seg, FS);
	dec(&i, 8, CODE(0x41, 0x8b, 0x45, 0)); /* R13 is not RBP */
	cr_expect_eq(i.seg, DS);
}

Test(decode, rex)
{
	is_text(8, CODE(0x88, 0xe0), "mov al, ah");
	is_text(8, CODE(0x40, 0x88, 0xe0), "mov al, spl");
	is_text(8, CODE(0x48, 0x66, 0x01, 0xc0), "add ax, ax"); /* REX not last: ignored */
	is_text(8, CODE(0x66, 0x48, 0x01, 0xc0), "add rax, rax");
	is_text(4, CODE(0x48), "dec eax");
	is_text(8, CODE(0x49, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8), "movabs r8, 0x807060504030201");
	is_text(8, CODE(0x41, 0x90), "xchg r8d, eax");
	is_text(8, CODE(0x90), "nop");
	is_text(8, CODE(0xf3, 0x90), "pause");
}

Test(decode, mode_decides)
{
	is_text(8, CODE(0x48, 0x63, 0xc1), "movsxd rax, ecx");
	is_text(4, CODE(0x63, 0xc8), "arpl ax, cx");
	is_ud(8, CODE(0x06));
	is_ud(8, CODE(0x9a, 0, 0, 0, 0, 0, 0));
}

Test(decode, vex)
{
	is_text(8, CODE(0xc5, 0xf8, 0x58, 0xc1), "vaddps xmm0, xmm0, xmm1");
	is_text(8, CODE(0xc4, 0x41, 0x3c, 0x58, 0xc1), "vaddps ymm8, ymm8, ymm9");
	is_text(4, CODE(0xc4, 0x00), "les eax, fword ptr [eax]");
	is_ud(8, CODE(0xc4, 0x00, 0x00));
	is_ud(8, CODE(0x66, 0xc5, 0xf8, 0x58, 0xc1));
	is_ud(8, CODE(0xf3, 0xc5, 0xf8, 0x58, 0xc1));
	is_ud(8, CODE(0xf0, 0xc5, 0xf8, 0x58, 0xc1));
	is_ud(8, CODE(0x40, 0xc5, 0xf8, 0x58, 0xc1));
	is_ud(8, CODE(0xc5, 0xf0, 0x51, 0xc1)); /* VSQRTPS takes no vvvv */
	is_ud(8, CODE(0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1));
}

Test(decode, lock)
{
	is_text(8, CODE(0xf0, 0x01, 0x08), "lock add dword ptr [rax], ecx");
	is_ud(8, CODE(0xf0, 0x01, 0xc8));
	is_ud(8, CODE(0xf0, 0x03, 0x08));
	is_ud(8, CODE(0xf0, 0x89, 0x08));
}

Test(decode, length_limit)
{
	uint8_t buf[32];
	struct insn i;

	memset(buf, 0x66, sizeof(buf));
	buf[14] = 0x90;
	cr_expect_eq(decode(&i, buf, sizeof(buf), 8, NULL), DECODE_OK);
	cr_expect_eq(i.len, 15);
	buf[14] = 0x66;
	cr_expect_eq(decode(&i, buf, sizeof(buf), 8, NULL), DECODE_GP);
	cr_expect_eq(decode(&i, buf, 14, 8, NULL), DECODE_SHORT);
	cr_expect_eq(decode(&i, buf, 0, 8, NULL), DECODE_SHORT);
}

Test(decode, every_truncation_is_short)
{
	static const uint8_t code[] = {0x66, 0x48, 0x81, 0x84, 0x88, 1, 2, 3, 4, 5, 6, 7, 8};
	struct insn i;

	for (size_t n = 0; n < sizeof(code); n++)
		cr_expect_eq(decode(&i, code, n, 8, NULL), DECODE_SHORT, "%zu bytes", n);
	cr_expect_eq(decode(&i, code, sizeof(code), 8, NULL), DECODE_OK);
	cr_expect_eq(i.len, sizeof(code));
}

Test(decode, branches)
{
	struct insn i;

	is_text(8, CODE(0xeb, 0xfe), "jmp 0x1000");
	is_text(8, CODE(0x66, 0xe9, 0, 0, 0, 0), "jmp 0x1006"); /* 66 is ignored */
	is_text(4, CODE(0x66, 0xe9, 0, 0), "jmp 0x1004");
	dec(&i, 4, CODE(0xea, 1, 0, 0, 0, 0x33, 0));
	cr_expect_eq(i.o[0].kind, OPK_FAR);
	cr_expect_eq(i.imm, 1);
	cr_expect_eq(i.imm2, 0x33);
}

Test(decode, immediates)
{
	struct insn i;

	dec(&i, 8, CODE(0x48, 0x83, 0xc0, 0xff));
	cr_expect_eq(i.imm, ~0ull);
	dec(&i, 8, CODE(0x48, 0x05, 0, 0, 0, 0x80));
	cr_expect_eq(i.imm, 0xffffffff80000000);
	dec(&i, 8, CODE(0xc8, 0x34, 0x12, 0x05));
	cr_expect_eq(i.imm, 0x1234);
	cr_expect_eq(i.imm2, 5);
}

Test(decode, features_gate_rows)
{
	struct cpu_model none = {.name = "none"};
	uint8_t tzcnt[16] = {0xf3, 0x0f, 0xbc, 0xc1};
	struct insn i;

	cr_expect_eq(decode(&i, tzcnt, sizeof(tzcnt), 4, NULL), DECODE_OK);
	cr_expect_str_eq(i.desc->name, "tzcnt");
	cr_expect_eq(decode(&i, tzcnt, sizeof(tzcnt), 4, &none), DECODE_OK);
	cr_expect_str_eq(i.desc->name, "bsf");
}
