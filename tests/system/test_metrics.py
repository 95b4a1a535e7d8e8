# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readings for Prometheus."""
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from conftest import VIREOD, wait_for


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
