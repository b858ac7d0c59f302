/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The format of saved machine states: a header, then sections, each with a name and a checksum. Tables of
 * fields are stored with their names, so that a version of the program that has more of them can still
 * load the file, and one that has fewer says which it does not know. docs/snapshots.md has the bytes.
 */
#ifndef HW_STATE_FILE_H
#define HW_STATE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "hw/device.h"

#define STATE_NAME_MAX    64
#define STATE_SECTION_MAX (4u << 20) /* bytes of a section's payload */

/* Where a state goes: all of it in order. 0 or -errno. */
struct state_sink {
	int (*write)(void *opaque, const void *buf, size_t len);
	void *opaque;
};

/* Where one comes from; any place of it, several times. 0 or -errno. */
struct state_source {
	int (*read)(void *opaque, uint64_t at, void *buf, size_t len);
	void *opaque;
	uint64_t size;
};

struct state_section {
	char name[STATE_NAME_MAX];
	uint32_t len;
	uint64_t at;   /* of the payload */
	uint64_t next; /* of the section behind it */
};

/* ---- writing: 0 or -errno ---- */

int state_write_header(const struct state_sink *s);
/* len <= STATE_SECTION_MAX. */
int state_write_section(const struct state_sink *s, const char *name, const void *payload,
			size_t len);
/* A table of fields as a section. */
int state_write_fields(const struct state_sink *s, const char *name, const struct field *fields,
		       const void *state);

/* ---- reading: 0, or -errno with one line in err ---- */

/* sec->next is where the first section is. */
int state_read_header(const struct state_source *s, struct state_section *sec, char *err,
		      size_t errlen);
/* The section at sec->next, its payload in buf (STATE_SECTION_MAX bytes), checked. At the end of the file
 * -ENODATA. */
int state_read_section(const struct state_source *s, struct state_section *sec, void *buf,
		       char *err, size_t errlen);
/* Whether the payload can be loaded into such a table; `what` is the thing for the message. */
int state_check_fields(const void *payload, size_t len, const struct field *fields,
		       const char *what, char *err, size_t errlen);
/* Loads one that has been checked. Fields that it has not get their reset values, if they have one. */
void state_load_fields(const void *payload, size_t len, const struct field *fields, void *state);

#endif
