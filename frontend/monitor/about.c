/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * info: what the machine is, as it was started.
 */
#include <inttypes.h>

#include "accel/engine.h"
#include "frontend/monitor/command.h"
#include "frontend/options.h"
#include "hw/pc.h"

static void info_version(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)m;
	(void)a;
	out(o, "doppel " DOPPEL_VERSION "\n");
}

static void info_name(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	if (m->env->options && *m->env->options->name)
		out(o, "%s\n", m->env->options->name);
}

static void info_uuid(struct monitor *m, const struct out *o, const struct arg *a)
{
	static const struct smbios_user none;
	char text[SMBIOS_UUID_TEXT];

	(void)a;
	smbios_uuid_text(m->env->options ? &m->env->options->smbios : &none, text);
	out(o, "%s\n", text);
}

static void one_chardev(void *opaque, const char *label, const char *file)
{
	out(opaque, "%s: filename=%s\n", label, file);
}

static void info_chardev(struct monitor *m, const struct out *o, const struct arg *a)
{
	struct out to = *o;

	(void)a;
	if (m->env->options)
		options_chardevs(m->env->options, one_chardev, &to);
}

static void info_kvm(struct monitor *m, const struct out *o, const struct arg *a)
{
	const char *why = engine_kvm.unusable();

	(void)a;
	if (m->pc->m.engine == &engine_kvm)
		out(o, "kvm support: enabled; info exits counts what leaves it\n");
	else
		out(o, "kvm support: disabled%s%s\n", why ? ": " : "", why ? why : "");
}

static void info_memory_size(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)a;
	out(o, "base memory: %" PRIu64 "\nplugged memory: 0\n", (uint64_t)m->pc->m.ram.size);
}

static void info_qdm(struct monitor *m, const struct out *o, const struct arg *a)
{
	(void)m;
	(void)a;
	for (size_t n = 0; device_types[n]; n++)
		out(o, "name \"%s\", bus %s, desc \"%s\"\n", device_types[n]->name,
		    device_types[n]->bus, device_types[n]->desc);
}

const struct command about_commands[] = {
    {"info version", NULL, info_version, "doppel's version", "info version"},
    {"info name", NULL, info_name, "the machine's name, of -name", "info name"},
    {"info uuid", NULL, info_uuid, "its UUID", "info uuid"},
    {"info chardev", NULL, info_chardev, "where characters go to and come from", "info chardev"},
    {"info kvm", NULL, info_kvm, "whether KVM executes the guest, or why it cannot", "info kvm"},
    {"info memory_size_summary", NULL, info_memory_size, "how much memory there is, bytes",
     "info memory_size_summary"},
    {"info qdm", NULL, info_qdm, "what devices there are for device_add", "info qdm"},
    {0},
};
