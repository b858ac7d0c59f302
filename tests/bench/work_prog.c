/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programs from Debian's packages, under $BENCH_PROGRAMS (as fetch.sh programs makes it) by its own
 * dynamic linker, so that the host and the guest run the same files. The sum is over their output.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

#define LIBS "lib/x86_64-linux-gnu"

static int root = -1;
static int input = -1;

static int setup_root(void)
{
	const char *path = getenv("BENCH_PROGRAMS");

	if (root < 0)
		root = open(path ? path : "/bench/programs", O_PATH | O_DIRECTORY);
	return root < 0 ? -errno : 0;
}

/* A file to read for standard input, made by write_it. */
static int setup_input(void (*write_it)(FILE *))
{
	int err = setup_root();
	FILE *f;

	if (err)
		return err;
	if (input >= 0)
		close(input);
	input = memfd_create("input", 0);
	f = input < 0 ? NULL : fdopen(dup(input), "w");
	if (!f)
		return -errno;
	write_it(f);
	return fclose(f) ? -errno : 0;
}

static void write_source(FILE *f)
{
	for (int i = 1; i <= 12; i++)
		fprintf(
		    f,
		    "int f%d(int *a, int n)\n{\n\tint s = %d;\n\tfor (int i = 0; i < n; i++) {\n"
		    "\t\tif (a[i] %% %d)\n\t\t\ts += a[i] * i;\n\t\telse\n\t\t\ta[i] = s;\n"
		    "\t\tswitch (s & 7) {\n\t\tcase 0: s++; break;\n\t\tcase 1: s ^= n; break;\n"
		    "\t\tcase 5: s = f%d(a + 1, n - %d);\n\t\t}\n\t}\n\treturn s;\n}\n",
		    i, i, i + 1, i > 1 ? i - 1 : 1, i);
}

static void write_numbers(FILE *f)
{
	for (int i = 0; i < 20000; i++)
		fprintf(f, "%d\n", i);
}

static void write_megabyte(FILE *f)
{
	for (uint64_t i = 0, seed = 8; i < 1 << 18; i++) {
		uint32_t v = (uint32_t)work_random(&seed);

		fwrite(&v, sizeof(v), 1, f);
	}
}

static int setup_cc1(void)
{
	return setup_input(write_source);
}

static int setup_xz(void)
{
	return setup_input(write_numbers);
}

static int setup_openssl(void)
{
	return setup_input(write_megabyte);
}

static _Noreturn void become(const char *const *args, int out)
{
	const char *argv[16] = {"ld.so", "--library-path", LIBS ":usr/" LIBS};
	size_t n = 3;

	for (; *args && n < COUNT_OF(argv) - 1; args++)
		argv[n++] = *args;
	if (input >= 0) {
		lseek(input, 0, SEEK_SET);
		dup2(input, 0);
	}
	dup2(out, 1);
	if (!fchdir(root))
		execv(LIBS "/ld-linux-x86-64.so.2", (char **)argv);
	_exit(127);
}

static uint64_t run_program(const char *const *args, uint64_t rounds)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (uint64_t i = 0; i < rounds; i++) {
		unsigned char buf[4096];
		int fds[2], status;
		ssize_t n;
		pid_t pid;

		if (pipe(fds))
			work_die("pipe");
		pid = fork();
		if (pid < 0)
			work_die("fork");
		if (!pid)
			become(args, fds[1]);
		close(fds[1]);
		while ((n = read(fds[0], buf, sizeof(buf))) > 0)
			for (ssize_t k = 0; k < n; k++)
				sum = (sum ^ buf[k]) * 0x100000001b3;
		close(fds[0]);
		if (waitpid(pid, &status, 0) != pid)
			work_die("waitpid");
		/* A program that failed shows as another sum. */
		sum += (uint64_t)status;
	}
	return sum;
}

static uint64_t run_cc1(uint64_t rounds)
{
	static const char *const args[] = {"usr/lib/gcc/x86_64-linux-gnu/12/cc1",
					   "-O2",
					   "-quiet",
					   "-fpreprocessed",
					   "-",
					   "-o",
					   "-",
					   NULL};

	return run_program(args, rounds);
}

static uint64_t run_python(uint64_t rounds)
{
	static const char *const args[] = {"usr/bin/python3.11",
					   "-S",
					   "-I",
					   "-c",
					   "class P:\n"
					   " def __init__(s, x): s.x = x\n"
					   " def f(s, k): return (s.x * k) % 1009\n"
					   "d = {}\n"
					   "for i in range(60000):\n"
					   " v = P(i).f(i + 3)\n"
					   " d[v] = d.get(v, '') + str(i % 10)\n"
					   "print(len(d), sum(map(hash, map(len, d.values()))))\n",
					   NULL};

	setenv("PYTHONHOME", "usr", 1);
	return run_program(args, rounds);
}

static uint64_t run_perl(uint64_t rounds)
{
	static const char *const args[] = {
	    "usr/bin/perl", "-e",
	    "for (1..60000) { my $k = $_ * 7919 % 10007; $h{$k} .= chr(97 + $_ % 26); }"
	    "my $n = grep { /a.*z|q$/ } values %h;"
	    "print join(',', $n, (sort keys %h)[0..9]), qq(\\n)",
	    NULL};

	return run_program(args, rounds);
}

static uint64_t run_xz(uint64_t rounds)
{
	static const char *const args[] = {"usr/bin/xz", "-c", "-T1", "-6", NULL};

	return run_program(args, rounds);
}

static uint64_t run_sqlite(uint64_t rounds)
{
	static const char *const args[] = {
	    "usr/bin/sqlite3", ":memory:",
	    "create table t(a integer primary key, b text);"
	    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) "
	    "insert into t select x, hex(x * 7919 % 10007) from c;"
	    "create index i on t(b);"
	    "select count(*), sum(length(b)) from t where b like '3%4';"
	    "select b, count(*) from t group by b order by 2 desc, 1 limit 5;",
	    NULL};

	return run_program(args, rounds);
}

static uint64_t run_openssl(uint64_t rounds)
{
	static const char *const args[] = {"usr/bin/openssl", "enc",   "-aes-256-cbc", "-pbkdf2",
					   "-iter",           "30000", "-nosalt",      "-pass",
					   "pass:bench",      NULL};

	return run_program(args, rounds);
}

static const struct workload list[] = {
    {"prog-cc1", "GCC's compiler proper on 12 functions", 1, setup_cc1, run_cc1},
    {"prog-python", "Python: objects, dictionary, strings", 2, setup_root, run_python},
    {"prog-perl", "Perl: hash, strings, regular expressions", 2, setup_root, run_perl},
    {"prog-xz", "xz -6", 2, setup_xz, run_xz},
    {"prog-sqlite", "SQLite: insert, index, group", 3, setup_root, run_sqlite},
    {"prog-openssl", "openssl: PBKDF2 and AES-256-CBC", 4, setup_openssl, run_openssl},
};

const struct workload_group work_prog = {list, COUNT_OF(list)};
