/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "frontend/chardev.h"
#include "frontend/gdb/stub.h"
#include "frontend/monitor/monitor.h"
#include "frontend/options.h"
#include "frontend/qmp/qmp.h"
#include "hw/pc.h"

struct remotes {
	struct monitor_env *env;
	struct gdb_stub *gdb;
	struct backend *gdb_back;
	struct {
		struct qmp *qmp;
		struct backend *back;
	} qmp[MAX_QMP];
};

/* gdb that has started us has ended, and nobody else knows of this machine. */
static void on_gdb_pipe(void *opaque, bool here)
{
	struct remotes *r = opaque;

	gdb_stub_client(r->gdb, here);
	if (!here)
		machine_request_quit(&r->env->pc->m);
}

static int open_gdb(struct remotes *r, const struct options *o, int cancel, char *err,
		    size_t errlen)
{
	struct machine *m = &r->env->pc->m;
	struct backend *b;

	if (gdb_stub_new(&r->gdb, r->env) < 0) {
		snprintf(err, errlen, "-gdb: out of memory");
		return -1;
	}
	if (backend_open(&r->gdb_back, &o->gdb, "gdb", m->loop, cancel, err, errlen) < 0)
		return -1;
	b = r->gdb_back;
	gdb_stub_attach(r->gdb, &b->stream.chr);
	b->client = o->gdb.kind == CHR_STDIO ? on_gdb_pipe : gdb_stub_client;
	b->client_opaque = o->gdb.kind == CHR_STDIO ? (void *)r : r->gdb;
	if (b->stream.in >= 0) {
		gdb_stub_client(r->gdb, true);
		m->start_stopped = true;
	}
	if (stream_start(&b->stream) == 0)
		return 0;
	snprintf(err, errlen, "cannot read from -gdb");
	return -1;
}

static int open_qmp(struct remotes *r, unsigned n, const struct options *o, int cancel, char *err,
		    size_t errlen)
{
	struct loop *loop = r->env->pc->m.loop;
	struct backend *b;

	if (qmp_new(&r->qmp[n].qmp, r->env, o) < 0) {
		snprintf(err, errlen, "-qmp: out of memory");
		return -1;
	}
	if (backend_open(&b, &o->qmp[n], "qmp", loop, cancel, err, errlen) < 0)
		return -1;
	r->qmp[n].back = b;
	qmp_attach(r->qmp[n].qmp, &b->stream);
	b->client = qmp_client;
	b->client_opaque = r->qmp[n].qmp;
	if (b->stream.in >= 0)
		qmp_client(r->qmp[n].qmp, true);
	if (stream_start(&b->stream) == 0)
		return 0;
	snprintf(err, errlen, "cannot read from -qmp");
	return -1;
}

int remotes_open(struct remotes **out, const struct options *o, struct monitor_env *env, int cancel,
		 char *err, size_t errlen)
{
	struct remotes *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	r->env = env;
	if (o->gdb.kind != CHR_NONE && o->gdb.kind != CHR_NULL &&
	    open_gdb(r, o, cancel, err, errlen) < 0)
		return -1;
	for (unsigned n = 0; n < o->nr_qmp; n++)
		if (o->qmp[n].kind != CHR_NONE && o->qmp[n].kind != CHR_NULL &&
		    open_qmp(r, n, o, cancel, err, errlen) < 0)
			return -1;
	return 0;
}

void remotes_hurry(struct remotes *r)
{
	if (r && r->gdb_back)
		r->gdb_back->stream.lossy = true;
	for (unsigned n = 0; r && n < MAX_QMP; n++)
		if (r->qmp[n].back)
			r->qmp[n].back->stream.lossy = true;
}

void remotes_close(struct remotes *r, int status)
{
	if (!r)
		return;
	if (r->gdb_back) {
		gdb_stub_exited(r->gdb, status);
		backend_close(r->gdb_back);
	}
	gdb_stub_free(r->gdb);
	for (unsigned n = 0; n < MAX_QMP; n++) {
		if (r->qmp[n].back)
			backend_close(r->qmp[n].back);
		qmp_free(r->qmp[n].qmp);
	}
	free(r);
}
