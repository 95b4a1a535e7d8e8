# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU models compared and merged by QEMU's words."""
import re

import libvirt

from conftest import refused

CPU = "<cpu><arch>x86_64</arch><model>{}</model>{}</cpu>"
MORE = "<feature name='avx512-4fmaps'/>"  # neither TCG nor a host of our days has it


def test_compare(connection):
    hypervisor = connection.compareHypervisorCPU
    assert hypervisor(None, None, None, "qemu", CPU.format("qemu64", "")) == libvirt.VIR_CPU_COMPARE_SUPERSET
    more = CPU.format("qemu64", MORE)
    assert hypervisor(None, None, None, "qemu", more) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    assert connection.compareCPU(more) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    fail = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    words = refused(hypervisor, libvirt.VIR_ERR_CPU_INCOMPATIBLE, None, None, None, "qemu", more, fail)
    assert "avx512-4fmaps" in words
    assert "avx512-4fmaps" in refused(connection.compareCPU, libvirt.VIR_ERR_CPU_INCOMPATIBLE, more, fail)


def test_baseline(connection):
    cpus = [CPU.format("Nehalem", ""), CPU.format("Westmere", "<feature name='vmx'/>")]
    assert ">Nehalem</model>\n</cpu>" in connection.baselineCPU(cpus)
    # What the first has beyond its model and the second has not, is in neither.
    cpus[0] = CPU.format("Nehalem", "<feature name='aes'/>" + MORE)
    merged = connection.baselineHypervisorCPU(None, None, None, "qemu", cpus)
    assert ">Nehalem</model>" in merged and "<feature policy='require' name='aes'/>" in merged
    assert "avx512-4fmaps" not in merged
    cpus[1] = CPU.format("Westmere", "<feature policy='disable' name='sse4.2'/>")
    assert "Nehalem" not in connection.baselineCPU(cpus)
    expand = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    assert "name='sse4.1'" in connection.baselineCPU([CPU.format("Nehalem", "")], expand)


ANY = "<cpu mode='host-passthrough'/>"  # no model: whatever the host has


def test_as_libvirt_reads_them(connection):
    """A host's CPU has an architecture and no mode; one without a model is below all; another architecture is no error."""
    hypervisor, baseline = connection.compareHypervisorCPU, connection.baselineHypervisorCPU
    assert connection.compareCPU(ANY) == libvirt.VIR_CPU_COMPARE_SUPERSET
    arm = "<cpu><arch>aarch64</arch><model>cortex-a57</model></cpu>"
    assert connection.compareCPU(arm) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    assert hypervisor(None, None, None, "qemu", arm) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    fail = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    assert "aarch64" in refused(connection.compareCPU, libvirt.VIR_ERR_CPU_INCOMPATIBLE, arm, fail)
    refused(connection.baselineCPU, libvirt.VIR_ERR_NO_SUPPORT, [arm])
    refused(connection.baselineCPU, libvirt.VIR_ERR_CONFIG_UNSUPPORTED, ["<cpu mode='custom'><model>qemu64</model></cpu>"])
    refused(connection.baselineCPU, libvirt.VIR_ERR_XML_ERROR, ["<cpu><model>qemu64</model></cpu>"])
    refused(baseline, libvirt.VIR_ERR_INVALID_ARG, None, None, None, "qemu", [ANY])
    for feature in ("<feature name='none-has-it'/>", "<feature/>", MORE + MORE):
        cpu = CPU.format("qemu64", feature)
        refused(baseline, libvirt.VIR_ERR_INTERNAL_ERROR if "none" in feature else libvirt.VIR_ERR_XML_ERROR,
                None, None, None, "qemu", [cpu])
    assert "EPYC" in connection.getCPUModelNames("x86_64") and connection.getCPUModelNames("s390x") == []
    refused(connection.getCPUModelNames, libvirt.VIR_ERR_NO_SUPPORT, "riscv64")
    refused(connection.getCPUModelNames, libvirt.VIR_ERR_INVALID_ARG, "nonesuch")


