/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles of AppArmor: text from rules, into the kernel and out of it. apparmor_parser (Debian's
 * package apparmor) compiles and loads them; a process takes one with its next exec by writing to a
 * file of its own (apparmor.d(5), apparmor_parser(8), Linux's security/apparmor/apparmorfs.c). */
#pragma once

#include "util/error.h"
#include "util/macro.h"

typedef enum AppArmorAccess {
    APPARMOR_READ = 1 << 0,
    APPARMOR_WRITE = 1 << 1,
    APPARMOR_LOCK = 1 << 2,
    APPARMOR_MAP = 1 << 3,  /* as code */
    APPARMOR_TREE = 1 << 4, /* all that is below the path, too */
    APPARMOR_DATA = APPARMOR_READ | APPARMOR_WRITE | APPARMOR_LOCK,
} AppArmorAccess;

typedef struct AppArmorRule {
    char *path;      /* absolute; its characters mean themselves */
    unsigned access; /* AppArmorAccess */
} AppArmorRule;

typedef struct AppArmorRules {
    AppArmorRule *items;
    size_t n;
    bool terminals; /* makes some (/dev/pts), with a number that is not known before */
} AppArmorRules;

void apparmor_rules_done(AppArmorRules *rules);
#define CLEANUP_APPARMOR_RULES CLEANUP(apparmor_rules_done)
/* Adds what the path may be opened for; of a path that is there already, besides. NULL and what is
 * not absolute are passed over. -ENOMEM. */
int apparmor_rules_add(AppArmorRules *rules, const char *path, unsigned access);
/* Adds for each path what its links lead to. Of a file that is not there its directory's. Blocks.
 * -ENOMEM. */
int apparmor_rules_resolve(AppArmorRules *rules);

/* A profile for a QEMU: what every QEMU needs, and the rules. `name` has letters, digits and
 * dashes. ERROR_CONFIG_UNSUPPORTED names a path that a profile cannot have (control characters).
 * Caller frees *ret. */
int apparmor_profile(const char *name, const AppArmorRules *rules, char **ret, Error **reterr);
/* What the name of a profile's file ends in until it is loaded. */
#define APPARMOR_LOADING ".loading"
/* Writes the profile to a file, which has its name and APPARMOR_LOADING, and loads it from there,
 * in the place of one of that name; nothing where that is so already. Then `path` is the file's
 * name: it is there only while the kernel has what is in it. Errors have the words of
 * apparmor_parser. On a fiber. */
int apparmor_load(const char *path, const char *text, Error **reterr);
/* Takes it out of the kernel. Who still runs under it is unconfined then. 0 also when there was
 * none; -errno. Blocks. `sysfs` is "/sys" when NULL. */
int apparmor_remove(const char *sysfs, const char *name);
/* Whether the kernel has a profile of that name. Blocks. */
bool apparmor_has(const char *sysfs, const char *name);
