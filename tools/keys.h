/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of keys. */
#pragma once

/* The number of Linux' key of this name (KEY_A); -1 when there is none. */
int key_number(const char *name);
