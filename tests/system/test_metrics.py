# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readings for Prometheus."""
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

from conftest import VIREOD, wait_for
from test_bad_input import connect, frame, opened, read_frame
from test_polkit import ask as ask_as_stranger, polkit  # noqa: F401 (a fixture)

OPEN, SUSPEND, REGISTER, READ_ONLY = 1, 34, 316, 1


def ask(address, request="GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
    """(status line, text) of one scrape."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        s.settimeout(20)
        s.connect(address)
        s.sendall(request.encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, text = data.decode().partition("\r\n\r\n")
    assert int(re.search(r"Content-Length: (\d+)", head).group(1)) == len(text.encode())
    return head.split("\r\n")[0], text


def readings(text):
    """{'name{labels}': number}; every line has to be one, or a comment of a family that has not been before."""
    found, families = {}, []
    for line in text.splitlines():
        if line.startswith("#"):
            kind, name = line.split()[1:3]
            if kind == "TYPE":
                assert name not in families, name
                families.append(name)
            continue
        match = re.fullmatch(r'([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)*\})?) ([-+0-9.e]+)', line)
        assert match, line
        assert re.match(r"[a-z_]+?(?=(_bucket|_sum|_count)?(\{|$))", match[1])[0] in families, line
        found[match[1]] = float(match[2])
    return found


@pytest.fixture
def scraped(daemon):
    daemon.metrics = f"{daemon.root}/run/metrics"
    daemon.configure(f"metrics = {daemon.metrics}")
    wait_for(lambda: os.path.exists(daemon.metrics), 10, "the socket of the metrics")
    return daemon


def test_what_a_domain_does(scraped):
    scraped.paused("m1")
    scraped.define("off", boot=False)
    before = readings(ask(scraped.metrics)[1])
    assert before['vireo_domain_state{domain="m1"}'] == 3 and before['vireo_domain_state{domain="off"}'] == 5
    assert before['vireo_domain_vcpus{domain="m1",which="current"}'] == 1
    assert 'vireo_vcpu_run_seconds_total{domain="m1",vcpu="0"}' in before
    scraped.virsh("setvcpus", "m1", "3", "--live")
    after = readings(ask(scraped.metrics)[1])
    assert after['vireo_domain_vcpus{domain="m1",which="current"}'] == 3
    assert 'vireo_vcpu_run_seconds_total{domain="m1",vcpu="2"}' in after
    count = 'vireo_operation_seconds_count{kind="plug"}'
    assert after[count] == before[count] + 1
    assert after['vireo_operation_seconds_bucket{kind="plug",le="+Inf"}'] == after[count]
    assert after['vireo_operations_total{outcome="done"}'] == before['vireo_operations_total{outcome="done"}'] + 1
    assert after["vireo_domains"] == 2


def test_which_host_cpu(scraped):
    """The kernel's word for a thread that may run on one CPU only."""
    scraped.boot("m1")
    cpu = sorted(os.sched_getaffinity(0))[-1]
    scraped.virsh("vcpupin", "m1", "0", str(cpu), "--live")
    wait_for(lambda: readings(ask(scraped.metrics)[1])['vireo_vcpu_host_cpu{domain="m1",vcpu="0"}'] == cpu, 30,
             f"vCPU 0 on host CPU {cpu}")


def test_a_quota_of_each_vcpu(scraped):
    scraped.boot("m1")
    name = 'vireo_vcpu_throttled_seconds_total{domain="m1",vcpu="0"}'
    assert name not in readings(ask(scraped.metrics)[1])
    scraped.virsh("schedinfo", "m1", "--live", "--set", "vcpu_quota=2000", "--set", "vcpu_period=100000")
    wait_for(lambda: readings(ask(scraped.metrics)[1])[name] > 0, 60, "a vCPU that its quota holds back")


def test_answers_of_qemu(scraped):
    scraped.paused("m1")
    before = readings(ask(scraped.metrics)[1])
    scraped.virsh("qemu-monitor-command", "m1", '{"execute":"query-status"}')
    after = readings(ask(scraped.metrics)[1])
    waiting = 'vireo_domain_qmp_waiting_seconds{domain="m1"}'
    # the page's own sample may be asking
    wait_for(lambda: readings(ask(scraped.metrics)[1])[waiting] == 0, 20, "QEMU's answers")
    assert after["vireo_qmp_seconds_count"] > before["vireo_qmp_seconds_count"] > 0
    assert after['vireo_qmp_seconds_bucket{le="+Inf"}'] == after["vireo_qmp_seconds_count"]
    assert after["vireo_qmp_seconds_sum"] > before["vireo_qmp_seconds_sum"]
    pid = scraped.qemus()["m1"]
    os.kill(pid, signal.SIGSTOP)
    try:  # one that does not answer is counted, and not waited for again
        scraped.virsh("domstats", "--balloon", "m1")
        hung = readings(ask(scraped.metrics)[1])
        assert hung["vireo_qmp_unanswered_total"] > after["vireo_qmp_unanswered_total"]
        assert readings(ask(scraped.metrics)[1])[waiting] > hung[waiting] > 0  # nobody waits any more, and it has no answer
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: readings(ask(scraped.metrics)[1])[waiting] == 0, 20, "QEMU's answer to what it was asked")


