/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bulk-Only Transport: command wrapper, data, status wrapper. See the header.
 */
#include "hw/usb/usb_storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/device_type.h"
#include "hw/pci.h"
#include "hw/storage/storage.h"

enum bot_state {
	BOT_COMMAND,
	BOT_DATA,
	BOT_STATUS,
	BOT_BROKEN, /* until the host's Reset Recovery (BOT 5.3.4) */
};
enum { EP_IN = 1 | USB_DIR_IN, EP_OUT = 2 };
enum { CBW_LEN = 31, CSW_LEN = 13 };
#define CBW_SIGNATURE 0x43425355u
#define CSW_SIGNATURE 0x53425355u
enum { PASSED = 0, FAILED = 1, PHASE_ERROR = 2 };
enum { MASS_STORAGE_RESET = 0xff, GET_MAX_LUN = 0xfe };

/* Interface 08h/06h/50h with one bulk endpoint each way. */
#define CONFIG(total, power)                                                                       \
	9, 2, total, 0, 1, 1, 0, 0xc0, power, /* self-powered */                                   \
	    9, 4, 0, 0, 2, 8, 6, 0x50, 0
#define BULK(address, size) 7, 5, address, 2, (size)&0xff, (size) >> 8, 0
#define COMPANION           6, 0x30, 15, 0, 0, 0 /* bursts of 16 packets */

static const uint8_t config_full[] = {CONFIG(32, 50), BULK(EP_IN, 64), BULK(EP_OUT, 64)};
static const uint8_t config_high[] = {CONFIG(32, 50), BULK(EP_IN, 512), BULK(EP_OUT, 512)};
static const uint8_t config_super[] = {CONFIG(44, 6), BULK(EP_IN, 1024), COMPANION,
				       BULK(EP_OUT, 1024), COMPANION};

static struct usb_storage *of(struct usb_device *d)
{
	return (struct usb_storage *)d;
}

/* ---- a command ---- */

static bool is_read(const struct usb_storage *s)
{
	return s->action == SCSI_READ || s->action == SCSI_REPLY;
}

static bool is_write(const struct usb_storage *s)
{
	return s->action == SCSI_WRITE || s->action == SCSI_PARAM;
}

/* The command has come to its end. A data phase that the host expects to go on ends with a stall, or
 * has ended with a short packet (BOT 6.7.2, 6.7.3). */
static void finish(struct usb_storage *s, uint8_t status, bool was_short)
{
	s->status = s->data_len > s->host_len && status == PASSED ? PHASE_ERROR : status;
	s->state = BOT_STATUS;
	if (s->moved < s->host_len && !was_short)
		usb_halt(&s->usb, s->to_host ? EP_IN : EP_OUT);
	usb_wakeup(&s->usb, EP_IN);
}

static void ended(struct usb_storage *s)
{
	finish(s, s->c.status == SCSI_GOOD ? PASSED : FAILED, false);
}

/* Asks the disk for the next chunk, or gives it the one that is full. */
static void start_io(struct usb_storage *s)
{
	uint64_t left = s->data_len - s->io_at;
	size_t n = left < USB_STORAGE_CHUNK ? (size_t)left : USB_STORAGE_CHUNK;

	s->iov = (struct iovec){s->chunk, n};
	s->busy = true;
	block_plug(s->block);
	if (s->action == SCSI_OTHER_IO)
		scsi_io(&s->c, 0, NULL, 0, 0);
	else
		scsi_io(&s->c, s->io_at, &s->iov, 1, n);
	block_unplug(s->block);
}

static void io_done(struct scsi_cmd *c)
{
	struct usb_storage *s = c->opaque;

	s->busy = false;
	if (s->dropping)
		return;
	if (c->status != SCSI_GOOD || s->action == SCSI_OTHER_IO) {
		ended(s);
		return;
	}
	s->io_at += s->iov.iov_len;
	s->buf_at = 0;
	if (s->action == SCSI_READ) {
		s->buf_len = (uint32_t)s->iov.iov_len;
		usb_wakeup(&s->usb, EP_IN);
		return;
	}
	s->buf_len = 0;
	if (s->io_at == s->data_len)
		ended(s);
	else
		usb_wakeup(&s->usb, EP_OUT);
}

