/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands for keyboard, mouse and disks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frontend/drive.h"
#include "frontend/drive_limits.h"
#include "frontend/qmp/qmp_impl.h"
#include "hw/device_type.h"
#include "hw/input/input.h"
#include "hw/pc.h"

#define HOLD_MS     100
#define HOLD_MAX_MS 10000

/* ---- keys ---- */

static const char *text_of(const struct json *object, const char *name)
{
	const struct json *j = json_member(object, name);

	return j && j->kind == JSON_STRING ? j->text : "";
}

/* {"type": "qcode"|"number", "data": ...}; NO_KEY with an error. */
static enum key key_of(struct qmp_call *c, const struct json *j)
{
	const struct json *data = json_member(j, "data");
	enum key key = NO_KEY;

	if (strcmp(text_of(j, "type"), "qcode") == 0)
		key = key_by_name(text_of(j, "data"));
	else if (strcmp(text_of(j, "type"), "number") == 0 && data && data->kind == JSON_INT &&
		 data->integer >= 0 && data->integer < 0x100)
		key = key_by_set1((uint16_t)data->integer);
	if (key == NO_KEY)
		qmp_error(c, "Parameter 'keys' does not accept value '%.100s'", text_of(j, "data"));
	return key;
}

static void send_key(struct qmp_call *c)
{
	int64_t hold = qmp_integer(c, "hold-time", HOLD_MS);
	uint16_t keys[SENDKEY_KEYS];
	unsigned nr = 0;

	for (const struct json *j = json_member(c->args, "keys")->child; j; j = j->next) {
		if (nr == SENDKEY_KEYS) {
			qmp_error(c, "At most %d keys can be pressed at once", SENDKEY_KEYS);
			return;
		}
		keys[nr] = (uint16_t)key_of(c, j);
		if (keys[nr++] == NO_KEY)
			return;
	}
	if (!nr || hold < 1 || hold > HOLD_MAX_MS)
		qmp_error(c, "Parameter '%s' expects %s", nr ? "hold-time" : "keys",
			  nr ? "1 to 10000 ms" : "a key");
	else if (!sendkey_press(&c->q->env->keys, keys, nr, (unsigned)hold))
		qmp_error(c, "Too many keys are waiting to be pressed");
}

/* ---- input-send-event ---- */

static bool set_axis(struct qmp_call *c, struct input_pointer *p, const struct json *data)
{
	const struct json *value = json_member(data, "value");
	const char *axis = text_of(data, "axis");

	if (!value || value->kind != JSON_INT || value->integer < -INPUT_ABS_MAX ||
	    value->integer > INPUT_ABS_MAX || (strcmp(axis, "x") != 0 && strcmp(axis, "y") != 0)) {
		qmp_error(c, "Parameter 'axis' or 'value' is invalid");
		return false;
	}
	*(*axis == 'x' ? &p->x : &p->y) = (int)value->integer;
	return true;
}

static bool set_button(struct qmp_call *c, struct input_pointer *p, const char *name, bool down)
{
	static const struct {
		const char *name;
		unsigned bit;
		int dz, dh;
	} buttons[] = {{"left", BUTTON_LEFT, 0, 0},     {"right", BUTTON_RIGHT, 0, 0},
		       {"middle", BUTTON_MIDDLE, 0, 0}, {"side", BUTTON_SIDE, 0, 0},
		       {"extra", BUTTON_EXTRA, 0, 0},   {"wheel-up", 0, -1, 0},
		       {"wheel-down", 0, 1, 0},         {"wheel-left", 0, 0, -1},
		       {"wheel-right", 0, 0, 1}};

	for (size_t n = 0; n < sizeof(buttons) / sizeof(buttons[0]); n++) {
		if (strcmp(buttons[n].name, name) != 0)
			continue;
		p->buttons = down ? p->buttons | buttons[n].bit : p->buttons & ~buttons[n].bit;
		p->dz += down ? buttons[n].dz : 0;
		p->dh += down ? buttons[n].dh : 0;
		return true;
	}
	qmp_error(c, "Parameter 'button' does not accept value '%.100s'", name);
	return false;
}

/* One element: keys at once, what is of the pointer is collected. */
static bool one_event(struct qmp_call *c, const struct json *j, struct input_pointer *p,
		      bool *moved)
{
	const struct json *data = json_member(j, "data"), *down = json_member(data, "down");
	const char *type = text_of(j, "type");
	enum key key;

	if (strcmp(type, "key") == 0) {
		key = key_of(c, json_member(data, "key"));
		if (key != NO_KEY)
			input_key(&c->q->pc->m.input, key, down && down->truth);
		return key != NO_KEY;
	}
	*moved = true;
	if (strcmp(type, "btn") == 0)
		return set_button(c, p, text_of(data, "button"), down && down->truth);
	if (strcmp(type, "abs") != 0 && strcmp(type, "rel") != 0) {
		qmp_error(c, "Parameter 'type' does not accept value '%.100s'", type);
		return false;
	}
	if (*type == 'a' && !p->absolute) {
		p->absolute = true;
		p->x = c->q->pc->m.input.last.x;
		p->y = c->q->pc->m.input.last.y;
	}
	return set_axis(c, p, data);
}

static void input_send_event(struct qmp_call *c)
{
	struct input *in = &c->q->pc->m.input;
	struct input_pointer p = {.buttons = in->last.buttons};
	bool moved = false;

	for (const struct json *j = json_member(c->args, "events")->child; j; j = j->next)
		if (!one_event(c, j, &p, &moved))
			return;
	if (moved)
		input_pointer(in, &p);
}

