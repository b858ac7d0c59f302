/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JSON (RFC 8259) from strangers: everything is bounded, nothing beyond the standard is taken.
 */
#ifndef FRONTEND_JSON_READ_H
#define FRONTEND_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 64 /* values in values */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_kind kind;
	bool truth;
	int64_t integer;    /* a number without fraction and exponent that fits */
	double real;        /* any number */
	char *text;         /* a string, in UTF-8, without a zero in it */
	char *name;         /* in an object; no two are the same */
	struct json *child; /* the first of an array or object */
	struct json *next;
};

/* The one value that the text is, with white space around it. NULL: *why says what is wrong, in static words. */
struct json *json_parse(const char *text, size_t len, const char **why);
void json_free(struct json *j);
/* A member of an object; NULL: there is none. */
const struct json *json_member(const struct json *object, const char *name);
/* The value, on one line. */
void json_write(const struct json *j, FILE *out);

/* A string with its quotes; what is no UTF-8 becomes a question mark. */
void json_write_string(const char *s, FILE *out);

/* ---- where a value ends in a stream ---- */

struct json_scan {
	unsigned depth;
	bool in_string, escaped;
};

/* Looks at the next byte: true when it ends an object or array that no other is around. */
bool json_scan(struct json_scan *s, char c);

#endif
