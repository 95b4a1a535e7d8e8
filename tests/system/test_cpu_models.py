# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU models compared and merged by QEMU's words."""
import libvirt

from conftest import refused

CPU = "<cpu><arch>x86_64</arch><model>{}</model>{}</cpu>"
MORE = "<feature name='none-has-it'/>"


def test_compare(connection):
    hypervisor = connection.compareHypervisorCPU
    assert hypervisor(None, None, None, "qemu", CPU.format("qemu64", "")) == libvirt.VIR_CPU_COMPARE_SUPERSET
    more = CPU.format("qemu64", MORE)
    assert hypervisor(None, None, None, "qemu", more) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    assert connection.compareCPU(more) == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE
    fail = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    words = refused(hypervisor, libvirt.VIR_ERR_CPU_INCOMPATIBLE, None, None, None, "qemu", more, fail)
    assert "none_has_it" in words
    assert "none_has_it" in refused(connection.compareCPU, libvirt.VIR_ERR_CPU_INCOMPATIBLE, more, fail)


def test_baseline(connection):
    cpus = [CPU.format("Nehalem", ""), CPU.format("Westmere", "<feature name='vmx'/>")]
    assert ">Nehalem</model>\n</cpu>" in connection.baselineCPU(cpus)
    # What the first has beyond its model and the second has not, is in neither.
    cpus[0] = CPU.format("Nehalem", "<feature name='aes'/>" + MORE)
    merged = connection.baselineHypervisorCPU(None, None, None, "qemu", cpus)
    assert ">Nehalem</model>" in merged and "<feature policy='require' name='aes'/>" in merged
    assert "none_has_it" not in merged
    cpus[1] = CPU.format("Westmere", "<feature policy='disable' name='sse4.2'/>")
    assert "Nehalem" not in connection.baselineCPU(cpus)
    expand = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    assert "name='sse4.1'" in connection.baselineCPU([CPU.format("Nehalem", "")], expand)


def test_what_cannot_be_compared(connection):
    assert "bogus" in refused(connection.compareCPU, libvirt.VIR_ERR_INTERNAL_ERROR, CPU.format("bogus", ""))
    refused(connection.baselineCPU, libvirt.VIR_ERR_INTERNAL_ERROR, [CPU.format("bogus", "")])
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_DETAIL, "<cpu>")
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_ERROR, "<cpus/>")
    refused(connection.compareCPU, libvirt.VIR_ERR_XML_ERROR, "<cpu/>")
    refused(connection.compareHypervisorCPU, libvirt.VIR_ERR_INVALID_ARG, None, None, None, "bogus", "<cpu/>")
