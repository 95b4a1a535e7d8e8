# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets: defined, given a value, kept over a kill of the daemon, told to nobody who should not know."""
import glob
import os
import signal
import stat
import subprocess

import libvirt

from conftest import refused

UUID = "33333333-2222-4111-8111-11111111111"
VALUE = b"open\0sesame\xff"


def xml(last, usage="<usage type='volume'><volume>/v/{}</volume></usage>", ephemeral="no", private="no"):
    return (f"<secret ephemeral='{ephemeral}' private='{private}'><uuid>{UUID}{last}</uuid>"
            f"<description>of a disk</description>{usage.format(last)}</secret>")


def test_value_survives_a_kill(daemon, connection):
    secret = connection.secretDefineXML(xml(1))
    refused(secret.value, libvirt.VIR_ERR_NO_SECRET)
    secret.setValue(VALUE)
    once = connection.secretDefineXML(xml(2, ephemeral="yes"))
    once.setValue(b"gone")
    files = glob.glob(f"{daemon.root}/etc/secrets/*")
    assert {os.path.basename(f) for f in files} == {UUID + "1.xml", UUID + "1.value"}
    assert {stat.S_IMODE(os.stat(f).st_mode) for f in files} == {0o600}
    assert stat.S_IMODE(os.stat(f"{daemon.root}/etc/secrets").st_mode) == 0o700
    daemon.stop(signal.SIGKILL)
    daemon.start()
    connection = libvirt.open(daemon.uri)
    assert [s.UUIDString() for s in connection.listAllSecrets()] == [UUID + "1"]
    secret = connection.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_VOLUME, "/v/1")
    assert secret.value() == VALUE
    assert "<description>of a disk</description>" in secret.XMLDesc()
    secret.undefine()
    assert not os.listdir(f"{daemon.root}/etc/secrets")
    refused(connection.secretLookupByUUIDString, libvirt.VIR_ERR_NO_SECRET, UUID + "1")
    connection.close()
    assert subprocess.run(["grep", "-rlaF", "sesame", f"{daemon.root}/log"], capture_output=True).stdout == b""


def test_ephemeral_and_back(daemon, connection):
    secret = connection.secretDefineXML(xml(1, ephemeral="yes"))
    secret.setValue(VALUE)
    assert not glob.glob(f"{daemon.root}/etc/secrets/*")
    connection.secretDefineXML(xml(1))
    with open(f"{daemon.root}/etc/secrets/{UUID}1.value", "rb") as f:
        assert f.read() == VALUE
    connection.secretDefineXML(xml(1, ephemeral="yes"))
    assert not glob.glob(f"{daemon.root}/etc/secrets/*")
    assert secret.value() == VALUE


def test_refusals(connection, daemon):
    private = connection.secretDefineXML(xml(1, private="yes"))
    private.setValue(VALUE)
    assert "secret is private" in refused(private.value, libvirt.VIR_ERR_INVALID_SECRET)
    refused(connection.secretDefineXML, libvirt.VIR_ERR_OPERATION_DENIED, xml(1))
    assert UUID + "1 already defined" in refused(connection.secretDefineXML, libvirt.VIR_ERR_INTERNAL_ERROR,
                                                 xml(1).replace(UUID + "1", UUID + "9"))
    refused(connection.secretDefineXML, libvirt.VIR_ERR_INTERNAL_ERROR,
            xml(1, private="yes").replace("/v/1", "/v/other"))
    for usage in ("<usage/>", "<usage type='volume'/>", "<usage type='ceph'/>", "<usage type='iscsi'/>",
                  "<usage type='tls'/>", "<usage type='vtpm'/>"):
        refused(connection.secretDefineXML, libvirt.VIR_ERR_XML_ERROR, xml(3, usage))
    reader = libvirt.openReadOnly(daemon.uri)
    refused(reader.secretLookupByUUIDString(UUID + "1").value, libvirt.VIR_ERR_OPERATION_DENIED)
    reader.close()
    without = connection.secretDefineXML(xml(4, ""))
    assert without.usageID() == "" and "usage" not in without.XMLDesc()
    flags = libvirt.VIR_CONNECT_LIST_SECRETS_PRIVATE
    assert [s.UUIDString() for s in connection.listAllSecrets(flags)] == [UUID + "1"]
    assert connection.numOfSecrets() == 2 and connection.listSecrets() == [UUID + "1", UUID + "4"]


def test_events(daemon):
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(daemon.uri)
    seen, late = [], []
    connection.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE,
                                      lambda _c, secret, event, _d, _o: seen.append((secret.UUIDString(), event)), None)
    connection.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED,
                                      lambda _c, secret, _o: seen.append((secret.UUIDString(), "value")), None)
    timer = libvirt.virEventAddTimeout(20000, lambda _t, _o: late.append(True), None)
    secret = connection.secretDefineXML(xml(1))
    secret.setValue(VALUE)
    secret.undefine()
    while len(seen) < 3 and not late:
        libvirt.virEventRunDefaultImpl()
    libvirt.virEventRemoveTimeout(timer)
    assert seen == [(UUID + "1", libvirt.VIR_SECRET_EVENT_DEFINED), (UUID + "1", "value"),
                    (UUID + "1", libvirt.VIR_SECRET_EVENT_UNDEFINED)]
    connection.close()
