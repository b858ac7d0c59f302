/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Words of JSON (RFC 8259), for reports.
 */
#ifndef FRONTEND_JSON_H
#define FRONTEND_JSON_H

#include <stdio.h>

/* A string with its quotes; bytes that are no printable ASCII become \u00XX. */
void json_string(const char *s, FILE *out);
/* "name": "value", where an empty value or NULL is null; then `after`. */
void json_field(const char *name, const char *value, const char *after, FILE *out);

#endif
