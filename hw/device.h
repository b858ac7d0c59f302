/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What every device tells the machine about itself: one table of its state fields. The table
 * drives reset (each field to its reset value), save, load and the monitor's `info`.
 */
#ifndef HW_DEVICE_H
#define HW_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct ram;

enum field_flag {
	FIELD_KEEP = 1 << 0, /* survives reset (e.g. CMOS contents) */
	FIELD_BOOL = 1 << 1, /* set by the macros below: what is loaded must be made 0 or 1 */
};

struct field {
	const char *name;
	uint32_t offset;
	uint16_t size; /* bytes of one element: 1, 2, 4 or 8 */
	uint16_t flags;
	uint32_t count;  /* elements */
	uint64_t reset;  /* value of each element after reset */
	uint32_t stride; /* bytes from one element to the next; 0: size */
};

#define FIELD_TYPE_FLAG(lvalue) _Generic((lvalue), _Bool : FIELD_BOOL, default : 0)
#define FIELD_ARRAY_F(type, member, n, elem, value, fl)                                            \
	{                                                                                          \
#member, offsetof(struct type, member), sizeof(elem),                              \
		    (fl) | FIELD_TYPE_FLAG(elem), n, value, 0                                      \
	}
/* A scalar member with its reset value. */
#define FIELD(type, member, value)                                                                 \
	FIELD_ARRAY_F(type, member, 1, ((struct type *)0)->member, value, 0)
#define FIELD_NORESET(type, member)                                                                \
	FIELD_ARRAY_F(type, member, 1, ((struct type *)0)->member, 0, FIELD_KEEP)
/* An array member, every element reset to value. */
#define FIELD_ARRAY(type, member, value)                                                           \
	FIELD_ARRAY_F(type, member,                                                                \
		      sizeof(((struct type *)0)->member) / sizeof(((struct type *)0)->member[0]),  \
		      ((struct type *)0)->member[0], value, 0)
#define FIELD_ARRAY_NORESET(type, member)                                                          \
	FIELD_ARRAY_F(type, member,                                                                \
		      sizeof(((struct type *)0)->member) / sizeof(((struct type *)0)->member[0]),  \
		      ((struct type *)0)->member[0], 0, FIELD_KEEP)
/* The scalar `member` of each struct in the array `array`. */
#define FIELD_EACH(type, array, member, value)                                                     \
	{                                                                                          \
#array "." #member, offsetof(struct type, array[0].member),                        \
		    sizeof(((struct type *)0)->array[0].member),                                   \
		    FIELD_TYPE_FLAG(((struct type *)0)->array[0].member),                          \
		    sizeof(((struct type *)0)->array) / sizeof(((struct type *)0)->array[0]),      \
		    value, sizeof(((struct type *)0)->array[0])                                    \
	}
#define FIELD_END                                                                                  \
	{                                                                                          \
		NULL, 0, 0, 0, 0, 0, 0                                                             \
	}

/* Bytes from one element of a field to the next. */
static inline uint32_t field_stride(const struct field *f)
{
	return f->stride ? f->stride : f->size;
}

/* Embedded as the member `dev` in each chip's struct. */
struct device {
	const char *name;                /* unique in the machine, e.g. "i8254" */
	const struct field *fields;      /* ends with FIELD_END */
	void *state;                     /* the chip's struct; field offsets are relative to it */
	void (*reset_done)(void *state); /* after the fields are reset: timers, pins; may be NULL */
	/* After fields have been loaded, perhaps from a file that is not to be trusted: makes values
	 * that no guest can bring about harmless, as indexes, and does no more; may be NULL. */
	void (*tame)(void *state);
	void (*loaded)(void *state); /* after that, for all devices: timers, pins; may be NULL */
	/* Why the state cannot be saved now, as part of a sentence, or NULL; may be NULL. The machine is
	 * stopped. */
	const char *(*unsaved)(void *state);
	struct ram *ram;             /* memory of its own, saved with it; NULL: none */
	struct device *next;
};

/* Also gives every field its reset value, without calling reset_done. */
void device_init(struct device *dev, const char *name, const struct field *fields, void *state);
void device_reset(struct device *dev);

#endif
