/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/app.h"

#include <stdarg.h>
#include <stdio.h>

int complain(const char *fmt, ...)
{
	char line[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One line, whatever the user's words hold. */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	fprintf(stderr, "doppel: %s\n", line);
	return 1;
}
