/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host and the domains lack, or what differs from what was asked for. Everything here
 * looks; nothing is changed. */
#include "doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "access-view.h"
#include "access.h"
#include "domain/audit-queue.h"
#include "driver/save-settle.h"
#include "driver/strays.h"
#include "host/security-module.h"
#include "qemu/quirks.h"
#include "util/file.h"

#define FINDINGS_MAX 4096u
#define NOTES_MAX 4096u

/* vireo_finding's level */
enum { LEVEL_GOOD, LEVEL_NOTE, LEVEL_WRONG };

/* ---- notes of an XML ---- */

/* A growing list of the reply. */
typedef struct Notes {
    vireo_check_xml_ret *ret;
    size_t size;
    bool failed;
} Notes;

static void add_note(Notes *notes, int kind, const char *path, int line) {
    vireo_check_xml_ret *ret = notes->ret;

    if (ret->notes.notes_len == NOTES_MAX || notes->failed)
        return;
    if (ret->notes.notes_len == notes->size) {
        size_t size = notes->size * 2 + 8;
        vireo_xml_note *grown = reallocarray(ret->notes.notes_val, size, sizeof(*grown));

        if (!grown) {
            notes->failed = true;
            return;
        }
        ret->notes.notes_val = grown;
        notes->size = size;
    }
    ret->notes.notes_val[ret->notes.notes_len] = (vireo_xml_note){
        .kind = kind, .path = strdup(path), .line = line};
    if (ret->notes.notes_val[ret->notes.notes_len].path)
        ret->notes.notes_len++;
    else
        notes->failed = true;
}

static void on_unknown(const char *path, int line, void *userdata) {
    add_note(userdata, VIREO_XML_UNKNOWN, path, line);
}

static void on_kept(const char *path, int line, void *userdata) {
    add_note(userdata, VIREO_XML_KEPT, path, line);
}

static int check_xml(const char *xml, vireo_check_xml_ret *ret, Error **reterr) {
    Notes notes = {.ret = ret};
    int r = driver_check_xml(xml, on_unknown, on_kept, &notes, reterr);

    return notes.failed ? error_no_memory(reterr) : r;
}

int doctor_check_xml(RpcSession *session, RpcCall *call, void *args_, void *ret_, Error **reterr) {
    vireo_check_xml_args *args = args_;

    return check_xml(args->xml, ret_, reterr);
}

/* ---- findings ---- */

typedef struct Findings {
    vireo_doctor_ret *ret;
    size_t size;
    bool failed;
} Findings;

static vireo_finding *new_finding(Findings *findings) {
    vireo_doctor_ret *ret = findings->ret;

    if (findings->failed || ret->findings.findings_len == FINDINGS_MAX)
        return NULL;
    if (ret->findings.findings_len == findings->size) {
        size_t size = findings->size * 2 + 16;
        vireo_finding *grown = reallocarray(ret->findings.findings_val, size, sizeof(*grown));

        if (!grown) {
            findings->failed = true;
            return NULL;
        }
        ret->findings.findings_val = grown;
        findings->size = size;
    }
    ret->findings.findings_val[ret->findings.findings_len] = (vireo_finding){0};
    return &ret->findings.findings_val[ret->findings.findings_len++];
}

/* Takes the text, which is NULL when there was no memory for it. advice: NULL for none. */
static void add(Findings *findings, int level, const char *topic, char *text, const char *advice) {
    vireo_finding *finding = new_finding(findings);

    if (!finding) {
        free(text);
        return;
    }
    finding->level = level;
    finding->topic = strdup(topic);
    finding->text = text;
    if (advice) {
        finding->advice = calloc(1, sizeof(remote_string));
        if (finding->advice)
            *finding->advice = strdup(advice);
    }
    if (finding->topic && finding->text && (!advice || (finding->advice && *finding->advice)))
        return;
    free(finding->topic);
    free(finding->text);
    if (finding->advice)
        free(*finding->advice);
    free(finding->advice);
    findings->ret->findings.findings_len--;
    findings->failed = true;
}

/* ---- the host ---- */

