/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/pool.h"

#include <stdio.h>

#include "conf/uuid.h"
#include "conf/xml-document.h"

#define NAME_BYTES_MAX 200u /* of a pool: its file's name has ".xml" and a temporary ending */
#define FILE_NAME_MAX 230u  /* of a volume */

/* ---- permissions ---- */

static int read_permissions(ElementReader *reader, xmlNodePtr node, void *object) {
    static const char *const names[] = {"mode", "owner", "group"};
    StoragePermissions *to = object;
    int64_t values[] = {-1, -1, -1};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        xmlNodePtr child = element_child(node, names[i]);
        CLEANUP_FREE char *text = NULL;
        char *end = NULL;

        if (!child)
            continue;
        element_claim(child);
        if (element_text(reader, child, &text) < 0)
            return -ENOMEM;
        errno = 0;
        values[i] = text && *text ? strtoll(text, &end, i == 0 ? 8 : 10) : -2;
        if (values[i] < -1 || values[i] > (i == 0 ? 07777 : UINT32_MAX - 1) || errno || *end)
            return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                                "<%s> in line %ld is '%.40s': %s", names[i], xmlGetLineNo(child),
                                text ? text : "",
                                i == 0 ? "an octal mode up to 07777 is wanted" : "an id is wanted");
    }
    *to = (StoragePermissions){(int32_t)values[0], values[1], values[2]};
    return 0;
}

static void write_permissions(ElementWriter *w, const void *object) {
    const StoragePermissions *permissions = object;

    if (permissions->mode < 0 && permissions->owner < 0)
        return;
    writer_open(w, "permissions");
    if (permissions->mode >= 0)
        writer_elementf(w, "mode", "0%o", (unsigned)permissions->mode);
    if (permissions->owner >= 0)
        writer_elementf(w, "owner", "%lld", (long long)permissions->owner);
    if (permissions->group >= 0)
        writer_elementf(w, "group", "%lld", (long long)permissions->group);
    writer_close(w, false);
}

static const Field permission_fields[] = {
    FIELD_CODE("permissions", read_permissions, write_permissions), FIELD_END};

/* ---- <pool> ---- */

static void init_pool(void *object) {
    ((PoolDef *)object)->permissions = (StoragePermissions){-1, -1, -1};
}

static bool is_path(const char *path) {
    return path && *path == '/' && strlen(path) < 4096 && !strchr(path, '\n');
}

static bool is_name(const char *name, size_t most) {
    return name && *name && *name != '.' && strlen(name) <= most && !strpbrk(name, "/\n");
}

/* Those that there are elsewhere; anything else is a slip. */
static const Words pool_types = WORDS("dir", "fs", "netfs", "logical", "disk", "iscsi",
                                      "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog", "gluster",
                                      "zfs", "vstorage");

static int check_pool(ElementReader *reader, xmlNodePtr node, void *object) {
    PoolDef *pool = object;

    if (words_find(&pool_types, pool->type) < 0)
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "Invalid value for attribute 'type' in element 'pool': '%.40s'.",
                            pool->type);
    if (!streq(pool->type, "dir"))
        return error_report(reader->reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                            "a storage pool of type '%.40s' is not supported; 'dir' is",
                            pool->type);
    if (!is_name(pool->name, NAME_BYTES_MAX))
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "the pool's <name> is '%.40s': a name without '/' that does not begin "
                            "with '.', of at most %u bytes, is wanted",
                            pool->name ? pool->name : "", NAME_BYTES_MAX);
    if (!pool->path || !*pool->path)
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "missing storage pool target path");
    if (!is_path(pool->path))
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "pool '%s': <target><path> is '%.40s', an absolute path is wanted",
                            pool->name, pool->path);
    for (size_t len = strlen(pool->path); len > 1 && pool->path[len - 1] == '/';)
        pool->path[--len] = '\0';
    return 0;
}

/* libvirt writes <source> of a directory, with nothing in it. */
static void write_source(ElementWriter *w, const void *object) {
    writer_open(w, "source");
    writer_close(w, true);
}

