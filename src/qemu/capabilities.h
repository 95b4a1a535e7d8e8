/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU binary can do: asked once over QMP from a paused machine "none", cached by path,
 * mtime and size, also in files. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "conf/domain-def.h"
#include "qemu/confine.h"
#include "qemu/monitor.h"

typedef struct QemuMachine {
    char *name;  /* pc-q35-7.2 */
    char *alias; /* q35, or NULL */
    unsigned cpu_max;
    bool hotpluggable_cpus;
    char *cpu_type; /* of QOM, as its vCPUs are when nothing is said; NULL: not told */
    bool is_default, deprecated;
} QemuMachine;

typedef struct QemuCaps {
    unsigned n_refs;
    char *binary;
    char *arch; /* x86_64 */
    unsigned major, minor, micro;
    QemuMachine *machines;
    size_t n_machines;
    char **commands; /* sorted names of QMP commands */
    size_t n_commands;
    char **types; /* sorted names of QOM types that objects and devices can be made of */
    size_t n_types;
    char **cpu_models; /* sorted; may be empty */
    size_t n_cpu_models;
    char **displays; /* sorted words of -display; empty: not told */
    size_t n_displays;
    bool has_kvm;     /* the binary */
    bool has_sandbox; /* -sandbox with what it denies, each by its name */
    bool kvm;         /* the same, and /dev/kvm could be used when this was asked for last */
    off_t binary_size;
    struct timespec binary_mtime;
} QemuCaps;

typedef struct QemuCapsCache QemuCapsCache;

/* run_dir holds the probe's sockets while it runs; cache_dir, which is made when it is needed, a
 * file for each binary (NULL: none). Both are copied. */
int qemu_caps_cache_new(const char *run_dir, const char *cache_dir, QemuCapsCache **ret);
void qemu_caps_cache_free(QemuCapsCache *cache);
/* What probes are kept to, as what they tell of is; borrowed, NULL: nothing. */
void qemu_caps_cache_confine(QemuCapsCache *cache, const QemuConfine *confine);

/* The capabilities of a binary, probing when it is new or has changed. On a fiber; two fibers
 * asking for one binary share one probe. Errors name the binary and what failed (missing, not
 * executable, exited with its last output lines, no answer in 20 s). The caller unrefs. */
int qemu_caps_get(QemuCapsCache *cache, const char *binary, QemuCaps **ret, Error **reterr);
QemuCaps *qemu_caps_ref(QemuCaps *caps);
void qemu_caps_unref(QemuCaps *caps);
DEFINE_CLEANUP(QemuCaps *, qemu_caps_unref)

/* Asks a QEMU's monitor; negative with an error ends the probe. */
typedef int (*QemuTalk)(Monitor *monitor, uint64_t deadline, void *userdata, Error **reterr);
/* Runs the binary with the accelerator ("tcg") and no machine, has func ask it, and ends it;
 * nothing is cached. On a fiber. */
int qemu_caps_talk(QemuCapsCache *cache, const char *binary, const char *accel, QemuTalk func,
                   void *userdata, Error **reterr);
/* The emulator for an arch when the XML names none: "/usr/bin/qemu-system-<QEMU's name of it>".
 * NULL: unknown arch. Caller frees. */
char *qemu_default_emulator(const char *arch);
/* By name or alias; NULL name gives the default machine. NULL: unknown. */
const QemuMachine *qemu_caps_machine(const QemuCaps *caps, const char *name);
/* Sorts as qemu_caps_has_command and qemu_caps_has_type search. */
void qemu_caps_sort(char **strings, size_t n);
bool qemu_caps_has_command(const QemuCaps *caps, const char *command);
/* "virtio-gpu-pci", "monitor-qmp"; no machines, no CPU models. */
bool qemu_caps_has_type(const QemuCaps *caps, const char *type);
/* Whether the binary was built with this word of -display ("sdl"), and says so. */
bool qemu_caps_has_display(const QemuCaps *caps, const char *display);
/* <capabilities> for CONNECT_GET_CAPABILITIES: host cpu count/topology/cells, one <guest> per
 * installed emulator. `models` are the host's <secmodel>s, as text. On a fiber. Caller frees. */
int qemu_caps_xml(QemuCapsCache *cache, const char *models, char **ret, Error **reterr);
/* <domainCapabilities> for one emulator/machine/virt type (NULLs take defaults). */
int qemu_caps_domain_xml(QemuCapsCache *cache, const char *emulator, const char *arch,
                         const char *machine, const char *virt, char **ret, Error **reterr);
