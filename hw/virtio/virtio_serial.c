/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio console device (virtio 1.2, 5.3).
 */
#include "hw/virtio/virtio_serial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/virtio/virtio_impl.h"

enum { QUEUE_SIZE = 128, VECTORS_MAX = 32 };
enum { CONTROL_RX = 2, CONTROL_TX = 3 };

#define F_MULTIPORT   (1ull << 1)
#define F_EMERG_WRITE (1ull << 2)

/* Offsets in the configuration space. */
enum { C_COLS = 0, C_ROWS = 2, C_MAX_PORTS = 4, C_EMERG = 8, C_LEN = 12 };

/* Control messages. */
enum {
	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	CONSOLE_PORT = 4,
	PORT_OPEN = 6,
	PORT_NAME = 7,
	MESSAGE_LEN = 8
};

/* virtio_serial_port.tell, in the order in which the driver hears of it. */
enum { TELL_ADD, TELL_CONSOLE, TELL_NAME, TELL_OPEN, TELLS };

/* A chain may name the same memory a thousand times: this much is taken from one. */
enum { MAX_WRITE = 1 << 20 };

static struct virtio_serial *of(struct virtio_pci *v)
{
	return (struct virtio_serial *)v;
}

static unsigned rx_queue(unsigned port)
{
	return port ? 2 * port + 2 : 0;
}

static struct virtio_serial_port *port_of(struct virtio_serial *s, unsigned queue)
{
	unsigned n = queue < CONTROL_RX ? 0 : queue / 2 - 1;

	return n < s->nr_ports ? s->port[n] : NULL;
}

static bool multiport(const struct virtio_serial *s)
{
	return virtio_has(&s->v, F_MULTIPORT);
}

/* ---- from the host to the guest ---- */

static bool live(const struct virtio_serial *s, unsigned queue)
{
	return s->v.status & VIRTIO_DRIVER_OK && !(s->v.status & VIRTIO_NEEDS_RESET) &&
	       s->v.vq[queue].enabled && pci_is_master(&s->v.func);
}

/* Gives the guest what it has buffers for. */
static void flush(struct virtio_serial_port *p)
{
	struct virtio_serial *s = p->bus;
	unsigned queue = rx_queue(p->nr);
	size_t done = 0;
	int got = 1;

	if (!live(s, queue))
		return;
	while (done < p->in_len && (got = vq_pop(&s->v.vq[queue], &s->e)) > 0) {
		size_t n = dma_sg_write(&s->e.in, 0, p->in + done, p->in_len - done);

		done += n;
		vq_push(&s->v.vq[queue], &s->e, (uint32_t)n);
		if (!n) { /* a buffer without room: no other comes */
			got = -EINVAL;
			break;
		}
	}
	p->in_len = (uint16_t)(p->in_len - done);
	memmove(p->in, p->in + done, p->in_len);
	if (got < 0)
		virtio_broken(&s->v);
	else if (done)
		virtio_notify(&s->v, queue);
}

static size_t can_receive(void *dev)
{
	struct virtio_serial_port *p = dev;

	/* What nobody reads yet waits in the chardev. */
	if (multiport(p->bus) && !p->guest_open && !p->console)
		return 0;
	return live(p->bus, rx_queue(p->nr)) ? sizeof(p->in) - p->in_len : 0;
}

static void receive(void *dev, const uint8_t *buf, size_t len)
{
	struct virtio_serial_port *p = dev;

	memcpy(p->in + p->in_len, buf, len);
	p->in_len = (uint16_t)(p->in_len + len);
	flush(p);
}

static void more_room(struct virtio_serial_port *p)
{
	flush(p);
	if (p->chr && p->chr->accept_input)
		p->chr->accept_input(p->chr);
}

/* ---- control ---- */

static bool host_open(const struct virtio_serial_port *p)
{
	return p->chr && !p->chr->closed;
}

/* The message, and how long it is. */
static size_t message(const struct virtio_serial_port *p, unsigned what,
		      uint8_t msg[MESSAGE_LEN + sizeof(p->name)])
{
	static const uint8_t event[TELLS] = {PORT_ADD, CONSOLE_PORT, PORT_NAME, PORT_OPEN};
	size_t name = what == TELL_NAME ? strlen(p->name) : 0;

	pci_set32(msg, p->nr);
	pci_set16(msg + 4, event[what]);
	pci_set16(msg + 6, what == TELL_OPEN ? host_open(p) : 1);
	memcpy(msg + MESSAGE_LEN, p->name, name);
	return MESSAGE_LEN + name;
}

