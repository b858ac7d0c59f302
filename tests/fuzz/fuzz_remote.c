/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a debugger or a QMP client sends, at random: words that mean something, bytes changed, pieces of any size, on a
 * whole machine whose vCPUs are let go now and then. fuzz_remote gdb|qmp COUNT SEED. It runs in a folder of its own, and no input names a
 * file outside of it.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "accel/engine.h"
#include "frontend/gdb/stub.h"
#include "frontend/monitor/monitor.h"
#include "frontend/options.h"
#include "frontend/qmp/qmp.h"
#include "frontend/stream.h"
#include "hw/pc.h"
#include "roms/roms.h"

#define INPUT_MAX 4096
#define SLOWEST_S 10 /* an input that takes longer hangs */

static const char *const gdb_words[] = {"?",
					"!",
					"g",
					"G0123456789abcdef",
					"p10",
					"p0",
					"P0=00000000000000ff",
					"P10=0000000000000000",
					"P18=ffffffff",
					"m7c00,10",
					"m0,4000",
					"mffffffffffffffff,8",
					"M100000,4:90909090",
					"X1000,4:abcd",
					"Z0,100020,1",
					"Z1,0,1",
					"Z2,1000,8",
					"Z3,ffffffffffffffff,1",
					"Z4,1000,1000",
					"z0,100020,1",
					"z2,1000,8",
					"c",
					"C05",
					"s",
					"S05;100020",
					"vCont?",
					"vCont;c",
					"vCont;s:1",
					"vCont;s:1;c",
					"vCont;c:2",
					"vCont;C05:p1.-1",
					"Hg0",
					"Hg2",
					"Hc-1",
					"T1",
					"D",
					"R00",
					"vAttach;1",
					"qSupported:swbreak+;hwbreak+;xmlRegisters=i386",
					"qXfer:threads:read::0,3fff",
					"qXfer:features:read:target.xml:0,1000",
					"qXfer:features:read:target.xml:2000,ffffffffffffffff",
					"qThreadExtraInfo,1",
					"qfThreadInfo",
					"qsThreadInfo",
					"qAttached",
					"qC",
					"qCRC:0,1000",
					"QStartNoAckMode",
					"qqemu.sstepbits",
					"qqemu.sstep",
					"Qqemu.sstep=7",
					"qqemu.PhyMemMode",
					"Qqemu.PhyMemMode:1",
					"Qqemu.PhyMemMode:0",
					"k",
					"vKill;1",
					"\003",
					"qRcmd,",
					";",
					":",
					",",
					"-1"};

static const char *const monitor_words[] = {"info registers",
					    "info status",
					    "info cpus",
					    "info mem",
					    "info tlb",
					    "info pic",
					    "info lapic",
					    "info mtree",
					    "info qtree",
					    "info irq",
					    "info pci",
					    "info jit",
					    "info breakpoints",
					    "help",
					    "help info",
					    "x/4xg",
					    "xp/8xb",
					    "x/4i",
					    "p",
					    "print",
					    "gva2gpa",
					    "break",
					    "watch",
					    "delete",
					    "tbreak",
					    "condition",
					    "commands",
					    "list",
					    "bt",
					    "step",
					    "next",
					    "finish",
					    "until",
					    "stepi",
					    "cont",
					    "stop",
					    "system_reset",
					    "nmi",
					    "sendkey",
					    "ctrl-alt-f1",
					    "mouse_move",
					    "cpu 1",
					    "ps",
					    "dmesg",
					    "lsmod",
					    "vmmap",
					    "task",
					    "$rip",
					    "$pc",
					    "$rsp+8",
					    "0x100000",
					    "*(int*)0",
					    "==",
					    "(",
					    ")",
					    "+",
					    "-",
					    "*",
					    "&",
					    "if",
					    "1",
					    "-1",
					    "0xffffffffffffffff",
					    "jit",
					    "\"",
					    "'",
					    "%",
					    "#"};

