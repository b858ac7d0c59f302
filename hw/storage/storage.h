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

#endif
