/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest program: shows a hardware pointer at X,Y by the kernel's DRM interface until it is killed. Its left half is
 * red, its right half green, and it is half transparent from row 32 on; the hot spot is 5,7.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the kernel's drm_mode.h, which is not always installed. */
struct card_res {
	uint64_t fbs, crtcs, connectors, encoders;
	uint32_t nr_fbs, nr_crtcs, nr_connectors, nr_encoders;
	uint32_t min_width, max_width, min_height, max_height;
};
struct create_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};
struct map_dumb {
	uint32_t handle, pad;
	uint64_t offset;
};
struct cursor2 {
	uint32_t flags, crtc;
	int32_t x, y;
	uint32_t width, height, handle;
	int32_t hot_x, hot_y;
};
#define GETRESOURCES _IOWR('d', 0xa0, struct card_res)
#define CREATE_DUMB  _IOWR('d', 0xb2, struct create_dumb)
#define MAP_DUMB     _IOWR('d', 0xb3, struct map_dumb)
#define CURSOR2      _IOWR('d', 0xbb, struct cursor2)

enum { CURSOR_BO = 1, CURSOR_MOVE = 2, SIZE = 64 };

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct create_dumb dumb = {.height = SIZE, .width = SIZE, .bpp = 32};
	int fd = open("/dev/dri/card0", O_RDWR);
	struct card_res res = {0};
	struct map_dumb map = {0};
	uint32_t crtc[8] = {0};
	struct cursor2 c;
	uint32_t *pixels;

	if (argc != 3)
		return 1;
	must(fd, "card0");
	res.crtcs = (uintptr_t)crtc;
	res.nr_crtcs = 8;
	must(ioctl(fd, GETRESOURCES, &res), "GETRESOURCES");
	must(ioctl(fd, CREATE_DUMB, &dumb), "CREATE_DUMB");
	map.handle = dumb.handle;
	must(ioctl(fd, MAP_DUMB, &map), "MAP_DUMB");
	pixels = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
	must(pixels == MAP_FAILED ? -1 : 0, "mmap");
	for (unsigned y = 0; y < SIZE; y++)
		for (unsigned x = 0; x < SIZE; x++) {
			uint32_t p = x < SIZE / 2 ? 0xffff0000 : 0xff00ff00;

			pixels[y * dumb.pitch / 4 + x] = y < SIZE / 2 ? p : p >> 1 & 0x7f7f7f7f;
		}
	c = (struct cursor2){.flags = CURSOR_BO | CURSOR_MOVE,
			     .crtc = crtc[0],
			     .x = atoi(argv[1]),
			     .y = atoi(argv[2]),
			     .width = SIZE,
			     .height = SIZE,
			     .handle = dumb.handle,
			     .hot_x = 5,
			     .hot_y = 7};
	must(ioctl(fd, CURSOR2, &c), "CURSOR2");
	puts("pointer is there");
	fflush(stdout);
	pause();
	return 0;
}
