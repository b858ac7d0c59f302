/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A small AML builder (ACPI 6.4 chapter 20): terms are appended to a buffer; those with a package
 * length are opened and closed, and the length is put in at the close.
 */
#ifndef HW_AML_H
#define HW_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_DEPTH 16

struct aml {
	uint8_t *buf; /* borrowed */
	size_t len, cap;
	bool overflow; /* the buffer or the nesting was too small */
	size_t open[AML_DEPTH];
	unsigned depth;
};

enum { AML_ARG0 = 0x68, AML_LOCAL0 = 0x60 };

void aml_init(struct aml *a, uint8_t *buf, size_t cap);

void aml_byte(struct aml *a, uint8_t b);
void aml_bytes(struct aml *a, const void *p, size_t n);
/* A name string: "_CRS", "PCI0.ISA_", "\\_SB_". Segments shorter than four get underscores. */
void aml_path(struct aml *a, const char *path);
void aml_int(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *s);
void aml_buffer(struct aml *a, const void *p, size_t n);
/* "PNP0A03" as a compressed EISA ID. */
void aml_eisaid(struct aml *a, const char *id);

/* NameOp with the object that the caller appends next. */
void aml_name(struct aml *a, const char *name);
void aml_name_int(struct aml *a, const char *name, uint64_t v);
void aml_name_eisaid(struct aml *a, const char *name, const char *id);

/* Each ends with aml_end(). */
void aml_scope(struct aml *a, const char *path);
void aml_device(struct aml *a, const char *name);
void aml_method(struct aml *a, const char *name, unsigned args, bool serialized);
void aml_package(struct aml *a, unsigned elements);
void aml_if(struct aml *a); /* the predicate follows */
void aml_field(struct aml *a, const char *region, uint8_t flags);
void aml_end(struct aml *a);

void aml_field_unit(struct aml *a, const char *name4, unsigned bits);
void aml_region(struct aml *a, const char *name, uint8_t space, uint64_t off, uint64_t len);
void aml_return(struct aml *a); /* the value follows */

/* A resource template: opens a buffer; aml_resources_end() adds the end tag and the size. */
void aml_resources(struct aml *a);
void aml_resources_end(struct aml *a);
void aml_io(struct aml *a, uint16_t base, uint8_t align, uint8_t len);
void aml_irq(struct aml *a, unsigned irq);     /* ISA: edge, active high, exclusive */
void aml_dma(struct aml *a, unsigned channel); /* of bytes, by the 8237 */
void aml_interrupts(struct aml *a, const uint32_t *gsi, unsigned n); /* level, high, shared */
void aml_memory32(struct aml *a, uint32_t base, uint32_t len, bool writable);
/* Windows of a host bridge. */
void aml_bus_window(struct aml *a, uint16_t min, uint16_t max);
void aml_io_window(struct aml *a, uint16_t min, uint16_t max);
void aml_memory_window(struct aml *a, uint32_t min, uint32_t max, bool cacheable);
void aml_memory_window64(struct aml *a, uint64_t min, uint64_t max); /* cacheable: prefetchable */

#endif
