/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doppel img dd: a part of one image into a new one. As with qemu-img, count= is counted from the start of the input:
 * what skip= leaves out is part of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/img.h"

#define CHUNK (2u << 20)

struct dd {
	const char *in, *out;
	uint64_t bs, count, skip;
	bool has_count;
};

static int operand(struct dd *d, const char *word)
{
	if (strncmp(word, "if=", 3) == 0)
		d->in = word + 3;
	else if (strncmp(word, "of=", 3) == 0)
		d->out = word + 3;
	else if (strncmp(word, "bs=", 3) == 0)
		return img_size(word + 3, &d->bs);
	else if (strncmp(word, "skip=", 5) == 0)
		return img_size(word + 5, &d->skip);
	else if (strncmp(word, "count=", 6) == 0)
		return d->has_count = true, img_size(word + 6, &d->count);
	else
		return img_complain("dd: '%s' is none of if=, of=, bs=, count=, skip=", word);
	return 0;
}

static int copy(struct image *from, uint64_t offset, struct image *to, uint64_t len)
{
	uint8_t *buf = malloc(CHUNK);
	int r = buf ? 0 : -ENOMEM;

	for (uint64_t at = 0, n; at < len && r == 0; at += n) {
		n = len - at < CHUNK ? len - at : CHUNK;
		r = image_read(from, offset + at, buf, n);
		/* A device is not empty because it is new to us. */
		if (r == 0 && (to->file->device || !img_is_zero(buf, n)))
			r = image_write(to, at, buf, n);
	}
	free(buf);
	return r < 0 ? r : image_flush(to);
}

/* From [offset, end) of an image, which may be nothing. */
static int copy_out(const struct dd *d, struct image *from, const char *format)
{
	uint64_t end = from->size, offset;
	struct qcow2_options o = qcow2_defaults(0);
	struct image *to;
	int r, e;

	if (d->has_count && d->count < (end + d->bs - 1) / d->bs)
		end = d->count * d->bs;
	if (d->skip > end / d->bs) {
		img_complain("%s: cannot skip to the offset that skip= says", d->in);
		offset = end;
	} else {
		offset = d->skip * d->bs;
	}
	o.size = end - offset;
	if (img_make(d->out, format, &o, true))
		return 1;
	to = img_open(d->out, format, IMAGE_WRITE);
	if (!to)
		return 1;
	r = copy(from, offset, to, end - offset);
	e = image_close(to);
	if (r == 0)
		r = e;
	return r < 0 ? img_complain("cannot copy to %s: %s", d->out, strerror(-r)) : 0;
}

int img_dd(struct img_args *a)
{
	struct dd d = {.bs = 512};
	const char *format = NULL, *out_format = "raw";
	struct image *from;
	unsigned flags = 0;
	int c, status;

	/* Options may come between the others. */
	while (a->at < a->argc || a->group) {
		c = img_next(a, "f:O:U", NULL);
		if (c == 'f')
			format = a->value;
		else if (c == 'O')
			out_format = a->value;
		else if (c == 'U')
			flags |= IMAGE_SHARE;
		else if (c < 0 || (a->at < a->argc && operand(&d, a->argv[a->at++])))
			return 1;
		else
			a->group = NULL;
	}
	if (!d.in || !d.out)
		return img_complain("dd: if=FILE and of=FILE belong here");
	if (!d.bs)
		return img_complain("dd: bs=0 copies nothing");
	from = img_open(d.in, format, flags);
	if (!from)
		return 1;
	status = copy_out(&d, from, out_format);
	image_close(from);
	return status;
}
