/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/device-parse.h"

#include "conf/domain-parse.h"
#include "conf/xml-document.h"
#include "conf/xml-text.h"
#include "util/file.h"

static int take_machine(DomainDef *def, const DomainDef *like, Error **reterr) {
    char *machine = like->os.machine ? strdup(like->os.machine) : NULL;

    if (like->os.machine && !machine)
        return error_no_memory(reterr);
    free(def->os.machine);
    def->os.machine = machine;
    return 0;
}

int device_parse(const char *xml, const DomainDef *like, DomainDef **ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_FREE char *device = NULL, *text = NULL;
    DomainParseParams params = {.default_arch = like->os.arch};
    int r = xml_document_parse(xml, strlen(xml), DEVICE_XML_MAX, "device_definition", &doc, reterr);

    if (r < 0)
        return r;
    if (element_is(xmlDocGetRootElement(doc), "domain"))
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "unknown device type 'domain'");
    device = xml_text(xmlDocGetRootElement(doc));
    text = device ? strf("<domain type='%s'><name>device</name><memory>1024</memory>"
                         "<os><type>hvm</type></os><devices>%s</devices></domain>",
                         words_name(&virt_types, like->virt), device)
                  : NULL;
    if (!text)
        return error_no_memory(reterr);
    r = domain_parse(text, strlen(text), &params, &def, reterr);
    if (r >= 0)
        r = take_machine(def, like, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}