static void look_at_kvm(Findings *findings) {
    if (access("/dev/kvm", R_OK | W_OK) == 0)
        add(findings, LEVEL_GOOD, "kvm", strf("/dev/kvm can be used"), NULL);
    else
        add(findings, LEVEL_WRONG, "kvm", strf("/dev/kvm cannot be used: %s", strerror(errno)),
            "domains of type kvm do not start; load the module kvm_intel or kvm_amd, or switch "
            "virtualization on in the firmware");
}

/* What a guest gets that breaks out of its QEMU. */
static void look_at_confinement(Findings *findings, const Driver *driver) {
    const Confinement *confinement = driver->services.confinement;

    if (confinement->has_user)
        add(findings, LEVEL_GOOD, "confinement",
            strf("QEMU runs as user %u, group %u", (unsigned)confinement->uid,
                 (unsigned)confinement->gid),
            NULL);
    else if (geteuid() == 0)
        add(findings, confinement->no_user ? LEVEL_WRONG : LEVEL_NOTE, "confinement",
            strf("QEMU runs as root%s%s", confinement->no_user ? ": " : "",
                 confinement->no_user ? confinement->no_user : ""),
            "a guest that breaks out of QEMU is root, with no capability but to open any file; "
            "name a user of QEMU's own with the setting 'user', or none for vireo-qemu");
    if (!confinement->sandbox)
        add(findings, LEVEL_WRONG, "confinement",
            strf("QEMU's sandbox (seccomp) is switched off by the setting 'sandbox'"), NULL);
    if (confinement->no_dev)
        add(findings, LEVEL_NOTE, "confinement",
            strf("QEMU sees the host's /dev: %s", confinement->no_dev),
            "give vireod CAP_SYS_ADMIN and CAP_MKNOD");
    else if (!confinement->private_dev && geteuid() == 0)
        add(findings, LEVEL_NOTE, "confinement",
            strf("QEMU sees the host's /dev: switched off by the setting 'private_dev'"), NULL);
    if (confinement->limit_devices && !limits_has_devices(driver->services.limits))
        add(findings, LEVEL_NOTE, "confinement",
            strf("the cgroups of this daemon do not say which device nodes QEMU may open"),
            "its own /dev and its lack of capabilities keep it from others; with cgroup v1, mount "
            "the controller 'devices' read-write, with v2 let systemd make scopes");
}

static bool has_security_module(void) {
    for (SecurityModule module = 0; module < SECURITY_MAX_; module++)
        if (security_module_is_on(NULL, module))
            return true;
    return false;
}

/* Said, because whoever runs QEMUs beside libvirt expects it. */
static void look_at_labels(Findings *findings, const Driver *driver) {
    const Confinement *confinement = driver->services.confinement;

    if (confinement->label)
        add(findings, LEVEL_GOOD, "confinement",
            strf("each QEMU gets a label of %s", security_module_name(confinement->label->module)),
            NULL);
    else if (!has_security_module())
        add(findings, LEVEL_NOTE, "confinement", strf("the host has neither SELinux nor AppArmor"),
            NULL);
    else
        add(findings, confinement->no_label ? LEVEL_WRONG : LEVEL_NOTE, "confinement",
            strf("QEMUs get no security label: %s",
                 confinement->no_label ? confinement->no_label
                                       : "switched off by the setting 'security_driver'"),
            "its user, seccomp, its lack of capabilities and its own /dev hold a QEMU");
}

static void look_at_userfaultfd(Findings *findings) {
    CLEANUP_FREE char *text = NULL;

    if (file_read("/proc/sys/vm/unprivileged_userfaultfd", 16, &text, NULL) >= 0 && *text == '0')
        add(findings, LEVEL_NOTE, "migration",
            strf("a guest that comes here cannot be switched to post-copy: "
                 "vm.unprivileged_userfaultfd is 0"),
            "the package's file in sysctl.d sets it at boot; 'sysctl "
            "vm.unprivileged_userfaultfd=1' now");
}

static void look_at_cgroups(Findings *findings, const Config *config) {
    if (!config->cgroups)
        add(findings, LEVEL_NOTE, "cgroups", strf("switched off by the setting 'cgroups'"),
            "CPU shares, quotas and memory nodes are refused");
    else if (access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0)
        add(findings, LEVEL_GOOD, "cgroups", strf("version 2"), NULL);
    else if (access("/sys/fs/cgroup/cpuset", X_OK) == 0 || access("/sys/fs/cgroup/cpu", X_OK) == 0)
        add(findings, LEVEL_GOOD, "cgroups", strf("version 1"), NULL);
    else
        add(findings, LEVEL_WRONG, "cgroups", strf("no controller is mounted below /sys/fs/cgroup"),
            "CPU shares, quotas and memory nodes are refused; mount cgroup2 at /sys/fs/cgroup");
    if (!config->scopes || access("/run/systemd/system", X_OK) != 0)
        add(findings, LEVEL_NOTE, "cgroups", strf("systemd is not asked for scopes"),
            "machinectl and systemd-cgls do not know the domains");
}

