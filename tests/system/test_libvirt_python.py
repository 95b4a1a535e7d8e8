# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job through the stock Python binding, with its events."""
import gc
import os
import re
import threading
import time

import libvirt
import pytest

from conftest import PATIENT, wait_for

libvirt.registerErrorHandler(lambda *_: None, None)


class Loop:
    """libvirt's event loop on a thread; once per process."""

    started = False

    @classmethod
    def start(cls):
        if cls.started:
            return
        libvirt.virEventRegisterDefaultImpl()
        cls.started = True

        def run():
            while True:
                libvirt.virEventRunDefaultImpl()

        threading.Thread(target=run, daemon=True).start()


@pytest.fixture
def connection(daemon):
    Loop.start()
    daemon.configure(*PATIENT)
    connection = libvirt.open(daemon.uri)
    gc.disable()  # a collected object of an earlier connection overwrites the error that libvirt has for the thread
    yield connection
    connection.close()
    del connection
    gc.collect()
    gc.enable()


def test_main_job(daemon, connection, guest):
    seen = []
    for event, callback in ((libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                             lambda c, d, event, detail, o: seen.append(("life", d.name(), event, detail))),
                            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                             lambda c, d, alias, o: seen.append(("removed", d.name(), alias)))):
        connection.domainEventRegisterAny(None, event, callback, None)

    domain = connection.defineXML(daemon.xml("p1"))
    assert not domain.isActive() and domain.isPersistent()
    domain.create()
    daemon.wait_online("p1", "0")
    domain.setVcpusFlags(4, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    daemon.wait_online("p1", "0-3")
    assert domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE) == 4
    assert domain.maxVcpus() == 4
    info, maps = domain.vcpus()
    assert [row[0] for row in info] == [0, 1, 2, 3] and len(maps) == 4
    assert len(domain.vcpuPinInfo()) == 4

    domain.setVcpusFlags(2, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    daemon.wait_online("p1", "0-1")
    wait_for(lambda: ("removed", "p1", "vcpu3") in seen and ("removed", "p1", "vcpu2") in seen, 10,
             "device-removed events for vcpu2 and vcpu3")
    assert domain.info()[3] == 2
    assert "current='2'" in domain.XMLDesc()
    domain.destroy()
    assert domain.state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED]
    domain.undefine()
    wait_for(lambda: ("life", "p1", libvirt.VIR_DOMAIN_EVENT_UNDEFINED, 0) in seen, 10, "undefined event")
    life = [entry[2:] for entry in seen if entry[0] == "life"]
    assert life == [(libvirt.VIR_DOMAIN_EVENT_DEFINED, 0), (libvirt.VIR_DOMAIN_EVENT_RESUMED, 0),
                    (libvirt.VIR_DOMAIN_EVENT_STARTED, 0), (libvirt.VIR_DOMAIN_EVENT_STOPPED, 1),
                    (libvirt.VIR_DOMAIN_EVENT_UNDEFINED, 0)]


@pytest.mark.parametrize("count, flags, code, text", [
    (0, libvirt.VIR_DOMAIN_AFFECT_CONFIG, 8, "must not be zero"),
    (10 ** 9, libvirt.VIR_DOMAIN_AFFECT_CONFIG, 8, "greater than max allowable vcpus for the persistent domain"),
    (4294967295, libvirt.VIR_DOMAIN_AFFECT_CONFIG, 8, "greater than max allowable"),
    (2, libvirt.VIR_DOMAIN_AFFECT_LIVE, 55, "domain is not running"),
    (2, libvirt.VIR_DOMAIN_VCPU_MAXIMUM, 8, "is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'"),
    (2, libvirt.VIR_DOMAIN_VCPU_GUEST | libvirt.VIR_DOMAIN_AFFECT_CONFIG, 8, "mutually exclusive"),
    (2, 1 << 10, 8, "unsupported flags (0x400)"),
    (1 << 20, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM, 8, "beyond the limit"),
])
def test_bad_counts(daemon, connection, count, flags, code, text):
    domain = connection.defineXML(daemon.xml("e1", boot=False))
    with pytest.raises(libvirt.libvirtError) as raised:
        domain.setVcpusFlags(count, flags)
    assert raised.value.get_error_code() == code
    assert text in str(raised.value)
    assert domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_CONFIG) == 1


@pytest.mark.parametrize("count", [0, 5, 10 ** 9, 2 ** 31, 2 ** 32 - 1])
def test_bad_live_counts(daemon, connection, count):
    """No count outside 1...maximum reaches the running QEMU, whatever the client checks itself."""
    daemon.paused("e1")
    domain = connection.lookupByName("e1")
    for flags in (libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CURRENT,
                  libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG):
        with pytest.raises(libvirt.libvirtError) as raised:
            domain.setVcpusFlags(count, flags)
        assert raised.value.get_error_code() == libvirt.VIR_ERR_INVALID_ARG
    with pytest.raises(libvirt.libvirtError):
        domain.setVcpus(count)
    assert domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE) == 1
    assert domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_CONFIG) == 1


def test_keepalive_and_long_call(daemon, connection):
    """A connection with keepalive stays up while nothing is said."""
    connection.setKeepAlive(1, 3)
    time.sleep(4)
    assert connection.isAlive()
    assert connection.getHostname()


def test_numbers_of_errors():
    """Clients go by them; virsh, for one, goes back to a snapshot by force when it sees that number."""
    with open(os.path.join(os.path.dirname(__file__), "../../src/util/error.h")) as f:
        text = f.read()
    for ours, theirs, others in (("ERROR_", "VIR_ERR_", {"INTERNAL": "INTERNAL_ERROR", "XML": "XML_ERROR",
                                                         "SYSTEM": "SYSTEM_ERROR"}), ("FROM_", "VIR_FROM_", {})):
        found = re.findall(rf"\b{ours}(\w+) = (\d+)", text)
        assert len(found) > 10
        for name, number in found:
            assert getattr(libvirt, theirs + others.get(name, name)) == int(number), name
