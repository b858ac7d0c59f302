/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifdef CONFIG_VNC
#include "frontend/vnc_lib.h"

#include <dlfcn.h>

const char *vnc_lib_load(struct vnc_lib *lib)
{
	lib->handle = dlopen("libvncserver.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!lib->handle)
		return "libvncserver.so.1 cannot be loaded; install it (Debian: apt-get install "
		       "libvncserver1)";
#define F(name)                                                                                    \
	lib->name = (__typeof__(lib->name))dlsym(lib->handle, "rfb" #name);                        \
	if (!lib->name)                                                                            \
		return "libvncserver.so.1 is too old: it has no rfb" #name;
	VNC_FUNCTIONS(F)
#undef F
	return NULL;
}
#endif
