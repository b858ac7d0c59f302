/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pictures of a display in files.
 */
#ifndef FRONTEND_SCREENDUMP_H
#define FRONTEND_SCREENDUMP_H

struct display;
struct surface;

enum picture_format { PICTURE_PPM, PICTURE_PNG };

/* What the display shows now, written to a file that is complete or not there. 0 or -errno. Machine lock
 * held. */
int screendump(const struct display *d, const char *path, enum picture_format format);

#endif
