/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reports as one HTML file that needs nothing else: text, and bar charts in SVG.
 */
#ifndef FRONTEND_HTML_H
#define FRONTEND_HTML_H

#include <stdio.h>

#define HTML_SERIES 6 /* with a colour each */

/* Rows of bars, one for each series. All borrowed. */
struct html_chart {
	const char *title;
	const char *const *series;
	unsigned nr_series; /* up to HTML_SERIES */
	const char *const *rows;
	unsigned nr_rows;
	const double *values; /* [row][series], in ns, on a logarithmic scale; 0: no bar */
};

/* Everything to the end of the heading. */
void html_begin(const char *title, FILE *out);
void html_end(FILE *out);
/* Text with what has a meaning in HTML escaped. */
void html_text(const char *s, FILE *out);
void html_chart(const struct html_chart *c, FILE *out);
/* "3.54 ns", "12.8 us", "1.30 s". */
const char *html_time(double ns, char *s, size_t len);

#endif
