/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parser for JSON from strangers; what QMP makes of it is tests/qmp.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/json_read.h"

/* What the text is written as again. */
static void round_trip(const char *text, const char *want)
{
	const char *why = NULL;
	struct json *j = json_parse(text, strlen(text), &why);
	size_t len;
	char *got;
	FILE *f;

	cr_assert(j, "%s: %s", text, why);
	f = open_memstream(&got, &len);
	json_write(j, f);
	fclose(f);
	cr_expect_str_eq(got, want);
	free(got);
	json_free(j);
}

static void refused(const char *text, const char *want)
{
	const char *why = "nothing";
	struct json *j = json_parse(text, strlen(text), &why);

	cr_assert(!j && why, "%s is taken", text);
	cr_expect(strstr(why, want), "%s: %s, not %s", text, why, want);
}

Test(json, values)
{
	round_trip(" {\"a\" : [1,-2.5e1 , true,null,\"x\"],\"b\":{}} ",
		   "{\"a\": [1, -25, true, null, \"x\"], \"b\": {}}");
	round_trip("\"\\u00fc\\ud83d\\ude00\\n\\\"\\\\\\/\"",
		   "\"\u00fc\U0001f600\\u000a\\\"\\\\/\"");
	round_trip("9223372036854775807", "9223372036854775807");
	round_trip("9223372036854775808", "9.2233720368547758e+18");
	round_trip("-0", "0");
}

Test(json, refusals)
{
	char deep[2 * JSON_DEPTH + 4];

	refused("", "missing");
	refused("1 2", "follows");
	refused("01", "number");
	refused("1.", "number");
	refused("-", "number");
	refused("1e999", "too large");
	refused("[1,]", "no value");
	refused("[1", "does not end");
	refused("{\"a\"}", "without a value");
	refused("{1:2}", "without a name");
	refused("{\"a\":1,\"a\":2}", "duplicate");
	refused("{\"a\":1,}", "without a name");
	refused("\"abc", "does not end");
	refused("\"abc\\", "does not end");
	refused("\"\\x\"", "escape");
	refused("\"\\u12\"", "escape");
	refused("\"\\u0000\"", "zero");
	refused("\"\\udc00\"", "surrogate");
	refused("\"\\ud800\\u0041\"", "surrogate");
	refused("\"\t\"", "control");
	refused("\"\xc0\x80\"", "UTF-8");
	refused("\"\xed\xa0\x80\"", "UTF-8");
	refused("'a'", "no value");
	refused("truex", "follows");
	refused("truth", "no value");
	memset(deep, '[', sizeof(deep));
	deep[JSON_DEPTH + 1] = 0;
	refused(deep, "too many");
	memset(deep + JSON_DEPTH, ']', JSON_DEPTH);
	deep[2 * JSON_DEPTH] = 0;
	round_trip(deep, deep);
}

Test(json, scanning)
{
	static const char text[] = "{\"a\": \"}\\\"]\"}[[]]{}";
	struct json_scan s = {0};
	unsigned ends = 0;

	for (const char *c = text; *c; c++)
		ends += json_scan(&s, *c);
	cr_expect_eq(ends, 3u);
	cr_expect_eq(s.depth, 0u);
}
