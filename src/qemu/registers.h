/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU's registers tell, as QEMU's human monitor prints them ("info registers").
 *
 * Measured on QEMU 7.2.22, 10.0.13 and 11.1.3: a CPU in reset shows CR0=60000010; one that SeaBIOS
 * has woken halts without paging (CR0=00000011, IDT=000f61be); one that OVMF has woken has its
 * paging and a table in low memory (IDT=0f4200e8), and later spins without paging. Kernels keep the
 * interrupt table in the upper half of their addresses (Linux: IDT=fffffe0000000000). */
#pragma once

/* Whether the text is of a CPU that a kernel runs, not reset or firmware: it has paging, and runs a
 * user's program or has its interrupt table in the upper half. 1 or 0; -ENODATA: not an x86 CPU. */
int registers_of_kernel(const char *text);
