/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Output of a command is collected; what is more than a page waits for a key.
 */
#include "frontend/monitor/session.h"

#include <stdlib.h>
#include <string.h>

#define PROMPT   "(doppel) "
#define MORE     "--More-- (space: page, enter: line, q: no more)"
#define MAX_TEXT (64u << 20)

/* Shows `rows` lines of what is left; false when there is more. */
static bool show_some(struct session *s, unsigned rows)
{
	size_t begin = s->done;

	for (; s->done < s->len && rows; s->done++)
		rows -= s->text[s->done] == '\n';
	s->write(s->opaque, s->text + begin, s->done - begin);
	if (s->done < s->len)
		return false;
	s->len = s->done = 0;
	return true;
}

static void page(struct session *s, unsigned rows)
{
	s->paging = !show_some(s, rows);
	if (s->paging)
		s->write(s->opaque, MORE, strlen(MORE));
	else if (s->shown)
		editor_start(&s->editor);
}

static void collect(void *opaque, const char *text)
{
	struct session *s = opaque;
	size_t len = strlen(text);

	if (s->len + len > MAX_TEXT)
		return;
	if (s->len + len > s->room) {
		size_t room = 2 * (s->len + len);
		char *more = realloc(s->text, room);

		if (!more)
			return;
		s->text = more;
		s->room = room;
	}
	memcpy(s->text + s->len, text, len);
	s->len += len;
}

/* What nobody asked for; comes in pieces. */
static void say(void *opaque, const char *text)
{
	struct session *s = opaque;
	size_t len = strlen(text);

	if (s->busy || s->paging) {
		collect(s, text);
		return;
	}
	if (s->shown && !s->saying)
		editor_hide(&s->editor);
	s->write(s->opaque, text, len);
	s->saying = len && text[len - 1] != '\n';
	if (s->shown && !s->saying)
		editor_show(&s->editor);
}

static void on_complete(void *opaque, const char *line, void (*found)(void *to, const char *word),
			void *to)
{
	struct session *s = opaque;

	monitor_complete(&s->monitor, line, found, to);
}

static void on_write(void *opaque, const char *text, size_t len)
{
	struct session *s = opaque;

	s->write(s->opaque, text, len);
}

void session_init(struct session *s, struct monitor_env *env,
		  void (*write)(void *opaque, const char *text, size_t len), void *opaque)
{
	memset(s, 0, sizeof(*s));
	s->write = write;
	s->opaque = opaque;
	monitor_init(&s->monitor, env);
	monitor_attach(&s->monitor, say, s);
	editor_init(&s->editor, PROMPT, on_write, s);
	s->editor.complete = on_complete;
}

void session_fini(struct session *s)
{
	if (!s->write)
		return;
	monitor_detach(&s->monitor);
	editor_fini(&s->editor);
	free(s->text);
	s->text = NULL;
}

void session_show(struct session *s, bool on)
{
	s->shown = on;
	s->paging = false;
	s->len = s->done = 0;
	if (on)
		editor_start(&s->editor);
}

static unsigned rows(struct session *s)
{
	unsigned n = s->rows ? s->rows(s->opaque) : 0;

	return n > 2 ? n - 1 : 0;
}

void session_feed(struct session *s, uint8_t b)
{
	unsigned n = rows(s);

	if (s->paging) {
		s->write(s->opaque, "\r\033[K", 4);
		if (b == 'q' || b == 3) {
			s->len = s->done = 0;
			page(s, 1);
		} else {
			page(s, b == '\r' || b == '\n' ? 1 : n ? n : 1);
		}
		return;
	}
	if (!editor_feed(&s->editor, b))
		return;
	s->busy = true;
	monitor_command(&s->monitor, s->editor.line, collect, s);
	s->busy = false;
	page(s, n ? n : ~0u);
}
