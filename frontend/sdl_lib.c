/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifdef CONFIG_SDL
#include "frontend/sdl_lib.h"

#include <dlfcn.h>

const char *sdl_lib_load(struct sdl_lib *lib)
{
	/* It stays loaded: libraries below it do not stand being unloaded. */
	lib->handle = dlopen("libSDL2-2.0.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!lib->handle)
		return "libSDL2-2.0.so.0 cannot be loaded; install it (Debian: apt-get install "
		       "libsdl2-2.0-0)";
#define F(name)                                                                                    \
	lib->name = (__typeof__(lib->name))dlsym(lib->handle, "SDL_" #name);                       \
	if (!lib->name)                                                                            \
		return "libSDL2-2.0.so.0 is too old: it has no SDL_" #name;
	SDL_FUNCTIONS(F)
#undef F
	return NULL;
}
#endif
