/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the translator emits for common shapes, disassembled: tests/jit/emitted.txt holds what was last
 * reviewed. Addresses that change from build to build are given names.
 *
 *   emitted            prints
 *   emitted -x         prints, with the bytes
 *   emitted FILE       compares, and says where the first difference is
 */
#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/jit/jit_impl.h"
#include "cpu/decode.h"
#include "cpu/opcode.h"

#define SHAPES(X)                                                                                  \
	X(registers, "add %rbx, %rax", "xor %r13d, %ecx", "mov %rsp, %r14", "sub $8, %rsp")        \
	X(load_with_live_flags, "mov 8(%rdi), %rax")                                               \
	X(load_with_dead_flags, "mov 8(%rdi), %rax", "add %rbx, %rax")                             \
	X(store, "mov %eax, 16(%rsp, %rcx, 4)", "test %eax, %eax")                                 \
	X(read_modify_write, "addq $1, (%rdx)")                                                    \
	X(shared, "mov 8(%rdi), %rax", "mov %rax, 16(%rdi)", "mov 24(%rdi), %rdx",                 \
	  "test %rax, %rax")                                                                       \
	X(push_and_pop, "push %rbp", "pop %r15", "cmp %rax, %rbx")                                 \
	X(gs_and_rip_relative, "mov %gs:0x10, %rax", "lea 0x100(%rip), %rdx")                      \
	X(relative_to_rip, "mov 0x1000(%rip), %rax", "add %rax, 0x1100(%rip)", "mov 0x2000, %eax") \
	X(compare_and_branch, "1: dec %rcx", "cmp %rsi, %rdi", "jne 1b")                           \
	X(call, "call . + 0x20")                                                                   \
	X(call_of_another_page, "call . + 0x2000")                                                 \
	X(jump_back_to_another_page, "jmp . - 0x2000")                                             \
	X(indirect_jump, "jmp *%rax")                                                              \
	X(indirect_call_by_a_variable, "call *0x1000(%rip)")                                       \
	X(fixed_relative_to_rip, "lea 0x100(%rip), %rdx", "add %rax, 0x1100(%rip)")                \
	X(fixed_call_of_another_page, "call . + 0x2000")                                           \
	X(ret, "ret")                                                                              \
	X(without_translation, "cpuid", "mov %eax, %ebx")                                          \
	X(shift_by_cl, "shl %cl, %rdx")                                                            \
	X(shift_of_memory_by_cl, "shll %cl, (%rdi)", "test %eax, %eax")                            \
	X(bit_string, "lock bts %rax, (%rdi)")                                                     \
	X(high_byte, "test $8, %ch", "mov %ch, (%rdi)")                                            \
	X(repeated_string, "rep movsb", "mov %eax, %ebx")                                          \
	X(single_string, "stosq", "test %eax, %eax")                                               \
	X(counted_loop, "1: nop", "loop 1b")                                                       \
	X(x87, "fldl (%rsi)", "fmul %st(1), %st", "fstpt 16(%rdi)", "add $8, %rsi")                \
	X(interrupt_flag, "sti", "nop", "cli", "test %eax, %eax")                                  \
	X(push_flags, "pushf", "pop %rax")                                                         \
	X(sum_of_a_list, "1: add 8(%rdi), %rax", "mov (%rdi), %rdi", "test %rdi, %rdi", "jne 1b")  \
	X(trace_of_a_stream, "1: mov (%rdi,%rax,8), %rdx", "add (%rsi,%rax,8), %rdx",              \
	  "mov %rdx, (%rbx,%rax,8)", "inc %rax\ncmp %r8, %rax\njne 1b")                            \
	X(trace_with_ways_out, "cmp $5, %rdi\nje . + 0x30", "mov %rax, (%rsp)\nmov 8(%rsp), %rcx", \
	  "cmp $5, %rcx\njbe . + 0x2000", "add %rdx, %rcx")

