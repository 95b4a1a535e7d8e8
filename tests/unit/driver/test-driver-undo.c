/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is given back after the end of a run, and what another host's QEMU still has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "driver/prepare-undo.h"
#include "driver/start-parts.h"
#include "run-world.h"
#include "util/file.h"

#define NFS_MAGIC 0x6969
#define QEMU_USER 65000u

static bool on_nfs;

/* What statfs() is with large files. */

int __real_statfs64(const char *path, struct statfs *info);
int __wrap_statfs64(const char *path, struct statfs *info);
int __wrap_statfs64(const char *path, struct statfs *info) {
    int r = __real_statfs64(path, info);

    if (on_nfs)
        info->f_type = NFS_MAGIC;
    return r;
}

/* An image that QEMU's user has and root had: whose it is once the run is undone. */
static uid_t owner_after(RunWorld *world, bool elsewhere) {
    const ServicePaths *paths = &world->driver->services.paths;
    const uint8_t *uuid = world->domain->run->live->uuid;
    CLEANUP_FREE char *image = path_join(world->dir, "image");
    CLEANUP_FREE char *note = start_parts_note_path(paths, uuid);
    CLEANUP_FREE char *directory = path_join(paths->run, "made");
    CLEANUP_FREE char *detail = NULL;
    Made made = {.kind = MADE_OWNER, .name = image};
    struct stat info;

    mkdir(directory, 0700);
    assert_int_equal(file_write_atomic(image, "x", 1, 0600), 0);
    assert_int_equal(chown(image, QEMU_USER, QEMU_USER), 0);
    assert_int_equal(stat(image, &info), 0);
    made.detail = detail = strf("%u %llu %llu 0 0", QEMU_USER, (unsigned long long)info.st_dev,
                                (unsigned long long)info.st_ino);
    assert_int_equal(made_add(note, &made, NULL), 0);
    prepare_undo(paths, uuid, elsewhere);
    assert_true(access(note, F_OK) < 0);
    assert_int_equal(stat(image, &info), 0);
    return info.st_uid;
}

static void owners(RunWorld *world) {
    on_nfs = false;
    assert_int_equal(owner_after(world, false), 0);
    assert_int_equal(owner_after(world, true), 0);
    on_nfs = true;
    assert_int_equal(owner_after(world, false), 0);
    assert_int_equal(owner_after(world, true), QEMU_USER);
    on_nfs = false;
}

static void test_owners(void **state) {
    if (geteuid() != 0)
        skip();
    run_world("", owners);
}

/* What an overlay's note is about. */
typedef enum OverlayIs {
    OVERLAY_MADE,    /* the file that was made */
    OVERLAY_EMPTY,   /* a file that was made and not noted by its inode */
    OVERLAY_WRITTEN, /* somebody's file, where nothing more was noted than that one would be made */
    OVERLAY_YOUNGER, /* a file that has its inode by now */
    OVERLAY_OTHER,   /* another file in its place */
    OVERLAY_LINK,    /* a link to it in its place */
    OVERLAY_GONE
} OverlayIs;

/* Whether something has its name once the run is undone. */
static bool stays(RunWorld *world, OverlayIs is) {
    const ServicePaths *paths = &world->driver->services.paths;
    const uint8_t *uuid = world->domain->run->live->uuid;
    CLEANUP_FREE char *overlay = path_join(world->dir, "overlay");
    CLEANUP_FREE char *aside = path_join(world->dir, "aside");
    CLEANUP_FREE char *note = start_parts_note_path(paths, uuid);
    CLEANUP_FREE char *directory = path_join(paths->run, "made");
    CLEANUP_FREE char *detail = NULL;
    Made made = {.kind = MADE_OVERLAY, .name = overlay};
    struct statx made_at;
    struct stat info;
    bool there;

    mkdir(directory, 0700);
    assert_int_equal(made_add(note, &made, NULL), 0);
    assert_int_equal(file_write_atomic(overlay, "x", is == OVERLAY_EMPTY ? 0 : 1, 0600), 0);
    assert_int_equal(statx(AT_FDCWD, overlay, 0, STATX_BASIC_STATS | STATX_BTIME, &made_at), 0);
    made.detail = detail = strf(
        "%llu %llu %lld %u",
        (unsigned long long)makedev(made_at.stx_dev_major, made_at.stx_dev_minor),
        (unsigned long long)made_at.stx_ino,
        (long long)made_at.stx_btime.tv_sec - (is == OVERLAY_YOUNGER), made_at.stx_btime.tv_nsec);
    if (is != OVERLAY_EMPTY && is != OVERLAY_WRITTEN)
        assert_int_equal(made_add(note, &made, NULL), 0);
    if (is > OVERLAY_YOUNGER)
        assert_int_equal(rename(overlay, aside), 0);
    if (is == OVERLAY_OTHER)
        assert_int_equal(file_write_atomic(overlay, "y", 1, 0600), 0);
    if (is == OVERLAY_LINK)
        assert_int_equal(symlink(aside, overlay), 0);
    prepare_undo(paths, uuid, true);
    there = lstat(overlay, &info) == 0;
    assert_true(access(note, F_OK) < 0 && (is <= OVERLAY_YOUNGER || access(aside, F_OK) == 0));
    unlink(overlay);
    unlink(aside);
    return there;
}

static void overlays(RunWorld *world) {
    assert_false(stays(world, OVERLAY_MADE));
    assert_false(stays(world, OVERLAY_EMPTY));
    assert_true(stays(world, OVERLAY_WRITTEN));
    assert_true(stays(world, OVERLAY_YOUNGER));
    assert_true(stays(world, OVERLAY_OTHER));
    assert_true(stays(world, OVERLAY_LINK));
    assert_false(stays(world, OVERLAY_GONE));
}

static void test_overlays(void **state) {
    run_world("", overlays);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_owners),
                                       cmocka_unit_test(test_overlays)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
