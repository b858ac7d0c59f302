/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libvncserver gives each client threads of its own, so that one that stalls holds up nobody else. Ours, the
 * pump, takes connections, brings the library's frame buffer up to date from a shadow of the screen, and
 * joins the threads of clients that have gone. While there are none, nobody looks at the screen.
 */
#include "frontend/vnc.h"

#ifdef CONFIG_VNC
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/keysym.h"
#include "frontend/shadow.h"
#include "frontend/ui.h"
#include "frontend/vnc_lib.h"
#include "frontend/vnc_listen.h"
#include "hw/machine.h"

#define MAX_CLIENTS 32
#define STALLED_MS  5000 /* who takes nothing for so long is disconnected */
#define FAREWELL    100  /* tenths of a second that their threads get at the end */
#define PASSWORD    8
#define CHALLENGE   16

enum { WHEEL_UP = 1 << 3, WHEEL_DOWN = 1 << 4, WHEEL_LEFT = 1 << 5, WHEEL_RIGHT = 1 << 6 };

/* A client's thread that ends. */
struct gone {
	pthread_t thread;
	struct gone *next;
};

struct client {
	struct vnc *vnc;
	struct gone gone;
	bool moved; /* x, y are where its pointer was */
	int x, y;
	unsigned buttons; /* RFB's */
	bool down[NR_KEYS];
};

struct vnc {
	struct ui *ui;
	struct machine *m;
	struct vnc_options opt;
	struct vnc_lib lib;
	struct shadow shadow;
	char password[PASSWORD + 1]; /* under the shadow's lock; empty: not set */
	char title[160];
	pthread_t thread;
	int wake; /* eventfd */
	atomic_bool closing;
	struct vnc_listeners listeners;

	/* The pump's. */
	rfbScreenInfoPtr rfb;
	uint32_t *pixels;
	bool watching;

	pthread_mutex_t clients_lock; /* a leaf */
	unsigned nr_clients;
	struct gone *gone;
};

static struct screen *screen(struct vnc *v)
{
	return &v->ui->screens[0];
}

