/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definition to text. */
#include "conf/domain-format.h"
#include "util/text.h"

int domain_format(const DomainDef *def, const DomainFormatParams *params, char **ret) {
    CLEANUP_FREE char *text = NULL;
    ElementWriter writer = {.out = text_open(&text),
                            .indent = params->indent,
                            .live = params->id > 0,
                            .secrets = params->secrets,
                            .id = params->id,
                            .context = params->pending};

    if (!writer.out)
        return -ENOMEM;
    element_write(&writer, &domain_element, def);
    if (element_writer_close(&writer) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(text);
    return 0;
}
