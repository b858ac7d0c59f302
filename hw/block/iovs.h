/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A position in an array of iovecs, from which I/O takes piece after piece. The array is never changed.
 */
#ifndef HW_BLOCK_IOVS_H
#define HW_BLOCK_IOVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct iovs {
	const struct iovec *v;
	unsigned n;
	size_t skip; /* bytes of v[0] that were taken */
};

static inline struct iovs iovs_of(const struct iovec *v, unsigned n)
{
	return (struct iovs){v, n, 0};
}

/* The next piece, at most len bytes; empty at the end. */
static inline struct iovec iovs_next(struct iovs *s, size_t len)
{
	struct iovec piece = {NULL, 0};

	while (s->n && s->skip == s->v->iov_len) {
		s->v++;
		s->n--;
		s->skip = 0;
	}
	if (!s->n)
		return piece;
	piece.iov_base = (char *)s->v->iov_base + s->skip;
	piece.iov_len = s->v->iov_len - s->skip;
	if (piece.iov_len > len)
		piece.iov_len = len;
	s->skip += piece.iov_len;
	return piece;
}

/* Up to len bytes as at most max iovecs; their number, and their bytes in *got. */
static inline unsigned iovs_take(struct iovs *s, size_t len, struct iovec *out, unsigned max,
				 size_t *got)
{
	unsigned n = 0;

	*got = 0;
	while (n < max && *got < len) {
		struct iovec piece = iovs_next(s, len - *got);

		if (!piece.iov_len)
			break;
		out[n++] = piece;
		*got += piece.iov_len;
	}
	return n;
}

static inline void iovs_skip(struct iovs *s, size_t len)
{
	while (len) {
		struct iovec piece = iovs_next(s, len);

		if (!piece.iov_len)
			return;
		len -= piece.iov_len;
	}
}

/* Memory that buf fills. */
static inline void iovs_fill(struct iovs *s, const void *buf, size_t len)
{
	while (len) {
		struct iovec piece = iovs_next(s, len);

		if (!piece.iov_len)
			return;
		memcpy(piece.iov_base, buf, piece.iov_len);
		buf = (const char *)buf + piece.iov_len;
		len -= piece.iov_len;
	}
}

/* Memory that fills buf. */
static inline void iovs_gather(struct iovs *s, void *buf, size_t len)
{
	while (len) {
		struct iovec piece = iovs_next(s, len);

		if (!piece.iov_len)
			return;
		memcpy(buf, piece.iov_base, piece.iov_len);
		buf = (char *)buf + piece.iov_len;
		len -= piece.iov_len;
	}
}

static inline void iovs_zero(struct iovs *s, size_t len)
{
	while (len) {
		struct iovec piece = iovs_next(s, len);

		if (!piece.iov_len)
			return;
		memset(piece.iov_base, 0, piece.iov_len);
		len -= piece.iov_len;
	}
}

#endif
