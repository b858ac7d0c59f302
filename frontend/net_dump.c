/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -object filter-dump: frames to a file (libpcap's savefile format, version 2.4, in host byte order).
 */
#include "frontend/net_dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/options_dev.h"
#include "hw/loop.h"
#include "hw/net/net.h"

#define MAGIC         0xa1b2c3d4u
#define LINK_ETHERNET 1u
#define BUFFER        (256u << 10)

struct net_dump {
	struct net_watch watch;
	struct net_end *end;
	struct net_dump_env env;
	struct loop_job flush;
	FILE *file; /* NULL: given up after an error */
	uint32_t maxlen;
	char path[MAX_DUMP_PATH];
};

/* ---- the option ---- */

static int take_property(struct net_dump_spec *s, const struct keyval *kv)
{
	unsigned long n;
	char *end;

	if (strcmp(kv->key, "id") == 0 && strlen(kv->val) < sizeof(s->id)) {
		strcpy(s->id, kv->val);
	} else if (strcmp(kv->key, "netdev") == 0 && strlen(kv->val) < sizeof(s->netdev)) {
		strcpy(s->netdev, kv->val);
	} else if (strcmp(kv->key, "file") == 0 && strlen(kv->val) < sizeof(s->file)) {
		strcpy(s->file, kv->val);
	} else if (strcmp(kv->key, "maxlen") == 0) {
		n = strtoul(kv->val, &end, 10);
		if (*end || !n || n > UINT32_MAX)
			return -1;
		s->maxlen = (uint32_t)n;
	} else {
		return -1;
	}
	return 0;
}

int on_filter_dump(struct parse *p, const char *arg)
{
	struct netdevs *n = &p->o->netdevs;
	struct net_dump_spec *s = &n->dump[n->nr_dumps];
	struct keyval kv;

	if (n->nr_dumps == MAX_DUMPS)
		return fail(p, "-object filter-dump: at most %d are supported", MAX_DUMPS);
	*s = (struct net_dump_spec){.maxlen = 65536};
	while (next_keyval(&arg, &kv))
		if (take_property(s, &kv) < 0)
			return fail(p,
				    "-object filter-dump: %s=%s is not known (id, netdev, file, "
				    "maxlen)",
				    kv.key, kv.val);
	if (!*s->id || !*s->netdev || !*s->file)
		return fail(p, "-object filter-dump: it needs id=, netdev= and file=");
	n->nr_dumps++;
	return 0;
}

/* ---- the file ---- */

static void give_up(struct net_dump *d)
{
	char line[MAX_DUMP_PATH + 128];

	snprintf(line, sizeof(line), "%s: cannot write: %s; no more frames go there", d->path,
		 strerror(errno));
	d->env.warn(d->env.opaque, line);
	fclose(d->file);
	d->file = NULL;
}

static void flush(void *opaque)
{
	struct net_dump *d = opaque;

	if (d->file && fflush(d->file) != 0)
		give_up(d);
}

static void on_frame(struct net_watch *w, const struct net_end *from, const struct iovec *iov,
		     unsigned nr, size_t len)
{
	struct net_dump *d = (struct net_dump *)w;
	struct timespec now;
	uint32_t kept = len < d->maxlen ? (uint32_t)len : d->maxlen, left = kept;

	(void)from;
	if (!d->file)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	{
		const uint32_t head[4] = {(uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000),
					  kept, (uint32_t)len};

		fwrite(head, sizeof(head), 1, d->file);
	}
	for (unsigned i = 0; i < nr && left; i++) {
		size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

		fwrite(iov[i].iov_base, 1, n, d->file);
		left -= (uint32_t)n;
	}
	if (ferror(d->file))
		give_up(d);
	else
		loop_defer(d->env.loop, &d->flush);
}

int net_dump_open(struct net_dump **out, const struct net_dump_spec *s, struct net_end *end,
		  const struct net_dump_env *env, char *err, size_t errlen)
{
	struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, maxlen, link;
	} head = {MAGIC, 2, 4, 0, 0, s->maxlen, LINK_ETHERNET};
	struct net_dump *d = calloc(1, sizeof(*d));

	if (d)
		d->file = fopen(s->file, "wbe");
	if (!d || !d->file) {
		snprintf(err, errlen, "-object filter-dump,id=%s: cannot write %s: %s", s->id,
			 s->file, strerror(errno));
		free(d);
		return -1;
	}
	setvbuf(d->file, NULL, _IOFBF, BUFFER);
	fwrite(&head, sizeof(head), 1, d->file);
	d->end = end;
	d->env = *env;
	d->maxlen = s->maxlen;
	strcpy(d->path, s->file);
	d->flush = (struct loop_job){.run = flush, .opaque = d};
	d->watch.frame = on_frame;
	net_watch(end, &d->watch);
	*out = d;
	return 0;
}

void net_dump_close(struct net_dump *d)
{
	net_unwatch(d->end, &d->watch);
	loop_cancel(d->env.loop, &d->flush);
	if (d->file && fclose(d->file) != 0) {
		d->file = NULL;
	}
	free(d);
}
