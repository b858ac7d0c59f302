/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frontend/json_read.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	const char *at, *end;
	unsigned depth;
	const char *why;
};

static struct json *value(struct parser *p);

static void *fail(struct parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return NULL;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end &&
	       (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_space(p);
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

/* ---- strings ---- */

static bool hex4(struct parser *p, unsigned *out)
{
	*out = 0;
	for (int n = 0; n < 4; n++, p->at++) {
		char c = p->at < p->end ? *p->at : 0;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*out = *out << 4 | (unsigned)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	return true;
}

static char *put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* One character of UTF-8, in its shortest form and no surrogate; its length, or 0. */
static size_t get_utf8(const char *s, const char *end, unsigned *out)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
	unsigned v = len == 1 ? c : c & (0x7fu >> len);

	if (!len || (size_t)(end - s) < len)
		return 0;
	for (size_t n = 1; n < len; n++) {
		if ((s[n] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[n] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*out = v;
	return len;
}

/* What follows a backslash. */
static char *escape(struct parser *p, char *to)
{
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
	char c = p->at < p->end ? *p->at++ : 0;
	const char *simple = c ? strchr(from, c) : NULL;
	unsigned v, low;

	if (simple) {
		*to = is[simple - from];
		return to + 1;
	}
	if (c != 'u' || !hex4(p, &v))
		return fail(p, "invalid escape in a string");
	if (v >= 0xd800 && v < 0xdc00) {
		if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u')
			return fail(p, "half of a surrogate pair in a string");
		p->at += 2;
		if (!hex4(p, &low) || low < 0xdc00 || low > 0xdfff)
			return fail(p, "half of a surrogate pair in a string");
		v = 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00));
	} else if (v >= 0xdc00 && v < 0xe000) {
		return fail(p, "half of a surrogate pair in a string");
	}
	if (!v)
		return fail(p, "a zero in a string");
	return put_utf8(to, v);
}

/* Behind the opening quote. Never longer than its source. */
static char *string(struct parser *p)
{
	const char *close = p->at;
	char *text, *to;

	while (close < p->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	if (close >= p->end)
		return fail(p, "a string does not end");
	text = to = malloc((size_t)(close - p->at) + 1);
	if (!text)
		return fail(p, "out of memory");
	while (p->at < close) {
		unsigned c;
		size_t n;

		if (*p->at == '\\') {
			p->at++;
			to = escape(p, to);
			if (!to)
				goto bad;
			continue;
		}
		n = get_utf8(p->at, close, &c);
		if (!n || c < ' ') {
			fail(p, n ? "a control character in a string" : "a string is not UTF-8");
			goto bad;
		}
		memcpy(to, p->at, n);
		to += n;
		p->at += n;
	}
	p->at = close + 1;
	*to = 0;
	return text;
bad:
	free(text);
	return NULL;
}

/* ---- values ---- */

static size_t digits(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

static struct json *number(struct parser *p, struct json *j)
{
	const char *s = p->at, *begin = s;
	bool whole = true;
	char copy[400];
	size_t n;

	s += *s == '-';
	n = digits(s, p->end);
	if (!n || (n > 1 && *s == '0'))
		return fail(p, "invalid number");
	s += n;
	if (s < p->end && *s == '.') {
		n = digits(++s, p->end);
		if (!n)
			return fail(p, "invalid number");
		s += n;
		whole = false;
	}
	if (s < p->end && (*s == 'e' || *s == 'E')) {
		s++;
		s += s < p->end && (*s == '+' || *s == '-');
		n = digits(s, p->end);
		if (!n)
			return fail(p, "invalid number");
		s += n;
		whole = false;
	}
	if ((size_t)(s - begin) >= sizeof(copy))
		return fail(p, "a number is too long");
	memcpy(copy, begin, (size_t)(s - begin));
	copy[s - begin] = 0;
	p->at = s;
	j->kind = JSON_REAL;
	j->real = strtod(copy, NULL);
	if (!isfinite(j->real))
		return fail(p, "a number is too large");
	errno = 0;
	j->integer = whole ? strtoll(copy, NULL, 10) : 0;
	if (whole && !errno)
		j->kind = JSON_INT;
	return j;
}

static bool word(struct parser *p, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, w, n) != 0)
		return false;
	p->at += n;
	return true;
}

/* Behind the bracket. */
static struct json *members(struct parser *p, struct json *j)
{
	const bool object = j->kind == JSON_OBJECT;
	const char close = object ? '}' : ']';
	struct json **last = &j->child;

	if (p->depth == JSON_DEPTH)
		return fail(p, "too many values in values");
	p->depth++;
	if (take(p, close)) {
		p->depth--;
		return j;
	}
	do {
		char *name = NULL;

		if (object) {
			if (!take(p, '"'))
				return fail(p, "a member without a name");
			name = string(p);
			if (!name)
				return NULL;
			if (json_member(j, name) || !take(p, ':')) {
				fail(p, json_member(j, name) ? "duplicate key"
							     : "a name without a value");
				free(name);
				return NULL;
			}
		}
		*last = value(p);
		if (!*last) {
			free(name);
			return NULL;
		}
		(*last)->name = name;
		last = &(*last)->next;
	} while (take(p, ','));
	p->depth--;
	return take(p, close) ? j : fail(p, "an object or array does not end");
}

static struct json *fill(struct parser *p, struct json *j)
{
	skip_space(p);
	if (p->at == p->end)
		return fail(p, "a value is missing");
	if (*p->at == '-' || (*p->at >= '0' && *p->at <= '9'))
		return number(p, j);
	if (*p->at == '"') {
		p->at++;
		j->kind = JSON_STRING;
		j->text = string(p);
		return j->text ? j : NULL;
	}
	if (*p->at == '{' || *p->at == '[') {
		j->kind = *p->at++ == '{' ? JSON_OBJECT : JSON_ARRAY;
		return members(p, j);
	}
	j->truth = word(p, "true");
	if (j->truth || word(p, "false"))
		j->kind = JSON_BOOL;
	else if (word(p, "null"))
		j->kind = JSON_NULL;
	else
		return fail(p, "no value begins so");
	return j;
}

static struct json *value(struct parser *p)
{
	struct json *j = calloc(1, sizeof(*j));

	if (!j)
		return fail(p, "out of memory");
	if (fill(p, j))
		return j;
	json_free(j);
	return NULL;
}

struct json *json_parse(const char *text, size_t len, const char **why)
{
	struct parser p = {.at = text, .end = text + len};
	struct json *j = value(&p);

	skip_space(&p);
	if (j && p.at != p.end) {
		fail(&p, "something follows the value");
		json_free(j);
		j = NULL;
	}
	*why = p.why;
	return j;
}

/* As deep as JSON_DEPTH. */
void json_free(struct json *j)
{
	while (j) {
		struct json *next = j->next;

		json_free(j->child);
		free(j->text);
		free(j->name);
		free(j);
		j = next;
	}
}

const struct json *json_member(const struct json *object, const char *name)
{
	for (const struct json *j = object ? object->child : NULL; j; j = j->next)
		if (j->name && strcmp(j->name, name) == 0)
			return j;
	return NULL;
}

void json_write_string(const char *s, FILE *out)
{
	const char *end = s + strlen(s);

	fputc('"', out);
	while (s < end) {
		unsigned c;
		size_t n = get_utf8(s, end, &c);

		if (!n)
			fputc('?', out);
		else if (n == 1 && c < ' ')
			fprintf(out, "\\u%04x", c);
		else
			fprintf(out, c == '"' || c == '\\' ? "\\%.*s" : "%.*s", (int)n, s);
		s += n ? n : 1;
	}
	fputc('"', out);
}

void json_write(const struct json *j, FILE *out)
{
	switch (j->kind) {
	case JSON_NULL:
		fputs("null", out);
		return;
	case JSON_BOOL:
		fputs(j->truth ? "true" : "false", out);
		return;
	case JSON_INT:
		fprintf(out, "%" PRId64, j->integer);
		return;
	case JSON_REAL:
		fprintf(out, "%.17g", j->real);
		return;
	case JSON_STRING:
		json_write_string(j->text, out);
		return;
	default:
		break;
	}
	fputc(j->kind == JSON_OBJECT ? '{' : '[', out);
	for (const struct json *c = j->child; c; c = c->next) {
		if (c->name) {
			json_write_string(c->name, out);
			fputs(": ", out);
		}
		json_write(c, out);
		if (c->next)
			fputs(", ", out);
	}
	fputc(j->kind == JSON_OBJECT ? '}' : ']', out);
}

bool json_scan(struct json_scan *s, char c)
{
	if (s->in_string) {
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == '"')
			s->in_string = false;
		return false;
	}
	if (c == '"')
		s->in_string = true;
	else if (c == '{' || c == '[')
		s->depth++;
	else if (c == '}' || c == ']')
		return s->depth && --s->depth == 0;
	return false;
}
