/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * i8042 keyboard controller of the PS/2 (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard and Auxiliary Device Controller").
 *
 * Power-on leaves it as a PC's firmware would: keyboard interrupt and translation on, mouse port
 * off, so that a guest that is started without firmware finds what it expects.
 */
#include "hw/i8042.h"

#include <string.h>

#include "mmu/aspace.h"

enum {
	STATUS_FULL = 0x01,
	STATUS_SYSTEM = 0x04,
	STATUS_COMMAND = 0x08,
	STATUS_UNLOCKED = 0x10,
	STATUS_AUX = 0x20
};

enum {
	MODE_KBD_INT = 0x01,
	MODE_AUX_INT = 0x02,
	MODE_SYSTEM = 0x04,
	MODE_KBD_OFF = 0x10,
	MODE_AUX_OFF = 0x20,
	MODE_TRANSLATE = 0x40
};

enum { OUT_RESET = 0x01, OUT_A20 = 0x02, OUT_KBD_FULL = 0x10, OUT_AUX_FULL = 0x20 };

enum { FROM_NONE, FROM_KBD, FROM_AUX };

enum {
	CMD_READ_RAM = 0x20,  /* 20h-3Fh */
	CMD_WRITE_RAM = 0x60, /* 60h-7Fh */
	CMD_TEST_PASSWORD = 0xa4,
	CMD_AUX_OFF = 0xa7,
	CMD_AUX_ON = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_KBD_TEST = 0xab,
	CMD_KBD_OFF = 0xad,
	CMD_KBD_ON = 0xae,
	CMD_READ_INPUT = 0xc0,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_WRITE_KBD_BUFFER = 0xd2,
	CMD_WRITE_AUX_BUFFER = 0xd3,
	CMD_WRITE_AUX = 0xd4,
	CMD_A20_OFF = 0xdd,
	CMD_A20_ON = 0xdf,
	CMD_READ_TEST = 0xe0,
	CMD_PULSE = 0xf0, /* F0h-FFh */
};

/* Set 2 to set 1, as the controller's ROM does it byte for byte. */
static const uint8_t translation[0x85] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29,
    0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11,
    0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14,
    0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24,
    0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35,
    0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
    0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c,
    0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
    0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, 0x80, 0x81, 0x82, 0x41, 0x54,
};

static void update_irq(struct i8042 *k)
{
	irq_set(&k->irq1, k->full == FROM_KBD && (k->ram[0] & MODE_KBD_INT));
	irq_set(&k->irq12, k->full == FROM_AUX && (k->ram[0] & MODE_AUX_INT));
}

static void fill(struct i8042 *k, uint8_t byte, uint8_t from)
{
	k->data = byte;
	k->full = from;
	update_irq(k);
}

/* The next byte from the keyboard as the host is to see it; false when there is none yet, because
 * the break prefix alone translates to nothing. */
static bool take_kbd(struct i8042 *k, uint8_t *out)
{
	while (!ps2_empty(&k->kbd.q)) {
		uint8_t byte = ps2_take(&k->kbd.q);

		if (!(k->ram[0] & MODE_TRANSLATE)) {
			k->released = 0;
			*out = byte;
			return true;
		}
		if (byte == 0xf0) {
			k->released = 1;
			continue;
		}
		*out = byte < sizeof(translation) ? translation[byte] : byte;
		if (byte < sizeof(translation)) {
			*out |= k->released ? 0x80 : 0;
			k->released = 0;
		}
		return true;
	}
	return false;
}

/* Moves the next byte into the output buffer when that is free. */
static void refill(void *opaque)
{
	struct i8042 *k = opaque;
	uint8_t byte;

	if (k->full)
		return;
	if (k->reply_from) {
		uint8_t from = k->reply_from;

		k->reply_from = FROM_NONE;
		fill(k, k->reply, from);
		return;
	}
	if (!(k->ram[0] & MODE_KBD_OFF) && take_kbd(k, &byte)) {
		fill(k, byte, FROM_KBD);
		return;
	}
	if (k->ram[0] & MODE_AUX_OFF)
		return;
	if (ps2_empty(&k->mouse.q))
		ps2_mouse_poll(&k->mouse); /* comes back here with what it made */
	if (!k->full && !ps2_empty(&k->mouse.q))
		fill(k, ps2_take(&k->mouse.q), FROM_AUX);
}

static void reply(struct i8042 *k, uint8_t byte, uint8_t from)
{
	k->reply = byte;
	k->reply_from = from;
	refill(k);
}

static void write_outport(struct i8042 *k, uint8_t val)
{
	k->outport = val & (OUT_RESET | OUT_A20);
	irq_set(&k->a20, !!(val & OUT_A20));
	if (!(val & OUT_RESET)) {
		irq_set(&k->reset, 1);
		irq_set(&k->reset, 0);
	}
}

