/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the disk controllers share towards the user.
 */
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

static int set_policy(const struct device_args *args, const char *prop, unsigned nr,
		      enum block_error_policy *out, char *err, size_t errlen)
{
	static const char *const names[] = {"report", "ignore", "stop", "enospc"};
	const char *text = arg_str(args, prop);

	if (!text || strcmp(text, "auto") == 0)
		return 0;
	for (unsigned i = 0; i < nr; i++)
		if (strcmp(names[i], text) == 0) {
			*out = (enum block_error_policy)i;
			return 0;
		}
	snprintf(err, errlen, "-device %s: %s=%.60s is not known; there are report, ignore, stop%s",
		 args->spec->type->name, prop, text, nr > POLICY_ENOSPC ? ", enospc" : "");
	return -EINVAL;
}

int storage_set_up(const struct device_args *args, struct block *block, char *err, size_t errlen)
{
	enum block_error_policy rerror = block_options(block)->rerror;
	enum block_error_policy werror = block_options(block)->werror;
	int r = set_policy(args, "rerror", POLICY_ENOSPC, &rerror, err, errlen);

	if (r == 0)
		r = set_policy(args, "werror", POLICY_ENOSPC + 1, &werror, err, errlen);
	if (r < 0)
		return r;
	block_set_policies(block, rerror, werror);
	if (arg_str(args, "write-cache"))
		block_set_write_cache(block, arg_bool(args, "write-cache"));
	return 0;
}
