/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Queries: what there is and how it goes, as QEMU's QAPI schema has it; members that may be left out and say nothing
 * here are.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "accel/cpus.h"
#include "accel/engine.h"
#include "frontend/drive.h"
#include "frontend/drive_limits.h"
#include "frontend/options.h"
#include "frontend/qmp/qmp_impl.h"
#include "hw/block/image.h"
#include "hw/input/input.h"
#include "hw/pc.h"

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

/* "name": "value" and what follows. */
static void text(FILE *f, const char *name, const char *value, const char *after)
{
	fprintf(f, "\"%s\": ", name);
	json_write_string(value, f);
	fputs(after, f);
}

static void version(struct qmp_call *c)
{
	fputs(QMP_VERSION, c->out);
}

static const char *status_name(const struct qmp *q)
{
	const struct debug_stop *stop = debug_last_stop(q->env->debugger);
	struct block *b;

	if (!q->pc->m.stopped)
		return q->pc->m.suspended ? "suspended" : "running";
	if (!stop)
		return "prelaunch";
	if (stop->why == STOP_GUEST)
		return stop->end == END_PANIC ? "guest-panicked" : "shutdown";
	if (stop->why != STOP_USER)
		return "debug";
	for (unsigned n = 0; (b = drives_at(q->env->drives, n)); n++)
		if (block_held(b))
			return "io-error";
	return "paused";
}

static void status(struct qmp_call *c)
{
	fprintf(c->out, "{\"running\": %s, \"singlestep\": false, \"status\": \"%s\"}",
		truth(!c->q->pc->m.stopped && !c->q->pc->m.suspended), status_name(c->q));
}

static void name(struct qmp_call *c)
{
	fputc('{', c->out);
	if (*c->q->options->name)
		text(c->out, "name", c->q->options->name, "");
	fputc('}', c->out);
}

static void uuid(struct qmp_call *c)
{
	char text[SMBIOS_UUID_TEXT];

	smbios_uuid_text(&c->q->options->smbios, text);
	fprintf(c->out, "{\"UUID\": \"%s\"}", text);
}

static void names(FILE *f, const char *name, bool *first)
{
	fputs(*first ? "{" : ", {", f);
	*first = false;
	text(f, "name", name, "}");
}

static void commands(struct qmp_call *c)
{
	bool first = true;

	fputc('[', c->out);
	for (const struct qmp_command *const *t = qmp_tables; *t; t++)
		for (const struct qmp_command *k = *t; k->name; k++)
			names(c->out, k->name, &first);
	fputc(']', c->out);
}

static void events(struct qmp_call *c)
{
	bool first = true;

	fputc('[', c->out);
	for (unsigned n = 0; n < qmp_nr_events; n++)
		names(c->out, qmp_event_names[n], &first);
	fputc(']', c->out);
}

static void cpus_fast(struct qmp_call *c)
{
	fputc('[', c->out);
	for (unsigned n = 0; n < c->q->pc->cpus; n++)
		fprintf(c->out,
			"%s{\"cpu-index\": %u, \"thread-id\": %d, \"target\": \"x86_64\", "
			"\"qom-path\": \"/machine/unattached/device[%u]\"}",
			n ? ", " : "", n, cpus_tid(c->q->pc->m.cpus, n), n);
	fputc(']', c->out);
}

static void kvm(struct qmp_call *c)
{
	fprintf(c->out, "{\"enabled\": %s, \"present\": %s}",
		truth(c->q->pc->m.engine == &engine_kvm), truth(!engine_kvm.unusable()));
}

static void machines(struct qmp_call *c)
{
	static const struct pc_board *const boards[] = {&board_pc, &board_q35};

	fputc('[', c->out);
	for (size_t n = 0; n < 2; n++) {
		fputs(n ? ", {" : "{", c->out);
		text(c->out, "name", boards[n]->name, ", ");
		fprintf(c->out,
			"%s\"cpu-max\": %u, \"hotpluggable-cpus\": false, "
			"\"numa-mem-supported\": false, \"deprecated\": false}",
			n ? "" : "\"is-default\": true, ", CPUS_MAX);
	}
	fputc(']', c->out);
}

static void mice(struct qmp_call *c)
{
	const unsigned kinds = INPUT_RELATIVE | INPUT_ABSOLUTE;
	const struct input *in = &c->q->pc->m.input;
	bool first = true;

	fputc('[', c->out);
	for (const struct input_handler *h = in->handlers; h; h = h->next) {
		if (!(h->kinds & kinds))
			continue;
		fputs(first ? "{" : ", {", c->out);
		text(c->out, "name", h->name, ", ");
		fprintf(c->out, "\"index\": %u, \"current\": %s, \"absolute\": %s}", h->index,
			truth(h == input_first(in, kinds)), truth(h->kinds & INPUT_ABSOLUTE));
		first = false;
	}
	fputc(']', c->out);
}

