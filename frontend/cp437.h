/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Code page 437, as fonts of PCs have it, in Unicode.
 */
#ifndef FRONTEND_CP437_H
#define FRONTEND_CP437_H

#include <stdint.h>

unsigned cp437_unicode(uint8_t ch);
/* A question mark for what it does not have. */
uint8_t cp437_of(unsigned unicode);

#endif
