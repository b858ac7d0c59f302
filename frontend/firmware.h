/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Firmware and option ROMs: found in files, or embedded in the binary.
 */
#ifndef FRONTEND_FIRMWARE_H
#define FRONTEND_FIRMWARE_H

#include "frontend/options.h"
#include "hw/loader.h"

/* A ROM by its name ("vgabios-stdvga.bin") or path: the file itself where name has a slash or is there,
 * else in the directories of -L, embedded, and where distributions keep it. 0, or -errno with one
 * line in err. Freed by firmware_free(). */
int rom_find(struct blob *b, const struct options *o, const char *name, char *err, size_t errlen);
/* What -bios says, or SeaBIOS. */
int firmware_find(struct blob *b, const struct options *o, char *err, size_t errlen);
void firmware_free(struct blob *b);

#endif
