/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The choice of an engine.
 */
#include "frontend/accel.h"

#include <stdio.h>
#include <string.h>

#include "accel/engine.h"

struct accel_host accel_host(void)
{
	return (struct accel_host){
	    .kvm = &engine_kvm,
	    .jit = &engine_jit,
	    .interp = &engine_interp,
	};
}

static const char *kvm_unusable(const struct accel_host *h)
{
	return h->kvm ? h->kvm->unusable() : "this build has no kvm engine";
}

/* The best but kvm, with the reasons why not better. */
static const struct engine *emulate(const struct accel_host *h, const char *why_not_kvm, char *say,
				    size_t len)
{
	const char *why = h->jit->unusable();

	if (why)
		snprintf(say, len, "using interp: the translator cannot run (%s), and no kvm (%s)",
			 why, why_not_kvm);
	else
		snprintf(say, len, "using jit, not kvm: %s", why_not_kvm);
	return why ? h->interp : h->jit;
}

/* What replaces a kvm that cannot run; NULL: it cannot run either. */
static const struct engine *fall_back(const struct accel_host *h, const char *name,
				      const char *why_not_kvm, char *say, size_t len)
{
	const struct engine *e = strcmp(name, "interp") == 0 ? h->interp : h->jit;
	const char *why = e->unusable();

	if (strcmp(name, "auto") == 0)
		return emulate(h, why_not_kvm, say, len);
	if (why)
		snprintf(say, len, "-accel kvm cannot run here: %s; nor can %s: %s", why_not_kvm,
			 name, why);
	else
		snprintf(say, len, "using %s, not kvm: %s", name, why_not_kvm);
	return why ? NULL : e;
}

int accel_choose(const struct accel_host *h, const char *name, const char *otherwise,
		 const struct engine **engine, char *say, size_t len)
{
	const char *why;

	*say = 0;
	if (strcmp(name, "interp") == 0) {
		*engine = h->interp;
		return 0;
	}
	if (strcmp(name, "jit") == 0) {
		*engine = h->jit;
		why = h->jit->unusable();
		if (why)
			snprintf(say, len, "-accel jit cannot run here: %s; use -accel interp",
				 why);
		return why ? -1 : 0;
	}
	if (strcmp(name, "auto") == 0)
		otherwise = name;
	why = kvm_unusable(h);
	if (!why) {
		*engine = h->kvm;
		if (otherwise == name)
			snprintf(say, len, "using kvm");
		return 0;
	}
	if (!otherwise) {
		snprintf(say, len, "-accel kvm cannot run here: %s; or use -accel jit", why);
		return -1;
	}
	*engine = fall_back(h, otherwise, why, say, len);
	return *engine ? 0 : -1;
}
