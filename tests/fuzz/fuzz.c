/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The world of the devices under test, the input, and two drivers of the same entry: libFuzzer (make MODE=fuzz;
 * the device is named by the variable FUZZ_DEVICE), and a main() of our own that makes inputs at random.
 *
 * fuzz_devices [-t SECONDS] [-s SEED] [-j JOBS] [-c FOLDER] [NAME...]   first the inputs in FOLDER/NAME.tar.gz,
 *                                           if there is one, then random ones, seconds for each device
 * fuzz_devices -x SEED NAME                                 the input of that seed again
 * fuzz_devices -f FILE... NAME                              inputs from files
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hw/block/image.h"
#include "hw/msi.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

#define INPUT_MAX 0x8000u
#define ON_TIME   128 /* timers of a step */

/* clang-format off */
static const struct fuzz_device *const tables[] = {
    fuzz_disks,
    fuzz_board,
    fuzz_usb,
    fuzz_nics,
    fuzz_net,
    fuzz_virtio,
    fuzz_sound,
    fuzz_9p,
    fuzz_vsock,
    fuzz_pci,
    fuzz_raw,
    fuzz_state,
};
/* clang-format on */

struct fuzz_world world;
static struct ram ram; /* of a world whose device has none */

static struct {
	const uint8_t *at, *end;
	bool over; /* more was asked for than there is */
} input;

/* ---- input ---- */

static uint64_t take(unsigned bytes)
{
	uint64_t v = 0;

	if ((size_t)(input.end - input.at) < bytes) {
		input.at = input.end;
		input.over = true;
		return 0;
	}
	memcpy(&v, input.at, bytes);
	input.at += bytes;
	return v;
}

uint64_t next(void)
{
	return take(8);
}

unsigned below(unsigned n)
{
	return (unsigned)take(n <= 0x100 ? 1 : n <= 0x10000 ? 2 : 4) % n;
}

uint64_t value(void)
{
	switch (below(10)) {
	case 0:
		return below(8);
	case 1:
		return 512ull * below(64);
	case 2:
		return 16ull * below(STRUCTS / 16);
	case 3:
		return 4096ull * below(FUZZ_RAM / 4096);
	case 4:
		return FUZZ_RAM - below(1024);
	case 5:
		return 1ull << below(64);
	case 6:
		return ~0ull << below(64);
	case 7:
		return FUZZ_DISK / 512 - below(4);
	case 8:
		return below(256);
	}
	return next();
}

/* ---- the world ---- */

void fuzz_step(uint64_t ns)
{
	struct clock *c = world.clock;
	uint64_t end = clock_now(c) + ns, at;

	for (unsigned n = 0; n < ON_TIME && (at = clock_next(c)) <= end; n++) {
		if (at > clock_now(c))
			clock_set(c, at);
		clock_run(c);
	}
	clock_set(c, end);
	clock_run(c);
}

void fuzz_add(struct device *dev)
{
	struct device **at = &world.devices;

	while (*at)
		at = &(*at)->next;
	*at = dev;
	dev->next = NULL;
}

void noise(unsigned n)
{
	while (n--)
		put(8ull * below(STRUCTS / 8), value(), 1u << below(4));
}

uint64_t bar(struct pci_func *f, unsigned n)
{
	return pci_config_read(f, PCI_BAR0 + 4 * n, 4) & ~(f->bar[n].kind == PCI_BAR_IO ? 3u : 15u);
}

void fuzz_pci_add(struct pci_func *f)
{
	pci_bus_add(&world.pci, f, PCI_DEVFN(2, 0));
	fuzz_add(&f->dev);
	if (f->msix)
		fuzz_add(&f->msix->dev);
}

