/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Conversions between the canonical x87 and SSE state and the FXSAVE image. SDM vol. 2 FXSAVE,
 * tables 3-43 to 3-46.
 */
#include "cpu/fxstate.h"

#include <string.h>

#include "cpu/x87.h"

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}
static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}
static uint16_t get16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}
static uint32_t get32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}
static uint64_t get64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

void fx_pack_x87(uint8_t *area, const struct fpu *f, unsigned form)
{
	memset(area, 0, FX_MXCSR);
	put16(area, f->fcw);
	put16(area + 2, f->fsw);
	area[4] = f->ftw;
	if (!(form & FX_NO_POINTERS) || f->fsw & FSW_ES) {
		put16(area + 6, f->fop);
		if (form & FX_64) {
			put64(area + 8, f->fip);
			put64(area + 16, f->fdp);
		} else {
			put32(area + 8, f->fip);
			put16(area + 12, f->fcs);
			put32(area + 16, f->fdp);
			put16(area + 20, f->fds);
		}
	}
	for (unsigned n = 0; n < 8; n++) {
		const struct x87_reg *r = &f->r[(x87_top(f) + n) & 7];
		uint8_t *p = area + 32 + 16 * n;
		put64(p, r->mant);
		put64(p + 8, r->se);
	}
}

/* The pointer registers hold 57-bit linear addresses. */
static uint64_t pointer(uint64_t v)
{
	return (int64_t)(v << 7) >> 7;
}

void fx_unpack_x87(struct fpu *f, const uint8_t *area, unsigned form)
{
	f->fsw = get16(area + 2);
	x87_set_fcw(f, get16(area));
	f->ftw = area[4];
	f->fop = get16(area + 6) & 0x7ff;
	if (form & FX_64) {
		f->fip = pointer(get64(area + 8));
		f->fdp = pointer(get64(area + 16));
		f->fcs = f->fds = 0;
	} else {
		f->fip = get32(area + 8);
		f->fcs = get16(area + 12);
		f->fdp = get32(area + 16);
		f->fds = get16(area + 20);
	}
	for (unsigned n = 0; n < 8; n++) {
		struct x87_reg *r = &f->r[(x87_top(f) + n) & 7];
		const uint8_t *p = area + 32 + 16 * n;
		r->mant = get64(p);
		r->se = get16(p + 8);
	}
}

bool fx_x87_is_init(const struct fpu *f)
{
	uint64_t data = 0;
	for (unsigned n = 0; n < 8; n++)
		data |= f->r[n].mant | f->r[n].se;
	return f->fcw == FCW_DEFAULT && !f->fsw && !f->ftw && !data && !f->fop && !f->fip &&
	       !f->fdp && !f->fcs && !f->fds;
}

void fx_x87_init(struct fpu *f)
{
	*f = (struct fpu){.fcw = FCW_DEFAULT};
}

void fx_pack(uint8_t area[512], const struct vcpu *v, unsigned form)
{
	fx_pack_x87(area, &v->fpu, form);
	put32(area + FX_MXCSR, v->mxcsr);
	put32(area + FX_MXCSR_MASK, MXCSR_VALID);
	for (unsigned n = 0; n < 16; n++)
		memcpy(area + FX_XMM + 16 * n, &v->v[n], 16);
}

void fx_unpack(struct vcpu *v, const uint8_t area[512], unsigned form)
{
	fx_unpack_x87(&v->fpu, area, form);
	v->mxcsr = get32(area + FX_MXCSR) & MXCSR_VALID;
	for (unsigned n = 0; n < 16; n++)
		memcpy(&v->v[n], area + FX_XMM + 16 * n, 16);
}
