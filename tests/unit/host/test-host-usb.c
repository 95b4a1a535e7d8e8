/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB devices, in a tree that looks like /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>

#include "host/usb.h"
#include "util/file.h"

static char root[] = "/tmp/vireo-usb.XXXXXX";

static void put(const char *device, const char *name, const char *text) {
    CLEANUP_FREE char *directory = strf("%s/sys/bus/usb/devices/%s", root, device);
    CLEANUP_FREE char *path = path_join(directory, name);

    assert_true(dir_make(directory, 0755) >= 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static void plug(const char *device, const char *vendor, const char *product, const char *bus,
                 const char *number) {
    put(device, "idVendor", vendor);
    put(device, "idProduct", product);
    put(device, "busnum", bus);
    put(device, "devnum", number);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
    return remove(path);
}

static void test_no_usb(void **state) {
    UsbPlace place;

    assert_int_equal(usb_find("/nonexistent", &(UsbWanted){.has_id = true}, &place), 0);
}

static void test_find(void **state) {
    static const struct {
        UsbWanted wanted;
        int n;
        UsbPlace place;
    } rows[] = {
        {{.has_id = true, .vendor = 0x46d, .product = 0xc52b}, 1, {1, 4}},
        {{.has_id = true, .vendor = 0xabcd, .product = 0xef01}, 2, {0}},
        {{.has_id = true,
          .vendor = 0xabcd,
          .product = 0xef01,
          .has_place = true,
          .bus = 2,
          .device = 10},
         1,
         {2, 10}},
        {{.has_place = true, .bus = 2, .device = 9}, 1, {2, 9}},
        {{.has_place = true, .bus = 9, .device = 2}, 0, {0}},
        {{.has_id = true,
          .vendor = 0x46d,
          .product = 0xc52b,
          .has_place = true,
          .bus = 2,
          .device = 9},
         0,
         {0}},
        /* no device of its own */
        {{.has_id = true, .vendor = 0x1111, .product = 0x2222}, 0, {0}},
    };

    assert_non_null(mkdtemp(root));
    plug("usb1", "1d6b\n", "0002\n", "1\n", "1\n");
    plug("1-3", "046d\n", "c52b\n", "1\n", "4\n");
    plug("2-1", "abcd\n", "ef01\n", "2\n", "9\n");
    plug("2-1.4", "abcd\n", "ef01\n", "2\n", "10\n");
    put("1-3:1.0", "bInterfaceClass", "03\n");
    put("3-1", "idVendor", "1111\n");
    put("3-1", "idProduct", "2222\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        UsbPlace place = {0};

        assert_int_equal(usb_find(root, &rows[i].wanted, &place), rows[i].n);
        if (rows[i].n == 1) {
            assert_int_equal(place.bus, rows[i].place.bus);
            assert_int_equal(place.device, rows[i].place.device);
        }
    }
    nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_usb), cmocka_unit_test(test_find)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