static int read_source(ElementReader *reader, xmlNodePtr node, void *object) {
    return 0;
}

static const Field pool_target_fields[] = {
    FIELD_TEXT("path", PoolDef, path), FIELD_PART(NULL, PoolDef, permissions, permission_fields),
    FIELD_END};

#define BYTES .flags = FIELD_BYTES | FIELD_ALWAYS, .unit = "bytes"
static const Field pool_fields[] = {FIELD_TEXT("@type", PoolDef, type, .flags = FIELD_REQUIRED),
                                    FIELD_TEXT("name", PoolDef, name),
                                    FIELD_UUID("uuid", PoolDef, uuid, uuid_given),
                                    FIELD_SIZE("capacity", PoolDef, capacity, BYTES),
                                    FIELD_SIZE("allocation", PoolDef, allocation, BYTES),
                                    FIELD_SIZE("available", PoolDef, available, BYTES),
                                    FIELD_CODE("source", read_source, write_source),
                                    FIELD_GROUP("target", pool_target_fields),
                                    FIELD_END};
static const Element pool_element = {"pool", sizeof(PoolDef), pool_fields, init_pool, check_pool};

/* ---- <volume> ---- */

static void init_volume(void *object) {
    ((VolumeDef *)object)->permissions = (StoragePermissions){-1, -1, -1};
}

/* A volume says nothing of who decrypts it. */
static void forget_engine(VolumeDef *volume) {
    if (!volume->encryption)
        return;
    free(volume->encryption->engine);
    volume->encryption->engine = NULL;
}

static int check_volume(ElementReader *reader, xmlNodePtr node, void *object) {
    VolumeDef *volume = object;

    forget_engine(volume);
    if (volume->name &&
        (strchr(volume->name, '/') || streq(volume->name, ".") || streq(volume->name, "..")))
        return error_report(reader->reterr, FROM_STORAGE, ERROR_OPERATION_INVALID,
                            "volume name '%.40s' is none of a file in the pool's directory: it "
                            "cannot contain '/'",
                            volume->name);
    if (!is_name(volume->name, FILE_NAME_MAX))
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "the volume's <name> is '%.40s': a file's name without '/' that does "
                            "not begin with '.', of at most %u bytes, is wanted",
                            volume->name ? volume->name : "", FILE_NAME_MAX);
    if (volume->backing_path && !is_path(volume->backing_path))
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "volume '%s': <backingStore><path> is '%.40s', an absolute path is "
                            "wanted",
                            volume->name, volume->backing_path);
    if (!volume->capacity_given && !volume->backing_path && !volume->allocation_given)
        return error_report(reader->reterr, FROM_STORAGE, ERROR_XML,
                            "volume '%s' has no <capacity>", volume->name);
    return 0;
}

/* What it becomes its format says. */
static const Words volume_types = WORDS("file", "block", "dir", "network", "netdir", "ploop");
static const Field format_fields[] = {FIELD_TEXT("@type", VolumeDef, format), FIELD_END};
static const Field timestamp_fields[] = {FIELD_TEXT("atime", VolumeDef, atime),
                                         FIELD_TEXT("mtime", VolumeDef, mtime),
                                         FIELD_TEXT("ctime", VolumeDef, ctime), FIELD_END};
static const Field volume_target_fields[] = {
    FIELD_TEXT("path", VolumeDef, path),
    FIELD_GROUP("format", format_fields),
    FIELD_PART(NULL, VolumeDef, permissions, permission_fields),
    FIELD_GROUP("timestamps", timestamp_fields),
    FIELD_ONE("encryption", VolumeDef, encryption, storage_encryption_element),
    FIELD_TEXT("compat", VolumeDef, compat),
    FIELD_SIZE("clusterSize", VolumeDef, cluster_size, .flags = FIELD_BYTES, .unit = "B"),
    FIELD_END};
static const Field backing_format_fields[] = {FIELD_TEXT("@type", VolumeDef, backing_format),
                                              FIELD_END};
