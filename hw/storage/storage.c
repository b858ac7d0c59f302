/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/storage/storage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void storage_error(const struct device_args *args, const struct block *block, int r, char *err,
		   size_t errlen)
{
	const char *name = args->spec->type->name;

	if (r == -EBUSY)
		snprintf(
		    err, errlen,
		    "-device %s: drive %s is in use by another device; give its -drive if=none",
		    name, block_name(block));
	else if (r == -EINVAL)
		snprintf(err, errlen,
			 "-device %s: a property is out of range; -device %s,help lists them", name,
			 name);
	else
		snprintf(err, errlen, "-device %s: %s", name, strerror(-r));
}
