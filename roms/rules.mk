# SPDX-License-Identifier: GPL-2.0-or-later
# Our own ROM and guest sources, embedded in the binary.
