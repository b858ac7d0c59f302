/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * help: the list, or one command with its example.
 */
#include <stdio.h>
#include <string.h>

#include "frontend/monitor/command.h"

static void synopsis(const struct command *c, char *buf, size_t len)
{
	snprintf(buf, len, "%.*s%s%s", (int)strcspn(c->name, "|"), c->name, c->args ? " " : "",
		 c->args ? c->args : "");
}

static void print_one(const struct out *o, const struct command *c)
{
	const char *other = strchr(c->name, '|');
	char buf[160];

	synopsis(c, buf, sizeof(buf));
	out(o, "%s\n  %s\n  as in: %s\n", buf, c->help, c->example);
	if (other)
		out(o, "  also: %s\n", other + 1);
}

/* The words of a topic begin a name. */
static bool about(const struct command *c, const char *topic)
{
	size_t n = strlen(topic);

	while (n && topic[n - 1] == ' ')
		n--;
	for (const char *name = c->name; name; name = strchr(name, '|')) {
		name += *name == '|';
		if (strncmp(name, topic, n) == 0 && strchr(" |", name[n]))
			return true;
	}
	return false;
}

static void cmd_help(struct monitor *m, const struct out *o, const struct arg *a)
{
	unsigned found = 0;

	(void)m;
	for (const struct command *const *t = command_tables; *t; t++)
		for (const struct command *c = *t; c->name; c++) {
			char buf[160];

			if (a[0].given) {
				if (about(c, a[0].text)) {
					print_one(o, c);
					found++;
				}
				continue;
			}
			synopsis(c, buf, sizeof(buf));
			out(o, "  %-34s %s\n", buf, c->help);
		}
	if (!a[0].given)
		out(o, "Names may be cut short; help NAME shows an example.\n");
	else if (!found)
		out(o, "no command is called %s\n", a[0].text);
}

const struct command help_commands[] = {
    {"help|?", "[NAME...]", cmd_help, "this list, or one command with an example",
     "help screendump"},
    {0},
};
