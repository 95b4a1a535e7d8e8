/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Birth records as JSON. */
#include "domain/birth.h"

#include "conf/domain-def.h"
#include "util/file.h"
#include "util/json.h"

#define RECORD_MAX 65536u /* bytes */

static char *record_path(const char *directory, int id) {
    return strf("%s/%d.json", directory, id);
}

static char *record_text(const Birth *birth) {
    CLEANUP_JSON json_object *record = json_object_new_object();
    char uuid[UUID_TEXT_SIZE];

    uuid_format(birth->uuid, uuid);
    if (!record || json_add_int(record, "id", birth->id) < 0 ||
        json_add_int(record, "pid", birth->pid.pid) < 0 ||
        json_add_uint(record, "start", birth->pid.start_time) < 0 ||
        json_add_string(record, "uuid", uuid) < 0 ||
        json_add_string(record, "name", birth->name) < 0 ||
        json_add_string(record, "monitor", birth->monitor_path) < 0)
        return NULL;
    return json_text(record);
}

int birth_write(const char *directory, const Birth *birth, Error **reterr) {
    CLEANUP_FREE char *path = record_path(directory, birth->id), *text = record_text(birth);
    int r;

    assert(birth->id > 0 && birth->pid.pid > 0);
    if (!path || !text)
        return error_no_memory(reterr);
    r = file_write_atomic_worker(path, text, strlen(text), 0600);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}

void birth_remove(const char *directory, int id) {
    file_forget("%s/%d.json", directory, id);
}

int birth_read(const char *path, Birth *ret) {
    CLEANUP_JSON json_object *record = NULL;
    CLEANUP_FREE char *text = NULL;
    const char *uuid, *name, *monitor;
    size_t len;
    int r = file_read(path, RECORD_MAX, &text, &len);

    if (r >= 0)
        r = json_parse(text, len, &record);
    if (r < 0)
        return r;
    uuid = json_member_string(record, "uuid");
    name = json_member_string(record, "name");
    monitor = json_member_string(record, "monitor");
    *ret = (Birth){.id = (int)json_member_int(record, "id", 0),
                   .pid = {.pid = (pid_t)json_member_int(record, "pid", 0),
                           .start_time = json_member_uint(record, "start", 0)}};
    if (!uuid || !name || !monitor || ret->id <= 0 || ret->pid.pid <= 1 ||
        uuid_parse(uuid, ret->uuid) < 0)
        return -EBADMSG;
    ret->name = strdup(name);
    ret->monitor_path = strdup(monitor);
    if (ret->name && ret->monitor_path)
        return 0;
    birth_done(ret);
    return -ENOMEM;
}

void birth_done(Birth *birth) {
    free(birth->name);
    free(birth->monitor_path);
    *birth = (Birth){0};
}
