/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices and their drivers, on a tree that looks like /sys and a writer that behaves like the
 * kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/dmi.h"
#include "host/pci.h"
#include "util/file.h"

#define ADDRESS "0000:01:00.0"

typedef struct Kernel {
    char root[32];
    const char *own; /* the driver it has for the device; NULL: none */
    char override[32];
    const char *fail_at; /* the end of the file whose write fails */
    bool no_iommu;       /* vfio-pci does not take it */
    unsigned n_writes;
} Kernel;

static char *in_tree(const Kernel *kernel, const char *rest) {
    char *path = strf("%s/bus/pci/%s", kernel->root, rest);

    assert_non_null(path);
    return path;
}

static bool ends(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);

    return n >= k && streq(text + n - k, end);
}

static void bind_to(Kernel *kernel, const char *driver) {
    CLEANUP_FREE char *link = in_tree(kernel, "devices/" ADDRESS "/driver");
    CLEANUP_FREE char *target = strf("../../drivers/%s", driver ? driver : "");

    unlink(link);
    if (driver)
        assert_int_equal(symlink(target, link), 0);
}

static int kernel_write(const char *path, const char *text, void *userdata) {
    Kernel *kernel = userdata;

    kernel->n_writes++;
    if (kernel->fail_at && ends(path, kernel->fail_at)) {
        kernel->fail_at = NULL;
        return -EIO;
    }
    if (ends(path, "/driver_override")) {
        snprintf(kernel->override, sizeof(kernel->override), "%s", streq(text, "\n") ? "" : text);
    } else if (ends(path, "/driver/unbind")) {
        assert_string_equal(text, ADDRESS);
        bind_to(kernel, NULL);
    } else if (ends(path, "/drivers_probe")) {
        assert_string_equal(text, ADDRESS);
        if (!streq(kernel->override, "vfio-pci"))
            bind_to(kernel, kernel->own);
        else if (!kernel->no_iommu)
            bind_to(kernel, kernel->override);
    } else {
        fail_msg("a write to %s", path);
    }
    return 0;
}

static PciHost make_host(Kernel *kernel, bool vfio) {
    CLEANUP_FREE char *device = NULL, *driver = NULL;

    memcpy(kernel->root, "/tmp/vireo-pci-XXXXXX", sizeof("/tmp/vireo-pci-XXXXXX"));
    assert_non_null(mkdtemp(kernel->root));
    device = in_tree(kernel, "devices/" ADDRESS);
    driver = in_tree(kernel, "drivers/vfio-pci");
    assert_int_equal(dir_make(device, 0700), 0);
    if (vfio)
        assert_int_equal(dir_make(driver, 0700), 0);
    bind_to(kernel, kernel->own);
    return (PciHost){.root = kernel->root, .write = kernel_write, .userdata = kernel};
}

static void remove_tree(const Kernel *kernel) {
    CLEANUP_FREE char *command = strf("rm -r %s", kernel->root);

    assert_int_equal(system(command), 0);
}

static void expect_driver(const PciHost *host, const char *wanted) {
    char driver[PCI_DRIVER_SIZE];

    assert_int_equal(pci_driver(host, ADDRESS, driver), 0);
    assert_string_equal(driver, wanted);
}

static void test_there_and_back(void **state) {
    static const char *const drivers[] = {"e1000e", NULL};

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        Kernel kernel = {.own = drivers[i]};
        PciHost host = make_host(&kernel, true);
        const char *before = drivers[i] ? drivers[i] : "";

        assert_int_equal(pci_detach(&host, ADDRESS, NULL), 0);
        expect_driver(&host, "vfio-pci");
        assert_int_equal(pci_reattach(&host, ADDRESS, before), 0);
        expect_driver(&host, before);
        assert_string_equal(kernel.override, "");
        remove_tree(&kernel);
    }
}

static void test_what_is_vfios_stays_so(void **state) {
    Kernel kernel = {.own = "vfio-pci"};
    PciHost host = make_host(&kernel, true);

    assert_int_equal(pci_detach(&host, ADDRESS, NULL), 0);
    assert_int_equal(pci_reattach(&host, ADDRESS, "vfio-pci"), 0);
    assert_int_equal(kernel.n_writes, 0);
    remove_tree(&kernel);
}

static void test_what_is_not_there(void **state) {
    Kernel kernel = {.own = "e1000e"};
    PciHost host = make_host(&kernel, false);
    CLEANUP_ERROR Error *error = NULL, *other = NULL;

    assert_true(pci_detach(&host, ADDRESS, &error) < 0);
    assert_non_null(strstr(error_message(error), "no driver vfio-pci"));
    assert_true(pci_detach(&host, "0000:02:00.0", &other) < 0);
    assert_non_null(strstr(error_message(other), "this host has no PCI device 0000:02:00.0"));
    assert_int_equal(pci_reattach(&host, "0000:02:00.0", "e1000e"), 0);
    assert_int_equal(kernel.n_writes, 0);
    remove_tree(&kernel);
}

/* Whichever step fails: the device is its own driver's again. */
static void test_a_step_that_fails_is_taken_back(void **state) {
    static const char *const steps[] = {"/driver_override", "/driver/unbind", "/drivers_probe",
                                        NULL};

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        Kernel kernel = {.own = "e1000e", .fail_at = steps[i], .no_iommu = !steps[i]};
        PciHost host = make_host(&kernel, true);
        CLEANUP_ERROR Error *error = NULL;

        assert_true(pci_detach(&host, ADDRESS, &error) < 0);
        assert_non_null(strstr(error_message(error), ADDRESS));
        expect_driver(&host, "e1000e");
        assert_string_equal(kernel.override, "");
        remove_tree(&kernel);
    }
}

static void test_what_the_firmware_says(void **state) {
    char directory[] = "/tmp/vireo-dmi-XXXXXX";
    CLEANUP_FREE char *path = NULL, *empty = NULL, *text = NULL;

    assert_non_null(mkdtemp(directory));
    path = path_join(directory, "sys_vendor");
    empty = path_join(directory, "product_sku");
    assert_int_equal(file_write_atomic(path, "ACME, Inc. \n", 12, 0600), 0);
    assert_int_equal(file_write_atomic(empty, " \n", 2, 0600), 0);
    assert_int_equal(dmi_read(directory, "sys_vendor", &text), 0);
    assert_string_equal(text, "ACME, Inc.");
    assert_int_equal(dmi_read(directory, "product_sku", &text), -ENOENT);
    assert_int_equal(dmi_read(directory, "bios_date", &text), -ENOENT);
    unlink(path);
    unlink(empty);
    rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_is_vfios_stays_so),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_a_step_that_fails_is_taken_back),
        cmocka_unit_test(test_what_the_firmware_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