void fuzz_pci_start(void)
{
	static const uint8_t irq[4] = {10, 10, 11, 11};

	pci_bus_assign(&world.pci, 0xc0000000, 0xfec00000, 0xc000, 0x10000, irq);
	for (unsigned n = 0; n < 256; n++)
		if (world.pci.func[n])
			pci_config_write(world.pci.func[n], PCI_COMMAND,
					 PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
}

void any_access(struct pci_func *f)
{
	unsigned n = below(PCI_BARS);
	uint64_t at, off;

	if (one_in(50)) {
		bool on = !one_in(3);

		pci_config_write(f, PCI_COMMAND,
				 PCI_CMD_IO | PCI_CMD_MEM | (on ? PCI_CMD_MASTER : 0), 2);
	}
	if (one_in(50))
		pci_config_write(f, below(256) & ~3u, (uint32_t)value(), 4);
	if (!f->bar[n].mapped)
		return;
	at = bar(f, n);
	off = one_in(2) ? below(0x400) : next();
	off &= f->bar[n].size - 1;
	if (f->bar[n].kind == PCI_BAR_IO) {
		out((unsigned)(at + off), value(), 1u << below(3));
		aspace_read(world.io, at + off, 1u << below(3));
	} else {
		put(at + off, value(), 1u << below(4));
		aspace_read(world.mem, at + off, 1u << below(4));
	}
}

void drain(void)
{
	block_drain(world.disk);
	block_drain(world.cd);
}

static int disk_fd, cd_fd, bad_fd; /* bad_fd can be neither read nor written */

static struct block *open_disk(const struct block_options *o)
{
	static const struct block_env env;
	char err[256];
	struct block *b;

	if (block_open(&b, o, &env, err, sizeof(err)) < 0) {
		fprintf(stderr, "fuzz_devices: %s\n", err);
		exit(1);
	}
	return b;
}

static int new_file(const char *name)
{
	int fd = memfd_create(name, 0);

	if (fd < 0 || ftruncate(fd, FUZZ_DISK) < 0)
		abort();
	return fd;
}

static void path_of(int fd, char path[64])
{
	snprintf(path, 64, "/proc/self/fd/%d", fd);
}

static void open_disks(void)
{
	char path[64];
	struct block_options disk = {
	    .name = "disk", .file = path, .format = "raw", .discard = true, .no_lock = true};
	struct block_options cd = {.name = "cd",
				   .file = path,
				   .format = "raw",
				   .removable = true,
				   .read_only = true,
				   .no_lock = true};

	bad_fd = open("/", O_RDONLY | O_DIRECTORY);
	disk_fd = new_file("disk");
	path_of(disk_fd, path);
	world.disk = open_disk(&disk);
	cd_fd = new_file("cd");
	path_of(cd_fd, path);
	world.cd = open_disk(&cd);
}

static void insert_cd(bool force)
{
	char path[64], err[256];

	path_of(cd_fd, path);
	block_change(world.cd, path, "raw", BLOCK_READ_ONLY, force, err, sizeof(err));
}

/* From now on the host's disk fails, or works again. */
static void break_disk(bool broken)
{
	struct bfile *f = block_image(world.disk)->file;

	drain();
	if (dup2(broken ? bad_fd : disk_fd, f->fd) < 0)
		abort();
	f->broken = false;
}

void fuzz_media(void)
{
	char err[256];

	switch (below(5)) {
	case 0:
		block_eject(world.cd, one_in(2), err, sizeof(err));
		break;
	case 1:
		insert_cd(one_in(2));
		break;
	case 2:
	case 3:
		break_disk(one_in(2));
		break;
	default:
		block_resize(world.disk, 512ull * below(2 * FUZZ_DISK / 512), err, sizeof(err));
	}
}

static void reset_media(void)
{
	char err[256];

	break_disk(false);
	if (!block_present(world.cd))
		insert_cd(true);
	if (block_size(world.disk) != FUZZ_DISK)
		block_resize(world.disk, FUZZ_DISK, err, sizeof(err));
}

static void world_init(const struct fuzz_device *d)
{
	static struct aspace mem, io;
	static struct clock clock;

	world = (struct fuzz_world){.mem = &mem, .io = &io, .ram = &ram, .clock = &clock};
	aspace_init(&mem, "memory", 52, NULL);
	aspace_init(&io, "io", 16, NULL);
	clock_init(&clock, true);
	if (ram_init(&ram, "ram", FUZZ_RAM) < 0 ||
	    aspace_map_ram(&mem, "ram", 0, FUZZ_RAM, &ram, 0) < 0 ||
	    pci_bus_init(&world.pci, &mem, &io, NULL) < 0)
		abort();
	open_disks();
	world.what = d->what;
	d->init();
}

static void reset(const struct fuzz_device *d)
{
	drain();
	if (d->reset)
		d->reset();
	else
		for (struct device *dev = world.devices; dev; dev = dev->next)
			device_reset(dev);
	reset_media();
	fuzz_pci_start();
	memset(world.ram->host, 0, world.ram->size);
}

/* ---- saved states made with malice ---- */

static void scramble(struct device *dev)
{
	const struct field *f = dev->fields;
	unsigned fields = 0;

	while (f[fields].name)
		fields++;
	for (unsigned n = fields ? 1 + below(4) : 0; n; n--) {
		const struct field *one = &f[below(fields)];
		unsigned elements = one->count < 16 ? 1 + below(one->count) : 1 + below(16);

		while (elements--) {
			uint64_t v = one->flags & FIELD_BOOL ? below(2) : value();
			size_t at = one->offset + (size_t)below(one->count) * field_stride(one);

			memcpy((uint8_t *)dev->state + at, &v, one->size);
		}
	}
	if (dev->ram && one_in(4))
		for (unsigned n = below(64); n; n--)
			((uint8_t *)dev->ram->host)[next() % dev->ram->size] = (uint8_t)below(256);
}

/* As machine_load_locked() does. */
static void load_malice(void)
{
	unsigned devices = 0, n;

	drain();
	if (!world.devices)
		return;
	for (struct device *d = world.devices; d; d = d->next)
		devices++;
	n = below(devices);
	for (struct device *d = world.devices; d; d = d->next)
		if (n-- == 0 || one_in(8))
			scramble(d);
	for (struct device *d = world.devices; d; d = d->next)
		if (d->tame)
			d->tame(d->state);
	if (world.load_hook)
		world.load_hook(world.board);
	for (struct device *d = world.devices; d; d = d->next)
		if (d->loaded)
			d->loaded(d->state);
}

/* ---- one input ---- */

static unsigned long play(const struct fuzz_device *d, const uint8_t *data, size_t len)
{
	unsigned long rounds = 0;

	input.at = data;
	input.end = data + len;
	input.over = false;
	reset(d);
	while (!input.over) {
		if (one_in(64))
			load_malice();
		d->round();
		rounds++;
	}
	return rounds;
}

static void list(FILE *to, const char *end)
{
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct fuzz_device *d = tables[t]; d->name; d++)
			fprintf(to, "%s%s", d->name, end);
}

