/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The probe's cache, its words, that it comes to an end on this host, and the choice of an engine.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel/engine.h"
#include "accel/probe/kvm_probe.h"
#include "frontend/accel.h"

static char dir[64], path[128];

static void make_dir(void)
{
	strcpy(dir, "/tmp/probe.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/below/kvm-probe", dir);
}

static void remove_dir(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cr_assert_eq(system(cmd), 0);
}

Test(probe, cache, .init = make_dir, .fini = remove_dir)
{
	struct kvm_probe p = {.verdict = PROBE_SLOW, .kernel_ps = 580000}, q;
	uint8_t byte = 0x5a;
	int fd;

	cr_assert_eq(kvm_probe_cache_load(path, "k", &q), -ENOENT);
	cr_assert_eq(kvm_probe_cache_store(path, "k", &p), 0);
	cr_assert_eq(kvm_probe_cache_load(path, "k", &q), 0);
	cr_assert_eq(memcmp(&p, &q, sizeof(p)), 0);
	cr_assert_eq(kvm_probe_cache_load(path, "another boot", &q), -ESTALE);
	cr_assert_eq(kvm_probe_cache_store(path, "another boot", &p), 0);
	cr_assert_eq(kvm_probe_cache_load(path, "another boot", &q), 0);

	/* What others may write is not believed, nor what is damaged or cut short. */
	cr_assert_eq(chmod(path, 0622), 0);
	cr_assert_eq(kvm_probe_cache_load(path, "another boot", &q), -EPERM);
	cr_assert_eq(chmod(path, 0600), 0);
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, &byte, 1, 1050), 1);
	close(fd);
	cr_assert_eq(kvm_probe_cache_load(path, "another boot", &q), -EBADMSG);
	cr_assert_eq(truncate(path, 100), 0);
	cr_assert_eq(kvm_probe_cache_load(path, "another boot", &q), -EBADMSG);
	p.verdict = PROBE_NR_VERDICTS;
	cr_assert_eq(kvm_probe_cache_store(path, "k", &p), 0);
	cr_assert_eq(kvm_probe_cache_load(path, "k", &q), -EBADMSG);
}

Test(probe, cache_cannot_be_written)
{
	struct kvm_probe p = {0};

	cr_assert_lt(kvm_probe_cache_store("/proc/none/kvm-probe", "k", &p), 0);
}

