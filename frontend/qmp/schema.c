/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * query-qmp-schema: what QAPI's introspection (docs/devel/qapi-code-gen.rst, "Client JSON Protocol introspection") says of
 * a server, from the tables of commands. What a command takes is told exactly; what it returns is of type `any`.
 */
#include <string.h>

#include "frontend/qmp/qmp_impl.h"

static const struct {
	char letter; /* in struct qmp_command */
	const char *type;
} types[] = {{'s', "str"}, {'i', "int"}, {'b', "bool"}, {'a', "[any]"}};

static const char *type_of(char letter)
{
	for (size_t n = 0; n < sizeof(types) / sizeof(types[0]); n++)
		if (types[n].letter == letter)
			return types[n].type;
	return "any";
}

/* The argument object of a command. */
static void arguments(FILE *f, const struct qmp_command *k)
{
	const char *at = k->args;
	bool first = true;

	fprintf(f, ", {\"name\": \"q_obj_%s-arg\", \"meta-type\": \"object\", \"members\": [",
		k->name);
	while (*at) {
		size_t len = strcspn(at, " "), name = strcspn(at, ":");

		if (*at != '*') {
			fprintf(f, "%s{\"name\": \"%.*s\", \"type\": \"%s\"%s}", first ? "" : ", ",
				(int)name, at, type_of(at[name + 1]),
				at[len - 1] == '?' ? ", \"default\": null" : "");
			first = false;
		}
		at += len;
		at += *at == ' ';
	}
	fputs("]}", f);
}

static void schema(struct qmp_call *c)
{
	FILE *f = c->out;

	fputs("[{\"name\": \"any\", \"meta-type\": \"builtin\", \"json-type\": \"value\"}, "
	      "{\"name\": \"str\", \"meta-type\": \"builtin\", \"json-type\": \"string\"}, "
	      "{\"name\": \"int\", \"meta-type\": \"builtin\", \"json-type\": \"int\"}, "
	      "{\"name\": \"bool\", \"meta-type\": \"builtin\", \"json-type\": \"boolean\"}, "
	      "{\"name\": \"[any]\", \"meta-type\": \"array\", \"element-type\": \"any\"}, "
	      "{\"name\": \"q_empty\", \"meta-type\": \"object\", \"members\": []}",
	      f);
	for (const struct qmp_command *const *t = qmp_tables; *t; t++)
		for (const struct qmp_command *k = *t; k->name; k++) {
			fprintf(f,
				", {\"name\": \"%s\", \"meta-type\": \"command\", \"arg-type\": "
				"\"%s%s%s\", \"ret-type\": \"any\", \"allow-oob\": false}",
				k->name, k->args ? "q_obj_" : "q_empty", k->args ? k->name : "",
				k->args ? "-arg" : "");
			if (k->args)
				arguments(f, k);
		}
	for (unsigned n = 0; n < qmp_nr_events; n++)
		fprintf(f, ", {\"name\": \"%s\", \"meta-type\": \"event\", \"arg-type\": \"q_empty\"}",
			qmp_event_names[n]);
	fputc(']', f);
}

const struct qmp_command qmp_schema_commands[] = {
    {"query-qmp-schema", NULL, schema},
    {0},
};
