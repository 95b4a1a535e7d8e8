/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/snapshot-store.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "conf/uuid.h"
#include "conf/xml-document.h"
#include "conf/xml-text.h"
#include "domain/services.h"
#include "domain/store.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/text.h"
#include "util/worker.h"

#define SNAPSHOT_VERSION 1

static const char *const works[SNAPSHOT_WORK_MAX_] = {[SNAPSHOT_WORK_NONE] = "",
                                                      [SNAPSHOT_MAKING] = "making",
                                                      [SNAPSHOT_DELETING] = "deleting",
                                                      [SNAPSHOT_REVERTING] = "reverting"};

static char *directory_of(const Domain *domain) {
    char uuid[UUID_TEXT_SIZE];

    uuid_format(domain_def(domain)->uuid, uuid);
    return strf("%s/snapshots/%s", domain->services->paths.lib, uuid);
}

static char *file_of(const Domain *domain, const Snapshot *snapshot) {
    CLEANUP_FREE char *directory = directory_of(domain);

    return directory ? strf("%s/%s.xml", directory, snapshot->def->name) : NULL;
}

/* ---- text ---- */

static char *write_text(const Snapshot *snapshot) {
    CLEANUP_FREE char *xml = NULL;
    char *text = NULL;
    FILE *out;

    if (snapshot_format(snapshot->def, 2, true, &xml) < 0)
        return NULL;
    out = text_open(&text);
    if (!out)
        return NULL;
    fprintf(out, "<snapshot version='%d'", SNAPSHOT_VERSION);
    if (snapshot->current)
        fprintf(out, " current='%llu'", (unsigned long long)snapshot->current);
    if (snapshot->work)
        fprintf(out, " work='%s'", works[snapshot->work]);
    fprintf(out, ">\n%s</snapshot>\n", xml);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static xmlNodePtr child_of(xmlNodePtr root) {
    xmlNodePtr node = root->children;

    while (node && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

static int read_work(xmlNodePtr root, SnapshotWork *ret) {
    xmlChar *text = xmlGetProp(root, BAD_CAST "work");
    int r = -EINVAL;

    for (int i = 0; i < SNAPSHOT_WORK_MAX_; i++)
        if (streq(works[i], text ? (char *)text : "")) {
            *ret = i;
            r = 0;
        }
    xmlFree(text);
    return r;
}

static uint64_t read_number(xmlNodePtr root, const char *name) {
    xmlChar *text = xmlGetProp(root, BAD_CAST name);
    const uint64_t number = text ? strtoull((char *)text, NULL, 10) : 0;

    xmlFree(text);
    return number;
}

/* Into a snapshot without a list. */
static int read_text(const char *text, size_t len, Snapshot *ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    struct utsname host;
    DomainParseParams params = {.live = true};
    xmlNodePtr root;
    int r = xml_document_parse(text, len, SNAPSHOT_KEPT_XML_MAX, "snapshot", &doc, reterr);

    if (r < 0)
        return r;
    uname(&host);
    params.default_arch = host.machine;
    root = xmlDocGetRootElement(doc);
    if (!element_is(root, "snapshot") || !child_of(root))
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML, "it is no <snapshot>");
    if (read_number(root, "version") != SNAPSHOT_VERSION || read_work(root, &ret->work) < 0)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_XML,
                            "it is of another version than %d", SNAPSHOT_VERSION);
    ret->current = read_number(root, "current");
    return snapshot_parse_node(child_of(root), &params, &ret->def, reterr);
}

typedef struct Check {
    const char *text;
    Error *error;
} Check;

static int run_check(void *arg) {
    Check *check = arg;
    Snapshot again = {0};
    int r = xml_is_text(check->text)
                ? read_text(check->text, strlen(check->text), &again, &check->error)
                : -EINVAL;

    snapshot_def_free(again.def);
    return r;
}

/* What could not be read again is not written. */
static int check_text(const Domain *domain, const Snapshot *snapshot, const char *text,
                      Error **reterr) {
    Check check = {.text = text};
    int r = strlen(text) > XML_LARGE ? worker_run(run_check, &check) : run_check(&check);
    CLEANUP_ERROR Error *error = check.error;

    return r >= 0
               ? 0
               : error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_INVALID_ARG,
                              "snapshot '%s' of domain '%s' could not be read again: %s",
                              snapshot->def->name, domain_name(domain),
                              error ? error_message(error) : "it has a character that XML has not");
}

