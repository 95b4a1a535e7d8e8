/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/definition.h"

#include <sys/utsname.h>

#include "conf/domain-format.h"
#include "conf/xml-document.h"
#include "util/log.h"
#include "util/worker.h"

#define HUGE_XML (DOMAIN_XML_MAX / 8) /* more may be too long when it is written: "&quot;" */
#define WARNINGS_MAX 50u              /* lines of the log for one definition */

static void parse_warning(const char *path, int line, void *userdata) {
    unsigned *n = userdata;

    if (++*n <= WARNINGS_MAX)
        log_warning("domain XML: unknown '%s' in line %d, ignoring", path, line);
    else if (*n == WARNINGS_MAX + 1)
        log_warning("domain XML: more that is unknown, ignoring");
}

typedef struct Parse {
    const char *xml;
    const DomainParseParams *params;
    DomainDef *def;
    Error *error;
} Parse;

static int parse_it(void *arg) {
    Parse *work = arg;

    return domain_parse(work->xml, strlen(work->xml), work->params, &work->def, &work->error);
}

static void parse_kept(const char *path, int line, void *userdata) {
    log_warning("domain XML: '%s' in line %d is kept and not acted on yet", path, line);
}

int definition_parse(const char *xml, DomainDef **ret, Error **reterr) {
    struct utsname host;
    unsigned n_warnings = 0;
    DomainParseParams params = {
        .warning = parse_warning, .kept = parse_kept, .userdata = &n_warnings};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL, *again = NULL;
    Parse work = {.xml = xml, .params = &params};
    int r;

    uname(&host);
    params.default_arch = host.machine;
    r = strlen(xml) > XML_LARGE ? worker_run(parse_it, &work) : parse_it(&work);
    if (r < 0) {
        error_propagate(reterr, work.error);
        return r;
    }
    def = work.def;
    if (strlen(xml) > HUGE_XML)
        r = definition_read_back(def, false, &again, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}

typedef struct ReadBack {
    const DomainDef *def;
    const DomainParseParams *params;
    DomainDef *read;
    Error *error;
} ReadBack;

static int read_back(void *arg) {
    CLEANUP_FREE char *xml = NULL;
    ReadBack *work = arg;

    if (domain_format(work->def, &(DomainFormatParams){.secrets = true}, &xml) < 0)
        return error_no_memory(&work->error);
    return domain_parse(xml, strlen(xml), work->params, &work->read, &work->error);
}

int definition_read_back(const DomainDef *def, bool live, DomainDef **ret, Error **reterr) {
    const DomainParseParams params = {.default_arch = def->os.arch, .live = live};
    ReadBack work = {.def = def, .params = &params};
    int r = worker_run(read_back, &work);

    if (r < 0) {
        error_prefix(&work.error, "domain '%s' could not be read again", def->name);
        return error_propagate(reterr, work.error);
    }
    *ret = work.read;
    return 0;
}

int definition_find_same(const DomainStore *store, const DomainDef *def, Domain **ret,
                         Error **reterr) {
    Domain *by_uuid = store_uuid(store, def->uuid);
    Domain *by_name = store_name(store, def->name);
    char text[UUID_TEXT_SIZE];

    if (by_name && by_name != by_uuid) {
        uuid_format(domain_def(by_name)->uuid, text);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' already exists with uuid %s", def->name, text);
    }
    if (by_uuid && !by_name) {
        uuid_format(def->uuid, text);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s' is already defined with uuid %s", domain_name(by_uuid),
                            text);
    }
    if (!by_name && store_is_reserved(store, def->name))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "another domain is just getting the name '%s'; choose another one",
                            def->name);
    *ret = by_uuid;
    return 0;
}
