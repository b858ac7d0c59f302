/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Types of a Linux kernel, from its BTF (Documentation/bpf/btf.rst), which most kernels have in their memory. The data
 * is the guest's and not to be trusted.
 */
#ifndef FRONTEND_DEBUG_BTF_H
#define FRONTEND_DEBUG_BTF_H

#include <stddef.h>
#include <stdint.h>

#include "frontend/debug/types.h"

struct btf;

/* Takes over data (malloc). 0, -EINVAL: it is no BTF, or -ENOMEM; then data is freed, too. */
int btf_new(struct btf **out, uint8_t *data, size_t len);
void btf_free(struct btf *b);
uint32_t btf_nr(const struct btf *b);
const struct types *btf_types(const struct btf *b);

#endif
