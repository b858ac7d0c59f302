/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the disk controllers share towards the user.
 */
#ifndef HW_STORAGE_STORAGE_H
#define HW_STORAGE_STORAGE_H

#include "hw/block/block.h"
#include "hw/device_type.h"

/* Says in err why -device could not take the disk: r is what its init returned. */
void storage_error(const struct device_args *args, const struct block *block, int r, char *err,
		   size_t errlen);

/* Properties of every device with a disk, as far as they are the block layer's. */
#define STORAGE_PROPS                                                                               \
	{"write-cache", PROP_BOOL, "whether there is a write cache (default: as cache= says)",      \
	 NULL,          0,         false},                                                          \
	    {"rerror", PROP_STR, "what failed reads do: report, ignore, stop (default: as -drive)", \
	     NULL,     0,        false},                                                            \
	{                                                                                           \
		"werror", PROP_STR,                                                                 \
		    "what failed writes do: report, ignore, stop, enospc (default: as -drive)",     \
		    NULL, 0, false                                                                  \
	}
/* Does what they say. 0, or -EINVAL with one line in err. */
int storage_set_up(const struct device_args *args, struct block *block, char *err, size_t errlen);

#endif
