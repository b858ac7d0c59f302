/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libvncserver, loaded when a VNC server is asked for, so that nobody else needs it.
 */
#ifndef FRONTEND_VNC_LIB_H
#define FRONTEND_VNC_LIB_H

#include <rfb/rfb.h>

/* What its headers give away of their configuration. */
#undef VERSION
#undef PACKAGE
#undef SIZEOF_OFF_T

#define VNC_FUNCTIONS(F)                                                                           \
	F(GetScreen)                                                                               \
	F(ScreenCleanup)                                                                           \
	F(NewFramebuffer)                                                                          \
	F(MarkRectAsModified) F(NewClient) F(StartOnHoldClient) F(EncryptBytes) F(LogEnable)       \
	    F(SetCursor) F(DefaultPtrAddEvent) F(GetClientIterator) F(ClientIteratorNext)          \
		F(ReleaseClientIterator)

/* Each function without its prefix: lib->GetScreen() is rfbGetScreen(). */
struct vnc_lib {
	void *handle;
#define F(name) __typeof__(rfb##name) *name;
	VNC_FUNCTIONS(F)
#undef F
};

/* NULL, or why it cannot be loaded. */
const char *vnc_lib_load(struct vnc_lib *lib);

#endif
