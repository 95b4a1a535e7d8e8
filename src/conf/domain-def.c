/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The definition's memory: copy, free, resize; uuid text. */
#include "conf/domain-def.h"

#include <ctype.h>
#include <stdio.h>

#include "conf/domain-copy.h"

static void chardev_done(ChardevDef *chardev) {
    free(chardev->source.path);
    free(chardev->target_type);
    free(chardev->target_name);
    free(chardev->alias);
}

static void disk_done(DiskDef *disk) {
    free(disk->source);
    free(disk->target);
    free(disk->cache);
    free(disk->io);
    free(disk->discard);
    free(disk->serial);
    free(disk->alias);
}

static void cpu_done(CpuDef *cpu) {
    free(cpu->match);
    free(cpu->check);
    free(cpu->migratable);
    free(cpu->model);
    free(cpu->fallback);
    free(cpu->vendor);
    for (size_t i = 0; i < cpu->n_features; i++)
        free(cpu->features[i].name);
    free(cpu->features);
    for (size_t i = 0; i < cpu->n_cells; i++)
        bitmap_free(cpu->cells[i].cpus);
    free(cpu->cells);
}

static void devices_done(DomainDef *def) {
    for (size_t i = 0; i < def->n_chardevs; i++)
        chardev_done(&def->chardevs[i]);
    for (size_t i = 0; i < def->n_disks; i++)
        disk_done(&def->disks[i]);
    for (size_t i = 0; i < def->n_interfaces; i++) {
        free(def->interfaces[i].mac);
        free(def->interfaces[i].model);
        free(def->interfaces[i].alias);
    }
    for (size_t i = 0; i < def->n_rngs; i++) {
        free(def->rngs[i].model);
        free(def->rngs[i].backend);
        free(def->rngs[i].alias);
    }
    for (size_t i = 0; i < def->n_controllers; i++) {
        free(def->controllers[i].type);
        free(def->controllers[i].model);
    }
    free(def->chardevs);
    free(def->disks);
    free(def->interfaces);
    free(def->rngs);
    free(def->controllers);
}

bool vcpu_def_is_hotpluggable(const VcpuDef *vcpu) {
    return vcpu->hotpluggable == TRISTATE_ABSENT ? !vcpu->online
                                                 : vcpu->hotpluggable == TRISTATE_YES;
}

void domain_def_free(DomainDef *def) {
    if (!def)
        return;
    free(def->name);
    free(def->title);
    free(def->description);
    free(def->metadata);
    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        bitmap_free(def->vcpus[i].pin);
    free(def->vcpus);
    bitmap_free(def->cpuset);
    cputune_done(&def->cputune);
    iothreads_done(def->iothreads, def->n_iothreads);
    numatune_done(&def->numatune);
    free(def->partition);
    free(def->os.arch);
    free(def->os.machine);
    free(def->os.kernel);
    free(def->os.initrd);
    free(def->os.cmdline);
    cpu_done(&def->cpu);
    for (size_t i = 0; i < def->n_timers; i++) {
        free(def->timers[i].name);
        free(def->timers[i].tickpolicy);
    }
    free(def->timers);
    free(def->emulator);
    devices_done(def);
    free(def);
}

/* ---- copy ---- */

void own(char **text, bool *ok) {
    if (!*text)
        return;
    *text = strdup(*text);
    *ok &= *text != NULL;
}

void own_map(Bitmap **map, bool *ok) {
    if (!*map)
        return;
    *map = bitmap_copy(*map);
    *ok &= *map != NULL;
}

void own_array(void *array, size_t item, size_t *n, bool *ok) {
    void **p = array, *copy;

    if (*n == 0) {
        *p = NULL;
        return;
    }
    copy = malloc(*n * item);
    if (copy)
        memcpy(copy, *p, *n * item);
    else
        *n = 0;
    *ok &= copy != NULL;
    *p = copy;
}

static void own_cpu(CpuDef *cpu, bool *ok) {
    own(&cpu->match, ok);
    own(&cpu->check, ok);
    own(&cpu->migratable, ok);
    own(&cpu->model, ok);
    own(&cpu->fallback, ok);
    own(&cpu->vendor, ok);
    own_array(&cpu->features, sizeof(CpuFeature), &cpu->n_features, ok);
    for (size_t i = 0; i < cpu->n_features; i++)
        own(&cpu->features[i].name, ok);
    own_array(&cpu->cells, sizeof(NumaCell), &cpu->n_cells, ok);
    for (size_t i = 0; i < cpu->n_cells; i++)
        own_map(&cpu->cells[i].cpus, ok);
}

static void own_chardevs(DomainDef *def, bool *ok) {
    own_array(&def->chardevs, sizeof(ChardevDef), &def->n_chardevs, ok);
    for (size_t i = 0; i < def->n_chardevs; i++) {
        own(&def->chardevs[i].source.path, ok);
        own(&def->chardevs[i].target_type, ok);
        own(&def->chardevs[i].target_name, ok);
        own(&def->chardevs[i].alias, ok);
    }
}

static void own_disks(DomainDef *def, bool *ok) {
    own_array(&def->disks, sizeof(DiskDef), &def->n_disks, ok);
    for (size_t i = 0; i < def->n_disks; i++) {
        DiskDef *disk = &def->disks[i];
        char **texts[] = {&disk->source,  &disk->target, &disk->cache, &disk->io,
                          &disk->discard, &disk->serial, &disk->alias};

        for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
            own(texts[k], ok);
    }
}