/* What the command needs next. */
static void step(struct usb_storage *s)
{
	s->action = s->c.action;
	s->data_len = s->c.len;
	s->io_at = 0;
	s->buf_at = s->buf_len = 0;
	s->state = BOT_DATA;
	switch (s->action) {
	case SCSI_DONE:
		s->data_len = 0;
		ended(s);
		return;
	case SCSI_OTHER_IO:
		s->data_len = 0;
		start_io(s);
		return;
	case SCSI_PARAM:
		if (s->data_len > s->host_len)
			s->data_len = s->host_len;
		break;
	case SCSI_REPLY:
		s->buf_len = (uint32_t)s->data_len;
		break;
	default:
		break;
	}
	/* Data that the host does not expect, or in the other direction. */
	if (!s->host_len || is_read(s) != (bool)s->to_host)
		finish(s, PHASE_ERROR, false);
	else if (s->action == SCSI_READ)
		start_io(s);
}

static void start_command(struct usb_storage *s, const uint8_t *cbw)
{
	unsigned len = cbw[14] & 0x1f;

	s->tag = pci_get32(cbw + 4);
	s->host_len = pci_get32(cbw + 8);
	s->to_host = cbw[12] >> 7;
	s->moved = 0;
	memset(s->c.cdb, 0, sizeof(s->c.cdb));
	memcpy(s->c.cdb, cbw + 15, len);
	s->c.done = io_done;
	s->c.opaque = s;
	scsi_start(&s->scsi, &s->c);
	step(s);
}

/* ---- packets ---- */

static enum usb_result broken(struct usb_storage *s)
{
	s->state = BOT_BROKEN;
	usb_halt(&s->usb, EP_IN);
	usb_halt(&s->usb, EP_OUT);
	return USB_STALL;
}

static enum usb_result take_command(struct usb_storage *s, struct usb_packet *p)
{
	uint8_t cbw[CBW_LEN];

	if (p->sg->len != CBW_LEN || p->done)
		return broken(s);
	p->done = dma_sg_read(p->sg, 0, cbw, CBW_LEN);
	if (pci_get32(cbw) != CBW_SIGNATURE || cbw[13] || !cbw[14] || cbw[14] > SCSI_CDB_LEN)
		return broken(s);
	start_command(s, cbw);
	return USB_OK;
}

static enum usb_result give_status(struct usb_storage *s, struct usb_packet *p)
{
	uint8_t csw[CSW_LEN];

	pci_set32(csw, CSW_SIGNATURE);
	pci_set32(csw + 4, s->tag);
	pci_set32(csw + 8, s->host_len - (uint32_t)s->moved);
	csw[12] = s->status;
	p->done += dma_sg_write(p->sg, p->done, csw, CSW_LEN);
	s->state = BOT_COMMAND;
	usb_wakeup(&s->usb, EP_OUT);
	return USB_OK;
}

/* How much of the data phase can be moved now. */
static size_t room(const struct usb_storage *s, const struct usb_packet *p, uint64_t have)
{
	uint64_t n = p->sg->len - p->done, host = s->host_len - s->moved;

	n = n < have ? n : have;
	return (size_t)(n < host ? n : host);
}

static enum usb_result data_in(struct usb_storage *s, struct usb_packet *p)
{
	const uint8_t *from = s->action == SCSI_REPLY ? s->c.buf : s->chunk;

	while (!s->busy && s->state == BOT_DATA) {
		size_t n = room(s, p, s->buf_len - s->buf_at);

		n = dma_sg_write(p->sg, p->done, from + s->buf_at, n);
		s->buf_at += (uint32_t)n;
		s->moved += n;
		p->done += n;
		if (s->moved == s->data_len || s->moved == s->host_len) {
			finish(s, PASSED, p->done < p->sg->len);
			return USB_OK;
		}
		if (p->done == p->sg->len)
			return USB_OK;
		start_io(s);
	}
	return USB_NAK;
}

static void param(struct usb_storage *s)
{
	s->c.len = s->buf_len;
	scsi_param(&s->scsi, &s->c);
	step(s);
}