def test_what_cannot_be_compared(connection):
    assert "bogus" in refused(connection.compareCPU, libvirt.VIR_ERR_INTERNAL_ERROR, CPU.format("bogus", ""))
    refused(connection.baselineCPU, libvirt.VIR_ERR_INTERNAL_ERROR, [CPU.format("bogus", "")])
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_DETAIL, "<cpu>")
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_ERROR, "<cpus/>")
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_ERROR, "<cpu><arch>x86_64</arch></cpu>")
    refused(connection.compareHypervisorCPU, libvirt.VIR_ERR_INVALID_ARG, None, None, None, "bogus", "<cpu/>")


OF = CPU.replace("</model>", "</model><vendor>{}</vendor>")
QEMU = (None, None, None, "qemu")  # without KVM it gives a CPU of AMD's


def test_vendors_are_compared(connection):
    """One that is named is the host's or the CPU is incompatible; who made those of a model's name is not asked."""
    with open("/proc/cpuinfo") as f:
        host = re.search(r"(?m)^vendor_id\s*: (.*)$", f.read())[1]
    mine = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}.get(host)
    other = "AMD" if mine == "Intel" else "Intel"
    assert connection.compareCPU(OF.format("qemu64", other, "")) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    fail = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    words = refused(connection.compareCPU, libvirt.VIR_ERR_CPU_INCOMPATIBLE, OF.format("486", other, ""), fail)
    assert f"host CPU vendor does not match required CPU vendor {other}" in words
    if mine:
        assert connection.compareCPU(OF.format("486", mine, "")) == connection.compareCPU(CPU.format("486", ""))
    for vendor, answer in (("AMD", libvirt.VIR_CPU_COMPARE_SUPERSET), ("Intel", libvirt.VIR_CPU_COMPARE_INCOMPATIBLE),
                           ("Bogus", libvirt.VIR_CPU_COMPARE_INCOMPATIBLE)):
        assert connection.compareHypervisorCPU(*QEMU, OF.format("Nehalem", vendor, "")) == answer, vendor
    guest = CPU.format("qemu64", "").replace("<cpu>", "<cpu match='exact'>")
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_ERROR, guest)
    refused(connection.baselineHypervisorCPU, libvirt.VIR_ERR_XML_ERROR, *QEMU, [guest])
    assert "qemu64" in connection.baselineCPU([guest])


def test_vendors_of_a_baseline(connection):
    """It is of the vendor that all of them name, of no model of another, and there is none for two vendors."""
    def both(*cpus):
        return connection.baselineCPU(list(cpus)), connection.baselineHypervisorCPU(*QEMU, list(cpus))

    intel, plain = OF.format("Nehalem", "Intel", ""), CPU.format("Nehalem", "")
    for text in both(intel):
        assert "<model fallback='forbid'>Nehalem</model>\n  <vendor>Intel</vendor>\n" in text
    for text in both(intel, plain):
        assert "<model fallback='forbid'>Nehalem</model>\n</cpu>" in text
    host, guest = both(intel, OF.format("Westmere", "Intel", ""))
    assert "<model fallback='allow'>Nehalem</model>\n  <vendor>Intel</vendor>\n" in host
    assert "<model fallback='forbid'>Nehalem</model>\n  <vendor>Intel</vendor>\n" in guest
    for text in both(OF.format("Nehalem", "AMD", "")):
        assert ">kvm64</model>\n  <vendor>AMD</vendor>\n" in text and "name='ssse3'" in text
    for cpus in ([intel, OF.format("Opteron_G3", "AMD", "")], [intel, OF.format("Nehalem", "AMD", "")],
                 [OF.format("Nehalem", "Bogus", "")], [intel, CPU.format("EPYC", "")]):
        refused(connection.baselineCPU, libvirt.VIR_ERR_OPERATION_FAILED, cpus)
        refused(connection.baselineHypervisorCPU, libvirt.VIR_ERR_OPERATION_FAILED, *QEMU, cpus)