static const struct fuzz_device *look_up(const char *name)
{
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct fuzz_device *d = tables[t]; d->name; d++)
			if (strcmp(d->name, name) == 0)
				return d;
	return NULL;
}

static const struct fuzz_device *find(const char *name)
{
	const struct fuzz_device *d = look_up(name);

	if (d)
		return d;
	fprintf(stderr, "fuzz_devices: there is no device %s; there are ", name);
	list(stderr, " ");
	fprintf(stderr, "\n");
	exit(2);
}

#ifdef LIBFUZZER

static const struct fuzz_device *tested;

static void end(void)
{
	tested->fini();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ_DEVICE");

	(void)argc;
	(void)argv;
	if (!name) {
		list(stdout, "\n");
		exit(0);
	}
	tested = find(name);
	world_init(tested);
	atexit(end);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	patience();
	play(tested, data, len);
	patience_end();
	return 0;
}

#else

/* ---- inputs at random ---- */

static struct shared {
	uint64_t seed;
	int seeds; /* inputs from a file that have been played */
	unsigned long inputs, rounds;
	double slowest;
} * shared;

static void world_fini(const struct fuzz_device *d)
{
	drain();
	d->fini();
	block_close(world.disk);
	block_close(world.cd);
	close(disk_fd);
	close(cd_fd);
	close(bad_fd);
	ram_fini(&ram);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Returns its length. */
static size_t make_input(uint64_t seed, uint8_t *to)
{
	uint64_t s = seed * 0x9e3779b97f4a7c15ull | 1, *words = (uint64_t *)to;

	for (unsigned i = 0; i < INPUT_MAX / 8; i++) {
		s ^= s >> 12;
		s ^= s << 25;
		s ^= s >> 27;
		words[i] = s * 0x2545f4914f6cdd1d;
	}
	return 256 + s % (INPUT_MAX - 256);
}

static void one(const struct fuzz_device *d, uint64_t seed)
{
	static uint64_t buf[INPUT_MAX / 8];
	size_t len = make_input(seed, (uint8_t *)buf);

	shared->rounds += play(d, (uint8_t *)buf, len);
}

static const struct fuzz_device *played;

static void play_seed(const uint8_t *data, size_t len)
{
	play(played, data, len);
	shared->seeds++;
}

/* folder may be NULL. */
static _Noreturn void child(const struct fuzz_device *d, uint64_t seed, double seconds,
			    const char *folder)
{
	char path[512];
	double end;

	world_init(d);
	played = d;
	snprintf(path, sizeof(path), "%s/%s.tar.gz", folder ? folder : "", d->name);
	if (folder && seeds_play(path, play_seed) < 0) {
		fprintf(stderr, "fuzz_devices: %s is no archive of inputs\n", path);
		_exit(2);
	}
	end = now() + seconds;
	for (shared->seed = seed; now() < end; shared->seed++) {
		double t = now();

		patience();
		one(d, shared->seed);
		t = now() - t;
		shared->slowest = t > shared->slowest ? t : shared->slowest;
		shared->inputs++;
	}
	patience_end();
	world_fini(d);
	exit(0);
}

/* The bytes of a file, as an input. */
static void one_file(const struct fuzz_device *d, const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20);
	size_t len;

	if (!f || !data) {
		fprintf(stderr, "fuzz_devices: cannot read %s\n", path);
		exit(2);
	}
	len = fread(data, 1, 1 << 20, f);
	fclose(f);
	patience();
	play(d, data, len);
	patience_end();
	free(data);
}