static void put(const char *name, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", dir, name);
	for (char *c = strchr(full + 5, '/'); c; c = strchr(c + 1, '/')) {
		*c = 0;
		mkdir(full, 0700);
		*c = '/';
	}
	f = fopen(full, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

/* Another boot, another module and a device made anew each make another key. */
Test(probe, key, .init = make_dir, .fini = remove_dir)
{
	char a[1024], b[1024];

	cr_assert_lt(kvm_probe_cache_key(dir, a, sizeof(a)), 0);
	put("/proc/sys/kernel/random/boot_id", "1234\n");
	cr_assert_eq(kvm_probe_cache_key(dir, a, sizeof(a)), 0);
	put("/sys/module/kvm_amd/srcversion", "AAA\n");
	cr_assert_eq(kvm_probe_cache_key(dir, b, sizeof(b)), 0);
	cr_assert(strcmp(a, b) != 0);
	put("/sys/module/kvm_amd/srcversion", "BBB\n");
	cr_assert_eq(kvm_probe_cache_key(dir, a, sizeof(a)), 0);
	cr_assert(strcmp(a, b) != 0);
	put("/dev/kvm", "");
	cr_assert_eq(kvm_probe_cache_key(dir, b, sizeof(b)), 0);
	cr_assert(strcmp(a, b) != 0);
	cr_assert_eq(kvm_probe_cache_key(dir, a, sizeof(a)), 0);
	cr_assert_str_eq(a, b);
	put("/proc/sys/kernel/random/boot_id", "1235\n");
	cr_assert_eq(kvm_probe_cache_key(dir, b, sizeof(b)), 0);
	cr_assert(strcmp(a, b) != 0);
	cr_assert_eq(kvm_probe_cache_key(dir, b, 40), -ENOSPC);
}

Test(probe, where_the_cache_is)
{
	char p[256], small[16];

	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	setenv("HOME", "/home/me", 1);
	cr_assert_eq(kvm_probe_cache_path(p, sizeof(p)), 0);
	cr_assert_str_eq(p, "/run/user/7/doppel/kvm-probe");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("XDG_CACHE_HOME");
	cr_assert_eq(kvm_probe_cache_path(p, sizeof(p)), 0);
	cr_assert_str_eq(p, "/home/me/.cache/doppel/kvm-probe");
	cr_assert_lt(kvm_probe_cache_path(small, sizeof(small)), 0);
	setenv("HOME", "not/absolute", 1);
	cr_assert_lt(kvm_probe_cache_path(p, sizeof(p)), 0);
}

/* Whatever KVM this host has: an end in time, an answer, and words for it. */
Test(probe, this_host)
{
	char what[256], todo[256], how[128];
	struct kvm_probe p;

	kvm_probe_run(&p);
	cr_assert_lt(p.took_us, 3000000);
	cr_assert_lt(p.verdict, PROBE_NR_VERDICTS);
	kvm_probe_reason(&p, "", what, sizeof(what));
	kvm_probe_remedy(&p, "", todo, sizeof(todo));
	cr_assert_eq(p.verdict == PROBE_USABLE, !*what);
	cr_assert_eq(p.verdict == PROBE_USABLE, !*todo);
	for (unsigned n = 0; n < PROBE_NR_CHECKS; n++) {
		cr_assert_lt(p.check[n].outcome, PROBE_NR_OUTCOMES);
		kvm_probe_outcome(&p, n, how, sizeof(how));
		cr_assert(*how);
	}
}

/* Where a guest was tried, the second answer comes from the first. */
Test(probe, is_remembered, .init = make_dir, .fini = remove_dir)
{
	struct kvm_probe p, q;

	setenv("XDG_RUNTIME_DIR", dir, 1);
	kvm_probe(&p);
	cr_assert_eq(p.cached, 0);
	kvm_probe(&q);
	if (p.host_ps) {
		cr_assert_eq(q.cached, 1);
		q.cached = 0;
	}
	cr_assert_eq(q.verdict, p.verdict);
	cr_assert_eq(q.kernel_ps, p.kernel_ps);
}

/* ---- the choice ---- */

static const char *fine(void)
{
	return NULL;
}

static const char *lame(void)
{
	return "it is lame";
}

static char said[1024];

static const char *choose(const char *(*kvm)(void), const char *(*jit)(void), const char *name,
			  const char *otherwise)
{
	struct engine k = {.name = "kvm", .unusable = kvm}, j = {.name = "jit", .unusable = jit};
	struct engine i = {.name = "interp", .unusable = fine};
	struct accel_host h = {.kvm = kvm ? &k : NULL, .jit = &j, .interp = &i};
	const struct engine *e = NULL;

	if (accel_choose(&h, name, otherwise, &e, said, sizeof(said)) < 0)
		return "refused";
	return e->name;
}

Test(accel, auto_takes_the_best)
{
	cr_assert_str_eq(choose(fine, fine, "auto", NULL), "kvm");
	cr_assert_str_eq(said, "using kvm");
	cr_assert_str_eq(choose(lame, fine, "auto", NULL), "jit");
	cr_assert_str_eq(said, "using jit, not kvm: it is lame");
	cr_assert_str_eq(choose(NULL, fine, "auto", NULL), "jit");
	cr_assert(strstr(said, "this build has no kvm engine"));
	cr_assert_str_eq(choose(lame, lame, "auto", NULL), "interp");
	cr_assert(strstr(said, "translator cannot run (it is lame)"));
}

Test(accel, a_name_is_an_order)
{
	cr_assert_str_eq(choose(fine, fine, "jit", NULL), "jit");
	cr_assert_eq(*said, 0);
	cr_assert_str_eq(choose(fine, fine, "interp", NULL), "interp");
	cr_assert_eq(*said, 0);
	cr_assert_str_eq(choose(fine, fine, "kvm", NULL), "kvm");
	cr_assert_eq(*said, 0);
	cr_assert_str_eq(choose(lame, fine, "kvm", NULL), "refused");
	cr_assert(strstr(said, "it is lame"));
	cr_assert_str_eq(choose(NULL, fine, "kvm", NULL), "refused");
	cr_assert_str_eq(choose(fine, lame, "jit", NULL), "refused");
	cr_assert_str_eq(choose(lame, fine, "kvm", "interp"), "interp");
	cr_assert_str_eq(choose(lame, fine, "kvm", "auto"), "jit");
	cr_assert_str_eq(choose(lame, lame, "kvm", "jit"), "refused");
	cr_assert_str_eq(choose(fine, fine, "kvm", "interp"), "kvm");
}
