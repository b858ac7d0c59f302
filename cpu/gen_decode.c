/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Build tool: checks the opcode table and prints the decoder's index, gen/decode_index.h in the build
 * folder, which decode.c includes. For every map and opcode byte it lists the rows that may
 * match, in table order:
 *
 *   decode_first[map][opcode] .. decode_first[map][opcode + 1]   range in decode_row[]
 *   decode_row[]                                                 index into opcodes[]
 */
#include <stdio.h>
#include <string.h>

#include "cpu/opcode.h"

struct row {
	unsigned map, opcode, pfx, modrm, w, l;
	const char *name;
	unsigned o[4];
	uint64_t attrs;
};

/* The operations and their kernels are not linked here, so those columns are dropped. */
#define OP(map, opc, pfx, modrm, w, l, name, o1, o2, o3, o4, op, kernel, feat, attrs)              \
	{map, opc, pfx, modrm, w, l, name, {o1, o2, o3, o4}, (attrs) | 0 * FEAT_##feat},
static const struct row rows[] = {
#include "cpu/opcodes.def"
};
#undef OP

enum { NR_ROWS = sizeof(rows) / sizeof(rows[0]) };

static int complain(const struct row *r, const char *what)
{
	fprintf(stderr, "opcode table: map %u opcode %02x \"%s\": %s\n", r->map, r->opcode, r->name,
		what);
	return 1;
}

/* A row is unreachable when an earlier one with the same opcode takes everything it does. */
static int covers(const struct row *a, const struct row *b)
{
	static const unsigned char sets[] = {
	    [P_ANY] = 15, [P_NP] = 1, [P_66] = 2, [P_F3] = 4, [P_F2] = 8, [P_NF] = 3};
	return !memcmp(a->o, b->o, sizeof(a->o)) && (sets[b->pfx] & ~sets[a->pfx]) == 0 &&
	       (a->modrm == b->modrm || a->modrm == R_ANY) && (a->w == b->w || a->w == W_ANY) &&
	       (a->l == b->l || a->l == L_ANY || a->l == L_IG) &&
	       (a->attrs & (A_N64 | A_O64)) == 0 && !strcmp(a->name, b->name);
}

static int check(const struct row *r)
{
	if (r->map >= NR_MAPS || r->opcode > 0xff || r->pfx > P_NF || r->w > W_1 || r->l > L_IG)
		return complain(r, "bad map, opcode, prefix, W or L");
	if (r->modrm > R_R7 && (r->modrm & ~0xffu) != R_EXACT)
		return complain(r, "bad ModRM column");
	for (int n = 0; n < 4; n++)
		if (r->o[n] >= NR_OPERAND_CODES)
			return complain(r, "bad operand");
	if ((r->attrs & A_N64) && (r->attrs & A_O64))
		return complain(r, "valid in no mode");
	if (r->map >= V0F && r->pfx == P_ANY)
		return complain(r, "a VEX row needs one prefix");
	for (const struct row *e = rows; e < r; e++)
		if (e->map == r->map && e->opcode == r->opcode && covers(e, r))
			return complain(r, "never reached: an earlier row matches first");
	return 0;
}

int main(void)
{
	int bad = 0;
	unsigned n = 0;

	for (const struct row *r = rows; r < rows + NR_ROWS; r++)
		bad |= check(r);
	if (bad)
		return 1;

	printf("/* Made by cpu/gen_decode.c from cpu/opcodes.def. */\n");
	printf("static const uint16_t decode_row[] = {");
	static unsigned first[NR_MAPS][257];
	for (unsigned m = 0; m < NR_MAPS; m++) {
		for (unsigned o = 0; o < 256; o++) {
			first[m][o] = n;
			for (unsigned k = 0; k < NR_ROWS; k++)
				if (rows[k].map == m && rows[k].opcode == o)
					printf("%s%u,", n++ % 16 ? " " : "\n\t", k);
		}
		first[m][256] = n;
	}
	printf("\n};\nstatic const uint16_t decode_first[%d][257] = {\n", NR_MAPS);
	for (unsigned m = 0; m < NR_MAPS; m++) {
		printf("\t{");
		for (unsigned o = 0; o <= 256; o++)
			printf("%s%u,", o % 16 ? " " : "\n\t\t", first[m][o]);
		printf("\n\t},\n");
	}
	printf("};\n_Static_assert(%d < 65536, \"rows fit decode_row\");\n", NR_ROWS);
	return 0;
}
