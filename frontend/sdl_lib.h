/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libSDL2, loaded when a window or sound is asked for, so that nobody else needs it.
 */
#ifndef FRONTEND_SDL_LIB_H
#define FRONTEND_SDL_LIB_H

#include <SDL2/SDL.h>

/* clang-format off */
#define SDL_FUNCTIONS(F) \
	F(SetHint) \
	F(GetError) \
	F(CreateWindow) \
	F(DestroyWindow) \
	F(CreateRenderer) \
	F(DestroyRenderer) \
	F(CreateTexture) \
	F(DestroyTexture) \
	F(UpdateTexture) \
	F(SetRenderDrawColor) \
	F(RenderClear) \
	F(RenderCopy) \
	F(RenderPresent) \
	F(GetRendererOutputSize) \
	F(WaitEvent) \
	F(WaitEventTimeout) \
	F(GetTicks) \
	F(SetTextureBlendMode) \
	F(PushEvent) \
	F(RegisterEvents) \
	F(SetWindowTitle) \
	F(SetWindowSize) \
	F(GetWindowSize) \
	F(GetWindowFlags) \
	F(SetWindowFullscreen) \
	F(SetRelativeMouseMode) \
	F(SetWindowKeyboardGrab) \
	F(SetWindowMouseGrab) \
	F(ShowCursor) \
	F(CreateRGBSurfaceWithFormatFrom) \
	F(FreeSurface) \
	F(CreateColorCursor) \
	F(SetCursor) \
	F(FreeCursor) \
	F(GetDefaultCursor) \
	F(GetModState) \
	F(StopTextInput) \
	F(SetTextureScaleMode) \
	F(InitSubSystem) \
	F(QuitSubSystem) \
	F(OpenAudioDevice) \
	F(CloseAudioDevice) \
	F(PauseAudioDevice)
/* clang-format on */

/* Each function without its prefix: lib->Init() is SDL_Init(). */
struct sdl_lib {
	void *handle;
#define F(name) __typeof__(SDL_##name) *name;
	SDL_FUNCTIONS(F)
#undef F
};

/* NULL, or why it cannot be loaded. */
const char *sdl_lib_load(struct sdl_lib *lib);

#endif