static void look_at_services(Findings *findings, const Driver *driver, const Config *config) {
    const char *resctrl = config->resctrl ? config->resctrl : "/sys/fs/resctrl";
    char schemata[4096];

    if (audit_queue_is_active(driver->services.audit))
        add(findings, LEVEL_GOOD, "audit", strf("changes of domains are audited"), NULL);
    else
        add(findings, LEVEL_NOTE, "audit", strf("nothing is audited"),
            "'audit_level' in vireod.conf asks for it; it needs CAP_AUDIT_WRITE and a kernel with "
            "audit");
    snprintf(schemata, sizeof(schemata), "%s/schemata", resctrl);
    if (access(schemata, R_OK) == 0)
        add(findings, LEVEL_GOOD, "resctrl", strf("mounted at %s", resctrl), NULL);
    else
        add(findings, LEVEL_NOTE, "resctrl", strf("not mounted at %s", resctrl),
            "<cachetune> and <memorytune> are refused; mount it where the CPU has RDT or QoS");
}

static void look_at_tcp(Findings *findings, const Config *config) {
    const bool everybody = config->tcp_anybody;

    if (!config->listen_tcp)
        return;
    add(findings, everybody ? LEVEL_WRONG : LEVEL_GOOD, "tcp",
        strf(everybody
                 ? "whoever can connect to %s port %u may do all that root may with machines, "
                   "and through them with this host"
                 : "root of this host is served at %s port %u",
             config->listen_addr, config->tcp_port),
        everybody ? "'tcp_auth = peer' in vireod.conf lets in root of this host alone; from other "
                    "hosts, come through ssh"
                  : NULL);
}

static void look_at_qemu(Findings *findings, Driver *driver) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *binary = NULL;
    CLEANUP_ERROR Error *error = NULL;
    struct utsname host;

    uname(&host);
    binary = qemu_default_emulator(host.machine);
    if (!binary) {
        add(findings, LEVEL_NOTE, "qemu", strf("no emulator is known for %s", host.machine), NULL);
        return;
    }
    if (qemu_caps_get(driver->services.caps, binary, &caps, &error) < 0)
        add(findings, LEVEL_WRONG, "qemu", strf("%s", error_message(error)),
            "install QEMU, or name another emulator in each domain");
    else
        add(findings, LEVEL_GOOD, "qemu",
            strf("%s is version %u.%u.%u, %s", binary, caps->major, caps->minor, caps->micro,
                 caps->kvm ? "with KVM" : "without KVM"),
            NULL);
}

/* QEMUs that may be ours and are not understood: nobody ends them. */
static void look_at_strays(Findings *findings, const Driver *driver) {
    for (const Stray *stray = strays_first(driver->services.strays); stray; stray = stray->next)
        add(findings, LEVEL_WRONG, "strays",
            strf("a QEMU (process %d, monitor '%s') runs and is no domain's: %s",
                 (int)stray->pid.pid, stray->monitor_path, stray->why ? stray->why : "?"),
            "it is left alone, and a domain with its uuid is not started");
}

/* ---- domains ---- */

/* What its QEMU does wrong, and is refused or worked around. */
static void look_at_quirks(Findings *findings, const Domain *domain) {
    const DomainRun *run = domain->run;

    for (QuirkName name = 0; run && run->caps && name < QUIRK_MAX_; name++) {
        const Quirk *quirk = quirk_of(run->caps, run->live->virt, name);
        CLEANUP_FREE char *text = quirk ? quirk_text(quirk, run->caps) : NULL;

        if (text)
            add(findings, LEVEL_NOTE, "quirks", strf("domain '%s': %s", domain_name(domain), text),
                NULL);
    }
}

