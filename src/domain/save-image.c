/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a saved guest. */
#include "domain/save-image.h"

#include <endian.h>
#include <sys/stat.h>

#include "conf/domain-parse.h"

#define MAGIC "VireoSavedGuest\n"
#define VERSION 1u
#define HEADER_SIZE 64u
#define PAGE 4096u
#define XML_ROOM 65536u /* more than the definition needs */
#define XML_MAX (2 * (uint32_t)DOMAIN_XML_MAX)

enum { FLAG_COMPLETE = 1, FLAG_RUNNING = 2 };

/* As it lies in the file; nothing is padded. */
typedef struct Header {
    char magic[16];
    uint32_t version, flags;
    uint64_t data_offset, length;
    uint32_t xml_length, xml_crc;
    uint8_t id[SAVE_IMAGE_ID_SIZE];
} Header;
_Static_assert(sizeof(Header) == HEADER_SIZE, "the header is as the file has it");

void save_image_done(SaveImage *image) {
    free(image->xml);
    *image = (SaveImage){0};
}

/* CRC-32 of ISO 3309, as zlib and Ethernet have it. */
static uint32_t crc_of(const char *text, size_t len) {
    uint32_t crc = ~0u;

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static int write_all(int fd, const void *data, size_t len, off_t at) {
    const char *bytes = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The number of bytes there are, up to len; -errno. */
static ssize_t read_all(int fd, void *to, size_t len, off_t at) {
    size_t used = 0;

    while (used < len) {
        ssize_t n = pread(fd, (char *)to + used, len - used, at + (off_t)used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

static Header make_header(const SaveImage *image, uint32_t flags, uint64_t length) {
    const size_t n = strlen(image->xml);
    Header header = {.magic = MAGIC,
                     .version = htole32(VERSION),
                     .flags = htole32(flags | (image->running ? FLAG_RUNNING : 0)),
                     .data_offset = htole64(image->data_offset),
                     .length = htole64(length),
                     .xml_length = htole32((uint32_t)n),
                     .xml_crc = htole32(crc_of(image->xml, n))};

    memcpy(header.id, image->id, sizeof(header.id));
    return header;
}

static int write_header(int fd, const SaveImage *image, uint32_t flags, uint64_t length) {
    const Header header = make_header(image, flags, length);
    int r = write_all(fd, image->xml, strlen(image->xml), HEADER_SIZE);

    return r < 0 ? r : write_all(fd, &header, sizeof(header), 0);
}

int save_image_begin(int fd, SaveImage *image) {
    const uint64_t room = HEADER_SIZE + strlen(image->xml) + XML_ROOM;
    int r;

    if (strlen(image->xml) > XML_MAX)
        return -EMSGSIZE;
    image->data_offset = (room + PAGE - 1) / PAGE * PAGE;
    r = write_header(fd, image, 0, 0);
    if (r >= 0 && lseek(fd, (off_t)image->data_offset, SEEK_SET) < 0)
        r = -errno;
    return r;
}

int save_image_complete(int fd, const SaveImage *image) {
    struct stat info;
    int r;

    if (fstat(fd, &info) < 0 || fdatasync(fd) < 0)
        return -errno;
    if (S_ISREG(info.st_mode) && (uint64_t)info.st_size <= image->data_offset)
        return -ENODATA;
    r = write_header(fd, image, FLAG_COMPLETE, (uint64_t)info.st_size);
    return r >= 0 && fsync(fd) < 0 ? -errno : r;
}

int save_image_change(int fd, const SaveImage *image) {
    struct stat info;
    int r;

    if (HEADER_SIZE + strlen(image->xml) > image->data_offset)
        return -ENOSPC;
    if (fstat(fd, &info) < 0)
        return -errno;
    r = write_header(fd, image, FLAG_COMPLETE, (uint64_t)info.st_size);
    return r >= 0 && fsync(fd) < 0 ? -errno : r;
}

/* ---- reading ---- */

static int refuse(Error **reterr, const char *path, const char *what) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "'%s' cannot be restored: %s",
                        path, what);
}

/* What has another beginning than ours. */
static int refuse_foreign(Error **reterr, const char *path, const Header *header, ssize_t n) {
    if (n == 0)
        return refuse(reterr, path, "the file is empty");
    if (n >= 12 && memcmp(header->magic, "LibvirtQemud", 12) == 0)
        return refuse(reterr, path,
                      "it is a guest saved by libvirt's QEMU driver; restore it with libvirtd");
    if (n >= 4 && memcmp(header->magic, "QEVM", 4) == 0)
        return refuse(reterr, path, "it is a bare migration stream of QEMU, without a definition");
    if (n >= 4 && memcmp(header->magic, "\177ELF", 4) == 0)
        return refuse(reterr, path, "it is an ELF file, maybe a core dump, and no saved guest");
    if (n < (ssize_t)HEADER_SIZE)
        return refuse(reterr, path, "it is too short to be a saved guest, or is cut");
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "image magic is incorrect");
}

static int check_header(const Header *header, const struct stat *info, const char *path,
                        Error **reterr) {
    const uint64_t length = le64toh(header->length), data = le64toh(header->data_offset);
    const uint32_t n = le32toh(header->xml_length);

    if (le32toh(header->version) != VERSION)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "'%s' cannot be restored: it has version %u of the format, this vireod "
                            "reads version %u; use the vireod that saved it",
                            path, le32toh(header->version), VERSION);
    if (!(le32toh(header->flags) & FLAG_COMPLETE))
        return refuse(reterr, path, "the save that wrote it did not come to its end");
    if (S_ISREG(info->st_mode) && (uint64_t)info->st_size < length)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "'%s' cannot be restored: the file is cut, %llu of its %llu bytes are "
                            "there; take another copy",
                            path, (unsigned long long)info->st_size, (unsigned long long)length);
    if (n == 0 || n > XML_MAX || data % PAGE || data > length || HEADER_SIZE + n > data)
        return refuse(reterr, path, "its header is damaged");
    return 0;
}

