/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-usb.h"

#include <stdio.h>

#include "domain/services.h"
#include "domain/store.h"
#include "host/usb.h"
#include "util/log.h"
#include "util/worker.h"

typedef struct Search {
    UsbWanted wanted;
    UsbPlace place;
} Search;

static int run_find(void *arg) {
    Search *search = arg;

    return usb_find("", &search->wanted, &search->place);
}

#define NAME_SIZE 64u
static void name_device(const HostdevDef *hostdev, char ret[NAME_SIZE]) {
    if (hostdev->has_vendor && hostdev->has_usb_address)
        snprintf(ret, NAME_SIZE, "%04x:%04x at bus %u, device %u", hostdev->vendor,
                 hostdev->product, hostdev->usb_bus, hostdev->usb_device);
    else if (hostdev->has_vendor)
        snprintf(ret, NAME_SIZE, "%04x:%04x", hostdev->vendor, hostdev->product);
    else
        snprintf(ret, NAME_SIZE, "at bus %u, device %u", hostdev->usb_bus, hostdev->usb_device);
}

/* How many are meant. One that we found before may have another place by now. */
static int find(const HostdevDef *hostdev, UsbPlace *ret) {
    Search search = {.wanted = {.has_id = hostdev->has_vendor,
                                .vendor = hostdev->vendor,
                                .product = hostdev->product,
                                .has_place = hostdev->has_usb_address,
                                .bus = hostdev->usb_bus,
                                .device = hostdev->usb_device}};
    int n = worker_run(run_find, &search);

    if (n == 0 && hostdev->auto_address == TRISTATE_YES && hostdev->has_vendor) {
        search.wanted.has_place = false;
        n = worker_run(run_find, &search);
    }
    *ret = search.place;
    return n;
}

static bool has_place(const HostdevDef *hostdev, const UsbPlace *place) {
    return hostdev->type == HOSTDEV_USB && hostdev->has_usb_address &&
           hostdev->missing != TRISTATE_YES && hostdev->usb_bus == place->bus &&
           hostdev->usb_device == place->device;
}

/* The domain that has it for another <hostdev>, which may be this one; NULL: none. One that is
 * about to start has what was found for it. */
static const char *find_user(const Domain *domain, const HostdevDef *own, const UsbPlace *place) {
    for (const Domain *at = domain->services->store->domains; at; at = at->next)
        for (size_t i = 0; at->run && at->run->live && i < at->run->live->n_hostdevs; i++) {
            const HostdevDef *hostdev = &at->run->live->hostdevs[i];

            if (hostdev != own && has_place(hostdev, place) &&
                (hostdev->usb_is_ours || at->run->pid.pid > 0))
                return at->run->live->name;
        }
    return NULL;
}

/* 0: it is not there, and may be so. */
static int prepare_one(const Domain *domain, HostdevDef *hostdev, bool may_be_missing,
                       Error **reterr) {
    char device[NAME_SIZE];
    UsbPlace place = {0};
    const char *user;
    int n = find(hostdev, &place);

    name_device(hostdev, device);
    if (n < 0)
        return error_system(reterr, FROM_QEMU, n, "cannot look for the USB devices of this host");
    if (n == 0 && may_be_missing)
        return 0;
    if (n == 0)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "Did not find USB device %s, which domain '%s' has; plug it in, or "
                            "give it startupPolicy='optional'",
                            device, domain_name(domain));
    if (n > 1)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "Multiple USB devices for %s of domain '%s', use <address> to specify "
                            "one",
                            device, domain_name(domain));
    user = find_user(domain, hostdev, &place);
    if (user)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s': the USB device %s is in use by domain '%s'",
                            domain_name(domain), device, user);
    if (!hostdev->has_usb_address)
        hostdev->auto_address = TRISTATE_YES;
    hostdev->usb_bus = place.bus;
    hostdev->usb_device = place.device;
    hostdev->has_usb_address = hostdev->usb_is_ours = true;
    return 1;
}

int prepare_usb_devices(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < live->n_hostdevs; i++) {
        HostdevDef *hostdev = &live->hostdevs[i];
        const char *policy = hostdev->startup_policy;
        char device[NAME_SIZE];

        if (hostdev->type != HOSTDEV_USB)
            continue;
        r = prepare_one(domain, hostdev,
                        streq_ptr(policy, "optional") ||
                            (streq_ptr(policy, "requisite") && domain->run->restore),
                        reterr);
        hostdev->missing = r == 0 ? TRISTATE_YES : TRISTATE_ABSENT;
        name_device(hostdev, device);
        if (r == 0)
            log_warning("domain '%s': the USB device %s is not there: started without it",
                        live->name, device);
    }
    return r < 0 ? r : 0;
}

int prepare_usb(Domain *domain, HostdevDef *hostdev, Error **reterr) {
    int r = prepare_one(domain, hostdev, false, reterr);

    if (r >= 0)
        r = domain_check_active(domain, reterr);
    return r;
}
