/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Plays and records in a Linux guest, without any library: ALSA by its ioctls, the speaker by the console's. Run by
 * sound.py.
 *
 * sound unmute                               all volumes and switches of the card up
 * sound play RATE BITS CHANNELS HZ... MS...  sines of these frequencies, left and right, and silence in turns
 * sound record RATE MS                       the loudest sample, the frames, and how long it took
 * sound beep HZ MS                           the PC speaker
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <math.h>
#include <sound/asound.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PERIODS 8
#define LOUD    0.1 /* of full scale: mixers may amplify it */

static int die(const char *what)
{
	printf("cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int r, const char *what)
{
	if (r < 0)
		die(what);
}

/* ---- the mixer ---- */

static int wanted(const char *name)
{
	static const char *const begin[] = {"Master",  "PCM",     "Line Out",
					    "Speaker", "Capture", "Front"};

	for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
		if (strncmp(name, begin[i], strlen(begin[i])) == 0)
			return strstr(name, "Switch") || strstr(name, "Volume");
	return 0;
}

static int unmute(void)
{
	static struct snd_ctl_elem_id ids[256];
	struct snd_ctl_elem_list list = {.space = 256, .pids = ids};
	int fd = open("/dev/snd/controlC0", O_RDWR);

	must(fd, "open the mixer");
	must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list), "list the mixer");
	for (unsigned i = 0; i < list.used; i++) {
		struct snd_ctl_elem_info info = {.id = ids[i]};
		struct snd_ctl_elem_value value = {.id = ids[i]};

		must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info), "ask the mixer");
		if (!wanted((char *)info.id.name))
			continue;
		for (unsigned c = 0; c < info.count; c++)
			value.value.integer.value[c] = info.value.integer.max;
		must(ioctl(fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &value), "set the mixer");
		printf("%s: %ld\n", info.id.name, info.value.integer.max);
	}
	return 0;
}

/* ---- streams ---- */

static void set_interval(struct snd_pcm_hw_params *p, int which, unsigned value)
{
	struct snd_interval *i = &p->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

	i->min = i->max = value;
	i->openmin = i->openmax = 0;
	i->integer = 1;
}

static void set_mask(struct snd_pcm_hw_params *p, int which, unsigned bit)
{
	struct snd_mask *m = &p->masks[which - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(m, 0, sizeof(*m));
	m->bits[bit / 32] = 1u << bit % 32;
}

static int open_stream(int records, unsigned rate, unsigned bits, unsigned channels)
{
	struct snd_pcm_hw_params p = {.rmask = ~0u};
	int fd = open(records ? "/dev/snd/pcmC0D0c" : "/dev/snd/pcmC0D0p", O_RDWR);

	must(fd, "open the sound card");
	memset(p.masks, 0xff, sizeof(p.masks));
	for (size_t i = 0; i < sizeof(p.intervals) / sizeof(p.intervals[0]); i++)
		p.intervals[i].max = ~0u;
	set_mask(&p, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	set_mask(&p, SNDRV_PCM_HW_PARAM_FORMAT,
		 bits == 16 ? SNDRV_PCM_FORMAT_S16_LE : SNDRV_PCM_FORMAT_S32_LE);
	set_interval(&p, SNDRV_PCM_HW_PARAM_CHANNELS, channels);
	set_interval(&p, SNDRV_PCM_HW_PARAM_RATE, rate);
	set_interval(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, 2048);
	set_interval(&p, SNDRV_PCM_HW_PARAM_PERIODS, PERIODS);
	must(ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p), "set the format");
	must(ioctl(fd, SNDRV_PCM_IOCTL_PREPARE), "prepare");
	return fd;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* All of x. A starved guest is too late now and then: it goes on from there. */
static void move(int fd, unsigned long request, struct snd_xferi *x, unsigned frame,
		 unsigned *again)
{
	while (x->frames) {
		if (ioctl(fd, request, x) == 0) {
			x->buf = (uint8_t *)x->buf + x->result * frame;
			x->frames -= (snd_pcm_uframes_t)x->result;
			continue;
		}
		if (errno != EPIPE || ++*again > 20)
			die("move sound");
		must(ioctl(fd, SNDRV_PCM_IOCTL_PREPARE), "prepare");
	}
}

static int play(int argc, char **argv)
{
	unsigned rate = (unsigned)atoi(argv[0]), bits = (unsigned)atoi(argv[1]);
	unsigned channels = (unsigned)atoi(argv[2]), again = 0;
	int fd = open_stream(0, rate, bits, channels);
	double start = now(), hz[2];

	hz[0] = atof(argv[3]);
	hz[1] = atof(argv[4]);
	for (int part = 5; part < argc; part++) {
		unsigned nr = (unsigned)(rate * atof(argv[part]) / 1000);
		uint8_t *data = calloc(nr, channels * bits / 8), *at = data;
		struct snd_xferi x = {.buf = data, .frames = nr};

		for (unsigned i = 0; i < nr && part % 2; i++)
			for (unsigned c = 0; c < channels; c++, at += bits / 8) {
				double v = LOUD * sin(2 * M_PI * hz[c % 2] * i / rate);
				int32_t s = (int32_t)(v * 0x7fffffff) >> (32 - bits);

				memcpy(at, &s, bits / 8);
			}
		move(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &x, channels * bits / 8, &again);
		free(data);
	}
	must(ioctl(fd, SNDRV_PCM_IOCTL_DRAIN), "drain");
	printf("played in %.0f ms, too late %u times\n", now() - start, again);
	return 0;
}

static int record(char **argv)
{
	unsigned rate = (unsigned)atoi(argv[0]), nr = rate * (unsigned)atoi(argv[1]) / 1000,
		 again = 0;
	int16_t *data = calloc(nr, 4);
	int fd = open_stream(1, rate, 16, 2), max = 0;
	struct snd_xferi x = {.buf = data, .frames = nr};
	double start = now();

	memset(data, 0x55, nr * 4);
	move(fd, SNDRV_PCM_IOCTL_READI_FRAMES, &x, 4, &again);
	for (unsigned i = 0; i < 2 * nr; i++)
		max = abs(data[i]) > max ? abs(data[i]) : max;
	printf("recorded %u frames in %.0f ms, loudest %d\n", nr, now() - start, max);
	return 0;
}

static int beep(unsigned hz, unsigned ms)
{
	int fd = open("/dev/tty0", O_RDWR);

	must(fd, "open the console");
	must(ioctl(fd, KIOCSOUND, 1193182 / hz), "beep");
	usleep(ms * 1000);
	must(ioctl(fd, KIOCSOUND, 0), "end the beep");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "unmute") == 0)
		return unmute();
	if (argc > 6 && strcmp(argv[1], "play") == 0)
		return play(argc - 2, argv + 2);
	if (argc == 4 && strcmp(argv[1], "record") == 0)
		return record(argv + 2);
	if (argc == 4 && strcmp(argv[1], "beep") == 0)
		return beep((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
	printf("usage: see the source\n");
	return 1;
}
