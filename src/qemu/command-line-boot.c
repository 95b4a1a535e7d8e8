/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the guest begins: firmware, kernel, boot order, clock, what it reads of its maker (SMBIOS).
 */
#include <stdio.h>
#include <time.h>

#include "qemu/command-line-internal.h"
#include "qemu/devices.h"
#include "util/file.h"
#include "util/text.h"

/* ---- firmware ---- */

bool argv_has_pflash(const DomainDef *def) {
    return def->os.loader && streq_ptr(def->os.loader_type, "pflash");
}

static void add_flash(ArgvBuilder *builder, const char *name, const char *path, const char *format,
                      bool readonly) {
    Props file = props_new(), node = props_new();

    props_text(&file, "driver", "file");
    props_text(&file, "filename", path);
    props_textf(&file, "node-name", "%s-storage", name);
    props_bool(&file, "auto-read-only", true);
    props_text(&file, "discard", "unmap");
    argv_add_json(builder, "-blockdev", props_take(&file));
    props_textf(&node, "node-name", "%s-format", name);
    props_bool(&node, "read-only", readonly);
    props_text(&node, "driver", format ? format : "raw");
    props_textf(&node, "file", "%s-storage", name);
    argv_add_json(builder, "-blockdev", props_take(&node));
}

void argv_add_firmware(ArgvBuilder *builder, const DomainDef *def) {
    const OsDef *os = &def->os;

    if (argv_has_pflash(def)) {
        add_flash(builder, "pflash0", os->loader, os->loader_format,
                  os->loader_readonly != TRISTATE_NO);
        if (os->has_nvram && os->nvram.path)
            add_flash(builder, "pflash1", os->nvram.path, os->nvram_format, false);
    } else if (os->loader) {
        argv_add_option(builder, "-bios", "%s", os->loader);
    }
}

int argv_check_firmware(const QemuCommandParams *params, Error **reterr) {
    const OsDef *os = &params->def->os;

    if (streq_ptr(os->firmware, "efi") && !os->loader)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': no firmware has been chosen for firmware='efi'; name one "
                            "in <loader>",
                            params->def->name);
    if (streq_ptr(os->smbios, "host") && (!params->parts || !params->parts->sysinfo))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': what <smbios mode='host'> is to say is not known",
                            params->def->name);
    if (argv_has_pflash(params->def) && os->has_nvram && !os->nvram.path)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': its <nvram> has no path", params->def->name);
    return 0;
}

/* ---- boot ---- */

static int find_order(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    const DeviceInfo *info = (const DeviceInfo *)((const char *)device + kind->info);

    if (kind->info != DEVICE_WITHOUT_INFO && info->boot_order)
        *(bool *)userdata = true;
    return 0;
}

/* Somebody said what it boots from: then from nothing else. */
static bool has_order(const DomainDef *def) {
    bool found = def->os.n_boot > 0;

    devices_each((DomainDef *)def, find_order, &found);
    return found;
}

static void put_boot(FILE *out, const OsDef *os, bool strict) {
    const char *comma = "";

    if (os->bootmenu != TRISTATE_ABSENT) {
        fprintf(out, "menu=%s", os->bootmenu == TRISTATE_YES ? "on" : "off");
        comma = ",";
    }
    if (os->has_bootmenu_timeout) {
        fprintf(out, "%ssplash-time=%u", comma, os->bootmenu_timeout);
        comma = ",";
    }
    if (os->has_reboot_timeout) {
        fprintf(out, "%sreboot-timeout=%d", comma, os->reboot_timeout);
        comma = ",";
    }
    if (strict)
        fprintf(out, "%sstrict=on", comma);
}

void argv_add_boot(ArgvBuilder *builder, const DomainDef *def) {
    const OsDef *os = &def->os;
    CLEANUP_FREE char *text = NULL;
    FILE *out = text_open(&text);

    if (!out) {
        builder->failed = true;
        return;
    }
    put_boot(out, os, has_order(def));
    if (fclose(out) != 0)
        builder->failed = true;
    else if (*text)
        argv_add_option(builder, "-boot", "%s", text);
    if (os->kernel)
        argv_add_option(builder, "-kernel", "%s", os->kernel);
    if (os->initrd)
        argv_add_option(builder, "-initrd", "%s", os->initrd);
    if (os->cmdline)
        argv_add_option(builder, "-append", "%s", os->cmdline);
    if (os->dtb)
        argv_add_option(builder, "-dtb", "%s", os->dtb);
    if (os->acpi_table)
        argv_add_option(builder, "-acpitable", "sig=SLIC,file=%s", os->acpi_table);
}

/* ---- clock ---- */

