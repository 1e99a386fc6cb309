/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_VERSION_H
#define SIPRTX_VERSION_H

#define SIPRTX_VERSION "0.1.0"

#endif