/* ---- files ---- */

static int run_make_directory(void *path) {
    return dir_make(path, 0700);
}

int snapshot_save(Domain *domain, const Snapshot *snapshot, Error **reterr) {
    CLEANUP_FREE char *directory = directory_of(domain), *path = file_of(domain, snapshot);
    CLEANUP_FREE char *text = write_text(snapshot);
    int r;

    assert(domain_job_is_mine(domain));
    if (!directory || !path || !text)
        return error_no_memory(reterr);
    r = check_text(domain, snapshot, text, reterr);
    if (r < 0)
        return r;
    r = worker_run(run_make_directory, directory);
    if (r >= 0)
        r = file_write_atomic_worker(path, text, strlen(text), 0600);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}

/* The highest number counts: a file that keeps its own is no harm while there is a higher one. */
static void drop_old(Domain *domain, const Snapshot *but) {
    for (Snapshot *at = domain->snapshots.first; at; at = at->next) {
        CLEANUP_ERROR Error *error = NULL;

        if (at == but || at->current == 0)
            continue;
        at->current = 0;
        if (snapshot_save(domain, at, &error) < 0)
            log_warning("domain '%s': the file of snapshot '%s' still says that it is the current "
                        "one: %s",
                        domain_name(domain), at->def->name, error_message(error));
    }
}

int snapshot_make_current(Domain *domain, Snapshot *snapshot, Error **reterr) {
    const uint64_t before = snapshot->current;
    int r;

    snapshot->current = domain->snapshots.last + 1;
    r = snapshot_save(domain, snapshot, reterr);
    if (r < 0) {
        snapshot->current = before;
        return r;
    }
    snapshot_link(&domain->snapshots);
    drop_old(domain, snapshot);
    return 0;
}

static int save_children(Domain *domain, const Snapshot *from, Error **reterr) {
    int r = 0;

    for (Snapshot *at = domain->snapshots.first; at && r >= 0; at = at->next) {
        char *kept = at->def->parent;

        if (at->parent != from)
            continue;
        at->def->parent = from->parent ? from->parent->def->name : NULL;
        r = snapshot_save(domain, at, reterr);
        at->def->parent = kept;
    }
    return r;
}

int snapshot_remove(Domain *domain, Snapshot *snapshot, Error **reterr) {
    CLEANUP_FREE char *path = file_of(domain, snapshot);
    const bool current = domain->snapshots.current == snapshot;
    Snapshot *parent = snapshot->parent;
    int r = path ? save_children(domain, snapshot, reterr) : error_no_memory(reterr);

    if (r >= 0 && current && parent)
        r = snapshot_make_current(domain, parent, reterr);
    if (r < 0)
        return r;
    r = file_remove_worker(path);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot remove '%s'", path);
    if (snapshot_drop(&domain->snapshots, snapshot) < 0)
        return error_no_memory(reterr);
    if (current && !parent) { /* no other is the current one */
        drop_old(domain, NULL);
        domain->snapshots.current = NULL;
    }
    return 0;
}

static int run_remove_directory(void *path) {
    return rmdir(path) < 0 ? -errno : 0;
}

void snapshots_forget(Domain *domain) {
    CLEANUP_FREE char *directory = NULL;

    if (domain->snapshots.n == 0 || !domain->services)
        return;
    for (Snapshot *at = domain->snapshots.first; at; at = at->next) {
        CLEANUP_FREE char *path = file_of(domain, at);
        int r = path ? file_remove_worker(path) : -ENOMEM;

        if (r < 0)
            log_warning("domain '%s': what is kept of its snapshot '%s' cannot be removed: %s",
                        domain_name(domain), at->def->name, strerror(-r));
    }
    snapshot_list_done(&domain->snapshots);
    directory = directory_of(domain);
    if (directory)
        worker_run(run_remove_directory, directory);
}

/* ---- at the start of the daemon ---- */

