/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * HTML (the WHATWG's Living Standard, in its XML form, so that any parser checks it) and SVG 1.1.
 */
#include "frontend/html.h"

#include <math.h>

enum {
	LABEL_X = 96, /* where a row's name ends */
	PLOT_X = 104, /* where bars begin */
	PLOT_W = 600,
	WIDTH = 800, /* values are written to the right of bars */
	BAR_H = 12,
	ROW_GAP = 10,
	HEAD_H = 24, /* the scale */
};

void html_begin(const char *title, FILE *out)
{
	fprintf(out, "<!DOCTYPE html>\n"
		     "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
		     "<meta charset=\"utf-8\" />\n"
		     "<meta name=\"viewport\" content=\"width=device-width\" />\n<title>");
	html_text(title, out);
	fprintf(out,
		"</title>\n<style>\n"
		":root { color-scheme: light dark; --ink: #1c2026; --paper: #fff; --line: #d5d9e0;"
		" --s0: #8a919c; --s1: #2f6fde; --s2: #e08a1e; --s3: #2f9e5b; --s4: #a04fc4;"
		" --s5: #c43d4b; }\n"
		"@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --paper: #16181c;"
		" --line: #3a3f48; } }\n"
		"body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink);"
		" background: var(--paper); max-width: 60em; margin: 2em auto; padding: 0 1em; }\n"
		"h2 { margin-top: 2em; }\n"
		"svg { width: 100%%; height: auto; }\n"
		"svg text { font-size: 11px; fill: var(--ink); }\n"
		"svg line { stroke: var(--line); }\n");
	for (unsigned n = 0; n < HTML_SERIES; n++)
		fprintf(out, ".s%u { fill: var(--s%u); background: var(--s%u); }\n", n, n, n);
	fprintf(out, ".legend span { display: inline-block; width: 0.9em; height: 0.9em;"
		     " margin: 0 0.4em 0 1em; }\n"
		     ".wide { overflow-x: auto; }\n"
		     "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
		     "th, td { padding: 0.15em 0.7em; border-bottom: 1px solid var(--line);"
		     " text-align: right; }\n"
		     "th { font-weight: 600; }\n"
		     ".l { text-align: left; }\n"
		     "</style>\n</head>\n<body>\n<h1>");
	html_text(title, out);
	fprintf(out, "</h1>\n");
}

void html_end(FILE *out)
{
	fprintf(out, "</body>\n</html>\n");
}

void html_text(const char *s, FILE *out)
{
	for (; *s; s++) {
		if (*s == '<')
			fprintf(out, "&lt;");
		else if (*s == '>')
			fprintf(out, "&gt;");
		else if (*s == '&')
			fprintf(out, "&amp;");
		else if (*s == '"')
			fprintf(out, "&quot;");
		else if (*s < ' ' || *s > '~')
			fprintf(out, "&#%u;", *s == '\t' ? 9u : 0xfffdu);
		else
			fputc(*s, out);
	}
}

/* In the unit that makes it 1 to 1000. */
static const char *scale_time(double *ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	unsigned u = 0;

	while (*ns >= 999.5 && u < 3) {
		*ns /= 1000;
		u++;
	}
	return units[u];
}

const char *html_time(double ns, char *s, size_t len)
{
	const char *unit = scale_time(&ns);

	snprintf(s, len, "%.*f %s", ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0, ns, unit);
	return s;
}

/* ---- charts ---- */

/* Decades that hold all values: the bars' left end and the scale's length. */
static void find_scale(const struct html_chart *c, int *first, int *decades)
{
	double low = INFINITY, high = 0;

	for (unsigned n = 0; n < c->nr_rows * c->nr_series; n++) {
		if (c->values[n] <= 0)
			continue;
		low = c->values[n] < low ? c->values[n] : low;
		high = c->values[n] > high ? c->values[n] : high;
	}
	*first = high > 0 ? (int)floor(log10(low)) : 0;
	*decades = high > 0 ? (int)ceil(log10(high)) - *first : 1;
	/* The shortest bar is to be seen. */
	if (high > 0 && log10(low) - *first < 0.1) {
		--*first;
		++*decades;
	}
	if (*decades < 1)
		*decades = 1;
}

static double x_of(double value, int first, int decades)
{
	return PLOT_X + PLOT_W * (log10(value) - first) / decades;
}

static void draw_scale(int first, int decades, int height, FILE *out)
{
	for (int n = 0; n <= decades; n++) {
		double v = pow(10, first + n), x = x_of(v, first, decades);
		const char *unit = scale_time(&v);

		fprintf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" />", x, HEAD_H - 6,
			x, height);
		fprintf(out, "<text x=\"%.1f\" y=\"12\" text-anchor=\"middle\">%g %s</text>\n", x,
			v, unit);
	}
}

static void draw_row(const struct html_chart *c, unsigned row, int y, int first, int decades,
		     FILE *out)
{
	char s[24];

	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LABEL_X,
		y + (int)c->nr_series * BAR_H / 2 + 4);
	html_text(c->rows[row], out);
	fprintf(out, "</text>\n");
	for (unsigned n = 0; n < c->nr_series; n++, y += BAR_H) {
		double v = c->values[row * c->nr_series + n], x;

		if (v <= 0)
			continue;
		x = x_of(v, first, decades);
		fprintf(out,
			"<rect class=\"s%u\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" />"
			"<text x=\"%.1f\" y=\"%d\">%s</text>\n",
			n, PLOT_X, y, x - PLOT_X, BAR_H - 2, x + 4, y + BAR_H - 3,
			html_time(v, s, sizeof(s)));
	}
}

void html_chart(const struct html_chart *c, FILE *out)
{
	const int row_h = (int)c->nr_series * BAR_H + ROW_GAP;
	const int height = HEAD_H + (int)c->nr_rows * row_h;
	int first, decades;

	find_scale(c, &first, &decades);
	fprintf(out, "<h2>");
	html_text(c->title, out);
	fprintf(out, "</h2>\n<p class=\"legend\">");
	for (unsigned n = 0; n < c->nr_series; n++) {
		fprintf(out, "<span class=\"s%u\"></span>", n);
		html_text(c->series[n], out);
	}
	fprintf(
	    out,
	    "</p>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
	    "aria-label=\"",
	    WIDTH, height);
	html_text(c->title, out);
	fprintf(out, "\">\n");
	draw_scale(first, decades, height, out);
	for (unsigned n = 0; n < c->nr_rows; n++)
		draw_row(c, n, HEAD_H + (int)n * row_h, first, decades, out);
	fprintf(out, "</svg>\n");
}
