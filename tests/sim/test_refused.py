# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that cannot be: the error's code and sentence, and that QEMU never heard of them."""
import json
import os
import sys

import libvirt
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulated import ask, define, sent, plug_by_hand, start  # noqa: E402
from test_cores import POWER  # noqa: E402
from conftest import client, daemon, end_of, wait_for  # noqa: E402,F401

LIVE, CONFIG, MAXIMUM, GUEST, HOTPLUGGABLE = 1, 2, 4, 8, 16
INVALID_ARG, UNSUPPORTED, INVALID, CONFIG_UNSUPPORTED = (libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
                                                         libvirt.VIR_ERR_OPERATION_INVALID,
                                                         libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
ARGUMENT_UNSUPPORTED = libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED
FAILED, TIMEOUT = libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_OPERATION_TIMEOUT


def count(n, flags):
    return lambda d: d.setVcpusFlags(n, flags)


def one(ids, state, flags):
    return lambda d: d.setVcpu(ids, state, flags)


@pytest.fixture
def domain(daemon):
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open(daemon.uri)
    yield lambda name="s1": connection.lookupByName(name)
    connection.close()


def refused(daemon, domain, change, code, text, name="s1"):
    before = sent(daemon, name)
    xml = domain(name).XMLDesc(), domain(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    with pytest.raises(libvirt.libvirtError) as caught:
        change(domain(name))
    assert text in str(caught.value)
    assert caught.value.get_error_code() == code, str(caught.value)
    assert sent(daemon, name) == before
    assert (domain(name).XMLDesc(), domain(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) == xml
    assert json.loads(daemon.vireo("ops", "list", "--all", "--json")) == []


@pytest.mark.parametrize("change, code, text", [
    (count(9, LIVE), INVALID_ARG, "requested vcpus is greater than max allowable vcpus for the live domain: 9 > 8"),
    (count(9, CONFIG), INVALID_ARG, "max allowable vcpus for the persistent domain: 9 > 8"),
    (count(9, LIVE | CONFIG), INVALID_ARG, "max allowable vcpus"),
    (count(0, LIVE), INVALID_ARG, "must not be zero"),
    (count(1, LIVE), CONFIG_UNSUPPORTED, "can't be unplugged"),
    (count(1, LIVE | CONFIG), CONFIG_UNSUPPORTED, "can't be unplugged"),
    (count(8, LIVE | MAXIMUM), INVALID_ARG, "VIR_DOMAIN_AFFECT_CONFIG"),
    (count(16, LIVE | CONFIG | MAXIMUM), UNSUPPORTED, "maximum vcpu count of a live domain can't be modified"),
    (count(100000, CONFIG | MAXIMUM), INVALID_ARG, "beyond the limit"),
    (count(2, CONFIG | GUEST), INVALID_ARG, "mutually exclusive"),
    (count(2, LIVE | GUEST), ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured"),
    (one("8", 1, LIVE), INVALID_ARG, "vcpu 8 is not present in live config"),
    (one("8", 1, CONFIG), INVALID_ARG, "vcpu 8 is not present in persistent config"),
    (one("1", 1, LIVE), INVALID_ARG, "vcpu '1' is already in requested state"),
    (one("5", 0, LIVE), INVALID_ARG, "vcpu '5' is already in requested state"),
    (one("1", 0, LIVE), UNSUPPORTED, "vcpu '1' can't be unplugged"),
    (one("4-5", 1, LIVE), UNSUPPORTED, "only one hotpluggable entity"),
    (one("1,^1", 1, LIVE), INVALID_ARG, "no vcpus selected"),
    (one("x", 1, LIVE), INVALID_ARG, "Failed to parse bitmap 'x'"),
    (one("0", 0, CONFIG), INVALID_ARG, "vCPU '0' can't be modified"),
    (one("1", 0, CONFIG), INVALID_ARG, "followed by non-hotpluggable online vcpus"),
    (one("1", 0, LIVE | CONFIG), INVALID_ARG, "followed by non-hotpluggable online vcpus"),
    (one("2", 2, LIVE), INVALID_ARG, "unsupported state value"),
    (one("", 1, LIVE), INVALID_ARG, "no vcpus selected for modification"),
    (one("16384", 1, LIVE), INVALID_ARG, "Failed to parse bitmap '16384'"),
    (one("7-8", 1, LIVE), INVALID_ARG, "vcpu 8 is not present in live config"),
    (one("7-8", 1, CONFIG), INVALID_ARG, "vcpu 8 is not present in persistent config"),
    (one("0", 0, LIVE), UNSUPPORTED, "vcpu '0' can't be unplugged: it is not hotpluggable"),
    (one("0", 1, CONFIG), INVALID_ARG, "vCPU '0' can't be modified"),
    (one("1-2", 0, LIVE), UNSUPPORTED,
     "only one hotpluggable entity can be selected, and vcpu '2' is of another than '1'"),
    (count(2, LIVE | GUEST | HOTPLUGGABLE), INVALID_ARG,
     "Flags 'VIR_DOMAIN_VCPU_HOTPLUGGABLE' and 'VIR_DOMAIN_VCPU_GUEST' are mutually exclusive"),
    (count(2, LIVE | 0x1000), INVALID_ARG, "unsupported flags (0x1000)"),
    (lambda d: d.vcpusFlags(LIVE | CONFIG), INVALID_ARG, "are mutually exclusive"),
    (lambda d: d.vcpusFlags(GUEST), ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured"),
    (lambda d: d.setGuestVcpus("1", 1), ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured"),
    (lambda d: d.setGuestVcpus("1", 2), INVALID_ARG, "unsupported state value"),
])
def test_refused(daemon, domain, change, code, text):
    """On a domain with three of eight vCPUs, all there at boot."""
    start(daemon, "s1", current=3)
    refused(daemon, domain, change, code, text)


@pytest.mark.parametrize("change, code, text", [
    (count(6, LIVE), CONFIG_UNSUPPORTED,
     "requested vcpu count 6 is not a multiple of the hotpluggable entity's granularity (4 vcpus at a time)"),
    (one("4", 1, LIVE), CONFIG_UNSUPPORTED, "vcpu 4 belongs to a hotpluggable entity of 4 vcpus; name all of them"),
    (one("4-6", 1, LIVE), CONFIG_UNSUPPORTED, "vcpu 4 belongs to a hotpluggable entity of 4 vcpus; name all of them"),
    (one("4-11", 1, LIVE), UNSUPPORTED, "only one hotpluggable entity can be selected"),
    (one("0-3", 0, LIVE), UNSUPPORTED, "vcpu '0' can't be unplugged"),
    (one("0-3", 1, LIVE), INVALID_ARG, "vcpu '0' is already in requested state"),
])
def test_cores(daemon, domain, change, code, text):
    """POWER cores of four threads."""
    start(daemon, "s1", **POWER)
    refused(daemon, domain, change, code, text)


def test_what_is_so_in_the_definition(daemon):
    """libvirt: no error, nothing changes; of several the others do."""
    start(daemon, "s1")
    for ids, word, expected in (("5", "--disable", 1), ("5", "--enable", 2), ("5", "--enable", 2), ("4-5", "--enable", 3),
                                ("3-5", "--disable", 1)):
        daemon.virsh("setvcpu", "s1", ids, word, "--config")
        assert int(daemon.virsh("vcpucount", "s1", "--config", "--active")) == expected


def test_unplug_that_the_guest_answers_badly(daemon):
    """Refused: its reason. Not answered: OPERATION_TIMEOUT. Neither changes the definition."""
    daemon.configure("unplug_timeout_ms = 300")
    connection = libvirt.open(daemon.uri)
    for name, behaviour, code, text in (
            ("s1", {"refuse": 1, "refuse_codes": [0x82]}, FAILED, "was rejected by the guest of domain 's1': "),
            ("s2", {"silent": 1}, TIMEOUT,
             "vcpu unplug request timed out. Unplug result must be manually inspected in the domain")):
        start(daemon, name, behaviour)
        connection.lookupByName(name).setVcpusFlags(3, LIVE | CONFIG)
        before = connection.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        with pytest.raises(libvirt.libvirtError) as caught:
            connection.lookupByName(name).setVcpusFlags(2, LIVE | CONFIG)
        assert text in str(caught.value)
        assert caught.value.get_error_code() == code, str(caught.value)
        assert connection.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before
        assert ask(daemon, name)["online"] == [0, 1, 2]
    connection.close()


def test_paused_guest(daemon, domain):
    start(daemon, "s1")
    plug_by_hand(daemon, "s1", 1, "vcpu1")
    daemon.stop()
    daemon.start()
    connection = libvirt.open(daemon.uri)
    connection.lookupByName("s1").suspend()
    refused(daemon, lambda name: connection.lookupByName(name), count(1, LIVE), INVALID, "is paused")
    connection.close()


def test_old_qemu(daemon, domain):
    start(daemon, "s1", {"without": ["query-hotpluggable-cpus"]})
    refused(daemon, domain, count(4, LIVE), UNSUPPORTED, "hotplug")


def test_not_running(daemon, domain):
    define(daemon, "s1", {})
    for change in (count(2, LIVE), one("1", 1, LIVE), count(2, LIVE | CONFIG)):
        with pytest.raises(libvirt.libvirtError) as caught:
            change(domain())
        assert caught.value.get_error_code() == INVALID and "domain is not running" in str(caught.value)


def test_maximum_against_topology_and_numa(daemon, domain):
    cpu = "<cpu><topology sockets='2' cores='2' threads='2'/></cpu>"
    start(daemon, "s1", extra_cpu=cpu)
    refused(daemon, domain, count(6, CONFIG | MAXIMUM), INVALID_ARG,
            "CPU topology doesn't match the desired vcpu count: it makes 8 CPUs, not 6")
    cpu = ("<cpu><numa><cell id='0' cpus='0-3' memory='32' unit='MiB'/>"
           "<cell id='1' cpus='4-7' memory='32' unit='MiB'/></numa></cpu>")
    start(daemon, "s2", extra_cpu=cpu)
    refused(daemon, domain, count(6, CONFIG | MAXIMUM), INVALID_ARG,
            "Number of CPUs in <numa> exceeds the desired maximum vcpu count: cell 1 has CPU '7'", "s2")


def test_more_than_the_machine_has(daemon, domain):
    define(daemon, "s1", {}, maximum=1000)
    with pytest.raises(libvirt.libvirtError) as caught:
        domain().create()
    assert "Maximum CPUs greater than specified machine type limit 288" in str(caught.value)
    assert "'s1' asks for 1000" in str(caught.value) and caught.value.get_error_code() == CONFIG_UNSUPPORTED


def test_failed_changes_are_not_written_down(daemon):
    """Nothing of a refused change is left on disk either."""
    start(daemon, "s1", current=3)
    daemon.virsh("setvcpus", "s1", "9", "--live", ok=False)
    assert os.listdir(f"{daemon.root}/run/operations") == []
    assert ask(daemon, "s1")["online"] == [0, 1, 2]


def test_another_change_holds_the_domain(daemon):
    """It waits its turn, not for ever; the error names what it waited for, and nothing of it was sent."""
    daemon.configure("unplug_timeout_ms = 60000")
    start(daemon, "s1", {"silent": 1})
    daemon.virsh("setvcpus", "s1", "3", "--live")
    first = client(daemon, "setvcpus", "s1", "2", "--live")
    wait_for(lambda: ["device_del", "vcpu2"] in sent(daemon, "s1"), 10, "removal under way")
    before = sent(daemon, "s1")
    connection = libvirt.open(daemon.uri)
    with pytest.raises(libvirt.libvirtError) as caught:
        connection.lookupByName("s1").setVcpusFlags(5, LIVE)
    connection.close()
    assert "cannot acquire state change lock of domain 's1' for setvcpus (held by setvcpus)" in str(caught.value)
    assert caught.value.get_error_code() == TIMEOUT
    assert sent(daemon, "s1") == before
    ask(daemon, "s1", release=True)
    assert end_of(first)[0] == 0


def test_no_thread_for_a_new_vcpu(daemon, domain):
    """QEMU's two lists contradict each other: the plug is undone and said to be QEMU's fault."""
    start(daemon, "s1", {"without_thread": ["vcpu2"]})
    with pytest.raises(libvirt.libvirtError) as caught:
        domain().setVcpusFlags(4, LIVE)
    assert caught.value.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR
    assert "no thread for vCPU 2" in str(caught.value) and "are removed again" in str(caught.value)
    assert ask(daemon, "s1")["online"] == [0]


def test_order_at_start(daemon, monkeypatch):
    """Two entities with one order: nothing is plugged at the start that fails."""
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")
    daemon.stop()
    daemon.start()
    define(daemon, "s1", {})
    with open(f"{daemon.root}/s1.xml") as f:
        xml = f.read()
    vcpus = "".join(f"<vcpu id='{i}' enabled='yes' hotpluggable='{'yes' if i else 'no'}' order='{max(1, min(i + 1, 2))}'/>"
                    for i in range(3))
    with open(f"{daemon.root}/s1.xml", "w") as f:
        f.write(xml.replace("</vcpu>", f"</vcpu><vcpus>{vcpus}</vcpus>"))
    daemon.virsh("undefine", "s1")
    daemon.virsh("define", f"{daemon.root}/s1.xml")
    connection = libvirt.open(daemon.uri)
    with pytest.raises(libvirt.libvirtError) as caught:
        connection.lookupByName("s1").create()
    connection.close()
    assert "duplicate vcpu order '2': vcpus '1' and '2' have it" in str(caught.value)
    assert caught.value.get_error_code() == CONFIG_UNSUPPORTED
    assert '"execute":"device_add"' not in daemon.log_text()


def test_autostart_of_a_transient_domain_that_starts(daemon):
    """It has a definition while it starts; no mark is left that would start a later domain of that name."""
    define(daemon, "s1", {"reply_delay_ms": [150, 150]})
    daemon.virsh("undefine", "s1")
    creating = client(daemon, "create", f"{daemon.root}/s1.xml")
    wait_for(lambda: "s1" in daemon.virsh("list", "--all", "--name").split(), 10, "a domain that starts")
    assert daemon.virsh("domstate", "s1").strip() == "paused"
    assert "transient domain" in daemon.virsh("autostart", "s1", ok=False)
    code, said = end_of(creating)
    assert code == 0, said
    assert os.listdir(f"{daemon.root}/etc/autostart") == []