static const char *const qmp_words[] = {
    "{\"execute\": \"qmp_capabilities\"}",
    "{\"execute\": \"stop\"}",
    "{\"execute\": \"cont\"}",
    "{\"execute\": \"query-status\", \"id\": 1}",
    "{\"execute\": \"query-commands\"}",
    "{\"execute\": \"query-pci\"}",
    "{\"execute\": \"query-block\"}",
    "{\"execute\": \"query-chardev\"}",
    "{\"execute\": \"query-blockstats\"}",
    "{\"execute\": \"query-mice\"}",
    "{\"execute\": \"query-cpus-fast\"}",
    "{\"execute\": \"system_reset\"}",
    "{\"execute\": \"system_powerdown\"}",
    "{\"execute\": \"inject-nmi\"}",
    "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", \"data\": "
    "\"a\"}]}}",
    "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\": \"btn\", "
    "\"data\": "
    "{\"down\": true, \"button\": \"left\"}}, {\"type\": \"abs\", \"data\": {\"axis\": \"x\", "
    "\"value\": 99}}]}}",
    "{\"execute\": \"eject\", \"arguments\": {\"device\": \"x\", \"force\": true}}",
    "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"x\", \"size\": 1}}",
    "{\"execute\": \"pmemsave\", \"arguments\": {\"val\": 0, \"size\": 4096, \"filename\": \"f\"}}",
    "{\"execute\": \"memsave\", \"arguments\": {\"val\": 0, \"size\": 4096, \"filename\": \"f\", "
    "\"cpu-index\": 1}}",
    "{\"execute\": \"quit\"}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\u0041",
    "\\ud800",
    "\\",
    ":",
    ",",
    "null",
    "true",
    "-1e5",
    "18446744073709551616",
    "\"id\": ",
    "\"execute\": ",
    "\"arguments\": ",
    "\xff",
    "\xc3\xbc"};

static struct pc *pc;
static struct monitor_env env;
static struct gdb_stub *stub;
static struct qmp *qmp;
static struct stream stream;
static struct options options;
static uint64_t seed, random_state, replied;

static uint64_t next(void)
{
	random_state += 0x9e3779b97f4a7c15;
	uint64_t z = random_state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(next() % n);
}

#define ANY(words) words[below(sizeof(words) / sizeof(words[0]))]

/* ---- inputs ---- */

static size_t append(char *to, size_t len, const char *word)
{
	size_t n = strlen(word);

	if (n > INPUT_MAX - len)
		n = INPUT_MAX - len;
	memcpy(to + len, word, n);
	return len + n;
}

static size_t monitor_line(char *to)
{
	size_t len = 0;

	for (unsigned n = 1 + below(4); n; n--) {
		len = append(to, len, ANY(monitor_words));
		len = append(to, len, below(4) ? " " : "");
	}
	return len;
}

static void mutate(char *text, size_t *len)
{
	for (unsigned n = below(4); n && *len; n--) {
		size_t at = below((unsigned)*len), some = 1 + below(8);

		switch (below(4)) {
		case 0:
			text[at] = (char)next();
			break;
		case 1:
			text[at] ^= (char)(1 << below(8));
			break;
		case 2:
			some = some < *len - at ? some : *len - at;
			memmove(text + at, text + at + some, *len - at - some);
			*len -= some;
			break;
		case 3:
			if (*len + some > INPUT_MAX)
				break;
			memmove(text + at + some, text + at, *len - at);
			*len += some;
			break;
		}
	}
	/* No path that begins at the root or leads out of the folder. */
	for (size_t n = 0; n < *len; n++)
		if (text[n] == '/' && (!n || !isalnum((unsigned char)text[n - 1])))
			text[n] = '_';
}

static size_t gdb_input(char *to)
{
	static const char digits[] = "0123456789abcdef";
	char text[INPUT_MAX], line[INPUT_MAX];
	size_t len = 0, n, out = 0;
	uint8_t sum = 0;

	for (n = below(8) ? 1 : 1 + below(3); n; n--)
		len = append(text, len, ANY(gdb_words));
	if (len >= 6 && memcmp(text + len - 6, "qRcmd,", 6) == 0) {
		n = monitor_line(line);
		mutate(line, &n);
		for (size_t i = 0; i < n && len + 2 <= INPUT_MAX / 2; i++) {
			text[len++] = digits[(uint8_t)line[i] >> 4];
			text[len++] = digits[line[i] & 15];
		}
	} else if (below(3) == 0) {
		mutate(text, &len);
	}
	if (below(16) == 0 || len > INPUT_MAX - 4) { /* not as a packet */
		memcpy(to, text, len);
		return len;
	}
	to[out++] = '$';
	for (n = 0; n < len; n++) {
		sum += (uint8_t)text[n];
		to[out++] = text[n];
	}
	if (below(64) == 0)
		sum++;
	to[out++] = '#';
	to[out++] = digits[sum >> 4];
	to[out++] = digits[sum & 15];
	return out;
}

static size_t qmp_input(char *to)
{
	size_t len = 0, n;
	char line[INPUT_MAX];

	if (below(3) == 0) {
		len = append(to, len,
			     "{\"execute\": \"human-monitor-command\", \"arguments\": "
			     "{\"command-line\": \"");
		n = monitor_line(line);
		line[n < INPUT_MAX ? n : INPUT_MAX - 1] = 0;
		for (char *c = line; *c; c++)
			if (*c == '"')
				*c = '\'';
		len = append(to, len, line);
		len = append(to, len, "\"}}");
	} else {
		for (n = below(4) ? 1 : 1 + below(6); n; n--)
			len = append(to, len, ANY(qmp_words));
	}
	if (below(2))
		mutate(to, &len);
	return len;
}