/* Tells the driver what it has buffers for. */
static void tell(struct virtio_serial *s)
{
	uint8_t msg[MESSAGE_LEN + sizeof(s->port[0]->name)];
	struct virtqueue *vq = &s->v.vq[CONTROL_RX];
	bool any = false;
	int got = 1;

	if (!multiport(s) || !live(s, CONTROL_RX))
		return;
	for (unsigned n = 0; n < s->nr_ports && got > 0; n++) {
		struct virtio_serial_port *p = s->port[n];

		while (p && p->tell && (got = vq_pop(vq, &s->e)) > 0) {
			unsigned what = (unsigned)__builtin_ctz(p->tell);
			size_t len = message(p, what, msg);

			p->tell &= (uint8_t)(p->tell - 1);
			vq_push(vq, &s->e, (uint32_t)dma_sg_write(&s->e.in, 0, msg, len));
			any = true;
		}
	}
	if (got < 0)
		virtio_broken(&s->v);
	else if (any)
		virtio_notify(&s->v, CONTROL_RX);
}

static void port_ready(struct virtio_serial_port *p)
{
	if (p->console)
		p->tell |= 1 << TELL_CONSOLE;
	if (*p->name)
		p->tell |= 1 << TELL_NAME;
	if (p->console || host_open(p))
		p->tell |= 1 << TELL_OPEN;
}

static void heard(struct virtio_serial *s, uint32_t port, unsigned event, unsigned value)
{
	struct virtio_serial_port *p = port < s->nr_ports ? s->port[port] : NULL;

	if (event == DEVICE_READY && value) {
		for (unsigned n = 0; n < s->nr_ports; n++)
			if (s->port[n])
				s->port[n]->tell |= 1 << TELL_ADD;
	} else if (p && event == PORT_READY && value) {
		port_ready(p);
	} else if (p && event == PORT_OPEN) {
		p->guest_open = value;
		if (!value)
			p->in_len = 0;
		else
			more_room(p);
	}
}

/* The host's side was opened or closed. */
static void chr_event(void *dev)
{
	struct virtio_serial_port *p = dev;

	p->tell |= 1 << TELL_OPEN;
	tell(p->bus);
}

/* ---- from the guest to the host ---- */

static void write_out(struct virtio_serial_port *p, const struct dma_sg *sg)
{
	uint8_t buf[4096];
	size_t n;

	for (size_t off = 0; (n = dma_sg_read(sg, off, buf, sizeof(buf))); off += n)
		chardev_write(p->chr, buf, n);
}

static int take(struct virtio_pci *v, unsigned queue)
{
	struct virtio_serial *s = of(v);
	struct virtio_serial_port *p = port_of(s, queue);
	uint8_t msg[MESSAGE_LEN];
	int got = vq_pop(&v->vq[queue], &s->e);

	if (got <= 0)
		return got;
	if (s->e.out.len > MAX_WRITE)
		return -EINVAL;
	if (queue != CONTROL_TX && p && host_open(p))
		write_out(p, &s->e.out);
	vq_push(&v->vq[queue], &s->e, 0);
	virtio_notify(v, queue);
	if (queue == CONTROL_TX && dma_sg_read(&s->e.out, 0, msg, sizeof(msg)) == sizeof(msg))
		heard(s, pci_get32(msg), pci_get16(msg + 4), pci_get16(msg + 6));
	return 1;
}

static void kick(struct virtio_pci *v, unsigned queue)
{
	static const uint16_t none;
	struct virtio_serial *s = of(v);
	struct virtio_serial_port *p = port_of(s, queue);

	if (queue & 1) {
		int r;

		virtio_batch(v, true);
		r = virtio_take_all(v, queue, &none, take);
		virtio_batch(v, false);
		if (r < 0)
			virtio_broken(v);
	} else if (queue != CONTROL_RX && p) {
		more_room(p);
	}
	tell(s);
}

/* What a kernel writes before it has a driver, and when it dies. */
static void config_written(struct virtio_pci *v)
{
	struct virtio_serial *s = of(v);
	uint8_t c = v->config[C_EMERG];

	for (unsigned n = 0; n < s->nr_ports; n++) {
		if (!s->port[n] || !s->port[n]->console)
			continue;
		chardev_write(s->port[n]->chr, &c, 1);
		return;
	}
}

