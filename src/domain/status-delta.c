/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/status-delta.h"

#include <stdio.h>
#include <string.h>

#include "conf/domain-tune.h"
#include "util/error.h"
#include "util/file.h"

static const char *const names[STATUS_PIN_MAX] = {
    [STATUS_PIN_VCPU] = "vcpupin",
    [STATUS_PIN_IOTHREAD] = "iothreadpin",
    [STATUS_PIN_EMULATOR] = "emulatorpin",
};

/* Where the definition has it; NULL: it has no such thread. */
static Bitmap **pin_of(DomainDef *def, StatusPin pin, unsigned id) {
    IothreadDef *iothread;

    switch (pin) {
    case STATUS_PIN_VCPU:
        return id < def->n_vcpus_max ? &def->vcpus[id].pin : NULL;
    case STATUS_PIN_IOTHREAD:
        iothread = domain_def_iothread(def, id);
        return iothread ? &iothread->pin : NULL;
    case STATUS_PIN_EMULATOR:
        return id == 0 ? &def->cputune.emulator_pin : NULL;
    case STATUS_PIN_NONE:
    case STATUS_PIN_MAX:
        break;
    }
    return NULL;
}

char *status_delta_format(const DomainDef *live, StatusPin pin, unsigned id) {
    Bitmap **slot = pin_of((DomainDef *)live, pin, id);
    CLEANUP_FREE char *cpus = slot && *slot ? bitmap_format(*slot) : NULL;

    return cpus ? strf("<?%s %u %s?>\n", names[pin], id, cpus) : NULL;
}

size_t status_delta_whole(const char *text, size_t len) {
    static const char end[] = "</domstatus>", line_end[] = "?>\n";
    const char *at = NULL, *found = text;

    while ((found = memmem(found, len - (found - text), end, strlen(end))))
        at = found += strlen(end);
    if (!at)
        return len;
    while ((found = memmem(at, len - (at - text), line_end, strlen(line_end))))
        at = found + strlen(line_end);
    return at - text;
}

static int apply_line(xmlNodePtr node, DomainDef *live) {
    const char *content = (const char *)node->content;
    CLEANUP_BITMAP Bitmap *cpus = NULL;
    unsigned id = 0;
    int at = 0, r;

    if (!content || sscanf(content, "%5u %n", &id, &at) != 1 || at == 0)
        return -EINVAL;
    r = bitmap_parse(content + at, BITMAP_MAX_BITS, &cpus);
    if (r < 0)
        return r;
    if (bitmap_is_empty(cpus))
        return -EINVAL;
    for (StatusPin pin = STATUS_PIN_VCPU; pin < STATUS_PIN_MAX; pin++) {
        Bitmap **slot = xmlStrEqual(node->name, BAD_CAST names[pin]) ? pin_of(live, pin, id) : NULL;

        if (!slot)
            continue;
        bitmap_free(*slot);
        *slot = TAKE_PTR(cpus);
        return 0;
    }
    return -EINVAL;
}

int status_delta_apply(xmlNodePtr root, DomainDef *live, Error **reterr) {
    for (xmlNodePtr at = root->next; at; at = at->next) {
        int r = at->type == XML_PI_NODE ? apply_line(at, live) : 0;

        if (r == -ENOMEM)
            return error_no_memory(reterr);
        if (r < 0)
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "no pin of this domain: <?%s %s?> in the status file",
                                (const char *)at->name,
                                at->content ? (const char *)at->content : "");
    }
    return 0;
}