static enum usb_result data_out(struct usb_storage *s, struct usb_packet *p)
{
	bool is_param = s->action == SCSI_PARAM;
	uint8_t *to = is_param ? s->c.buf : s->chunk;

	while (!s->busy && s->state == BOT_DATA) {
		uint64_t left = s->data_len - s->io_at;
		uint32_t chunk = left < USB_STORAGE_CHUNK ? (uint32_t)left : USB_STORAGE_CHUNK;
		size_t n = room(s, p, chunk - s->buf_len);

		n = dma_sg_read(p->sg, p->done, to + s->buf_len, n);
		s->buf_len += (uint32_t)n;
		s->moved += n;
		p->done += n;
		if (s->buf_len == chunk && is_param)
			param(s);
		else if (s->buf_len == chunk)
			start_io(s);
		else if (s->moved == s->host_len) /* less than the command needs */
			finish(s, PHASE_ERROR, false);
		if (p->done == p->sg->len)
			return USB_OK;
	}
	/* What the host sends beyond the end. */
	return s->state == BOT_DATA ? USB_NAK : USB_STALL;
}

static enum usb_result data(struct usb_device *d, struct usb_packet *p)
{
	struct usb_storage *s = of(d);
	bool in = p->in;

	if (p->ep != (in ? EP_IN & 15 : EP_OUT))
		return USB_STALL;
	switch (s->state) {
	case BOT_COMMAND:
		return in ? USB_NAK : take_command(s, p);
	case BOT_DATA:
		if (s->busy)
			return USB_NAK;
		if (in)
			return is_read(s) ? data_in(s, p) : USB_NAK;
		return is_write(s) ? data_out(s, p) : broken(s);
	case BOT_STATUS:
		return in ? give_status(s, p) : broken(s);
	}
	return broken(s);
}

/* ---- requests and life ---- */

static void forget(struct usb_storage *s)
{
	s->dropping = true;
	block_drain(s->block);
	s->dropping = false;
	s->state = BOT_COMMAND;
}

static int control(struct usb_device *d, const struct usb_setup *setup, uint8_t *buf)
{
	switch (setup->type << 8 | setup->request) {
	case (USB_DIR_IN | USB_TYPE_CLASS | USB_TO_INTERFACE) << 8 | GET_MAX_LUN:
		buf[0] = 0;
		return 1;
	case (USB_TYPE_CLASS | USB_TO_INTERFACE) << 8 | MASS_STORAGE_RESET:
		forget(of(d));
		return 0;
	}
	return -1;
}

static void unhalted(struct usb_device *d, uint8_t ep_address)
{
	if (of(d)->state == BOT_BROKEN)
		usb_halt(d, ep_address);
}

static void reset(struct usb_device *d)
{
	device_reset(&of(d)->dev);
}

static void reset_done(void *state)
{
	struct usb_storage *s = state;

	forget(s);
	device_reset(&s->scsi.dev);
}

/* Whether the numbers of a data phase are such as a command brings about. */
static bool is_sane(const struct usb_storage *s)
{
	bool small = s->action == SCSI_REPLY || s->action == SCSI_PARAM;
	uint32_t max = small ? SCSI_BUF_LEN : USB_STORAGE_CHUNK;

	if (s->buf_len > max || s->buf_at > s->buf_len || s->io_at > s->data_len ||
	    s->moved > s->host_len || (small && s->data_len > max) || s->c.op > BLOCK_FLUSH)
		return false;
	switch (s->action) {
	case SCSI_REPLY:
		return s->buf_len == s->data_len && s->buf_at == s->moved;
	case SCSI_READ:
		return s->moved + s->buf_len - s->buf_at == s->io_at;
	case SCSI_WRITE:
	case SCSI_PARAM:
		return s->moved == s->io_at + s->buf_len && s->moved <= s->data_len;
	default:
		return false;
	}
}

static void tame(void *state)
{
	struct usb_storage *s = state;

	s->c.d = &s->scsi;
	s->c.done = io_done;
	s->c.opaque = s;
	s->c.range = s->c.nr_ranges = 0;
	if (s->state == BOT_DATA && !is_sane(s))
		s->state = BOT_BROKEN;
}

