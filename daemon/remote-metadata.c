/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Title, description and elements of <metadata>, and what else is changed in a definition alone. */
#include "daemon.h"
#include "driver/metadata.h"

DOMAIN_FUNC(get_metadata, remote_domain_get_metadata_args, remote_domain_get_metadata_ret) {
    return driver_get_metadata(domain, args->type, dispatch_opt(args->uri), args->flags,
                               &ret->metadata, reterr);
}

DOMAIN_FUNC(set_metadata, remote_domain_set_metadata_args, void) {
    const MetadataChange change = {.type = args->type,
                                   .text = dispatch_opt(args->metadata),
                                   .key = dispatch_opt(args->key),
                                   .uri = dispatch_opt(args->uri)};

    return driver_set_metadata(domain, &change, args->flags, reterr);
}

const RpcProc metadata_procs[] = {
    EITHER_ROW(DOMAIN_GET_METADATA, "DomainGetMetadata", 0, get_metadata,
               AFFECT_LIVE | AFFECT_CONFIG, remote_domain_get_metadata_args,
               XDR_OF(remote_domain_get_metadata_ret)),
    FLAGS_ROW(DOMAIN_SET_METADATA, "DomainSetMetadata", RPC_PROC_WRITE, set_metadata,
              AFFECT_LIVE | AFFECT_CONFIG, remote_domain_set_metadata_args, NO_XDR),
};
const size_t metadata_n_procs = ARRAY_SIZE(metadata_procs);