/* ---- disks ---- */

static struct block *disk(struct qmp_call *c)
{
	const char *name = qmp_text(c, "device", qmp_text(c, "id", qmp_text(c, "node-name", "")));
	struct block *b = drives_find(c->q->env->drives, name);

	if (b)
		return b;
	c->class = "DeviceNotFound";
	qmp_error(c, "Device '%.200s' not found", name);
	return NULL;
}

static void eject(struct qmp_call *c)
{
	struct block *b = disk(c);
	char err[512];

	if (b && block_eject(b, qmp_bool(c, "force", false), err, sizeof(err)) < 0)
		qmp_error(c, "%s", err);
}

static void change_medium(struct qmp_call *c)
{
	const char *mode = qmp_text(c, "read-only-mode", "retain");
	struct block *b = disk(c);
	enum block_access access;
	char err[512];

	if (!b)
		return;
	if (!drives_access(mode, &access))
		qmp_error(c, "Parameter 'read-only-mode' does not accept value '%.200s'", mode);
	else if (block_change(b, qmp_text(c, "filename", ""), qmp_text(c, "format", NULL), access,
			      qmp_bool(c, "force", false), err, sizeof(err)) < 0)
		qmp_error(c, "%s", err);
}

static void resize(struct qmp_call *c)
{
	int64_t size = qmp_integer(c, "size", 0);
	struct block *b = disk(c);
	char err[512];

	if (b && size < 0)
		qmp_error(c, "Parameter 'size' expects a >0 size");
	else if (b && block_resize(b, (uint64_t)size, err, sizeof(err)) < 0)
		qmp_error(c, "%s", err);
}

/* The arguments are named as QEMU's older options are. */
static void set_limits(struct qmp_call *c)
{
	struct limit_config limits = {0};
	struct block *b = disk(c);
	const char *why;

	for (const struct json *j = b ? c->args->child : NULL; j; j = j->next) {
		uint64_t *n = drive_limit(&limits, j->name);

		if (!n)
			continue;
		if (j->integer < 0) {
			qmp_error(c, "%s is below 0", j->name);
			return;
		}
		*n = (uint64_t)j->integer;
	}
	if (b && strcmp(qmp_text(c, "group", block_limit_group(b)), block_limit_group(b)) != 0) {
		qmp_error(c, "Device '%s' is in the group '%s' for good", block_name(b),
			  block_limit_group(b));
		return;
	}
	why = limits_check(&limits);
	if (why)
		qmp_error(c, "%s", why);
	else if (b)
		block_set_limits(b, &limits);
}

/* ---- plugging in and out ---- */

static void device_add_command(struct qmp_call *c)
{
	const char *driver = qmp_text(c, "driver", "");
	const struct device_type *type = device_type_find(driver);
	struct monitor_env *env = c->q->env;
	struct device_spec spec;
	char err[400] = "";

	if (!type) {
		qmp_error(c, "'%.200s' is not a valid device model name", driver);
		return;
	}
	device_spec_init(&spec, type);
	for (const struct json *j = c->args->child; j && !*err; j = j->next) {
		char number[24];
		const char *value = j->text;

		if (strcmp(j->name, "driver") == 0)
			continue;
		snprintf(number, sizeof(number), "%lld", (long long)j->integer);
		if (j->kind == JSON_INT)
			value = number;
		else if (j->kind == JSON_BOOL)
			value = j->truth ? "on" : "off";
		else if (j->kind != JSON_STRING)
			snprintf(err, sizeof(err), "Invalid parameter type for '%.200s'", j->name);
		if (!*err)
			device_spec_set(&spec, j->name, value, err, sizeof(err));
	}
	if (!*err && device_spec_done(&spec, err, sizeof(err)) == 0)
		pc_plug_device(c->q->pc, &spec, env->backend, env->backend_opaque, err,
			       sizeof(err));
	if (*err)
		qmp_error(c, "%s", err);
}

static void device_del_command(struct qmp_call *c)
{
	char err[400];
	int r = pc_unplug_device(c->q->pc, qmp_text(c, "id", ""), err, sizeof(err));

	if (r == -ENODEV)
		c->class = "DeviceNotFound";
	if (r < 0)
		qmp_error(c, "%s", err);
}

const struct qmp_command qmp_device_commands[] = {
    {"send-key", "keys:a hold-time:i?", send_key},
    {"input-send-event", "events:a device:s? head:i?", input_send_event},
    {"device_add", "driver:s id:s? bus:s? *:x?", device_add_command},
    {"device_del", "id:s", device_del_command},
    {"eject", "device:s? id:s? force:b?", eject},
    {"blockdev-change-medium", "device:s? id:s? filename:s format:s? force:b? read-only-mode:s?",
     change_medium},
    {"block_set_io_throttle",
     "device:s? id:s? bps:i bps_rd:i bps_wr:i iops:i iops_rd:i iops_wr:i bps_max:i? bps_rd_max:i? "
     "bps_wr_max:i? iops_max:i? iops_rd_max:i? iops_wr_max:i? bps_max_length:i? "
     "bps_rd_max_length:i? "
     "bps_wr_max_length:i? iops_max_length:i? iops_rd_max_length:i? iops_wr_max_length:i? "
     "iops_size:i? "
     "group:s?",
     set_limits},
    {"block_resize", "device:s? node-name:s? size:i", resize},
    {0},
};
