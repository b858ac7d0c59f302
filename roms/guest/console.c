/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The serial console: polled output, interrupt-driven input, so that a waiting guest halts.
 */
#include <stdarg.h>

#include "guest.h"

#define COM1 0x3f8

static struct {
	volatile uint8_t buf[256];
	volatile uint8_t head, tail;
} in;

void console_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1); /* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 7);
	outb(COM1 + 4, 0x0b);
	outb(COM1 + 1, 1);
}

static void put_raw(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

void putch(char c)
{
	if (c == '\n')
		put_raw('\r');
	put_raw(c);
}

void console_interrupt(void)
{
	while (inb(COM1 + 5) & 1) {
		uint8_t c = inb(COM1);
		if ((uint8_t)(in.head + 1) != in.tail)
			in.buf[in.head++] = c;
	}
}

int getch(void)
{
	for (;;) {
		__asm__ volatile("cli");
		if (in.head != in.tail) {
			int c = in.buf[in.tail++];
			__asm__ volatile("sti");
			return c;
		}
		__asm__ volatile("sti; hlt");
	}
}

size_t read_line(char *buf, size_t size)
{
	size_t n = 0;
	for (;;) {
		int c = getch();
		if (c == '\r' || c == '\n') {
			putch('\n');
			buf[n] = 0;
			return n;
		}
		if ((c == 8 || c == 127) && n) {
			n--;
			print("\b \b");
		} else if (c == 21) { /* Ctrl-U */
			for (; n; n--)
				print("\b \b");
		} else if (c >= ' ' && c < 127 && n + 1 < size) {
			buf[n++] = (char)c;
			putch((char)c);
		}
	}
}

static void put_padded(const char *s, size_t len, int width, bool left, char pad)
{
	int fill = width > (int)len ? width - (int)len : 0;
	for (int n = 0; !left && n < fill; n++)
		putch(pad);
	for (size_t n = 0; n < len; n++)
		putch(s[n]);
	for (int n = 0; left && n < fill; n++)
		putch(' ');
}

static void put_number(uint64_t v, unsigned base, bool negative, int width, bool left, char pad)
{
	char buf[24];
	size_t at = sizeof(buf);
	do
		buf[--at] = "0123456789abcdef"[v % base];
	while (v /= base);
	if (negative)
		buf[--at] = '-';
	put_padded(buf + at, sizeof(buf) - at, width, left, pad);
}

void print(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			putch(*fmt);
			continue;
		}
		bool left = false;
		char pad = ' ';
		int width = 0, longs = 0;
		for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
			if (*fmt == '-')
				left = true;
			else
				pad = '0';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (*fmt - '0');
		for (; *fmt == 'l'; fmt++)
			longs++;
		switch (*fmt) {
		case 'c':
			putch((char)va_arg(ap, int));
			break;
		case 's': {
			const char *s = va_arg(ap, const char *);
			put_padded(s, str_len(s), width, left, ' ');
			break;
		}
		case 'd': {
			int64_t v = longs ? va_arg(ap, long) : va_arg(ap, int);
			put_number(v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, width, left, pad);
			break;
		}
		case 'u':
		case 'x': {
			uint64_t v = longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
			put_number(v, *fmt == 'u' ? 10 : 16, false, width, left, pad);
			break;
		}
		default:
			putch(*fmt);
		}
	}
	va_end(ap);
}
