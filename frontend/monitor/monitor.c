/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From a line to a command: words may be abbreviated as long as they mean one thing, arguments are taken apart as
 * the table says.
 */
#include "frontend/monitor/monitor.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/debug/debugger.h"
#include "frontend/monitor/command.h"
#include "frontend/monitor/points.h"
#include "frontend/monitor/profile.h"
#include "frontend/monitor/trace.h"
#include "frontend/options.h"
#include "hw/pc.h"

#define MAX_NAMES   256
#define MAX_SYMBOLS 2000 /* that are looked at for a completion */

/* clang-format off: a line each */
const struct command *const command_tables[] = {
    help_commands,
    machine_commands,
    info_commands,
    device_commands,
    disk_commands,
    input_commands,
    memory_commands,
    paging_commands,
    table_commands,
    stop_commands,
    kernel_commands,
    profile_commands,
    balloon_commands,
    display_commands,
    network_commands,
    audio_commands,
    plug_commands,
    trace_commands,
    about_commands,
    symbol_commands,
    list_commands,
    frame_commands,
    step_commands,
    NULL,
};
/* clang-format on */

void out(const struct out *o, const char *fmt, ...)
{
	char buf[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	o->print(o->opaque, buf);
}

/* ---- which command ---- */

static const char *skip_spaces(const char *s)
{
	return s + strspn(s, " \t");
}

/* How the line matches one of a command's names ("info cpus"): 0 not at all, 1 with words cut short, 2 as it
 * is. *rest is what follows. */
static int match_name(const char *name, size_t len, const char *line, const char **rest)
{
	const char *end = name + len;
	int how = 2;

	while (name < end) {
		size_t want = strcspn(name, " |"), has;

		line = skip_spaces(line);
		has = strcspn(line, " \t/");
		if (!has || has > want || strncmp(name, line, has) != 0)
			return 0;
		if (has < want)
			how = 1;
		line += has;
		name += want;
		name += *name == ' ';
	}
	*rest = line;
	return how;
}

static int match(const struct command *c, const char *line, const char **rest)
{
	int best = 0;

	for (const char *name = c->name; *name;) {
		size_t len = strcspn(name, "|");
		const char *r = NULL;
		int how = match_name(name, len, line, &r);

		if (how > best) {
			best = how;
			*rest = r;
		}
		name += len;
		name += *name == '|';
	}
	return best;
}

/* NULL: none, or several (*several). Longer names win over shorter ones. */
static const struct command *find(const char *line, const char **rest, bool *several)
{
	const struct command *found = NULL;
	const char *found_rest = NULL;
	int found_how = 0;

	*several = false;
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->name; c++) {
			const char *r = NULL;
			int how = match(c, line, &r);

			if (!how || how < found_how || (found && r < found_rest))
				continue;
			*several = how == found_how && r == found_rest && how == 1;
			found = c;
			found_rest = r;
			found_how = how;
		}
	*rest = found_rest;
	return *several ? NULL : found;
}

/* ---- its arguments ---- */

/* Takes a word out of *line, in place; quotes hold it together. */
static char *take_word(char **line)
{
	char *s = *line + strspn(*line, " \t"), *to = s, *word = s, quote = 0;

	if (!*s)
		return NULL;
	for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
		if (*s == quote)
			quote = 0;
		else if (!quote && (*s == '"' || *s == '\''))
			quote = *s;
		else
			*to++ = *s;
	}
	*line = *s ? s + 1 : s;
	*to = 0;
	return word;
}

/* The next element of the table's list, without its brackets. */
static bool next_spec(const char **at, char *spec, size_t len, bool *optional)
{
	const char *s = skip_spaces(*at);
	size_t n = strcspn(s, " ");

	if (!n)
		return false;
	*at = s + n;
	*optional = *s == '[';
	if (*optional) {
		s++;
		n -= 2;
	}
	snprintf(spec, len, "%.*s", (int)n, s);
	return true;
}

/* Takes the flag out of the line, with the word after it where the table has "-f:WORD" (into value). */
static bool take_flag(char *line, const char *spec, char *value, size_t len)
{
	size_t n = strcspn(spec, ":");

	for (char *s = line + strspn(line, " \t"); *s; s += strspn(s, " \t")) {
		size_t has = strcspn(s, " \t");

		if (has == n && strncmp(s, spec, n) == 0) {
			memset(s, ' ', n);
			if (!spec[n])
				return true;
			s += strspn(s, " \t");
			has = strcspn(s, " \t");
			snprintf(value, len, "%.*s", (int)has, s);
			memset(s, ' ', has);
			return has > 0;
		}
		s += has;
	}
	return false;
}