/* ---- the machine ---- */

static size_t swallow(struct chardev *c, const uint8_t *buf, size_t len)
{
	(void)c;
	(void)buf;
	replied += len;
	return len;
}

static void feed(const char *text, size_t len)
{
	while (len) {
		size_t room = stream.chr.can_receive(stream.chr.dev);
		size_t n = 1 + below(64);

		if (n > room)
			n = room;
		if (n > len)
			n = len;
		if (!n) {
			fprintf(stderr, "fuzz_remote: it takes nothing any more\n");
			abort();
		}
		stream.chr.receive(stream.chr.dev, (const uint8_t *)text, n);
		text += n;
		len -= n;
	}
}

static void connect_again(bool gdb)
{
	if (gdb) {
		gdb_stub_client(stub, false);
		gdb_stub_client(stub, true);
		return;
	}
	qmp_client(qmp, false);
	qmp_client(qmp, true);
	if (below(8))
		feed(qmp_words[0], strlen(qmp_words[0]));
}

static void set_up(bool gdb)
{
	struct pc_config cfg = {.board = &board_pc,
				.ram_size = PC_MIN_RAM,
				.cpus = 2,
				.engine = &engine_interp,
				.uart = {true}};
	const struct blob guest = {"guest", roms_guest_start,
				   (size_t)(roms_guest_end - roms_guest_start)};
	char err[256] = "";

	options.serial[0].kind = CHR_STDIO;
	options.nr_serial = 1;
	if (cpu_model_parse(&cfg.model, "max", err, sizeof(err)) < 0 ||
	    pc_new(&pc, &cfg, err, sizeof(err)) < 0 || monitor_env_init(&env, pc) < 0 ||
	    pc_load(pc, &guest, NULL, 0, "", err, sizeof(err)) < 0 ||
	    gdb_stub_new(&stub, &env) < 0 || qmp_new(&qmp, &env, &options) < 0) {
		fprintf(stderr, "fuzz_remote: %s\n", err);
		exit(2);
	}
	stream_init(&stream, pc->m.loop, -1, -1, true);
	stream.chr.write = swallow;
	if (gdb)
		gdb_stub_attach(stub, &stream.chr);
	else
		qmp_attach(qmp, &stream);
	pc->m.stopped = true;
	machine_reset_locked(&pc->m);
}

/* What the main loop would do between two inputs. */
static void settle(bool gdb)
{
	if (pc->m.end != END_NONE)
		connect_again(gdb);
	pc->m.end = END_NONE;
	pc->m.stop_requested = false;
	if (pc->m.reset_requested || below(256) == 0) {
		machine_stop_locked(&pc->m);
		machine_reset_locked(&pc->m);
	}
}

static void on_alarm(int sig)
{
	static const char text[] = "fuzz_remote: an input hangs\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/doppel-fuzz-XXXXXX", text[INPUT_MAX + 1];
	uint64_t count;
	bool gdb;

	if (argc != 4 || (strcmp(argv[1], "gdb") != 0 && strcmp(argv[1], "qmp") != 0)) {
		fprintf(stderr, "usage: fuzz_remote gdb|qmp COUNT SEED\n");
		return 2;
	}
	gdb = argv[1][0] == 'g';
	count = strtoull(argv[2], NULL, 0);
	seed = strtoull(argv[3], NULL, 0);
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 2;
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGALRM, on_alarm);
	set_up(gdb);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20});
	pthread_mutex_lock(&pc->m.lock);
	connect_again(gdb);
	for (uint64_t n = 0; n < count; n++) {
		size_t len;

		random_state = seed + (n << 20);
		alarm(SLOWEST_S);
		len = gdb ? gdb_input(text) : qmp_input(text);
		if (getenv("FUZZ_SHOW"))
			fprintf(stderr, "%llu: %.*s\n", (unsigned long long)n, (int)len, text);
		feed(text, len);
		settle(gdb);
		if (below(32) == 0)
			connect_again(gdb);
	}
	alarm(0);
	machine_stop_locked(&pc->m);
	gdb_stub_free(stub);
	qmp_free(qmp);
	pthread_mutex_unlock(&pc->m.lock);
	monitor_env_fini(&env);
	pc_free(pc);
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	if (chdir("/") < 0 || system(text) != 0)
		fprintf(stderr, "fuzz_remote: %s stays\n", dir);
	printf("%s stream: %llu inputs, %llu bytes of replies: 1 passed, 0 failed\n", argv[1],
	       (unsigned long long)count, (unsigned long long)replied);
	return 0;
}
