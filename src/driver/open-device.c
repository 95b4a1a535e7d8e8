/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other ends of a guest's devices. */
#include "driver/open-device.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "util/json.h"
#include "util/unix-socket.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define AGENT_CHANNEL "org.qemu.guest_agent.0"

/* ---- consoles and channels ---- */

static bool is_channel(const ChardevDef *chardev) {
    return chardev->kind == CHARDEV_CHANNEL;
}

/* A <console> that mirrors a <serial> is that. */
static bool is_named(const ChardevDef *chardev, const char *name) {
    return streq_ptr(chardev->info.alias, name) ||
           (is_channel(chardev) && streq_ptr(chardev->target_name, name));
}

/* "console0" may be what the alias of the mirror would be. */
static const ChardevDef *find(const DomainDef *def, const char *name, bool channel) {
    const ChardevDef *first = NULL;

    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        if (is_channel(chardev) != channel || chardev->is_serial_alias)
            continue;
        if (name ? is_named(chardev, name) : !first)
            first = first ? first : chardev;
    }
    if (!first && name && !channel && streq(name, "console0"))
        return find(def, "serial0", false);
    return first;
}

static int open_source(const ChardevDef *chardev, int *ret, Error **reterr) {
    const char *path = chardev->source.path, *alias = chardev->info.alias;
    int r;

    switch (chardev->source.type) {
    case CHARDEV_PTY:
    case CHARDEV_DEV:
        *ret = path ? open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
        r = *ret >= 0 ? 0 : path ? -errno : -ENOENT;
        break;
    case CHARDEV_UNIX:
        r = path && chardev->source.listen ? unix_socket_connect(path, SOCK_NONBLOCK, ret)
                                           : -EOPNOTSUPP;
        break;
    default:
        r = -EOPNOTSUPP;
    }
    if (r == -EOPNOTSUPP)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "character device %s is not using a PTY or a socket that QEMU listens "
                            "at",
                            alias ? alias : "(unnamed)");
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot open '%s' of device '%s'",
                                path ? path : "?", alias ? alias : "?")
                 : 0;
}

static int open_chardev(Domain *domain, const char *name, bool channel, int *ret,
                        const char **ret_alias, Error **reterr) {
    const char *what = channel ? "channel" : "character device";
    const ChardevDef *chardev;
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    chardev = find(domain->run->live, name, channel);
    if (!chardev)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "cannot find %s %.200s", what,
                            name ? name : "(of any name)");
    if (channel && streq_ptr(chardev->target_name, AGENT_CHANNEL))
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
            "the channel '%s' is in use by vireod; use the calls of the guest agent",
            chardev->target_name);
    *ret_alias = chardev->info.alias ? chardev->info.alias : "";
    return open_source(chardev, ret, reterr);
}

int driver_open_console(Domain *domain, const char *name, int *ret, const char **ret_alias,
                        Error **reterr) {
    return open_chardev(domain, name, false, ret, ret_alias, reterr);
}

int driver_open_channel(Domain *domain, const char *name, int *ret, const char **ret_alias,
                        Error **reterr) {
    return open_chardev(domain, name, true, ret, ret_alias, reterr);
}

/* ---- the screen ---- */

/* A command with a descriptor that goes with it. */
static int run_with_fd(Domain *domain, const char *command, json_object *arguments, int fd,
                       json_object **ret, Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);
    int r;

    if (!arguments)
        return error_no_memory(reterr);
    r = monitor_give_fds(domain->run->monitor, &fd, 1, deadline);
    if (r < 0) {
        json_object_put(arguments);
        return error_system(reterr, FROM_QEMU, r, "cannot hand QEMU a file");
    }
    return monitor_run(domain->run->monitor, command, arguments, deadline, ret, reterr);
}

/* Its number in the list of heads of all video devices: the device and the head. */
static int find_screen(const Domain *domain, unsigned screen, const char **ret_device,
                       unsigned *ret_head, Error **reterr) {
    const DomainDef *def = domain->run->live;
    unsigned left = screen;

    for (size_t i = 0; i < def->n_videos; i++) {
        const unsigned heads = MAX_OF(def->videos[i].heads, 1u);

        if (left < heads && def->videos[i].info.alias) {
            *ret_device = def->videos[i].info.alias;
            *ret_head = left;
            return 0;
        }
        left -= MIN_OF(left, heads);
    }
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "no such screen ID");
}