static uint8_t read_outport(const struct i8042 *k)
{
	return k->outport | 0xcc | (k->full == FROM_KBD ? OUT_KBD_FULL : 0) |
	       (k->full == FROM_AUX ? OUT_AUX_FULL : 0);
}

static void set_mode(struct i8042 *k, uint8_t mode)
{
	k->ram[0] = mode;
	k->system = !!(mode & MODE_SYSTEM);
	update_irq(k);
	refill(k);
}

static void write_command(struct i8042 *k, uint8_t cmd)
{
	k->command = 0;
	if (cmd >= CMD_READ_RAM && cmd < CMD_READ_RAM + 32) {
		reply(k, k->ram[cmd - CMD_READ_RAM], FROM_KBD);
		return;
	}
	if (cmd >= CMD_WRITE_RAM && cmd < CMD_WRITE_RAM + 32) {
		k->command = cmd;
		return;
	}
	if (cmd >= CMD_PULSE) {
		if (!(cmd & OUT_RESET)) {
			irq_set(&k->reset, 1);
			irq_set(&k->reset, 0);
		}
		return;
	}
	switch (cmd) {
	case CMD_TEST_PASSWORD:
		reply(k, 0xf1, FROM_KBD); /* none installed */
		break;
	case CMD_AUX_OFF:
		set_mode(k, k->ram[0] | MODE_AUX_OFF);
		break;
	case CMD_AUX_ON:
		set_mode(k, k->ram[0] & ~MODE_AUX_OFF);
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
		reply(k, 0x00, FROM_KBD);
		break;
	case CMD_SELF_TEST:
		k->system = 1;
		k->ram[0] |= MODE_SYSTEM;
		reply(k, 0x55, FROM_KBD);
		break;
	case CMD_KBD_OFF:
		set_mode(k, k->ram[0] | MODE_KBD_OFF);
		break;
	case CMD_KBD_ON:
		set_mode(k, k->ram[0] & ~MODE_KBD_OFF);
		break;
	case CMD_READ_INPUT:
		reply(k, 0x80, FROM_KBD); /* keyboard not locked */
		break;
	case CMD_READ_OUTPUT:
		reply(k, read_outport(k), FROM_KBD);
		break;
	case CMD_READ_TEST:
		reply(k, 0x00, FROM_KBD);
		break;
	case CMD_A20_OFF:
		write_outport(k, (k->outport & ~OUT_A20) | OUT_RESET);
		break;
	case CMD_A20_ON:
		write_outport(k, k->outport | OUT_A20 | OUT_RESET);
		break;
	case CMD_WRITE_OUTPUT:
	case CMD_WRITE_KBD_BUFFER:
	case CMD_WRITE_AUX_BUFFER:
	case CMD_WRITE_AUX:
		k->command = cmd;
		break;
	}
}

static void write_data(struct i8042 *k, uint8_t val)
{
	uint8_t cmd = k->command;

	k->command = 0;
	switch (cmd) {
	case 0:
		/* Talking to a device turns its port on. */
		k->ram[0] &= ~MODE_KBD_OFF;
		ps2_kbd_write(&k->kbd, val);
		k->keys.leds = k->kbd.leds;
		break;
	case CMD_WRITE_OUTPUT:
		write_outport(k, val);
		break;
	case CMD_WRITE_KBD_BUFFER:
		reply(k, val, FROM_KBD);
		break;
	case CMD_WRITE_AUX_BUFFER:
		reply(k, val, FROM_AUX);
		break;
	case CMD_WRITE_AUX:
		k->ram[0] &= ~MODE_AUX_OFF;
		ps2_mouse_write(&k->mouse, val);
		break;
	case CMD_WRITE_RAM:
		set_mode(k, val);
		break;
	default:
		k->ram[cmd & 31] = val;
		break;
	}
}

static uint64_t data_read(void *opaque, uint64_t off, unsigned size)
{
	struct i8042 *k = opaque;
	uint8_t byte = k->data;

	(void)off;
	(void)size;
	if (k->full) {
		k->full = FROM_NONE;
		update_irq(k);
		refill(k);
	}
	return byte;
}

static void data_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8042 *k = opaque;

	(void)off;
	(void)size;
	k->command_last = 0;
	write_data(k, val);
}

static uint64_t status_read(void *opaque, uint64_t off, unsigned size)
{
	const struct i8042 *k = opaque;

	(void)off;
	(void)size;
	return STATUS_UNLOCKED | (k->full ? STATUS_FULL : 0) | (k->system ? STATUS_SYSTEM : 0) |
	       (k->command_last ? STATUS_COMMAND : 0) | (k->full == FROM_AUX ? STATUS_AUX : 0);
}

static void command_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
	struct i8042 *k = opaque;

	(void)off;
	(void)size;
	k->command_last = 1;
	write_command(k, val);
}

static const struct mmio_ops data_ops = {data_read, data_write, 1, 1};
static const struct mmio_ops command_ops = {status_read, command_write, 1, 1};

