/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks for a domain's XML. */
#include "xml-desc.h"

int xml_desc_get(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr) {
    remote_domain_flags_args call = {.dom = *dom, .flags = flags};
    remote_domain_get_xml_desc_ret xml = {0};
    int r;

    r = CALL(tool, DOMAIN_GET_XML_DESC, remote_domain_flags_args, &call,
             remote_domain_get_xml_desc_ret, &xml, reterr);
    if (r < 0)
        return r;
    *ret = text_format("%s", xml.xml);
    xdr_free((xdrproc_t)xdr_remote_domain_get_xml_desc_ret, &xml);
    return 0;
}
