/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the fuzzers of devices and of images share: inputs that are kept in the tree, and a limit to what one
 * may take.
 */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include <stddef.h>
#include <stdint.h>

#define SEED_MAX (4u << 20)

/* Calls play() with each file of a .tar.gz (made by seeds.py), patience() before it. Their number; 0 if there is no
 * such file, -EINVAL if it is something else. data is of len bytes exactly, so that a sanitizer sees what goes past. */
int seeds_play(const char *path, void (*play)(const uint8_t *data, size_t len));

/* An input starts: until the next call the process may use 20 s of CPU time and 300 s of the clock, or it
 * aborts. The clock alone would accuse one that was stopped, or had to wait for a processor. */
void patience(void);
/* No input is running. */
void patience_end(void);

#endif