static void wake(void *opaque)
{
	struct vnc *v = opaque;
	uint64_t one = 1;

	while (write(v->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- what clients send, on their threads ---- */

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr cl)
{
	struct client *c = cl->clientData;
	struct vnc *v = c->vnc;
	struct typed s;

	if (!keysym_find(v->opt.keymap, keysym, &s))
		return;
	pthread_mutex_lock(&v->m->lock);
	c->down[s.key] = down;
	if (down)
		keysym_press(&v->m->input, &s);
	else
		input_key(&v->m->input, s.key, false);
	screen_hurry(screen(v));
	pthread_mutex_unlock(&v->m->lock);
}

static unsigned buttons(unsigned mask)
{
	return (mask & 1 ? BUTTON_LEFT : 0) | (mask & 2 ? BUTTON_MIDDLE : 0) |
	       (mask & 4 ? BUTTON_RIGHT : 0);
}

static int scale(int v, unsigned size)
{
	return size < 2 ? 0 : (int)((int64_t)v * INPUT_ABS_MAX / (size - 1));
}

static void on_pointer(int mask, int x, int y, rfbClientPtr cl)
{
	struct client *c = cl->clientData;
	struct vnc *v = c->vnc;
	struct input *in = &v->m->input;
	const struct surface *s = &screen(v)->surface;
	unsigned pressed = (unsigned)mask & ~c->buttons;
	struct input_pointer p = {.buttons = buttons((unsigned)mask)};

	p.dz = !!(pressed & WHEEL_DOWN) - !!(pressed & WHEEL_UP);
	p.dh = !!(pressed & WHEEL_RIGHT) - !!(pressed & WHEEL_LEFT);
	pthread_mutex_lock(&v->m->lock);
	p.absolute = input_absolute(in);
	p.x = p.absolute ? scale(x, s->width) : c->moved ? x - c->x : 0;
	p.y = p.absolute ? scale(y, s->height) : c->moved ? y - c->y : 0;
	input_pointer(in, &p);
	screen_hurry(screen(v));
	pthread_mutex_unlock(&v->m->lock);
	c->moved = true;
	c->x = x;
	c->y = y;
	c->buttons = (unsigned)mask;
	v->lib.DefaultPtrAddEvent(mask, x, y, cl);
}

static int on_desktop_size(int width, int height, int screens, struct rfbExtDesktopScreen *layout,
			   rfbClientPtr cl)
{
	struct client *c = cl->clientData;
	struct display *d = screen(c->vnc)->display;

	(void)screens;
	(void)layout;
	if (!d->prefer || width < 1 || height < 1)
		return rfbExtDesktopSize_ResizeProhibited;
	pthread_mutex_lock(&c->vnc->m->lock);
	d->prefer(d->dev, (unsigned)width, (unsigned)height);
	pthread_mutex_unlock(&c->vnc->m->lock);
	return rfbExtDesktopSize_Success;
}

/* In a time that says nothing about the password. */
static rfbBool on_password(rfbClientPtr cl, const char *response, int len)
{
	struct vnc *v = cl->screen->screenData;
	unsigned char want[CHALLENGE];
	char password[PASSWORD + 1];
	unsigned differs = 0;

	pthread_mutex_lock(&v->shadow.lock);
	memcpy(password, v->password, sizeof(password));
	pthread_mutex_unlock(&v->shadow.lock);
	if (len != CHALLENGE || !*password)
		return FALSE;
	memcpy(want, cl->authChallenge, CHALLENGE);
	v->lib.EncryptBytes(want, password);
	for (unsigned n = 0; n < CHALLENGE; n++)
		differs |= want[n] ^ (unsigned char)response[n];
	return !differs;
}

/* ---- clients that come and go ---- */

/* The last that a client's thread does for it. */
static void on_gone(rfbClientPtr cl)
{
	struct client *c = cl->clientData;
	struct vnc *v = c->vnc;

	pthread_mutex_lock(&v->m->lock);
	for (int key = 0; key < NR_KEYS; key++)
		if (c->down[key])
			input_key(&v->m->input, key, false);
	pthread_mutex_unlock(&v->m->lock);
	pthread_mutex_lock(&v->clients_lock);
	c->gone.thread = pthread_self();
	c->gone.next = v->gone;
	v->gone = &c->gone;
	pthread_mutex_unlock(&v->clients_lock);
	wake(v);
}

static enum rfbNewClientAction on_client(rfbClientPtr cl)
{
	struct vnc *v = cl->screen->screenData;
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return RFB_CLIENT_REFUSE;
	c->vnc = v;
	cl->clientData = c;
	cl->clientGoneHook = on_gone;
	pthread_mutex_lock(&v->clients_lock);
	v->nr_clients++;
	pthread_mutex_unlock(&v->clients_lock);
	/* To be started when the library has told us all that it has to say. */
	return RFB_CLIENT_ON_HOLD;
}

/* The library's pixels have red in their lowest byte. */
static uint32_t swap(uint32_t p)
{
	return (p & 0xff00) | (p >> 16 & 0xff) | (p & 0xff) << 16;
}

static void take_cursor(struct vnc *v)
{
	const struct cursor *from = &v->shadow.cursor;
	size_t nr = CURSOR_SIZE * CURSOR_SIZE;
	rfbCursorPtr c = calloc(1, sizeof(*c));
	unsigned char *rich = malloc(nr * 4), *alpha = malloc(nr);
	unsigned char *mask = calloc(CURSOR_SIZE, CURSOR_SIZE / 8);

	if (!c || !rich || !alpha || !mask) {
		free(c);
		free(rich);
		free(alpha);
		free(mask);
		return; /* it stays as it was */
	}
	c->richSource = rich;
	c->alphaSource = alpha;
	c->mask = mask;
	c->alphaPreMultiplied = TRUE;
	c->cleanup = c->cleanupMask = c->cleanupRichSource = c->cleanupSource = TRUE;
	c->width = c->height = CURSOR_SIZE;
	c->xhot = (unsigned short)from->hot_x;
	c->yhot = (unsigned short)from->hot_y;
	for (size_t n = 0; n < nr; n++) {
		uint32_t pixel = from->visible ? from->pixels[n] : 0, swapped = swap(pixel);

		memcpy(rich + n * 4, &swapped, 4);
		alpha[n] = (unsigned char)(pixel >> 24);
		if (pixel >> 31)
			mask[n / 8] |= (unsigned char)(0x80 >> n % 8);
	}
	v->lib.SetCursor(v->rfb, c);
}

/* The library's pixels in another size. */
static bool resize(struct vnc *v, const struct surface *from)
{
	uint32_t *pixels = calloc((size_t)from->width * from->height + 1, sizeof(*pixels));

	if (!pixels)
		return false;
	v->lib.NewFramebuffer(v->rfb, (char *)pixels, (int)from->width, (int)from->height, 8, 3, 4);
	free(v->pixels);
	v->pixels = pixels;
	return true;
}

static void take_news(struct vnc *v)
{
	struct shadow *s = &v->shadow;
	struct rect r;

	pthread_mutex_lock(&s->lock);
	s->woken = false;
	r = s->damage;
	/* The machine waits for nobody: only this thread waits here for the slowest client. */
	while (s->resized) {
		struct surface size = {s->picture.width, s->picture.height, NULL};

		s->resized = false;
		pthread_mutex_unlock(&s->lock);
		resize(v, &size);
		pthread_mutex_lock(&s->lock);
		r = (struct rect){0, 0, s->picture.width, s->picture.height};
	}
	s->damage = (struct rect){0};
	if (s->new_cursor)
		take_cursor(v);
	s->new_cursor = s->moved_cursor = false; /* it is where the client's pointer is */
	if ((unsigned)v->rfb->width != s->picture.width ||
	    (unsigned)v->rfb->height != s->picture.height)
		r.width = 0; /* no memory for it */
	for (unsigned y = r.y; r.width && y < r.y + r.height; y++) {
		size_t at = (size_t)y * s->picture.width + r.x;

		for (unsigned x = 0; x < r.width; x++)
			v->pixels[at + x] = swap(s->picture.pixels[at + x]);
	}
	pthread_mutex_unlock(&s->lock);
	if (!rect_empty(&r))
		v->lib.MarkRectAsModified(v->rfb, (int)r.x, (int)r.y, (int)(r.x + r.width),
					  (int)(r.y + r.height));
}

static void watch(struct vnc *v, bool on)
{
	if (on == v->watching)
		return;
	v->watching = on;
	pthread_mutex_lock(&v->m->lock);
	if (on)
		screen_add_view(screen(v), &v->shadow.view);
	else
		screen_remove_view(screen(v), &v->shadow.view);
	pthread_mutex_unlock(&v->m->lock);
}

/* Gives a connection to the library. It first looks for four bytes of a client of WebSockets, which it would wait for on
 * this thread, and spin for when only some of them come. So it is born on a socket where it finds that this is none, and
 * gets the connection in its place. */
static rfbClientPtr new_client(struct vnc *v, int fd)
{
	char greeting[sz_rfbProtocolVersionMsg];
	rfbClientPtr cl = NULL;
	int pair[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return NULL;
	/* It uses select(). */
	if (fd < FD_SETSIZE && pair[0] < FD_SETSIZE && pair[1] < FD_SETSIZE &&
	    write(pair[0], "RFB ", 4) == 4)
		cl = v->lib.NewClient(v->rfb, pair[1]);
	else
		close(pair[1]);
	n = cl ? recv(pair[0], greeting, sizeof(greeting), MSG_DONTWAIT) : 0;
	if (n > 0 && send(fd, greeting, (size_t)n, MSG_NOSIGNAL) != n)
		shutdown(fd, SHUT_RDWR); /* its thread sees the end */
	if (cl)
		dup3(fd, cl->sock, O_CLOEXEC);
	close(pair[0]);
	return cl;
}

static void take_client(struct vnc *v, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
	rfbClientPtr cl;

	if (fd < 0)
		return;
	if (vnc_clients(v) >= MAX_CLIENTS) {
		close(fd);
		return;
	}
	/* A unix socket knows of no such thing. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(v, true);
	take_news(v);
	cl = new_client(v, fd);
	close(fd);
	if (cl)
		v->lib.StartOnHoldClient(cl);
}

static void join_gone(struct vnc *v)
{
	struct gone *list;
	unsigned nr = 0;

	pthread_mutex_lock(&v->clients_lock);
	list = v->gone;
	v->gone = NULL;
	pthread_mutex_unlock(&v->clients_lock);
	while (list) {
		struct client *c = (struct client *)((char *)list - offsetof(struct client, gone));

		list = list->next;
		pthread_join(c->gone.thread, NULL);
		free(c);
		nr++;
	}
	pthread_mutex_lock(&v->clients_lock);
	v->nr_clients -= nr;
	nr = v->nr_clients;
	pthread_mutex_unlock(&v->clients_lock);
	if (!nr)
		watch(v, false);
}

static void drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

/* Their threads see the end of the connection, and end. */
static void close_clients(struct vnc *v)
{
	rfbClientIteratorPtr it = v->lib.GetClientIterator(v->rfb);
	rfbClientPtr cl;

	while ((cl = v->lib.ClientIteratorNext(it)))
		shutdown(cl->sock, SHUT_RDWR);
	v->lib.ReleaseClientIterator(it);
	for (unsigned n = 0; n < FAREWELL && vnc_clients(v); n++) {
		struct pollfd p = {.fd = v->wake, .events = POLLIN};

		poll(&p, 1, 100);
		drain(v->wake);
		join_gone(v);
	}
}

static void *pump(void *opaque)
{
	struct vnc *v = opaque;
	struct pollfd p[VNC_LISTENERS + 1] = {{.fd = v->wake, .events = POLLIN}};

	for (unsigned n = 0; n < v->listeners.nr; n++)
		p[n + 1] = (struct pollfd){.fd = v->listeners.fd[n], .events = POLLIN};
	while (!atomic_load(&v->closing)) {
		if (poll(p, v->listeners.nr + 1, -1) < 0)
			continue;
		if (p[0].revents)
			drain(v->wake);
		for (unsigned n = 0; n < v->listeners.nr; n++)
			if (p[n + 1].revents)
				take_client(v, v->listeners.fd[n]);
		join_gone(v);
		if (v->watching)
			take_news(v);
	}
	close_clients(v);
	watch(v, false);
	return NULL;
}

/* ---- */

static int make_rfb(struct vnc *v)
{
	static const struct surface first = {720, 400, NULL};
	rfbScreenInfoPtr s;

	v->lib.LogEnable(FALSE);
	s = v->lib.GetScreen(NULL, NULL, (int)first.width, (int)first.height, 8, 3, 4);
	if (!s)
		return -1;
	v->rfb = s;
	snprintf(v->title, sizeof(v->title), "doppel%s%s", v->opt.name ? " " : "",
		 v->opt.name ? v->opt.name : "");
	s->desktopName = v->title;
	s->screenData = v;
	s->backgroundLoop = TRUE;
	s->maxClientWait = STALLED_MS;
	s->alwaysShared = v->opt.share == VNC_FORCE_SHARED;
	s->kbdAddEvent = on_key;
	s->ptrAddEvent = on_pointer;
	s->newClientHook = on_client;
	s->setDesktopSizeHook = on_desktop_size;
	if (v->opt.password) {
		s->authPasswdData = v;
		s->passwordCheck = on_password;
	}
	v->lib.SetCursor(s, NULL);
	return resize(v, &first) ? 0 : -1;
}

static void free_vnc(struct vnc *v)
{
	if (v->rfb)
		v->lib.ScreenCleanup(v->rfb);
	free(v->pixels);
	vnc_listen_end(&v->listeners, &v->opt);
	if (v->wake >= 0)
		close(v->wake);
	shadow_fini(&v->shadow);
	pthread_mutex_destroy(&v->clients_lock);
	free(v);
}

int vnc_open(struct vnc **out, struct ui *ui, const struct vnc_options *opt, char *err,
	     size_t errlen)
{
	struct vnc *v = calloc(1, sizeof(*v));
	const char *why = v ? vnc_lib_load(&v->lib) : "out of memory";
	int r;

	if (why) {
		snprintf(err, errlen, "-vnc: %s", why);
		free(v);
		return -1;
	}
	v->ui = ui;
	v->m = ui->m;
	v->opt = *opt;
	shadow_init(&v->shadow, wake, v);
	pthread_mutex_init(&v->clients_lock, NULL);
	v->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vnc_listen(&v->listeners, &v->opt, err, errlen) < 0) {
		free_vnc(v);
		return -1;
	}
	r = v->wake < 0 || make_rfb(v) < 0 ? ENOMEM : pthread_create(&v->thread, NULL, pump, v);
	if (r) {
		snprintf(err, errlen, "-vnc: cannot start the server: %s", strerror(r));
		free_vnc(v);
		return -1;
	}
	*out = v;
	return 0;
}

void vnc_close(struct vnc *v)
{
	if (!v)
		return;
	atomic_store(&v->closing, true);
	wake(v);
	pthread_join(v->thread, NULL);
	/* A thread that hangs in the library keeps what it uses. */
	if (!vnc_clients(v))
		free_vnc(v);
}

bool vnc_set_password(struct vnc *v, const char *password)
{
	if (!v->opt.password)
		return false;
	pthread_mutex_lock(&v->shadow.lock);
	snprintf(v->password, sizeof(v->password), "%.8s", password);
	pthread_mutex_unlock(&v->shadow.lock);
	return true;
}

unsigned vnc_port(const struct vnc *v)
{
	return *v->opt.path ? 0 : v->listeners.port;
}

unsigned vnc_clients(struct vnc *v)
{
	unsigned nr;

	pthread_mutex_lock(&v->clients_lock);
	nr = v->nr_clients;
	pthread_mutex_unlock(&v->clients_lock);
	return nr;
}

#else /* !CONFIG_VNC */

#include <stdio.h>

int vnc_open(struct vnc **out, struct ui *ui, const struct vnc_options *opt, char *err,
	     size_t errlen)
{
	(void)out;
	(void)ui;
	(void)opt;
	snprintf(err, errlen,
		 "-vnc is not in this build; build where libvncserver's headers are "
		 "(Debian: apt-get install libvncserver-dev), without --static");
	return -1;
}

void vnc_close(struct vnc *v)
{
	(void)v;
}

bool vnc_set_password(struct vnc *v, const char *password)
{
	(void)v;
	(void)password;
	return false;
}

unsigned vnc_port(const struct vnc *v)
{
	(void)v;
	return 0;
}

unsigned vnc_clients(struct vnc *v)
{
	(void)v;
	return 0;
}

#endif
