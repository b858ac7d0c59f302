/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifdef CONFIG_DW
#include "frontend/debug/debuginfo_lib.h"

#include <dlfcn.h>
#include <sys/auxv.h>

const char *debuginfo_lib_load(struct debuginfo_lib *lib)
{
	/* A static program has no interpreter; its C library cannot load others reliably. */
	if (!getauxval(AT_BASE))
		return "a static doppel cannot load libdw, so there are symbols but no source lines";
	lib->handle = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!lib->handle)
		return "libdw.so.1 cannot be loaded; install it (Debian: apt-get install libdw1)";
#define F(name)                                                                                    \
	lib->name = (__typeof__(lib->name))dlsym(lib->handle, #name);                              \
	if (!lib->name)                                                                            \
		return "libdw.so.1 is too old: it has no " #name;
	DEBUGINFO_FUNCTIONS(F)
#undef F
	return NULL;
}
#endif