#define TEXT1(a)                 a
#define TEXT2(a, b)              a "\n" b
#define TEXT3(a, b, c)           a "\n" b "\n" c
#define TEXT4(a, b, c, d)        a "\n" b "\n" c "\n" d
#define PICK(a, b, c, d, n, ...) n
#define TEXT(...)                PICK(__VA_ARGS__, TEXT4, TEXT3, TEXT2, TEXT1, )(__VA_ARGS__)
#define DEFINE(name, ...)                                                                          \
	extern const char in_##name[], in_##name##_end[];                                          \
	__asm__(".pushsection .rodata\nin_" #name ":\n" TEXT(__VA_ARGS__) "\nin_" #name            \
									  "_end:\n.popsection");
SHAPES(DEFINE)

static const struct shape {
	const char *name, *code, *end;
} shapes[] = {
#define ROW(name, ...) {#name, in_##name, in_##name##_end},
    SHAPES(ROW)};

enum { MODE = TLB_KERNEL, BLOCK_AT = 0x200 };

static const struct {
	int32_t off;
	const char *name;
} fields[] = {
    {OFF_GPR(RCX), "rcx"},
    {OFF_GPR(RSP), "rsp"},
    {OFF_GPR(R13), "r13"},
    {OFF_GPR(R14), "r14"},
    {OFF_GPR(R15), "r15"},
    {OFF_GPR(R13) + 4, "r13 + 4"},
    {OFF_GPR(R14) + 4, "r14 + 4"},
    {OFF_GPR(R15) + 4, "r15 + 4"},
    {OFF_CORE(v.rflags), "rflags"},
    {OFF_CORE(events), "events"},
    {OFF_JS(flags) + 1, "flags + 1"},
    {OFF_CORE(v.seg[FS].base), "fs.base"},
    {OFF_CORE(v.seg[GS].base), "gs.base"},
    {OFF_JS(pending), "pending"},
    {OFF_JS(page_rip), "page_rip"},
    {OFF_JS(flags), "flags"},
    {OFF_JS(cell_key), "cell_key"},
    {OFF_JS(context), "context"},
    {OFF_JS(jump[0].rip), "jump.rip"},
    {OFF_JS(jump[0].stamp), "jump.stamp"},
    {OFF_JS(jump[0].code), "jump.code"},
    {OFF_JS(jump[0].version), "jump.version"},
    {OFF_JS(next_rip), "next_rip"},
    {OFF_JS(next_code), "next_code"},
    {OFF_JS(returns[0].rip), "returns.rip"},
    {OFF_JS(returns[0].stamp), "returns.stamp"},
    {OFF_JS(returns[0].cell), "returns.cell"},
    {OFF_JS(index_mask), "index_mask"},
    {OFF_JS(page_mask), "page_mask"},
    {OFF_JS(mask64), "mask64"},
    {OFF_JS(string_again), "string_again"},
    {OFF_JS(spill), "spill"},
    {OFF_JS(spill2), "spill2"},
    {OFF_JS(first), "first"},
    {OFF_JS(reuse[0].host), "reuse[0].host"},
    {OFF_JS(reuse[0].page), "reuse[0].page"},
    {OFF_JS(reuse[1].host), "reuse[1].host"},
    {OFF_JS(reuse[1].page), "reuse[1].page"},
    {OFF_JS(reuse[2].host), "reuse[2].host"},
    {OFF_JS(x87_dead), "x87_dead"},
    {OFF_JS(x87_last), "x87_last"},
    {OFF_JS(x87_page), "x87_page"},
    {OFF_JS(x87_seg), "x87_seg"},
    {OFF_CORE(v.fpu.fdp), "fdp"},
    {OFF_JS(jump[0].rip), "jump.rip"},
    {OFF_JS(jump[0].stamp), "jump.stamp"},
    {OFF_JS(jump[0].code), "jump.code"},
    {OFF_JS(jump[0].version), "jump.version"},
    {OFF_JS(tlb[MODE].e[1].rd), "tlb[1].rd"},
    {OFF_JS(tlb[MODE].e[1].wr), "tlb[1].wr"},
    {OFF_JS(tlb[MODE].e[1].host), "tlb[1].host"},
    {OFF_JS(tlb[MODE].e[2].rd), "tlb[2].rd"},
    {OFF_JS(tlb[MODE].e[2].host), "tlb[2].host"},
    {OFF_JS(tlb[MODE].e[0].rd), "tlb.rd"},
    {OFF_JS(tlb[MODE].e[0].wr), "tlb.wr"},
    {OFF_JS(tlb[MODE].e[0].host), "tlb.host"},
    {OFF_JS(tlb[MODE].e[0].addend), "tlb.addend"},
    {OFF_JS(tlb[MODE].page[0]), "tlb.page"},
};