static void nothing(struct qmp_call *c)
{
	fputs("[]", c->out);
}

static void memory_size(struct qmp_call *c)
{
	fprintf(c->out, "{\"base-memory\": %" PRIu64 ", \"plugged-memory\": 0}",
		(uint64_t)c->q->pc->m.ram.size);
}

static void target(struct qmp_call *c)
{
	fputs("{\"arch\": \"x86_64\"}", c->out);
}

static void current_machine(struct qmp_call *c)
{
	fprintf(c->out, "{\"wakeup-suspend-support\": %s}", truth(!c->q->options->no_s3));
}

/* ---- disks ---- */

static void limits(FILE *f, const struct block *b)
{
	const struct limit_config *c = block_limits(b);
	static const char *const tails[] = {"", "_max", "_max_length"};

	for (unsigned k = 0; k < NR_LIMITS; k++) {
		const uint64_t v[] = {c->limit[k].avg, c->limit[k].max, c->limit[k].length};

		for (unsigned n = 0; n < 3; n++)
			if (n == 0 || v[n])
				fprintf(f, "\"%s%s\": %" PRIu64 ", ", drive_limit_names[k],
					tails[n], v[n]);
	}
	if (limits_any(c))
		text(f, "group", block_limit_group(b), ", ");
	if (c->iops_size)
		fprintf(f, "\"iops_size\": %" PRIu64 ", ", c->iops_size);
}

static void inserted(FILE *f, struct block *b)
{
	static const char *const detect[] = {
	    [DETECT_OFF] = "off", [DETECT_ON] = "on", [DETECT_UNMAP] = "unmap"};
	const char *file = block_file(b), *format = block_format(b);
	const struct block_options *o = block_options(b);
	const struct image *below = block_image(b)->backing;
	unsigned depth = 0;

	fputs(", \"inserted\": {", f);
	text(f, "file", file, ", ");
	text(f, "node-name", block_name(b), ", ");
	text(f, "drv", format, ", ");
	if (below)
		text(f, "backing_file", below->file->path, ", ");
	for (; below; below = below->backing)
		depth++;
	limits(f, b);
	fprintf(f,
		"\"ro\": %s, \"backing_file_depth\": %u, \"encrypted\": false, "
		"\"detect_zeroes\": \"%s\", \"write_threshold\": 0, \"cache\": {\"writeback\": "
		"%s, \"direct\": %s, \"no-flush\": %s}, \"image\": {",
		truth(block_read_only(b)), depth, detect[o->detect_zeroes],
		truth(block_write_cache(b)), truth(o->direct), truth(o->no_flush));
	text(f, "filename", file, ", ");
	text(f, "format", format, ", ");
	fprintf(f, "\"virtual-size\": %" PRIu64 "}}", block_size(b));
}

static void block(struct qmp_call *c)
{
	struct block *b;

	fputc('[', c->out);
	for (unsigned n = 0; (b = drives_at(c->q->env->drives, n)); n++) {
		bool removable = block_removable(b);

		fputs(n ? ", {" : "{", c->out);
		text(c->out, "device", block_name(b), ", ");
		fprintf(c->out, "\"type\": \"unknown\", \"removable\": %s, \"locked\": %s, ",
			truth(removable), truth(block_is_locked(b)));
		if (removable)
			fprintf(c->out, "\"tray_open\": %s, ", truth(block_tray_is_open(b)));
		fprintf(c->out, "\"io-status\": \"%s\"", block_held(b) ? "failed" : "ok");
		if (block_present(b))
			inserted(c->out, b);
		fputc('}', c->out);
	}
	fputc(']', c->out);
}

static void stats_of(FILE *f, const struct block *b)
{
	static const struct {
		enum block_op op;
		const char *name;
	} ops[] = {{BLOCK_READ, "rd"},
		   {BLOCK_WRITE, "wr"},
		   {BLOCK_FLUSH, "flush"},
		   {BLOCK_DISCARD, "unmap"}};
	struct block_stats s;

	block_stats(b, &s);
	for (size_t n = 0; n < sizeof(ops) / sizeof(ops[0]); n++) {
		enum block_op op = ops[n].op;

		if (op != BLOCK_FLUSH)
			fprintf(f, "\"%s_bytes\": %" PRIu64 ", ", ops[n].name, s.bytes[op]);
		fprintf(f,
			"\"%s_operations\": %" PRIu64 ", \"%s_total_time_ns\": %" PRIu64
			", \"failed_%s_operations\": %" PRIu64 ", \"invalid_%s_operations\": 0, ",
			ops[n].name, s.ops[op], ops[n].name, s.ns[op], ops[n].name, s.failed[op],
			ops[n].name);
		if (op != BLOCK_FLUSH)
			fprintf(f, "\"%s_merged\": 0, ", ops[n].name);
	}
	fputs("\"wr_highest_offset\": 0, \"account_invalid\": false, \"account_failed\": true, "
	      "\"timed_stats\": []",
	      f);
}

