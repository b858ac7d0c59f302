/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A multiboot guest for the monitor's source lines: calls that nest, variables of many types. Compiled with -O1 -m32.
 */
#define NOINLINE __attribute__((noinline))

typedef unsigned int number;

enum colour { RED, GREEN = 5 };

struct inner {
	char name[8];
	int grid[2][3];
};

struct outer {
	struct inner in;
	unsigned low : 3, high : 5;
	enum colour colour;
	struct outer *next;
	union {
		int whole;
		short half[2];
	};
};

volatile number counter = 7;
struct outer first = {
    .in = {"hello", {{1, 2, 3}, {4, 5, 6}}}, .low = 5, .high = 17, .colour = GREEN, .whole = -2};

NOINLINE int leaf(int a, struct outer *o)
{
	int sum = a;

	for (int i = 0; i < 3; i++)
		sum += o->in.grid[1][i];
	counter += (number)sum;
	return sum;
}

NOINLINE int middle(int depth)
{
	int before = depth * 2;
	int got = leaf(before, &first);

	return got + before;
}

void start(void)
{
	first.next = &first;
	for (;;)
		middle((int)counter & 3);
}

char stack[4096] __attribute__((aligned(16)));

__asm__(".balign 4\n"
	".long 0x1badb002, 0, -0x1badb002\n"
	".globl _start\n"
	"_start: mov $stack + 4096, %esp\n"
	"	call start\n");