static const struct field fields[] = {
    FIELD(usb_storage, state, BOT_COMMAND),
    FIELD(usb_storage, action, SCSI_DONE),
    FIELD(usb_storage, data_len, 0),
    FIELD(usb_storage, status, 0),
    FIELD(usb_storage, to_host, 0),
    FIELD(usb_storage, tag, 0),
    FIELD(usb_storage, host_len, 0),
    FIELD(usb_storage, moved, 0),
    FIELD(usb_storage, io_at, 0),
    FIELD(usb_storage, buf_at, 0),
    FIELD(usb_storage, buf_len, 0),
    FIELD_ARRAY(usb_storage, c.cdb, 0),
    FIELD(usb_storage, c.op, BLOCK_READ),
    FIELD(usb_storage, c.offset, 0),
    FIELD(usb_storage, c.flags, 0),
    FIELD(usb_storage, c.status, 0),
    FIELD_ARRAY(usb_storage, c.buf, 0),
    FIELD_ARRAY(usb_storage, chunk, 0),
    FIELD_END,
};

static void medium_changed(void *opaque)
{
	scsi_medium_changed(&((struct usb_storage *)opaque)->scsi);
}

static void eject_request(void *opaque)
{
	scsi_eject_request(&((struct usb_storage *)opaque)->scsi);
}

static const struct block_user user = {.changed = medium_changed, .eject_request = eject_request};

static const struct usb_class class = {
    .name = "usb-storage",
    .vendor = 0x46f4,
    .product = 1,
    .maker = "QEMU",
    .what = "QEMU USB HARDDRIVE",
    .config = {[USB_FULL] = config_full, [USB_HIGH] = config_high, [USB_SUPER] = config_super},
    .control = control,
    .data = data,
    .reset = reset,
    .unhalted = unhalted,
};

int usb_storage_init(struct usb_storage *s, struct block *block, const char *serial)
{
	const struct scsi_options o = {
	    .cd = block_removable(block), .serial = serial, .rotation_rate = 1};
	int r;

	memset(s, 0, sizeof(*s));
	if (!o.cd && !block_present(block))
		return -ENOMEDIUM;
	r = block_attach(block, &user, s);
	if (r < 0)
		return r;
	s->block = block;
	/* Serial numbers have 12 hexadecimal digits at least (BOT 4.1.1). */
	usb_device_init(&s->usb, &class, serial && *serial ? serial : "000000000001");
	scsi_init(&s->scsi, "usb-storage-unit", block, &o);
	device_init(&s->dev, s->usb.name, fields, s);
	s->dev.reset_done = reset_done;
	s->dev.tame = tame;
	return 0;
}

void usb_storage_fini(struct usb_storage *s)
{
	s->dropping = true;
	block_drain(s->block);
	block_attach(s->block, NULL, NULL);
}

/* ---- -device usb-storage ---- */

static const struct prop props[] = {
    {"drive", PROP_DRIVE, "the disk or CD-ROM", NULL, 0, true},
    STORAGE_PROPS,
    USB_PROPS,
    {0},
};

static void destroy(void *self)
{
	usb_storage_fini(self);
	free(self);
}

static int create(void **self, const struct device_args *args, char *err, size_t errlen)
{
	struct block *block = arg_backend(args, "drive");
	int r = storage_set_up(args, block, err, errlen);
	struct usb_storage *s;
	char path[96];

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = usb_storage_init(s, block, arg_str(args, "serial"));
	if (r < 0) {
		storage_error(args, block, r, err, errlen);
		free(s);
		return r;
	}
	r = usb_device_add(&s->usb, args, err, errlen);
	if (r < 0) {
		destroy(s);
		return r;
	}
	snprintf(s->scsi.name, sizeof(s->scsi.name), "%.50s-unit", s->usb.name);
	device_add(args, &s->dev);
	device_add(args, &s->scsi.dev);
	usb_path(&s->usb, "storage", path, sizeof(path));
	device_boot(args, "%s/channel@0/disk@0,0", path);
	*self = s;
	return 0;
}

const struct device_type usb_storage_type = {
    .name = "usb-storage",
    .bus = "USB",
    .desc = "USB disk, or CD-ROM for a drive with media=cdrom",
    .props = props,
    .create = create,
    .destroy = destroy,
    .unplug = usb_unplug,
};
