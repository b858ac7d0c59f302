/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A program for the monitor's backtraces: a system call below some calls, without frame pointers.
 */
static long open_it(const char *path)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(257), "D"(-100), "S"(path), "d"(0)
			 : "rcx", "r11", "memory");
	return result;
}

__attribute__((noinline)) int deep(int n, const char *path)
{
	int below = n ? deep(n - 1, path) : (int)open_it(path);

	__asm__ volatile("" : "+r"(below)); /* the call is no jump */
	return below + n;
}

__attribute__((noinline)) int main(void)
{
	const char *volatile text = "/nowhere";
	int got = -1;

	if (*text == '/') /* it is mapped from now on */
		got = deep(3, text);
	return got + (text != 0);
}

__asm__(".globl _start\n"
	".type _start, @function\n"
	"_start: call main\n"
	"	mov $60, %eax\n"
	"	syscall\n"
	".size _start, . - _start\n");