struct job {
	const struct fuzz_device *device;
	struct shared *shared;
	pid_t pid;
};

static int report(const struct job *j, int status, uint64_t first)
{
	const struct shared *s = j->shared;

	if (status == 0) {
		printf("fuzz_devices: %s, %d seeds, random inputs %llu to %llu: %lu rounds, the "
		       "slowest "
		       "input %.0f ms\n",
		       j->device->name, s->seeds, (unsigned long long)first,
		       (unsigned long long)s->seed - 1, s->rounds, s->slowest * 1e3);
		return 0;
	}
	if (!s->seed)
		printf("fuzz_devices: %s fails at file %d of its seeds (unpack them, then: -f FILE "
		       "%s)\n",
		       j->device->name, s->seeds + 1, j->device->name);
	else
		printf("fuzz_devices: %s fails, after %lu random inputs; again with: -x %llu %s\n",
		       j->device->name, s->inputs, (unsigned long long)s->seed, j->device->name);
	return -1;
}

static bool there_is(const char *row)
{
	return look_up(row) != NULL;
}

static unsigned collect(const struct fuzz_device **wanted, unsigned max, char **names, int n)
{
	unsigned nr = 0;

	for (int i = 0; i < n && nr < max; i++)
		wanted[nr++] = find(names[i]);
	for (unsigned t = 0; n == 0 && t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct fuzz_device *d = tables[t]; d->name && nr < max; d++)
			wanted[nr++] = d;
	return nr;
}

int main(int argc, char **argv)
{
	const struct fuzz_device *wanted[128];
	unsigned nr, started = 0, ended = 0, failed = 0, missing = 0, jobs = 1;
	bool again = false, files = false;
	const char *folder = NULL;
	double seconds = 5;
	uint64_t seed = 1;
	struct job job[128];
	int c;

	while ((c = getopt(argc, argv, "t:s:j:c:x:f")) != -1) {
		if (c == 't')
			seconds = atof(optarg);
		else if (c == 's' || c == 'x')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'j')
			jobs = (unsigned)atoi(optarg);
		else if (c == 'c')
			folder = optarg;
		else if (c == '?')
			return 2;
		again |= c == 'x';
		files |= c == 'f';
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared) * 128, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	if (again || files) {
		const struct fuzz_device *d = find(argc > optind ? argv[argc - 1] : "");

		world_init(d);
		if (again)
			one(d, seed);
		for (int i = optind; files && i < argc - 1; i++)
			one_file(d, argv[i]);
		world_fini(d);
		return 0;
	}
	nr = collect(wanted, 128, argv + optind, argc - optind);
	if (argc == optind)
		missing = fuzz_types_missing(there_is);
	while (ended < nr) {
		int status;
		pid_t pid;

		if (started < nr && started - ended < jobs) {
			job[started] = (struct job){wanted[started], shared + started, fork()};
			if (job[started].pid == 0) {
				shared += started;
				child(wanted[started], seed, seconds, folder);
			}
			started++;
			continue;
		}
		pid = wait(&status);
		for (unsigned i = 0; i < started; i++)
			if (job[i].pid == pid && report(&job[i], status, seed) < 0)
				failed++;
		ended++;
	}
	printf("fuzz_devices: %u passed, %u failed\n", nr - failed, failed + missing);
	return failed + missing != 0;
}
#endif