/* [rsp + index*8 + 0x1234] with the field's name in place of the number. */
static void name_field(char *text, size_t size)
{
	char *at = strstr(text, "[rsp"), *end = at ? strchr(at, ']') : NULL;
	if (!end)
		return;
	char *hex = end, rest[64];
	while (hex > at && strncmp(hex, "0x", 2))
		hex--;
	int32_t off = hex > at ? (int32_t)strtoul(hex, NULL, 16) : 0;
	for (size_t n = 0; n < sizeof(fields) / sizeof(fields[0]); n++) {
		if (fields[n].off != off)
			continue;
		snprintf(rest, sizeof(rest), "%s", end);
		snprintf(hex > at ? hex : at + 1, size - (size_t)(hex > at ? hex - text : 1),
			 "%s%s", fields[n].name, rest);
		return;
	}
}

/* What is at an address in code memory's cells, by either mapping; false when it is not there. */
static bool name_cell(char *text, size_t size, const struct jit *j, uint64_t at)
{
	static const char *const names[] = {"rip", "stamp", "code", "version"};
	uint64_t top = (uint64_t)(uintptr_t)j->top,
		 top_x = (uint64_t)(uintptr_t)(j->top - j->write + j->exec),
		 used = top - (uint64_t)(uintptr_t)j->cells;
	uint64_t below = top_x - at <= used ? top_x - at : top - at;
	if (!below || below > used)
		return false;
	unsigned field = (unsigned)(-below % sizeof(struct jit_jump) / 8);
	snprintf(text, size, "cell[%u]%s%s", (unsigned)((below - 1) / sizeof(struct jit_jump)),
		 field ? "." : "", field ? names[field] : "");
	return true;
}

/* [rip + 0x1234] where that is a cell. */
static void name_rip_relative(char *text, size_t size, const struct jit *j, const cs_insn *i)
{
	char *at = strstr(text, "[rip"), *end = at ? strchr(at, ']') : NULL, rest[64];
	if (!end)
		return;
	snprintf(rest, sizeof(rest), "%s", end);
	if (!name_cell(at + 1, size - (size_t)(at + 1 - text), j,
		       i->address + i->size + (uint64_t)i->detail->x86.disp))
		return;
	strncat(text, rest, size - strlen(text) - 1);
}

static const char *stub_name(const struct jit *j, uint64_t to)
{
	const struct {
		const uint8_t *at;
		const char *name;
	} stubs[] = {{j->leave, "leave"},
		     {j->leave_link, "leave_link"},
		     {j->call_op, "call_op"},
		     {j->call_plain, "call_plain"},
		     {j->lookup, "lookup"},
		     {j->go, "go"},
		     {j->stored, "stored"},
		     {j->x87_load, "x87_load"},
		     {j->go_cell[0], "go_cell"},
		     {j->go_cell[1], "go_cell_vec"},
		     {j->lookup_cell[0], "lookup_cell"},
		     {j->lookup_cell[1], "lookup_cell_vec"},
		     {j->refill[MODE][REFILL_READ], "refill_read"},
		     {j->refill[MODE][REFILL_WRITE], "refill_write"},
		     {j->refill[MODE][REFILL_READS], "refill_reads"},
		     {j->refill[MODE][REFILL_WRITES_BY_READ], "refill_writes_by_read"},
		     {j->refill[MODE][REFILL_WRITES], "refill_writes"},
		     {j->careful, "careful"},
		     {j->call_string, "call_string"},
		     {j->string[STRING_MOVS][0][1][0], "rep_movsb"}};
	for (size_t n = 0; n < sizeof(stubs) / sizeof(stubs[0]); n++)
		if ((uint64_t)(uintptr_t)stubs[n].at == to)
			return stubs[n].name;
	return NULL;
}

/* The instruction that `to` is in; count when in none. */
static size_t find_insn(const cs_insn *insn, size_t count, uint64_t to)
{
	for (size_t n = 0; n < count; n++)
		if (to - insn[n].address < insn[n].size)
			return n;
	return count;
}

