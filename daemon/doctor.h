/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of Vireo's own program that tell what is not as it might be: of a definition, of the host,
 * of domains. Rows of vireo-program.c. */
#pragma once

#include "daemon.h"

/* vireo_check_xml_args -> vireo_check_xml_ret */
int doctor_check_xml(RpcSession *session, RpcCall *call, void *args, void *ret, Error **reterr);
/* vireo_doctor_args -> vireo_doctor_ret. Waits for a probe of the emulator when there was none. */
int doctor_look(RpcSession *session, RpcCall *call, void *args, void *ret, Error **reterr);