static const Field backing_fields[] = {FIELD_TEXT("path", VolumeDef, backing_path),
                                       FIELD_GROUP("format", backing_format_fields), FIELD_END};
static const Field volume_fields[] = {
    FIELD_CHOICE("@type", VolumeDef, type, volume_types),
    FIELD_TEXT("name", VolumeDef, name),
    FIELD_TEXT("key", VolumeDef, key),
    FIELD_CODE("source", read_source, write_source),
    FIELD_SIZE("capacity", VolumeDef, capacity, FIELD_GIVEN(VolumeDef, capacity_given), BYTES),
    FIELD_SIZE("allocation", VolumeDef, allocation, FIELD_GIVEN(VolumeDef, allocation_given),
               .flags = FIELD_BYTES, .unit = "bytes"),
    FIELD_SIZE("physical", VolumeDef, physical, .flags = FIELD_BYTES, .unit = "bytes"),
    FIELD_GROUP("target", volume_target_fields),
    FIELD_GROUP("backingStore", backing_fields),
    FIELD_END};
static const Element volume_element = {"volume", sizeof(VolumeDef), volume_fields, init_volume,
                                       check_volume};

/* ---- text to struct, struct to text ---- */

/* Reads a whole document; *ret is an object of the element, to be freed by its caller. */
static int parse(const char *xml, size_t len, const Element *element, void **ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    ElementReader reader = {.reterr = reterr};
    CLEANUP_FREE char *what = NULL;
    xmlNodePtr root;
    int r;

    if (asprintf(&what, "storage_%s_definition", element->name) < 0) {
        what = NULL;
        return error_no_memory(reterr);
    }
    r = xml_document_parse(xml, len, STORAGE_XML_MAX, what, &doc, reterr);
    if (r < 0)
        return r;
    root = xmlDocGetRootElement(doc);
    if (!element_is(root, element->name))
        return error_report(reterr, FROM_STORAGE, ERROR_XML,
                            "expecting root element of '%s', not '%.40s'", element->name,
                            (const char *)root->name);
    *ret = calloc(1, element->size);
    if (!*ret)
        return error_no_memory(reterr);
    r = element_read(&reader, element, root, *ret);
    if (r < 0) {
        element_done(element, *ret);
        free(TAKE_PTR(*ret));
    }
    return r;
}

static char *format(const Element *element, const void *object) {
    ElementWriter writer = {0};

    element_write(&writer, element, object);
    return element_writer_take(&writer);
}

static void *release(const Element *element, void *object) {
    if (object)
        element_done(element, object);
    free(object);
    return NULL;
}

static int make_uuid(PoolDef *pool, Error **reterr) {
    int r = uuid_make(pool->uuid);

    if (r < 0)
        return error_system(reterr, FROM_STORAGE, r, "cannot make a uuid for pool '%s'",
                            pool->name);
    pool->uuid_given = true;
    return 0;
}

int pool_parse(const char *xml, size_t len, PoolDef **ret, Error **reterr) {
    CLEANUP_POOL_DEF PoolDef *pool = NULL;
    int r = parse(xml, len, &pool_element, (void **)&pool, reterr);

    if (r >= 0 && !pool->uuid_given)
        r = make_uuid(pool, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(pool);
    return r;
}

int volume_parse(const char *xml, size_t len, VolumeDef **ret, Error **reterr) {
    return parse(xml, len, &volume_element, (void **)ret, reterr);
}

char *pool_format(const PoolDef *def) {
    return format(&pool_element, def);
}

char *volume_format(const VolumeDef *def) {
    return format(&volume_element, def);
}

PoolDef *pool_def_free(PoolDef *def) {
    return release(&pool_element, def);
}

VolumeDef *volume_def_free(VolumeDef *def) {
    return release(&volume_element, def);
}

VolumeDef *volume_def_copy(const VolumeDef *def) {
    VolumeDef *copy = malloc(sizeof(VolumeDef));

    if (copy && element_copy(&volume_element, def, copy) < 0) {
        free(copy);
        return NULL;
    }
    return copy;
}