def refusals(daemon):
    return {by: int(readings(ask(daemon.metrics)[1])[f'vireo_refusals_total{{by="{by}"}}'])
            for by in ("login", "readonly", "polkit", "limit")}


def status_of(s, procedure, payload=b""):
    s.sendall(frame(procedure, payload))
    return read_frame(s)[0][6]


def test_refusals(scraped):
    assert set(refusals(scraped).values()) == {0}
    with connect(scraped) as s:
        name = b"qemu:///system"
        assert status_of(s, OPEN, struct.pack(">II", 1, len(name)) + name + bytes(2) + struct.pack(">I", READ_ONLY)) == 0
        assert status_of(s, SUSPEND) == 1
    assert refusals(scraped) == {"login": 0, "readonly": 1, "polkit": 0, "limit": 0}
    with opened(scraped) as s:
        assert [status_of(s, REGISTER, bytes(8)) for _ in range(513)] == [0] * 512 + [1]  # a connection may have 512
    assert refusals(scraped) == {"login": 0, "readonly": 1, "polkit": 0, "limit": 1}


def test_refusals_by_polkit(daemon, polkit):
    daemon.metrics = f"{daemon.root}/run/metrics"
    daemon.configure("access = polkit", f"metrics = {daemon.metrics}")
    wait_for(lambda: os.path.exists(daemon.metrics), 10, "the socket of the metrics")
    assert refusals(daemon)["polkit"] == 0
    asked = ask_as_stranger(f"qemu+unix:///system?socket={daemon.socket}", hostname="c.getHostname()")
    assert asked == {"hostname": 88}
    assert refusals(daemon)["polkit"] > 0


def test_who_comes_regularly_finds_a_sample(scraped):
    """And what has changed since it was taken is in the answer nevertheless. A sample that is older than the scrape was
    there before it."""
    scraped.paused("m1")

    def scrape():
        time.sleep(1.5)  # the interval, no deadline
        if found_ahead:
            scraped.paused(f"m{len(found_ahead) + 1}")
        began = time.monotonic()
        now = readings(ask(scraped.metrics)[1])
        took = time.monotonic() - began
        assert now["vireo_sample_age_seconds"] <= 2 + took
        for number in range(len(found_ahead) + 1):
            assert f'vireo_vcpu_run_seconds_total{{domain="m{number + 1}",vcpu="0"}}' in now
        if found_ahead or now["vireo_sample_age_seconds"] > took:
            found_ahead.append(now)
        return len(found_ahead) == 4
    found_ahead = []
    wait_for(scrape, 60, "a sample that was there before the scrape")


def test_only_its_user_and_only_that_path(scraped):
    assert stat.S_IMODE(os.stat(scraped.metrics).st_mode) == 0o600
    assert ask(scraped.metrics, "GET / HTTP/1.1\r\n\r\n")[0].endswith("404 Not Found")
    assert ask(scraped.metrics, "POST /metrics HTTP/1.1\r\n\r\n")[0].endswith("404 Not Found")


def test_a_qemu_that_hangs_is_not_waited_for(scraped):
    scraped.paused("hangs")
    pid = scraped.qemus()["hangs"]
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        assert 'vireo_domain_state{domain="hangs"}' in readings(ask(scraped.metrics)[1])
        assert time.monotonic() - start < 15
    finally:
        os.kill(pid, signal.SIGCONT)


def test_silent_clients_keep_nobody_out(scraped):
    """More of them than are served at a time; they are closed after their time."""
    silent = []
    for _ in range(20):
        s = socket.socket(socket.AF_UNIX)
        s.connect(scraped.metrics)
        silent.append(s)

    def answered():
        try:
            return ask(scraped.metrics)[0].endswith("200 OK")
        except (OSError, AttributeError):
            return False
    wait_for(answered, 30, "an answer beside clients that say nothing")
    for s in silent:
        s.close()


def test_loopback_alone(daemon):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    daemon.configure(f"metrics = 127.0.0.1:{port}")

    def status():
        try:
            return ask(("127.0.0.1", port))[0]
        except OSError:
            return None
    assert wait_for(status, 10, "an answer at the port").endswith("200 OK")
    daemon.stop()
    for bad in ("0.0.0.0:9177", "127.0.0.1", "localhost:1", "127.0.0.1:0", "127.0.0.1:99999"):
        with open(f"{daemon.root}/etc/vireod.conf", "w") as f:
            f.write(f"metrics = {bad}\n")
        ended = subprocess.run([VIREOD, "--root", daemon.root], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=60)
        assert ended.returncode == 1 and "'metrics'" in ended.stderr, (bad, ended.stderr)
    os.unlink(f"{daemon.root}/etc/vireod.conf")
    daemon.start()
