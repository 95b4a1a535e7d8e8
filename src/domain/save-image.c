/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a saved guest. */
#include "domain/save-image.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "conf/domain-parse.h"

#define MAGIC "VireoSavedGuest\n"
#define VERSION 1u
#define HEADER_SIZE 64u
#define PAGE 4096u
#define XML_ROOM 65536u /* more than two of the definition need */
#define XML_MAX (2 * (uint32_t)DOMAIN_XML_MAX)

#define TEXT_UNIT 16u /* of where the definition lies */

/* Above them: how many units behind the header the definition begins. */
enum { FLAG_COMPLETE = 1, FLAG_RUNNING = 2, FLAG_REBOOTING = 4, TEXT_SHIFT = 8 };

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
                     .flags = htole32(flags | (image->running ? FLAG_RUNNING : 0) |
                                      (image->rebooting ? FLAG_REBOOTING : 0)),
                     .data_offset = htole64(image->data_offset),
                     .length = htole64(length),
                     .xml_length = htole32((uint32_t)n),
                     .xml_crc = htole32(crc_of(image->xml, n))};

    memcpy(header.id, image->id, sizeof(header.id));
    return header;
}

static uint64_t text_at(const Header *header) {
    return HEADER_SIZE + (uint64_t)(le32toh(header->flags) >> TEXT_SHIFT) * TEXT_UNIT;
}

static int write_header(int fd, const SaveImage *image, uint32_t flags, uint64_t length) {
    const Header header = make_header(image, flags, length);
    int r = write_all(fd, image->xml, strlen(image->xml), HEADER_SIZE);

    return r < 0 ? r : write_all(fd, &header, sizeof(header), 0);
}

int save_image_begin(int fd, SaveImage *image) {
    const uint64_t room = HEADER_SIZE + 2 * strlen(image->xml) + XML_ROOM;
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

/* Where a text of that length has room beside the one that is there, or 0. */
static uint64_t find_room(const Header *header, size_t n) {
    const uint64_t at = text_at(header), end = at + le32toh(header->xml_length);
    const uint64_t behind = HEADER_SIZE +
                            (end - HEADER_SIZE + TEXT_UNIT - 1) / TEXT_UNIT * TEXT_UNIT;

    if (HEADER_SIZE + n <= at)
        return HEADER_SIZE;
    return behind + n <= le64toh(header->data_offset) ? behind : 0;
}

/* The text first, then the header that says where it is: each of them leaves a whole image. */
static int write_beside(int fd, const SaveImage *image, Header *header, uint64_t at) {
    int r = write_all(fd, image->xml, strlen(image->xml), (off_t)at);

    if (r >= 0 && fdatasync(fd) < 0)
        r = -errno;
    if (r < 0)
        return r;
    header->flags |= htole32((uint32_t)((at - HEADER_SIZE) / TEXT_UNIT) << TEXT_SHIFT);
    return write_all(fd, header, sizeof(*header), 0);
}

/* Over the old one, which comes back when that fails. Its room is taken before. */
static int write_over(int fd, const SaveImage *image, const Header *old, const Header *new) {
    const size_t n = strlen(image->xml), n_old = le32toh(old->xml_length);
    CLEANUP_FREE char *text = malloc(n_old + 1);
    int r;

    if (!text)
        return -ENOMEM;
    if (HEADER_SIZE + n > le64toh(old->data_offset))
        return -EMSGSIZE;
    if (read_all(fd, text, n_old, (off_t)text_at(old)) != (ssize_t)n_old)
        return -EIO;
    r = -posix_fallocate(fd, HEADER_SIZE, (off_t)n);
    if (r < 0 && r != -ENODEV && r != -ESPIPE) /* a device has all of it */
        return r;
    r = write_all(fd, image->xml, n, HEADER_SIZE);
    if (r >= 0)
        r = write_all(fd, new, sizeof(*new), 0);
    if (r < 0 && write_all(fd, text, n_old, (off_t)text_at(old)) >= 0)
        write_all(fd, old, sizeof(*old), 0);
    return r;
}

int save_image_change(int fd, const SaveImage *image) {
    Header old = {0}, new;
    uint64_t at;
    int r;

    if (strlen(image->xml) > XML_MAX)
        return -EMSGSIZE;
    if (read_all(fd, &old, sizeof(old), 0) != (ssize_t)sizeof(old))
        return -EIO;
    new = make_header(image, FLAG_COMPLETE, le64toh(old.length));
    at = find_room(&old, strlen(image->xml));
    r = at > 0 ? write_beside(fd, image, &new, at) : write_over(fd, image, &old, &new);
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
    if (n == 0 || n > XML_MAX || data % PAGE || data > length || text_at(header) + n > data)
        return refuse(reterr, path, "its header is damaged");
    return 0;
}

static int read_xml(int fd, const Header *header, const char *path, char **ret, Error **reterr) {
    const size_t n = le32toh(header->xml_length);
    CLEANUP_FREE char *xml = malloc(n + 1);
    ssize_t got;

    if (!xml)
        return error_no_memory(reterr);
    got = read_all(fd, xml, n, (off_t)text_at(header));
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
                       .rebooting = le32toh(header.flags) & FLAG_REBOOTING,
                       .data_offset = le64toh(header.data_offset)};
    memcpy(ret->id, header.id, sizeof(ret->id));
    if (lseek(fd, (off_t)ret->data_offset, SEEK_SET) < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot read '%s'", path);
    return read_xml(fd, &header, path, &ret->xml, reterr);
}