/* The last operand when it is a number. */
static bool number(const cs_insn *i, uint64_t *v)
{
	const cs_x86 *x = &i->detail->x86;
	if (!x->op_count || x->operands[x->op_count - 1].type != X86_OP_IMM)
		return false;
	*v = (uint64_t)x->operands[x->op_count - 1].imm;
	return true;
}

/* Gives a number that is an address its name. */
static void name_address(char *text, size_t size, const struct jit *j, const struct block *b,
			 const cs_insn *insn, size_t count, const unsigned *label, uint64_t v)
{
	char *last = strrchr(text, ' ') ? strrchr(text, ' ') + 1 : text;
	size_t room = size - (size_t)(last - text), n;
	uint64_t in_block = v - (uint64_t)(uintptr_t)b->insn;
	const char *stub = stub_name(j, v);
	if (v >> LINK_SHIFT) /* what is to be linked */
		v = v << (64 - LINK_SHIFT) >> (64 - LINK_SHIFT);
	n = find_insn(insn, count, v);
	if (stub)
		snprintf(last, room, "%s", stub);
	else if (n < count && !label)
		snprintf(last, room, "+%" PRIx64, v - insn[0].address);
	else if (n < count && v != insn[n].address)
		snprintf(last, room, "L%u + %u", label[n], (unsigned)(v - insn[n].address));
	else if (n < count)
		snprintf(last, room, "L%u", label[n]);
	else if (name_cell(last, room, j, v))
		return;
	else if (in_block < b->nr * sizeof(struct insn))
		snprintf(last, room, "insn[%" PRIu64 "]", in_block / sizeof(struct insn));
}

/* With labels, so that code of another length does not change every line; with offsets and bytes. */
static void print_emitted(FILE *f, csh cs, const struct jit *j, const struct block *b,
			  const uint8_t *code, const uint8_t *cold, bool bytes)
{
	uint64_t start = (uint64_t)(uintptr_t)code, v;
	cs_insn *hot_insn, *cold_insn;
	size_t hot_count = cs_disasm(cs, code, (size_t)(j->next - code), start, 0, &hot_insn);
	size_t cold_count = cs_disasm(cs, cold, (size_t)(j->next_cold - cold),
				      (uint64_t)(uintptr_t)cold, 0, &cold_insn);
	size_t count = hot_count + cold_count;
	cs_insn *insn = calloc(count + 1, sizeof(*insn));
	memcpy(insn, hot_insn, hot_count * sizeof(*insn));
	memcpy(insn + hot_count, cold_insn, cold_count * sizeof(*insn));
	unsigned *label = calloc(count + 1, sizeof(*label)), labels = 0;
	for (size_t n = 0; n < count; n++)
		if (number(&insn[n], &v))
			label[find_insn(insn, count, v)] = 1;
	for (size_t n = 0; n < count; n++)
		if (label[n])
			label[n] = ++labels;
	for (size_t n = 0; n < count; n++) {
		char text[192], name[16] = "";
		snprintf(text, sizeof(text), "%s", insn[n].op_str);
		name_field(text, sizeof(text));
		name_rip_relative(text, sizeof(text), j, &insn[n]);
		if (number(&insn[n], &v))
			name_address(text, sizeof(text), j, b, insn, count, bytes ? NULL : label,
				     v);
		if (bytes && n >= hot_count)
			snprintf(name, sizeof(name), "cold+%" PRIx64,
				 insn[n].address - cold_insn[0].address);
		else if (bytes)
			snprintf(name, sizeof(name), "+%" PRIx64, insn[n].address - start);
		else if (label[n])
			snprintf(name, sizeof(name), "L%u:", label[n]);
		fprintf(f, "    %-4s %s %s\n", name, insn[n].mnemonic, text);
		for (unsigned k = 0; bytes && k < insn[n].size; k++)
			fprintf(f, "%s%02x%s", k ? " " : "         ", insn[n].bytes[k],
				k + 1u == insn[n].size ? "\n" : "");
	}
	free(label);
	free(insn);
	cs_free(hot_insn, hot_count);
	cs_free(cold_insn, cold_count);
}