static int load_file(Domain *domain, const char *directory, const char *name) {
    CLEANUP_FREE char *path = path_join(directory, name), *text = NULL;
    CLEANUP_ERROR Error *error = NULL;
    Snapshot found = {0}, *snapshot;
    size_t len = 0;
    int r = path ? file_read(path, SNAPSHOT_KEPT_XML_MAX, &text, &len) : -ENOMEM;

    if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
        return r;
    if (r < 0)
        error_system(&error, FROM_QEMU, r, "it cannot be read");
    else
        r = read_text(text, len, &found, &error);
    if (r >= 0 && (!found.def->name || strncmp(name, found.def->name, strlen(name) - 4) != 0 ||
                   strlen(found.def->name) != strlen(name) - 4))
        r = error_report(&error, FROM_DOMAIN_SNAPSHOT, ERROR_XML, "it is of another snapshot");
    if (r >= 0 && !snapshot_is_of(found.def, domain_def(domain)->uuid))
        r = error_report(&error, FROM_DOMAIN_SNAPSHOT, ERROR_XML, "it is of another domain");
    if (r >= 0 && (snapshot_find(&domain->snapshots, found.def->name) ||
                   domain->snapshots.n >= SNAPSHOTS_MAX))
        r = error_report(&error, FROM_DOMAIN_SNAPSHOT, ERROR_XML, "there are too many");
    if (r < 0) {
        snapshot_def_free(found.def);
        log_warning("domain '%s': snapshot file '%s' cannot be used, ignoring: %s",
                    domain_name(domain), path, error_message(error));
        return r == -ENOMEM ? r : 0;
    }
    snapshot = snapshot_add(&domain->snapshots, found.def);
    if (!snapshot)
        return -ENOMEM;
    snapshot->current = found.current;
    snapshot->work = found.work;
    return 0;
}

static int by_age(const void *a, const void *b) {
    const Snapshot *one = *(Snapshot *const *)a, *other = *(Snapshot *const *)b;

    if (one->def->created != other->def->created)
        return one->def->created < other->def->created ? -1 : 1;
    return strcmp(one->def->name, other->def->name);
}

static int sort(SnapshotList *list) {
    CLEANUP_FREE Snapshot **all = calloc(list->n + 1, sizeof(Snapshot *));
    unsigned n = 0;

    if (!all)
        return -ENOMEM;
    for (Snapshot *at = list->first; at; at = at->next)
        all[n++] = at;
    qsort(all, n, sizeof(Snapshot *), by_age);
    for (unsigned i = 0; i < n; i++)
        all[i]->next = all[i + 1];
    list->first = all[0];
    snapshot_link(list);
    return 0;
}

/* A file that was changed by hand may say that a snapshot is its own ancestor. */
static void break_circles(const Domain *domain, SnapshotList *list) {
    for (Snapshot *at = list->first; at; at = at->next) {
        if (!snapshot_descends(at, at))
            continue;
        log_warning("domain '%s': snapshot '%s' is said to be below itself, taking it for a root",
                    domain_name(domain), at->def->name);
        free(TAKE_PTR(at->def->parent));
        snapshot_link(list);
    }
}

static int load_domain(Domain *domain, const char *directory) {
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory_names(directory, ".xml", &names);

    for (size_t i = 0; r >= 0 && i < names.n; i++)
        r = load_file(domain, directory, names.list[i]);
    if (r >= 0)
        r = sort(&domain->snapshots);
    if (r >= 0)
        break_circles(domain, &domain->snapshots);
    return r;
}

int snapshots_load(const Services *services) {
    CLEANUP_FREE char *all = path_join(services->paths.lib, "snapshots");
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = all ? directory_names(all, "", &names) : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < names.n; i++) {
        CLEANUP_FREE char *directory = path_join(all, names.list[i]);
        uint8_t uuid[16];
        Domain *domain = uuid_parse(names.list[i], uuid) >= 0 ? store_uuid(services->store, uuid)
                                                              : NULL;

        if (!directory)
            return -ENOMEM;
        if (domain)
            r = load_domain(domain, directory);
        else if (*names.list[i] != '.')
            log_warning("'%s' has snapshots of a domain that is not there, ignoring", directory);
    }
    return r;
}
