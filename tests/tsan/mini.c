/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Runs the tests of one program: see criterion/criterion.h beside this.
 */
#include <stdarg.h>
#include <sys/wait.h>

#include "tests/tsan/criterion/criterion.h"

int mini_result;
static struct mini_test *tests;

void mini_add(struct mini_test *t)
{
	struct mini_test **p = &tests;

	while (*p)
		p = &(*p)->next;
	*p = t;
}

void mini_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (*fmt) {
		fprintf(stderr, "    ");
		vfprintf(stderr, fmt, ap);
		fputc('\n', stderr);
	}
	va_end(ap);
}

static void run(const struct mini_test *t)
{
	const struct mini_options *o = t->options, *s = t->suite_options;

	alarm(o->timeout ? o->timeout : s && s->timeout ? s->timeout : 0);
	if (s && s->init)
		s->init();
	if (o->init)
		o->init();
	t->run();
	if (o->fini)
		o->fini();
	if (s && s->fini)
		s->fini();
	/* Not _exit(): the sanitizer has its say at exit(). */
	exit(mini_result);
}

int main(void)
{
	unsigned ran = 0, passed = 0, failed = 0;

	for (const struct mini_test *t = tests; t; t = t->next) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			run(t);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 2;
		if (WIFEXITED(status) && WEXITSTATUS(status) == MINI_SKIP)
			continue;
		ran++;
		passed += status == 0;
		failed += status != 0;
		if (status)
			fprintf(stderr, "[FAIL] %s::%s\n", t->suite, t->name);
	}
	fprintf(stderr, "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: 0\n",
		ran, passed, failed);
	return failed != 0;
}
