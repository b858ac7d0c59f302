/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the unit tests use of criterion, for builds under the thread sanitizer: criterion maps
 * memory at addresses that the sanitizer does not let it have. Each test runs in a process of its
 * own, as there.
 */
#ifndef TESTS_TSAN_CRITERION_H
#define TESTS_TSAN_CRITERION_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mini_options {
	void (*init)(void), (*fini)(void);
	unsigned timeout;
};

struct mini_test {
	const char *suite, *name;
	void (*run)(void);
	const struct mini_options *options, *suite_options;
	struct mini_test *next;
};

enum { MINI_PASS, MINI_FAIL, MINI_SKIP };

/* The result of the test that runs. */
extern int mini_result;

void mini_add(struct mini_test *t);
void mini_say(const char *fmt, ...);

#define TestSuite(suite_, ...)                                                                     \
	static const struct mini_options mini_suite_##suite_##_set = {__VA_ARGS__};                \
	static const struct mini_options *mini_suite_##suite_ = &mini_suite_##suite_##_set

#define Test(suite_, name_, ...)                                                                   \
	static const struct mini_options *mini_suite_##suite_;                                     \
	static void suite_##_##name_##_run(void);                                                  \
	static const struct mini_options suite_##_##name_##_options = {__VA_ARGS__};               \
	__attribute__((constructor)) static void suite_##_##name_##_add(void)                      \
	{                                                                                          \
		static struct mini_test t = {                                                      \
		    #suite_, #name_, suite_##_##name_##_run, &suite_##_##name_##_options,          \
		    NULL,    NULL};                                                                \
		t.suite_options = mini_suite_##suite_;                                             \
		mini_add(&t);                                                                      \
	}                                                                                          \
	static void suite_##_##name_##_run(void)

#define MINI_CHECK(ok, text, fatal, ...)                                                           \
	do {                                                                                       \
		if (!(ok)) {                                                                       \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, text);        \
			mini_say("" __VA_ARGS__);                                                  \
			mini_result = MINI_FAIL;                                                   \
			if (fatal)                                                                 \
				_exit(MINI_FAIL);                                                  \
		}                                                                                  \
	} while (0)

#define MINI_OP(a, op, b, fatal, ...) MINI_CHECK((a)op(b), #a " " #op " " #b, fatal, __VA_ARGS__)
#define MINI_STR(a, b, fatal, ...)                                                                 \
	MINI_CHECK(!strcmp(a, b), #a " is the text " #b, fatal, __VA_ARGS__)

#define cr_assert(a, ...)           MINI_CHECK(a, #a, true, __VA_ARGS__)
#define cr_assert_not(a, ...)       MINI_CHECK(!(a), "not " #a, true, __VA_ARGS__)
#define cr_expect_null(a, ...)      MINI_CHECK(!(a), #a " is null", false, __VA_ARGS__)
#define cr_assert_null(a, ...)      MINI_CHECK(!(a), #a " is null", true, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)     MINI_OP(a, ==, b, true, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)    MINI_OP(a, !=, b, true, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)     MINI_OP(a, <, b, true, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)    MINI_OP(a, <=, b, true, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)     MINI_OP(a, >, b, true, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)    MINI_OP(a, >=, b, true, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) MINI_STR(a, b, true, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...)                                                             \
	MINI_CHECK(!memcmp(a, b, n), #a " equals " #b, true, __VA_ARGS__)
#define cr_assert_fail(...)         MINI_CHECK(false, "this is not reached", true, __VA_ARGS__)
#define cr_expect(a, ...)           MINI_CHECK(a, #a, false, __VA_ARGS__)
#define cr_expect_not(a, ...)       MINI_CHECK(!(a), "not " #a, false, __VA_ARGS__)
#define cr_expect_eq(a, b, ...)     MINI_OP(a, ==, b, false, __VA_ARGS__)
#define cr_expect_neq(a, b, ...)    MINI_OP(a, !=, b, false, __VA_ARGS__)
#define cr_expect_lt(a, b, ...)     MINI_OP(a, <, b, false, __VA_ARGS__)
#define cr_expect_leq(a, b, ...)    MINI_OP(a, <=, b, false, __VA_ARGS__)
#define cr_expect_gt(a, b, ...)     MINI_OP(a, >, b, false, __VA_ARGS__)
#define cr_expect_geq(a, b, ...)    MINI_OP(a, >=, b, false, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) MINI_STR(a, b, false, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...)                                                             \
	MINI_CHECK(!memcmp(a, b, n), #a " equals " #b, false, __VA_ARGS__)
#define cr_log_info(...)  ((void)0)
#define cr_log_error(...) mini_say(__VA_ARGS__)
#define cr_skip(...)                                                                               \
	do {                                                                                       \
		mini_say("" __VA_ARGS__);                                                          \
		_exit(MINI_SKIP);                                                                  \
	} while (0)
#define cr_skip_test cr_skip

#endif
