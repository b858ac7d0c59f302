/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A flame graph (Brendan Gregg, "The Flame Graph", CACM 59(6), 2016) in SVG 1.1: width is samples, height is depth, and
 * the callees are in the order of their names. It needs nothing else; the numbers are tooltips.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/html.h"
#include "frontend/monitor/profile.h"

#define WIDTH     1200.0
#define ROW       17
#define MARGIN    10
#define LEAST     0.3 /* wide, to be shown */
#define CHAR      7.0
#define MAX_CHILD 4096

struct picture {
	FILE *f;
	unsigned rows;
	uint64_t all;
};

static unsigned depth(const struct profile_node *n)
{
	unsigned most = 0;

	for (const struct profile_node *c = n->child; c; c = c->next) {
		unsigned d = depth(c);

		most = d > most ? d : most;
	}
	return most + 1;
}

/* One colour for a name, wherever it is: warm ones, users' green. */
static void colour(const char *name, unsigned rgb[3])
{
	uint32_t h = 2166136261u;

	for (const char *s = name; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	rgb[0] = 205 + h % 50;
	rgb[1] = 80 + (h >> 8) % 130;
	rgb[2] = (h >> 16) % 55;
	if (strcmp(name, "[user]") == 0) {
		rgb[0] = 120;
		rgb[1] = 200;
	}
}

static void box(struct picture *p, const struct profile_node *n, const char *name, double x,
		double width, unsigned row)
{
	unsigned y = MARGIN + (p->rows - 1 - row) * ROW, rgb[3];
	size_t room = width < 3 * CHAR ? 0 : (size_t)(width / CHAR) - 1;

	colour(name, rgb);
	fprintf(p->f, "<g><title>");
	html_text(name, p->f);
	fprintf(p->f, ": %" PRIu64 " samples, %.1f%%</title>", n->total,
		100.0 * (double)n->total / (double)p->all);
	fprintf(p->f,
		"<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%u\" "
		"fill=\"rgb(%u,%u,%u)\" rx=\"1\"/>",
		x, y, width, ROW - 1, rgb[0], rgb[1], rgb[2]);
	if (room) {
		char text[128];

		snprintf(text, sizeof(text), "%.*s", (int)room, name);
		fprintf(p->f, "<text x=\"%.1f\" y=\"%u\">", x + 3, y + 12);
		html_text(text, p->f);
		fprintf(p->f, "</text>");
	}
	fprintf(p->f, "</g>\n");
}

static int by_name(const void *x, const void *y)
{
	const struct profile_node *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

static void draw(struct picture *p, const struct profile_node *n, const char *name, double x,
		 unsigned row)
{
	const struct profile_node **sorted;
	double width = WIDTH * (double)n->total / (double)p->all;
	unsigned nr = 0;

	if (width < LEAST)
		return;
	box(p, n, name, x, width, row);
	sorted = malloc(MAX_CHILD * sizeof(*sorted));
	if (!sorted)
		return;
	for (const struct profile_node *c = n->child; c && nr < MAX_CHILD; c = c->next)
		sorted[nr++] = c;
	qsort(sorted, nr, sizeof(*sorted), by_name);
	for (unsigned k = 0; k < nr; k++) {
		draw(p, sorted[k], sorted[k]->name, x, row + 1);
		x += WIDTH * (double)sorted[k]->total / (double)p->all;
	}
	free(sorted);
}

void flame_graph(const struct profile_node *root, FILE *f)
{
	struct picture p = {.f = f, .rows = depth(root), .all = root->total ? root->total : 1};

	fprintf(f,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%u\" "
		"font-family=\"monospace\" font-size=\"11\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fdf6e3\"/>\n",
		WIDTH + 2 * MARGIN, 2 * MARGIN + p.rows * ROW);
	draw(&p, root, "all", MARGIN, 0);
	fprintf(f, "</svg>\n");
}