static void look_at_xml(Findings *findings, Driver *driver, Domain *domain) {
    vireo_check_xml_ret notes = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (driver_dump_xml(domain, domain->config ? XML_INACTIVE : 0, &xml, &error) >= 0 &&
        check_xml(xml, &notes, &error) >= 0)
        for (u_int i = 0; i < notes.notes.notes_len; i++) {
            const vireo_xml_note *note = &notes.notes.notes_val[i];

            add(findings, LEVEL_NOTE, "xml",
                note->kind == VIREO_XML_UNKNOWN
                    ? strf("domain '%s': %s is not known", domain_name(domain), note->path)
                    : strf("domain '%s': %s is kept, but not acted on", domain_name(domain),
                           note->path),
                NULL);
        }
    xdr_free((xdrproc_t)xdr_vireo_check_xml_ret, (char *)&notes);
}

static void look_at_operations(Findings *findings, const Driver *driver, const Domain *domain) {
    for (const Operation *at = operation_log_first(driver->services.operations); at;
         at = at->next) {
        CLEANUP_FREE char *what = NULL;

        if (operation_has_ended(at) || !streq(at->name, domain_name(domain)))
            continue;
        what = operation_describe(at);
        add(findings, LEVEL_NOTE, "operations",
            strf("domain '%s': operation %" PRIu64 " (%s) is %s", domain_name(domain), at->id,
                 what ? what : "?", operation_state_name(at->state)),
            "'vireo ops show ID' tells more, 'vireo ops retry ID' asks the guest again");
    }
}

/* Where its guest is when a save or a migration has ended in the middle. */
static void look_at_whereabouts(Findings *findings, const Domain *domain) {
    const char *advice = NULL;
    char *text = save_settle_describe(domain, &advice);

    if (text)
        add(findings, LEVEL_WRONG, "migration", text, advice);
}

static void look_at_domain(Findings *findings, Driver *driver, Domain *domain) {
    look_at_whereabouts(findings, domain);
    if (domain->run && domain->run->n_drifts)
        add(findings, LEVEL_NOTE, "drift",
            strf("domain '%s': %" PRIu64 " settings of its threads were changed by somebody else "
                 "and mended",
                 domain_name(domain), (uint64_t)domain->run->n_drifts),
            "'vireo event --event drift' shows each as it comes");
    look_at_operations(findings, driver, domain);
    look_at_xml(findings, driver, domain);
}

/* References to all domains, as looking at one may wait. */
static int look_at_all(Findings *findings, const Client *client, Driver *driver) {
    size_t n = driver_n_domains(driver), i = 0;
    CLEANUP_FREE Domain **all = calloc(n + 1, sizeof(Domain *));

    if (!all)
        return -ENOMEM;
    for (Domain *domain = driver_domains(driver); domain && i < n; domain = domain->next)
        all[i++] = domain_ref(domain);
    for (size_t k = 0; k < i; k++) {
        if (access_sees(client, domain_def(all[k])->uuid))
            look_at_domain(findings, driver, all[k]);
        domain_unref(all[k]);
    }
    return 0;
}

int doctor_look(RpcSession *session, RpcCall *call, void *args_, void *ret_, Error **reterr) {
    const Config *config = &client_of(session)->daemon->config;
    Findings findings = {.ret = ret_};
    vireo_doctor_args *args = args_;
    Driver *driver = driver_of(session);
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = args->dom ? dispatch_domain(session, args->dom, &domain, reterr)
                      : access_look(client_of(session), reterr);

    if (r >= 0 && domain)
        r = access_check(client_of(session), ACCESS_READ, domain, reterr);
    if (r < 0)
        return r;
    look_at_kvm(&findings);
    look_at_cgroups(&findings, config);
    look_at_confinement(&findings, driver);
    look_at_labels(&findings, driver);
    look_at_services(&findings, driver, config);
    look_at_userfaultfd(&findings);
    look_at_tcp(&findings, config);
    look_at_qemu(&findings, driver);
    if (!client_of(session)->view) /* nobody knows whose they are */
        look_at_strays(&findings, driver);
    if (domain) { /* quirks are alike for all domains of an emulator: of one that is asked for */
        look_at_quirks(&findings, domain);
        look_at_domain(&findings, driver, domain);
    } else {
        r = look_at_all(&findings, client_of(session), driver);
    }
    return r < 0 || findings.failed ? error_no_memory(reterr) : 0;
}
