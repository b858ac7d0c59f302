/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fields of 9P messages: little-endian numbers, and strings with their length in front. Reading beyond the
 * end and writing beyond the room is remembered and harmless.
 */
#ifndef HW_9P_P9_MSG_H
#define HW_9P_P9_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct p9_in {
	const uint8_t *p;
	size_t left;
	bool bad; /* something was missing, or wrong */
};

struct p9_out {
	uint8_t *p;
	size_t len, max;
	bool full;
};

static inline uint64_t p9_get(struct p9_in *m, unsigned size)
{
	uint64_t v = 0;

	if (m->left < size) {
		m->bad = true;
		m->left = 0;
		return 0;
	}
	memcpy(&v, m->p, size);
	m->p += size;
	m->left -= size;
	return v;
}

/* A string of less than `size` bytes without NUL in it; empty when it is not that. */
static inline void p9_get_str(struct p9_in *m, char *s, size_t size)
{
	size_t len = p9_get(m, 2);

	s[0] = 0;
	if (len > m->left || len >= size || memchr(m->p, 0, len)) {
		m->bad = true;
		return;
	}
	memcpy(s, m->p, len);
	s[len] = 0;
	m->p += len;
	m->left -= len;
}

static inline void p9_put_bytes(struct p9_out *m, const void *p, size_t len)
{
	if (len > m->max - m->len) {
		m->full = true;
		return;
	}
	memcpy(m->p + m->len, p, len);
	m->len += len;
}

static inline void p9_put(struct p9_out *m, uint64_t v, unsigned size)
{
	p9_put_bytes(m, &v, size);
}

static inline void p9_put_str(struct p9_out *m, const char *s)
{
	size_t len = strlen(s);

	if (len > UINT16_MAX || len + 2 > m->max - m->len) {
		m->full = true;
		return;
	}
	p9_put(m, len, 2);
	p9_put_bytes(m, s, len);
}

#endif