static json_object *dump_arguments(const char *device, unsigned head, int64_t fdset) {
    json_object *arguments = json_object_new_object();
    char name[40];

    snprintf(name, sizeof(name), "/dev/fdset/%lld", (long long)fdset);
    if (arguments && json_add_string(arguments, "filename", name) >= 0 &&
        json_add_string(arguments, "device", device) >= 0 &&
        json_add_uint(arguments, "head", head) >= 0)
        return arguments;
    json_object_put(arguments);
    return NULL;
}

static void remove_fdset(Domain *domain, int64_t fdset) {
    json_object *arguments = json_object_new_object();

    if (arguments && json_add_int(arguments, "fdset-id", fdset) >= 0)
        monitor_run(domain->run->monitor, "remove-fd", arguments, deadline_in(COMMAND_USEC), NULL,
                    NULL);
    else
        json_object_put(arguments);
}

/* QEMU opens its copy for writing only, so it gets one that is. */
static int dump_screen(Domain *domain, const char *device, unsigned head, int fd, Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    CLEANUP_CLOSE int writable = -1;
    json_object *arguments;
    char path[40];
    int64_t fdset;
    int r;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    writable = open(path, O_WRONLY | O_CLOEXEC);
    if (writable < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot make a file for the picture");
    r = run_with_fd(domain, "add-fd", json_object_new_object(), writable, &value, reterr);
    if (r < 0)
        return r;
    fdset = json_member_int(value, "fdset-id", -1);
    arguments = dump_arguments(device, head, fdset);
    r = arguments ? monitor_run(domain->run->monitor, "screendump", arguments,
                                deadline_in(COMMAND_USEC), NULL, reterr)
                  : error_no_memory(reterr);
    if (domain_check_active(domain, NULL) >= 0)
        remove_fdset(domain, fdset);
    return r;
}

int driver_screenshot(Domain *domain, unsigned screen, int *ret, Error **reterr) {
    CLEANUP_CLOSE int fd = -1;
    const char *device = NULL;
    unsigned head = 0;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "screenshot", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = find_screen(domain, screen, &device, &head, reterr);
    if (r >= 0) {
        fd = memfd_create("screenshot", MFD_CLOEXEC);
        r = fd < 0 ? error_system(reterr, FROM_QEMU, errno, "cannot make a file for the picture")
                   : dump_screen(domain, device, head, fd, reterr);
    }
    domain_job_end(domain, &job);
    if (r >= 0)
        *ret = TAKE_FD(fd);
    return r;
}

/* ---- displays ---- */

static const char *protocol_of(const Domain *domain, unsigned index, Error **reterr) {
    const DomainDef *def = domain->run->live;

    if (index >= def->n_graphics) {
        error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                     "No graphics backend with index %u in domain '%s'", index, def->name);
        return NULL;
    }
    switch (def->graphics[index].type) {
    case GRAPHICS_VNC:
        return "vnc";
    case GRAPHICS_SPICE:
        return "spice";
    default:
        error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                     "Can only open VNC or SPICE graphics backends, the display %u of domain '%s' "
                     "is another",
                     index, def->name);
        return NULL;
    }
}

static int add_client(Domain *domain, const char *protocol, bool skip_auth, Error **reterr) {
    json_object *arguments = json_object_new_object();

    if (!arguments || json_add_string(arguments, "protocol", protocol) < 0 ||
        json_add_string(arguments, "fdname", "vireo-display") < 0 ||
        json_add_bool(arguments, "skipauth", skip_auth) < 0) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    return monitor_run(domain->run->monitor, "add_client", arguments, deadline_in(COMMAND_USEC),
                       NULL, reterr);
}

int driver_open_graphics(Domain *domain, unsigned index, int fd, bool skip_auth, Error **reterr) {
    json_object *arguments = NULL;
    const char *protocol = NULL;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "opening its display", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0) {
        protocol = protocol_of(domain, index, reterr);
        r = protocol ? 0 : -EINVAL;
    }
    if (r >= 0) {
        arguments = json_object_new_object();
        if (arguments && json_add_string(arguments, "fdname", "vireo-display") < 0) {
            json_object_put(arguments);
            arguments = NULL;
        }
        r = run_with_fd(domain, "getfd", arguments, fd, NULL, reterr);
    }
    if (r >= 0)
        r = add_client(domain, protocol, skip_auth, reterr);
    domain_job_end(domain, &job);
    return r;
}