/* ---- input ---- */

static void on_key(void *dev, enum key key, bool down)
{
	struct i8042 *k = dev;

	ps2_kbd_key(&k->kbd, key_set1(key), down);
}

static void on_pointer(void *dev, const struct input_pointer *p)
{
	struct i8042 *k = dev;

	ps2_mouse_move(&k->mouse, p->x, p->y, p->dz, p->buttons);
}

void i8042_attach(struct i8042 *k, struct input *in)
{
	k->keys = (struct input_handler){
	    .name = "QEMU PS/2 Keyboard", .kinds = INPUT_KEYS, .key = on_key, .dev = k};
	k->pointer = (struct input_handler){
	    .name = "QEMU PS/2 Mouse", .kinds = INPUT_RELATIVE, .pointer = on_pointer, .dev = k};
	input_add(in, &k->keys);
	input_add(in, &k->pointer);
}

#define QUEUE(q)                                                                                   \
	FIELD_ARRAY_NORESET(i8042, q.buf), FIELD_NORESET(i8042, q.len),                            \
	    FIELD_NORESET(i8042, q.replies), FIELD_NORESET(i8042, q.last)

/* The two devices have reset functions of their own, which a command of theirs also reaches. */
static const struct field fields[] = {
    FIELD_ARRAY(i8042, ram, 0),
    FIELD(i8042, command, 0),
    FIELD(i8042, command_last, 0),
    FIELD(i8042, system, 1),
    FIELD(i8042, data, 0),
    FIELD(i8042, full, 0),
    FIELD(i8042, reply, 0),
    FIELD(i8042, reply_from, 0),
    FIELD(i8042, released, 0),
    FIELD(i8042, outport, OUT_RESET | OUT_A20),
    QUEUE(kbd.q),
    FIELD_NORESET(i8042, kbd.scanning),
    FIELD_NORESET(i8042, kbd.set),
    FIELD_NORESET(i8042, kbd.leds),
    FIELD_NORESET(i8042, kbd.rate),
    FIELD_NORESET(i8042, kbd.command),
    FIELD_ARRAY_NORESET(i8042, kbd.mode),
    QUEUE(mouse.q),
    FIELD_NORESET(i8042, mouse.command),
    FIELD_NORESET(i8042, mouse.id),
    FIELD_ARRAY_NORESET(i8042, mouse.rates),
    FIELD_NORESET(i8042, mouse.rate),
    FIELD_NORESET(i8042, mouse.resolution),
    FIELD_NORESET(i8042, mouse.scaling21),
    FIELD_NORESET(i8042, mouse.remote),
    FIELD_NORESET(i8042, mouse.wrap),
    FIELD_NORESET(i8042, mouse.enabled),
    FIELD_NORESET(i8042, mouse.buttons),
    FIELD_NORESET(i8042, mouse.sent_buttons),
    FIELD_END,
};

static void power_on(struct i8042 *k)
{
	ps2_kbd_reset(&k->kbd);
	ps2_mouse_reset(&k->mouse);
	k->ram[0] = MODE_KBD_INT | MODE_SYSTEM | MODE_AUX_OFF | MODE_TRANSLATE;
}

static void reset_done(void *state)
{
	struct i8042 *k = state;

	power_on(k);
	k->keys.leds = 0;
	irq_set(&k->a20, 1);
	update_irq(k);
}

static void check_queue(struct ps2_queue *q)
{
	if (q->len > PS2_QUEUE)
		q->len = PS2_QUEUE;
	if (q->replies > q->len)
		q->replies = q->len;
}

static void tame(void *state)
{
	struct i8042 *k = state;

	check_queue(&k->kbd.q);
	check_queue(&k->mouse.q);
}

static void loaded(void *state)
{
	struct i8042 *k = state;

	irq_set(&k->a20, !!(k->outport & OUT_A20));
	k->keys.leds = k->kbd.leds;
	update_irq(k);
}

int i8042_init(struct i8042 *k, struct aspace *io, struct clock *clk, const struct irq_pin *irq1,
	       const struct irq_pin *irq12, const struct irq_pin *a20, const struct irq_pin *reset)
{
	int err;

	memset(k, 0, sizeof(*k));
	if (irq1)
		k->irq1 = *irq1;
	if (irq12)
		k->irq12 = *irq12;
	if (a20)
		k->a20 = *a20;
	if (reset)
		k->reset = *reset;
	ps2_kbd_init(&k->kbd, clk, refill, k);
	ps2_mouse_init(&k->mouse, refill, k);
	device_init(&k->dev, "i8042", fields, k);
	k->dev.reset_done = reset_done;
	k->dev.tame = tame;
	k->dev.loaded = loaded;
	power_on(k);
	err = aspace_map_dev(io, "i8042-data", 0x60, 1, &data_ops, k);
	if (!err)
		err = aspace_map_dev(io, "i8042-command", 0x64, 1, &command_ops, k);
	return err;
}
