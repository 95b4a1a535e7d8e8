/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/validate-rules.h"

int validate_rules(const ValidateRule *rules, size_t n, const char *kind, const char *name,
                   Error **reterr) {
    for (size_t i = 0; i < n; i++)
        if (rules[i].broken)
            return error_report(reterr, FROM_DOMAIN, rules[i].code, "%s: %s%s%.80s%s",
                                rules[i].fault, kind, name ? " '" : "", name ? name : "",
                                name ? "'" : "");
    return 0;
}

bool validate_address_is(const DeviceInfo *info, AddressType type) {
    return info->address.type == ADDRESS_NONE || info->address.type == type;
}

bool validate_has_virtio(const VirtioOptions *options) {
    return options->iommu || options->ats || options->packed || options->page_per_vq;
}
