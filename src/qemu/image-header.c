/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/image-header.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"

#define HEADER_BYTES                                                                               \
    65536u                /* the smallest cluster is 512 bytes, header and name are in the first */
#define MAGIC 0x514649fbu /* "QFI\xfb" */
#define HEADER_V2 72u     /* bytes */
#define LENGTH_AT 100u    /* of a version 3 header */
#define NAME_MAX_BYTES 1023u
#define EXTENSION_FORMAT 0xe2792acau

/* The beginning of an image. */
typedef struct Head {
    const uint8_t *bytes;
    size_t n;
} Head;

void image_chain_done(ImageChain *chain) {
    for (size_t i = 0; i < chain->n; i++)
        free(chain->files[i]);
    *chain = (ImageChain){0};
}

/* Zero beyond the end. */
static uint32_t word(const Head *head, size_t at) {
    uint32_t value = 0;

    if (at <= head->n && head->n - at >= sizeof(value))
        memcpy(&value, head->bytes + at, sizeof(value));
    return be32toh(value);
}

/* Where the extensions begin; 0: this is no header. */
static size_t extensions_at(const Head *head) {
    const uint32_t version = word(head, 4);

    if (head->n < HEADER_V2 || word(head, 0) != MAGIC || (version != 2 && version != 3))
        return 0;
    return version == 2 ? HEADER_V2 : word(head, LENGTH_AT);
}

/* Whether an extension says that the file below is qcow2. */
static bool names_qcow2(const Head *head, size_t at) {
    while (at > 0 && at + 8 <= head->n && word(head, at) != 0) {
        const uint32_t n = word(head, at + 4);

        if (n > head->n - at - 8)
            return false;
        if (word(head, at) == EXTENSION_FORMAT)
            return n == 5 && memcmp(head->bytes + at + 8, "qcow2", 5) == 0;
        at += 8 + (n + 7) / 8 * 8;
    }
    return false;
}

bool image_is_file_name(const char *name) {
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');

    return *name && !(colon && (!slash || colon < slash));
}

static bool has_dots(const char *path) {
    for (const char *at = strstr(path, ".."); at; at = strstr(at + 1, ".."))
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

char *image_path_of(const char *image, const char *name) {
    const char *slash = strrchr(image, '/');

    return *name == '/' || !slash ? strdup(name)
                                  : strf("%.*s/%s", (int)(slash - image), image, name);
}

/* Where the name of the file below is; 0: there is none. */
static uint64_t name_at(const Head *head) {
    return (uint64_t)word(head, 8) << 32 | word(head, 12);
}

static int take_name(const char *image, const Head *head, char **ret) {
    char name[NAME_MAX_BYTES + 1];
    const uint64_t at = name_at(head);
    const uint32_t n = word(head, 16);

    if (at == 0 || n == 0)
        return 0;
    if (n > NAME_MAX_BYTES || at > head->n || n > head->n - at)
        return -EBADMSG;
    memcpy(name, head->bytes + at, n);
    name[n] = '\0';
    if (strlen(name) != n || !image_is_file_name(name) || has_dots(name))
        return 0;
    *ret = image_path_of(image, name);
    return *ret ? 0 : -ENOMEM;
}

/* HEADER_BYTES of room. -errno; -EBADMSG: this is no qcow2 image. */
static int read_head(const char *path, uint8_t *bytes, Head *ret) {
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : pread(fd, bytes, HEADER_BYTES, 0);

    if (n < 0)
        return -errno;
    *ret = (Head){bytes, (size_t)n};
    return extensions_at(ret) == 0 ? -EBADMSG : 0;
}

/* The file below the image, or NULL. *ret_qcow2: it is a qcow2 image, too. -errno; -EBADMSG: this
 * is no qcow2 image, or a damaged one. */
static int read_header(const char *path, char **ret_path, bool *ret_qcow2) {
    CLEANUP_FREE uint8_t *bytes = malloc(HEADER_BYTES);
    Head head;
    int r;

    *ret_path = NULL;
    if (!bytes)
        return -ENOMEM;
    r = read_head(path, bytes, &head);
    if (r < 0)
        return r;
    *ret_qcow2 = names_qcow2(&head, extensions_at(&head));
    return take_name(path, &head, ret_path);
}

bool image_header_is_alone(const char *path) {
    CLEANUP_FREE uint8_t *bytes = malloc(HEADER_BYTES);
    Head head;

    return bytes && read_head(path, bytes, &head) >= 0 && name_at(&head) == 0;
}

int image_header_chain(const char *path, ImageChain *ret) {
    bool qcow2 = true;

    *ret = (ImageChain){0};
    while (qcow2 && ret->n < IMAGE_CHAIN_MAX) {
        char *below = NULL;
        int r = read_header(path, &below, &qcow2);

        if (r == -ENOMEM)
            return r;
        if (r < 0 || !below)
            return 0;
        path = ret->files[ret->n++] = below;
    }
    return 0;
}