static struct block *make_block(const struct shape *s, struct ram_page *page, uint8_t *host,
				const struct cpu_model *all)
{
	struct block *b = calloc(1, sizeof(*b) + (BLOCK_MAX_INSNS + 1) * sizeof(struct insn));
	b->gpa = BLOCK_AT;
	b->key = (uint16_t)(8 | 1 << 4 | MODE << 7 | BLOCK_X87);
	if (!strncmp(s->name, "fixed", 5))
		b->key |= BLOCK_FIXED;
	b->page = page;
	b->host = host;
	memcpy(host + BLOCK_AT, s->code, (size_t)(s->end - s->code));
	size_t off = 0, len = (size_t)(s->end - s->code);
	bool unroll = !strncmp(s->name, "trace", 5); /* if it ends in a loop */
	while (off < len) {
		struct insn *i = &b->insn[b->nr];
		if (decode(i, (const uint8_t *)s->code + off, len - off, 8, all) != DECODE_OK)
			abort();
		if (i->base == REG_RIP)
			i->disp += (int64_t)off;
		off += i->len;
		i->end = (int16_t)off;
		i->nth = (uint8_t)b->nr++;
		b->trace = unroll;
		if (unroll && off == len && i->desc->attrs & A_BR) {
			off += i->imm;
			unroll = false;
		}
	}
	b->insn[b->nr].end = (int16_t)off;
	return b;
}

static void print_shape(FILE *f, csh cs, struct jit *j, const struct shape *s, bool bytes)
{
	struct ram_page page = {0};
	uint8_t host[PAGE_SIZE] = {0};
	struct cpu_model all;
	memset(&all, 0xff, sizeof(all));
	all.nr_cpus = 1;
	struct block *b = make_block(s, &page, host, &all);
	fprintf(f, "%s\n", s->name);
	for (unsigned n = 0; n < b->nr; n++) {
		char text[128];
		insn_print(text, sizeof(text), &b->insn[n],
			   BLOCK_AT + b->insn[n].end - b->insn[n].len);
		fprintf(f, "  %s\n", text);
	}
	const uint8_t *cold = j->next_cold;
	if (jit_translate(j, &all, b, b->gpa) && b->code) {
		const uint8_t *first = b->code;
		if (b->entry[ENTRY_FLAGS] < first)
			first = b->entry[ENTRY_FLAGS];
		const uint8_t *code = first - j->exec + j->write;
		print_emitted(f, cs, j, b, code, cold, bytes);
	}
	fprintf(f, "\n");
	free(b);
}

/* 0 when the file holds the same. */
static int compare(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char want[256], shape[256] = "";
	if (!f) {
		perror(path);
		return 2;
	}
	for (unsigned line = 1; fgets(want, sizeof(want), f); line++) {
		size_t len = strcspn(text, "\n");
		if (want[0] != ' ' && want[0] != '\n')
			memcpy(shape, want, sizeof(shape));
		if (strlen(want) != len + 1 || memcmp(want, text, len)) {
			printf("%s:%u: in %s  reviewed: %s  emitted:  %.*s\n"
			       "If that is intended: make emitted-accept, and look at the diff.\n"
			       "0 passed, 1 failed\n",
			       path, line, shape, want, (int)len, text);
			fclose(f);
			return 1;
		}
		text += len + 1;
	}
	fclose(f);
	printf("%u passed, %u failed\n", !*text, *text != 0);
	return *text != 0;
}

int main(int argc, char **argv)
{
	const char *why;
	struct jit *j = jit_new(1 << 20, &why);
	csh cs;
	bool bytes = argc > 1 && !strcmp(argv[1], "-x");
	if (!j) {
		printf("%s\n0 passed, 0 failed, 1 skipped\n", why);
		return 0;
	}
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return 2;
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	for (size_t n = 0; n < sizeof(shapes) / sizeof(shapes[0]); n++)
		print_shape(f, cs, j, &shapes[n], bytes);
	fclose(f);
	int status = 0;
	if (argc > 1 && !bytes)
		status = compare(argv[1], text);
	else
		fputs(text, stdout);
	free(text);
	cs_close(&cs);
	jit_free(j);
	return status;
}