static int read_xml(int fd, const Header *header, const char *path, char **ret, Error **reterr) {
    const size_t n = le32toh(header->xml_length);
    CLEANUP_FREE char *xml = malloc(n + 1);
    ssize_t got;

    if (!xml)
        return error_no_memory(reterr);
    got = read_all(fd, xml, n, HEADER_SIZE);
    if (got < 0)
        return error_system(reterr, FROM_QEMU, (int)got, "cannot read '%s'", path);
    if (got != (ssize_t)n || crc_of(xml, n) != le32toh(header->xml_crc))
        return refuse(reterr, path, "the definition in it is damaged");
    xml[n] = '\0';
    *ret = TAKE_PTR(xml);
    return 0;
}

int save_image_read(int fd, const char *path, SaveImage *ret, Error **reterr) {
    Header header = {0};
    struct stat info;
    ssize_t n = read_all(fd, &header, sizeof(header), 0);
    int r;

    if (n < 0 || fstat(fd, &info) < 0)
        return error_system(reterr, FROM_QEMU, n < 0 ? (int)n : errno, "cannot read '%s'", path);
    if (n < (ssize_t)sizeof(header) || memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0)
        return refuse_foreign(reterr, path, &header, n);
    r = check_header(&header, &info, path, reterr);
    if (r < 0)
        return r;
    *ret = (SaveImage){.running = le32toh(header.flags) & FLAG_RUNNING,
                       .data_offset = le64toh(header.data_offset)};
    memcpy(ret->id, header.id, sizeof(ret->id));
    if (lseek(fd, (off_t)ret->data_offset, SEEK_SET) < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot read '%s'", path);
    return read_xml(fd, &header, path, &ret->xml, reterr);
}
