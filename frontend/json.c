/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/json.h"

void json_string(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < ' ' || *s > '~')
			fprintf(out, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

void json_field(const char *name, const char *value, const char *after, FILE *out)
{
	fprintf(out, "\"%s\": ", name);
	if (value && *value)
		json_string(value, out);
	else
		fprintf(out, "null");
	fprintf(out, "%s", after);
}