/* "2026-11-25T21:20:31" of the guest's clock. */
static void put_time(FILE *out, time_t when) {
    struct tm parts;
    char text[32];

    gmtime_r(&when, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(out, "base=%s", text);
}

static void put_base(FILE *out, const DomainDef *def, time_t now) {
    const ClockDef *clock = &def->clock_details;

    switch (def->clock) {
    case CLOCK_LOCALTIME:
    case CLOCK_TIMEZONE: /* QEMU's environment says which */
        fputs("base=localtime", out);
        break;
    case CLOCK_VARIABLE:
        if (clock_adjustment(clock) != 0)
            put_time(out, now + (time_t)clock_adjustment(clock));
        else
            fprintf(out, "base=%s", streq_ptr(clock->basis, "localtime") ? "localtime" : "utc");
        break;
    case CLOCK_ABSOLUTE:
        put_time(out, (time_t)clock->start);
        break;
    case CLOCK_UTC:
    case CLOCK_OFFSET_MAX_:
        fputs("base=utc", out);
        break;
    }
}

void argv_add_clock(ArgvBuilder *builder, const QemuCommandParams *params) {
    const DomainDef *def = params->def;
    CLEANUP_FREE char *text = NULL;
    FILE *out = text_open(&text);

    if (!out) {
        builder->failed = true;
        return;
    }
    put_base(out, def, params->now ? (time_t)params->now : time(NULL));
    for (size_t i = 0; i < def->n_timers; i++) {
        const TimerDef *timer = &def->timers[i];

        if (!streq(timer->name, "rtc"))
            continue;
        if (streq_ptr(timer->track, "guest"))
            fputs(",clock=vm", out);
        else if (streq_ptr(timer->track, "wall"))
            fputs(",clock=host", out);
        else if (streq_ptr(timer->track, "realtime"))
            fputs(",clock=rt", out);
        if (streq_ptr(timer->tickpolicy, "catchup"))
            fputs(",driftfix=slew", out);
    }
    if (fclose(out) != 0)
        builder->failed = true;
    else
        argv_add_option(builder, "-rtc", "%s", text);
}

/* ---- what the guest reads of its maker ---- */

static void add_smbios(ArgvBuilder *builder, unsigned type, const SysinfoBlock *block) {
    static const struct {
        const char *entry, *key;
    } keys[] = {{"manufacturer", "manufacturer"},
                {"vendor", "vendor"},
                {"version", "version"},
                {"date", "date"},
                {"release", "release"},
                {"product", "product"},
                {"serial", "serial"},
                {"uuid", "uuid"},
                {"sku", "sku"},
                {"family", "family"},
                {"asset", "asset"},
                {"location", "location"}};
    CLEANUP_FREE char *text = NULL;
    FILE *out = text_open(&text);

    if (!out) {
        builder->failed = true;
        return;
    }
    fprintf(out, "type=%u", type);
    for (size_t i = 0; i < block->n_entries; i++) {
        const SysinfoEntry *entry = &block->entries[i];
        CLEANUP_FREE char *value = argv_escape(entry->value ? entry->value : "");

        builder->failed |= !value;
        if (type == 11)
            fprintf(out, ",value=%s", value ? value : "");
        for (size_t k = 0; type != 11 && entry->name && k < ARRAY_SIZE(keys); k++)
            if (streq(keys[k].entry, entry->name))
                fprintf(out, ",%s=%s", keys[k].key, value ? value : "");
    }
    if (fclose(out) != 0)
        builder->failed = true;
    else
        argv_add_option(builder, "-smbios", "%s", text);
}

static void add_fwcfg(ArgvBuilder *builder, const SysinfoDef *sysinfo) {
    for (size_t i = 0; i < sysinfo->n_entries; i++) {
        const SysinfoEntry *entry = &sysinfo->entries[i];
        const char *value = entry->file ? entry->file : entry->value ? entry->value : "";
        CLEANUP_FREE char *escaped = argv_escape(value);

        builder->failed |= !escaped;
        argv_add_option(builder, "-fw_cfg", "name=%s,%s=%s", entry->name,
                        entry->file ? "file" : "string", escaped ? escaped : "");
    }
}

static void add_blocks(ArgvBuilder *builder, const SysinfoDef *sysinfo) {
    if (sysinfo->bios)
        add_smbios(builder, 0, sysinfo->bios);
    if (sysinfo->system)
        add_smbios(builder, 1, sysinfo->system);
    for (size_t k = 0; k < sysinfo->n_boards; k++)
        add_smbios(builder, 2, &sysinfo->boards[k]);
    if (sysinfo->chassis)
        add_smbios(builder, 3, sysinfo->chassis);
    if (sysinfo->oem)
        add_smbios(builder, 11, sysinfo->oem);
}

void argv_add_sysinfo(ArgvBuilder *builder, const QemuCommandParams *params) {
    const DomainDef *def = params->def;

    for (size_t i = 0; i < def->n_sysinfos; i++)
        if (streq_ptr(def->sysinfos[i].type, "fwcfg"))
            add_fwcfg(builder, &def->sysinfos[i]);
        else if (streq_ptr(def->os.smbios, "sysinfo"))
            add_blocks(builder, &def->sysinfos[i]);
    if (streq_ptr(def->os.smbios, "host") && params->parts && params->parts->sysinfo)
        add_blocks(builder, params->parts->sysinfo);
}