/* NULL, or what is wrong. */
static const char *take_args(const struct command *c, char *line, struct arg *a, char value[32])
{
	const char *at = c->args ? c->args : "";
	char spec[40];
	bool optional;

	for (unsigned n = 0; n < MONITOR_MAX_ARGS && next_spec(&at, spec, sizeof(spec), &optional);
	     n++) {
		char *s = line + strspn(line, " \t");
		size_t len = strlen(spec);

		if (*spec == '-') {
			a[n].given = take_flag(line, spec, value, 32);
			a[n].text = value;
		} else if (*spec == '/') {
			if (*s == '/') {
				a[n].text = take_word(&line) + 1;
				a[n].given = true;
			}
		} else if (len > 3 && strcmp(spec + len - 3, "...") == 0) {
			a[n].text = s;
			a[n].given = *s != 0;
			line = s + strlen(s);
		} else {
			a[n].text = take_word(&line);
			a[n].given = a[n].text != NULL;
		}
		if (!a[n].given && !optional && *spec != '-' && *spec != '/')
			return "too few arguments";
	}
	return line[strspn(line, " \t")] ? "too many arguments" : NULL;
}

/* ---- interface ---- */

static void unknown(const struct out *o, const char *line)
{
	const char *names[MAX_NAMES + 1] = {NULL}, *near;
	char words[64];
	unsigned nr = 0;

	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->name && nr < MAX_NAMES; c++)
			if (!strchr(c->name, '|'))
				names[nr++] = c->name;
	snprintf(words, sizeof(words), "%s", skip_spaces(line));
	near = nearest_name(words, names);
	if (near)
		out(o, "unknown command: %s (did you mean %s?)\n", words, near);
	else
		out(o, "unknown command: %s (help lists them)\n", words);
}

void monitor_command(struct monitor *m, const char *line,
		     void (*print)(void *opaque, const char *text), void *opaque)
{
	const struct out o = {print, opaque};
	struct arg args[MONITOR_MAX_ARGS] = {0};
	char buf[MONITOR_MAX_LINE], value[32] = "";
	const struct command *c;
	const char *rest, *wrong;
	bool several;

	line = skip_spaces(line);
	if (!*line || *line == '#')
		return;
	c = find(line, &rest, &several);
	if (several) {
		out(&o, "%s may be several commands (help lists them)\n", line);
		return;
	}
	if (!c) {
		unknown(&o, line);
		return;
	}
	snprintf(buf, sizeof(buf), "%s", rest);
	wrong = take_args(c, buf, args, value);
	if (wrong)
		out(&o, "%s: %.*s%s%s, as in: %s\n", wrong, (int)strcspn(c->name, "|"), c->name,
		    c->args ? " " : "", c->args ? c->args : "", c->example);
	else
		c->run(m, &o, args);
}

void monitor_complete(struct monitor *m, const char *line,
		      void (*found)(void *opaque, const char *word), void *opaque)
{
	const struct symtab *t = &m->env->linux_guest.symbols;
	const struct symbol *s;
	const char *word;

	line = skip_spaces(line);
	word = line + strlen(line);
	while (word > line && (isalnum((unsigned char)word[-1]) || word[-1] == '_'))
		word--;
	/* After a command's own words: symbols. */
	for (size_t n = 0;
	     word > line && *word && (s = symtab_prefix(t, word, n)) && n < MAX_SYMBOLS; n++)
		found(opaque, s->name);
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->name; c++) {
			size_t len = strcspn(c->name, "|"), typed = strlen(line), begin = typed;
			char name[64], word[64];

			snprintf(name, sizeof(name), "%.*s", (int)len, c->name);
			if (typed > len || strncmp(name, line, typed) != 0)
				continue;
			while (begin && name[begin - 1] != ' ')
				begin--;
			snprintf(word, sizeof(word), "%.*s", (int)strcspn(name + begin, " "),
				 name + begin);
			found(opaque, word);
		}
}

int monitor_env_init(struct monitor_env *e, struct pc *pc)
{
	e->pc = e->linux_guest.pc = pc;
	sendkey_init(&e->keys, &pc->m.input, &pc->m.clock);
	int err = debugger_new(&e->debugger, pc);

	if (err == 0)
		points_init(e);
	return err;
}

void monitor_env_fini(struct monitor_env *e)
{
	if (!e->debugger)
		return;
	profile_free(e->profile);
	trace_free(e->trace);
	e->trace = NULL;
	free(e->log_file);
	points_fini(e);
	debugger_free(e->debugger);
	e->debugger = NULL;
	linux_free(&e->linux_guest);
	symbols_fini(&e->symbols);
}

void monitor_attach(struct monitor *m, void (*say)(void *opaque, const char *text), void *opaque)
{
	m->say = say;
	m->say_opaque = opaque;
	m->next = m->env->monitors;
	m->env->monitors = m;
}

void monitor_detach(struct monitor *m)
{
	for (struct monitor **p = &m->env->monitors; *p; p = &(*p)->next)
		if (*p == m) {
			*p = m->next;
			return;
		}
}

void monitor_init(struct monitor *m, struct monitor_env *env)
{
	*m = (struct monitor){.env = env, .pc = env->pc};
}