/* ---- life ---- */

static void reset(struct virtio_pci *v)
{
	struct virtio_serial *s = of(v);

	for (unsigned n = 0; n < s->nr_ports; n++) {
		struct virtio_serial_port *p = s->port[n];

		if (!p)
			continue;
		p->guest_open = false;
		p->tell = 0;
		p->in_len = 0;
	}
}

static void started(struct virtio_pci *v)
{
	struct virtio_serial *s = of(v);

	/* A loaded state: who was connected then may not be now. */
	for (unsigned n = 0; n < s->nr_ports; n++) {
		struct virtio_serial_port *p = s->port[n];

		if (p && p->guest_open)
			p->tell |= 1 << TELL_OPEN;
	}
	tell(s);
}

static const struct virtio_type type = {
    .id = 3,
    .legacy_id = 0x1003,
    .class_code = 0x0780,
    .config_len = C_LEN,
    .config_writable = 0xfull << C_EMERG,
    .kick = kick,
    .config_written = config_written,
    .started = started,
    .reset = reset,
};

int virtio_serial_init(struct virtio_serial *s, unsigned nr_ports,
		       const struct virtio_pci_options *layout)
{
	struct virtio_pci_options po = *layout;

	memset(s, 0, sizeof(*s));
	if (!nr_ports || nr_ports > VIRTIO_SERIAL_PORTS)
		return -EINVAL;
	po.nr_queues = 2 * (nr_ports + 1);
	po.queue_size = QUEUE_SIZE;
	po.vectors = (uint16_t)(po.nr_queues < VECTORS_MAX ? po.nr_queues + 1 : VECTORS_MAX);
	po.features |= F_MULTIPORT | F_EMERG_WRITE;
	s->nr_ports = nr_ports;
	pci_set32(s->v.config + C_MAX_PORTS, nr_ports);
	vq_elem_init(&s->e);
	return virtio_pci_init(&s->v, &type, "virtio-serial-pci", &po);
}

void virtio_serial_fini(struct virtio_serial *s)
{
	for (unsigned n = 0; n < s->nr_ports; n++) {
		if (s->port[n])
			chardev_detach(s->port[n]->chr);
		free(s->port[n]);
		s->port[n] = NULL;
	}
	vq_elem_fini(&s->e);
}

/* ---- ports ---- */

static const struct field port_fields[] = {
    FIELD(virtio_serial_port, guest_open, 0),
    FIELD(virtio_serial_port, tell, 0),
    FIELD_ARRAY(virtio_serial_port, in, 0),
    FIELD(virtio_serial_port, in_len, 0),
    FIELD_END,
};

static void port_tame(void *state)
{
	struct virtio_serial_port *p = state;

	if (p->in_len > sizeof(p->in))
		p->in_len = 0;
	p->tell &= (1 << TELLS) - 1;
}

struct virtio_serial_port *virtio_serial_add(struct virtio_serial *s,
					     const struct virtio_serial_port_options *o, int *err)
{
	/* Drivers without F_MULTIPORT take port 0 for a console. */
	unsigned nr = o->console ? 0 : 1;
	struct virtio_serial_port *p;

	while (o->nr < 0 && nr < s->nr_ports && s->port[nr])
		nr++;
	if (o->nr >= 0)
		nr = (unsigned)o->nr;
	if ((o->name && strlen(o->name) >= sizeof(p->name)) ||
	    (o->nr >= 0 && (nr >= s->nr_ports || (!nr && !o->console))))
		*err = -EINVAL;
	else if (nr >= s->nr_ports)
		*err = -ENOSPC;
	else if (s->port[nr] || (o->chr && o->chr->dev))
		*err = -EBUSY;
	else
		*err = 0;
	if (*err < 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p) {
		*err = -ENOMEM;
		return NULL;
	}
	p->bus = s;
	p->nr = nr;
	p->console = o->console;
	p->chr = o->chr;
	if (o->name)
		strcpy(p->name, o->name);
	snprintf(p->dev_name, sizeof(p->dev_name), "%.56s-port%u", s->v.func.name, nr);
	device_init(&p->dev, p->dev_name, port_fields, p);
	p->dev.tame = port_tame;
	chardev_attach(p->chr, can_receive, receive, p);
	if (p->chr)
		p->chr->event = chr_event;
	s->port[nr] = p;
	return p;
}
