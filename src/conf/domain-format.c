/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definition to text. */
#include "conf/domain-format.h"

int domain_format(const DomainDef *def, const DomainFormatParams *params, char **ret) {
    ElementWriter writer = {.indent = params->indent,
                            .live = params->id > 0,
                            .secrets = params->secrets,
                            .id = params->id,
                            .context = params->pending};

    element_write(&writer, &domain_element, def);
    *ret = element_writer_take(&writer);
    return *ret ? 0 : -ENOMEM;
}
