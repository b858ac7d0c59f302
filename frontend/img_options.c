/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What images are made with: -o of `doppel img`, and sizes.
 */
#include <stdlib.h>
#include <string.h>

#include "frontend/img.h"
#include "frontend/options.h"

int img_size(const char *text, uint64_t *out)
{
	if (parse_size(text, 1, out) == 0 && *out <= IMAGE_MAX_SIZE)
		return 0;
	return img_complain("'%s' is not a size (try 512M or 2G)", text);
}

bool img_help_o(const char *text, const char *format)
{
	static const char *const options[][2] = {
	    {"size=SIZE", "of the disk"},
	    {"preallocation=off|falloc|full",
	     "space of the host's for all of it (qcow2: metadata, too)"},
	    {"backing_file=FILE", "what the image does not have itself comes from there"},
	    {"backing_fmt=FMT", "its format"},
	    {"cluster_size=SIZE", "512 to 2M, a power of two (64k)"},
	    {"compat=0.10|1.1", "version 2 or 3 of the format (1.1)"},
	    {"compression_type=zlib|zstd", "of compressed clusters (zlib)"},
	    {"lazy_refcounts=on|off", "fewer writes; a crash makes the next start slower (off)"},
	    {"refcount_bits=N", "1 to 64, a power of two (16)"},
	};
	unsigned nr = strcmp(format, "qcow2") == 0 ? sizeof(options) / sizeof(options[0]) : 2;

	if (strcmp(text, "help") && strcmp(text, "?"))
		return false;
	printf("Options of %s:\n", format);
	for (unsigned i = 0; i < nr; i++)
		printf("  %-30s %s\n", options[i][0], options[i][1]);
	return true;
}

int img_output(const char *value, bool *json)
{
	*json = strcmp(value, "json") == 0;
	if (*json || strcmp(value, "human") == 0)
		return 0;
	return img_complain("--output=%s is not known; there are human and json", value);
}

const char *img_snapshot_name(const char *value)
{
	return strncmp(value, "snapshot.name=", 14) == 0 ? value + 14
	       : strncmp(value, "snapshot.id=", 12) == 0 ? value + 12
							 : value;
}

static int set_switch(const char *key, const char *val, bool *out)
{
	*out = strcmp(val, "on") == 0;
	if (*out || strcmp(val, "off") == 0)
		return 0;
	return img_complain("%s=%s is neither on nor off", key, val);
}

int img_preallocation(const char *format, const char *val, enum preallocation *out)
{
	static const char *const names[] = {"off", "metadata", "falloc", "full"};

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(names[i], val) == 0 && !(i == 1 && strcmp(format, "qcow2"))) {
			*out = (enum preallocation)i;
			return 0;
		}
	return img_complain("preallocation=%s is not supported by %s", val, format);
}

static int set_option(const char *format, const char *key, const char *val, struct qcow2_options *o,
		      bool *has_size)
{
	uint64_t size;
	bool on;

	if (strcmp(key, "size") == 0) {
		*has_size = true;
		return img_size(val, &o->size);
	}
	if (strcmp(key, "preallocation") == 0)
		return img_preallocation(format, val, &o->preallocation);
	if (strcmp(format, "qcow2"))
		return img_complain("%s does not support the option %s", format, key);
	if (strcmp(key, "backing_file") == 0) {
		o->backing_name = strdup(val);
		return 0;
	}
	if (strcmp(key, "backing_fmt") == 0) {
		o->backing_format = strdup(val);
		return 0;
	}
	if (strcmp(key, "compat") == 0) {
		if (strcmp(val, "0.10") == 0 || strcmp(val, "v2") == 0)
			o->version = 2;
		else if (strcmp(val, "1.1") == 0 || strcmp(val, "v3") == 0)
			o->version = 3;
		else
			return img_complain("compat=%s is not known; there are 0.10 (v2) and 1.1 "
					    "(v3)",
					    val);
		return 0;
	}
	if (strcmp(key, "cluster_size") == 0 || strcmp(key, "refcount_bits") == 0) {
		if (img_size(val, &size))
			return 1;
		if (size > UINT32_MAX)
			size = UINT32_MAX;
		*(key[0] == 'c' ? &o->cluster_size : &o->refcount_bits) = (unsigned)size;
		return 0;
	}
	if (strcmp(key, "lazy_refcounts") == 0)
		return set_switch(key, val, &o->lazy_refcounts);
	if (strcmp(key, "compression_type") == 0) {
		o->zstd = strcmp(val, "zstd") == 0;
		return o->zstd || strcmp(val, "zlib") == 0
			   ? 0
			   : img_complain("compression_type=%s is not known; there are zlib and "
					  "zstd",
					  val);
	}
	/* What is so anyway. */
	if (strcmp(key, "extended_l2") == 0 || strcmp(key, "encryption") == 0) {
		if (set_switch(key, val, &on))
			return 1;
		return on ? img_complain("%s=on is not supported", key) : 0;
	}
	return img_complain("qcow2 option %s is not supported", key);
}

int img_parse_o(const char *text, const char *format, struct qcow2_options *o, bool *has_size)
{
	const char *s = text;

	while (*s) {
		char key[64], val[2048];
		size_t k = 0, v = 0;
		bool in_val = false;

		for (; *s && !(*s == ',' && s[1] != ','); s++) {
			if (*s == ',')
				s++;
			if (*s == '=' && !in_val)
				in_val = true;
			else if (in_val && v < sizeof(val) - 1)
				val[v++] = *s;
			else if (!in_val && k < sizeof(key) - 1)
				key[k++] = *s;
		}
		s += *s == ',';
		key[k] = val[v] = 0;
		if (set_option(format, key, in_val ? val : "on", o, has_size))
			return 1;
	}
	return 0;
}
