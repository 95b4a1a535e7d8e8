/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SELinux: the policy's type for virtual machines and a pair of categories that no other guest of
 * the host has; the files that the definition names get labels with the same pair while it runs.
 *
 * VIREOD_SELINUX names a directory that stands for the host's: "contexts", and "exec", where the
 * label of a QEMU is written. */
#pragma once

#include "domain/made.h"
#include "driver/label-model.h"

extern const LabelModel label_selinux;

/* Takes back the label of a file, noted as MADE_FILE_LABEL: "DEV INO GIVEN OLD". -errno. On a
 * fiber. */
int label_selinux_undo(const Made *made);
