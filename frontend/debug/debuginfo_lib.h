/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * elfutils' libdw, loaded when a file with debug information is first opened, so that nobody else needs it.
 */
#ifndef FRONTEND_DEBUG_DEBUGINFO_LIB_H
#define FRONTEND_DEBUG_DEBUGINFO_LIB_H

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

/* clang-format off: a line each */
#define DEBUGINFO_FUNCTIONS(F)                                                                     \
	F(dwfl_begin)                                                                              \
	F(dwfl_end)                                                                                \
	F(dwfl_report_begin)                                                                       \
	F(dwfl_report_module)                                                                      \
	F(dwfl_report_end)                                                                         \
	F(dwfl_module_info)                                                                        \
	F(dwfl_module_getdwarf)                                                                    \
	F(dwfl_module_dwarf_cfi)                                                                   \
	F(dwfl_module_eh_cfi)                                                                      \
	F(dwfl_standard_find_debuginfo)                                                            \
	F(dwarf_get_units)                                                                         \
	F(dwarf_ranges)                                                                            \
	F(dwarf_getsrclines)                                                                       \
	F(dwarf_getsrcfiles)                                                                       \
	F(dwarf_filesrc)                                                                           \
	F(dwarf_onesrcline)                                                                        \
	F(dwarf_lineaddr)                                                                          \
	F(dwarf_linesrc)                                                                           \
	F(dwarf_lineno)                                                                            \
	F(dwarf_linebeginstatement)                                                                \
	F(dwarf_lineendsequence)                                                                   \
	F(dwarf_child)                                                                             \
	F(dwarf_siblingof)                                                                         \
	F(dwarf_tag)                                                                               \
	F(dwarf_diename)                                                                           \
	F(dwarf_dieoffset)                                                                         \
	F(dwarf_diecu)                                                                             \
	F(dwarf_attr)                                                                              \
	F(dwarf_attr_integrate)                                                                    \
	F(dwarf_hasattr)                                                                           \
	F(dwarf_whatform)                                                                          \
	F(dwarf_formudata)                                                                         \
	F(dwarf_formsdata)                                                                         \
	F(dwarf_formaddr)                                                                          \
	F(dwarf_formstring)                                                                        \
	F(dwarf_formblock)                                                                         \
	F(dwarf_formref_die)                                                                       \
	F(dwarf_haspc)                                                                             \
	F(dwarf_getlocation_addr)                                                                  \
	F(dwarf_getlocation_attr)                                                                  \
	F(dwarf_getlocation_implicit_value)                                                        \
	F(dwarf_cfi_addrframe)                                                                     \
	F(dwarf_frame_info)                                                                        \
	F(dwarf_frame_cfa)                                                                         \
	F(dwarf_frame_register)
/* clang-format on */

/* Each function by its name: lib->dwarf_tag(). */
struct debuginfo_lib {
	void *handle;
#define F(name) __typeof__(name) *name;
	DEBUGINFO_FUNCTIONS(F)
#undef F
};

/* NULL, or why it cannot be loaded. */
const char *debuginfo_lib_load(struct debuginfo_lib *lib);

#endif