static void blockstats(struct qmp_call *c)
{
	struct block *b;

	fputc('[', c->out);
	for (unsigned n = 0; (b = drives_at(c->q->env->drives, n)); n++) {
		fputs(n ? ", {" : "{", c->out);
		text(c->out, "device", block_name(b), ", ");
		text(c->out, "node-name", block_name(b), ", \"stats\": {");
		stats_of(c->out, b);
		fputs("}}", c->out);
	}
	fputc(']', c->out);
}

/* ---- character devices ---- */

struct chardev_list {
	FILE *f;
	bool first;
};

static void one_chardev(void *opaque, const char *label, const char *file)
{
	struct chardev_list *l = opaque;

	fputs(l->first ? "{" : ", {", l->f);
	l->first = false;
	text(l->f, "label", label, ", ");
	text(l->f, "filename", file, ", \"frontend-open\": true}");
}

static void chardevs(struct qmp_call *c)
{
	struct chardev_list l = {c->out, true};

	fputc('[', c->out);
	options_chardevs(c->q->options, one_chardev, &l);
	fputc(']', c->out);
}

/* ---- PCI ---- */

static void regions(FILE *f, const struct pci_func *p)
{
	bool first = true;

	for (unsigned n = 0; n <= PCI_BAR_ROM; n++) {
		const struct pci_bar *bar = &p->bar[n];
		bool io = bar->kind == PCI_BAR_IO;

		if (bar->kind == PCI_BAR_NONE)
			continue;
		fprintf(f,
			"%s{\"bar\": %u, \"type\": \"%s\", \"address\": %" PRId64
			", \"size\": %" PRIu64,
			first ? "" : ", ", n, io ? "io" : "memory",
			bar->mapped ? (int64_t)bar->at : -1, bar->size);
		if (!io)
			fprintf(
			    f, ", \"prefetch\": %s, \"mem_type_64\": %s",
			    truth(n < PCI_BAR_ROM && p->config[0x10 + 4 * n] & PCI_BAR_PREFETCH),
			    truth(bar->kind == PCI_BAR_MEM64));
		fputc('}', f);
		first = false;
	}
}

static void pci(struct qmp_call *c)
{
	bool first = true;

	fputs("[{\"bus\": 0, \"devices\": [", c->out);
	for (unsigned n = 0; n < 256; n++) {
		const struct pci_func *p = c->q->pc->pci.func[n];

		if (!p)
			continue;
		fprintf(c->out,
			"%s{\"bus\": 0, \"slot\": %u, \"function\": %u, \"class_info\": "
			"{\"class\": %u}, "
			"\"id\": {\"vendor\": %u, \"device\": %u, \"subsystem-vendor\": %u, "
			"\"subsystem\": %u}, \"irq\": %u, \"irq_pin\": %u, ",
			first ? "" : ", ", n >> 3, n & 7, pci_get16(p->config + 0x0a),
			pci_get16(p->config), pci_get16(p->config + 2), pci_get16(p->config + 0x2c),
			pci_get16(p->config + 0x2e), p->config[0x3c], p->config[0x3d]);
		text(c->out, "qdev_id", p->name, ", \"regions\": [");
		regions(c->out, p);
		fputs("]}", c->out);
		first = false;
	}
	fputs("]}]", c->out);
}

const struct qmp_command qmp_query_commands[] = {
    {"query-version", NULL, version},
    {"query-status", NULL, status},
    {"query-name", NULL, name},
    {"query-uuid", NULL, uuid},
    {"query-commands", NULL, commands},
    {"query-events", NULL, events},
    {"query-cpus-fast", NULL, cpus_fast},
    {"query-kvm", NULL, kvm},
    {"query-machines", NULL, machines},
    {"query-mice", NULL, mice},
    {"query-iothreads", NULL, nothing},
    {"query-block-jobs", NULL, nothing},
    {"query-jobs", NULL, nothing},
    {"query-memory-size-summary", NULL, memory_size},
    {"query-target", NULL, target},
    {"query-current-machine", NULL, current_machine},
    {"query-block", NULL, block},
    {"query-blockstats", NULL, blockstats},
    {"query-chardev", NULL, chardevs},
    {"query-pci", NULL, pci},
    {0},
};