static void own_devices(DomainDef *def, bool *ok) {
    own_chardevs(def, ok);
    own_disks(def, ok);
    own_array(&def->interfaces, sizeof(InterfaceDef), &def->n_interfaces, ok);
    for (size_t i = 0; i < def->n_interfaces; i++) {
        own(&def->interfaces[i].mac, ok);
        own(&def->interfaces[i].model, ok);
        own(&def->interfaces[i].alias, ok);
    }
    own_array(&def->rngs, sizeof(RngDef), &def->n_rngs, ok);
    for (size_t i = 0; i < def->n_rngs; i++) {
        own(&def->rngs[i].model, ok);
        own(&def->rngs[i].backend, ok);
        own(&def->rngs[i].alias, ok);
    }
    own_array(&def->controllers, sizeof(ControllerDef), &def->n_controllers, ok);
    for (size_t i = 0; i < def->n_controllers; i++) {
        own(&def->controllers[i].type, ok);
        own(&def->controllers[i].model, ok);
    }
}

DomainDef *domain_def_copy(const DomainDef *from) {
    CLEANUP_DOMAIN_DEF DomainDef *def = malloc(sizeof(DomainDef));
    size_t n_vcpus = from->n_vcpus_max;
    bool ok = true;

    if (!def)
        return NULL;
    *def = *from;
    char **texts[] = {&def->name,       &def->title,      &def->description, &def->metadata,
                      &def->os.arch,    &def->os.machine, &def->os.kernel,   &def->os.initrd,
                      &def->os.cmdline, &def->emulator,   &def->partition};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        own(texts[i], &ok);
    own_array(&def->vcpus, sizeof(VcpuDef), &n_vcpus, &ok);
    def->n_vcpus_max = n_vcpus;
    for (size_t i = 0; i < n_vcpus; i++)
        own_map(&def->vcpus[i].pin, &ok);
    own_map(&def->cpuset, &ok);
    cputune_own(&def->cputune, &ok);
    iothreads_own(&def->iothreads, &def->n_iothreads, &ok);
    numatune_own(&def->numatune, &ok);
    own_cpu(&def->cpu, &ok);
    own_array(&def->timers, sizeof(TimerDef), &def->n_timers, &ok);
    for (size_t i = 0; i < def->n_timers; i++) {
        own(&def->timers[i].name, &ok);
        own(&def->timers[i].tickpolicy, &ok);
    }
    own_devices(def, &ok);
    return ok ? TAKE_PTR(def) : NULL;
}

unsigned domain_def_online_vcpus(const DomainDef *def) {
    unsigned n = 0;

    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        n += def->vcpus[i].online;
    return n;
}

int domain_def_set_max_vcpus(DomainDef *def, unsigned max) {
    VcpuDef *vcpus;

    assert(max > 0 && max <= DOMAIN_MAX_VCPUS);
    for (unsigned i = max; i < def->n_vcpus_max; i++)
        bitmap_free(TAKE_PTR(def->vcpus[i].pin));
    cputune_clip(&def->cputune, max);
    vcpus = realloc(def->vcpus, max * sizeof(VcpuDef));
    if (!vcpus)
        return -ENOMEM;
    if (max > def->n_vcpus_max)
        memset(vcpus + def->n_vcpus_max, 0, (max - def->n_vcpus_max) * sizeof(VcpuDef));
    def->vcpus = vcpus;
    def->n_vcpus_max = max;
    return 0;
}

static int compare_iothread(const void *key, const void *item) {
    unsigned id = *(const unsigned *)key, other = ((const IothreadDef *)item)->id;

    return (id > other) - (id < other);
}

IothreadDef *domain_def_iothread(const DomainDef *def, unsigned id) {
    return def->n_iothreads ? bsearch(&id, def->iothreads, def->n_iothreads, sizeof(IothreadDef),
                                      compare_iothread)
                            : NULL;
}

IothreadDef *domain_def_add_iothread(DomainDef *def, unsigned id) {
    IothreadDef *bigger = reallocarray(def->iothreads, def->n_iothreads + 1, sizeof(IothreadDef));
    size_t at = def->n_iothreads;

    if (!bigger)
        return NULL;
    def->iothreads = bigger;
    for (; at > 0 && bigger[at - 1].id > id; at--)
        bigger[at] = bigger[at - 1];
    bigger[at] = (IothreadDef){.id = id, .pool_min = -1, .pool_max = -1};
    def->n_iothreads++;
    return &bigger[at];
}

void domain_def_remove_iothread(DomainDef *def, unsigned id) {
    IothreadDef *gone = domain_def_iothread(def, id);

    if (!gone)
        return;
    bitmap_free(gone->pin);
    def->n_iothreads--;
    memmove(gone, gone + 1,
            (size_t)(def->iothreads + def->n_iothreads - gone) * sizeof(IothreadDef));
}

void uuid_format(const uint8_t uuid[16], char text[UUID_TEXT_SIZE]) {
    char *to = text;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        to += sprintf(to, "%02x", uuid[i]);
    }
}

int uuid_parse(const char *text, uint8_t uuid[16]) {
    uint8_t out[16];
    int n = 0;

    while (isspace((unsigned char)*text))
        text++;
    for (; *text && n < 16; text++) {
        char pair[3] = {text[0], text[1], '\0'};

        if (*text == '-')
            continue;
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
            return -EINVAL;
        out[n++] = strtoul(pair, NULL, 16);
        text++;
    }
    while (isspace((unsigned char)*text))
        text++;
    if (n != 16 || *text)
        return -EINVAL;
    memcpy(uuid, out, 16);
    return 0;
}
