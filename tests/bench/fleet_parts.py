# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many running domains whose QEMUs are tests/sim/light-sim, and what is done with all of them at once."""
import multiprocessing
import os
import signal
import socket
import threading
import time

import simulated
import wire
from conftest import BUILD

LIGHT = f"{BUILD}/tests/sim/light-sim"
SCRAPES_UNEXPECTED = 4  # before they are regular
AT_ONCE = 10  # calls of a connection: the daemon works on 5 of one client


def emulator(daemon):
    """What probes it gets tests/sim/vireo-sim; the rest is light."""
    path = simulated.emulator(daemon, "probed", {"replies": simulated.MODERN})
    light = f"{daemon.root}/light.emulator"
    with open(light, "w") as f:
        f.write(f"#!/bin/bash\ncase \"$*\" in *-machine\\ none*) exec {path} \"$@\";; esac\n"
                f"exec -a qemu-system-light {LIGHT} \"$@\"\n")
    os.chmod(light, 0o755)
    return light


def xml(name, path):
    return f"""<domain type='kvm'><name>{name}</name><memory unit='MiB'>64</memory><vcpu current='4'>8</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<devices><emulator>{path}</emulator><memballoon model='none'/></devices></domain>"""


def kilobytes(pid):
    """What only this process has."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_"))


def cpu_seconds(pid):
    return time.clock_gettime(-8 * pid - 6)


def in_parallel(path, calls, n_connections):
    """Seconds until each of the calls (procedure, arguments) is answered, and the errors; begins and ends of each."""
    connections = [wire.Connection(path) for _ in range(n_connections)]
    errors, ends = [], []

    def run(connection, mine):
        for i, (procedure, arguments) in enumerate(mine):
            connection.send(procedure, arguments)
            if i >= AT_ONCE:
                collect(connection)
        for _ in mine[-AT_ONCE:]:
            collect(connection)

    def collect(connection):
        _, status, payload = connection.receive()
        ends.append(time.monotonic())
        if status:
            errors.append(wire.said(payload))

    threads = [threading.Thread(target=run, args=(c, calls[i::n_connections])) for i, c in enumerate(connections)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    return begin, sorted(end - begin for end in ends), errors


def ask(path, names, stop, result):
    """One info after the other, of each in turn, in a process of its own."""
    connection = wire.Connection(path, readonly=True)
    domains = [connection.domain(name) for name in names]
    times, i = [], 0
    while not stop.is_set():
        begin = time.monotonic()
        connection.call(wire.INFO, domains[i % len(domains)])
        times.append((begin, time.monotonic() - begin))
        i += 1
    result.send(times)


class Reads:
    """In a process of its own; what it reads from is another server than the daemon when `path` says so."""

    def __init__(self, daemon, names, path=None):
        self.stop = multiprocessing.Event()
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=ask, args=(path or f"{daemon.root}/run/vireo-sock-ro", names,
                                                                 self.stop, theirs))
        self.process.start()
        time.sleep(0.2)

    def done(self, begin, end):
        """(how many, p50, p99, slowest) in that time, milliseconds."""
        self.stop.set()
        times = sorted(t * 1000 for at, t in self.ours.recv() if begin <= at < end) or [float("nan")]
        self.process.join()
        return len(times), times[len(times) // 2], times[int(len(times) * .99)], times[-1]


class Fleet:
    def __init__(self, daemon, options):
        self.daemon, self.n, self.interval = daemon, options.domains, getattr(options, "interval", 0)
        self.path = f"{daemon.root}/run/vireo-sock"
        self.names = [f"d{i}" for i in range(self.n)]
        self.figures = []

    def start(self):
        light = emulator(self.daemon)
        connection = wire.Connection(self.path)
        # The first has the emulator probed.
        for name in self.names:
            connection.call(350, wire.text(xml(name, light)) + bytes(4))  # DEFINE_XML_FLAGS
        self.figures.append(("KB per defined domain", (kilobytes(self.daemon.pid()) - self.empty) / self.n))
        connection.call(196, connection.domain("d0") + bytes(4))  # CREATE_WITH_FLAGS
        calls = [(196, connection.domain(name) + bytes(4)) for name in self.names[1:]]
        _, _, errors = in_parallel(self.path, calls, 8)
        assert not errors, errors[:3]
        connection.close()

    def scrape_once(self):
        """Milliseconds, and of it those of vireod's CPU time, and how old what it said was."""
        begin, cpu, text = time.monotonic(), cpu_seconds(self.daemon.pid()), b""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(f"{self.daemon.root}/run/metrics")
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            chunks = []
            while chunk := s.recv(1 << 20):
                chunks.append(chunk)
        seconds = time.monotonic() - begin
        text = b"".join(chunks)
        assert len(text) > 100 * self.n, len(text)
        age = float(text.partition(b"\nvireo_sample_age_seconds ")[2].split()[0])
        return seconds * 1000, (cpu_seconds(self.daemon.pid()) - cpu) * 1000, age

    def scrape(self, note):
        """As Prometheus does, at an interval; the first come unexpectedly."""
        scrapes = []
        for i in range(SCRAPES_UNEXPECTED + 10):
            end = time.monotonic() + self.interval
            scrapes.append(self.scrape_once())
            time.sleep(max(0, end - time.monotonic()))
        first, rest = scrapes[:SCRAPES_UNEXPECTED - 1], scrapes[SCRAPES_UNEXPECTED:]
        self.figures += [(f"metrics{note}: the slowest of ten scrapes, ms", max(s[0] for s in rest)),
                         ("  oldest sample of them, s", max(s[2] for s in rest)),
                         ("  scrapes that nobody expected: the fastest, ms", min(s[0] for s in first)),
                         ("  of it CPU time of vireod, ms", min(s[1] for s in first))]

    def n_active(self, connection):
        # LIST_ALL_DOMAINS of active ones: a list and its length
        return int.from_bytes(connection.call(wire.LIST_ALL, (0).to_bytes(4, "big") + (1).to_bytes(4, "big"))[-4:], "big")

    def found_again(self, note):
        """From the start of a new daemon until it answers, when each domain was tried; and until what each thread is
        held to was compared with the definition, which those that hang do not come to."""
        self.daemon.stop()
        n_before = self.daemon.log_text().count("' found running, ")
        begin = time.monotonic()
        starter = threading.Thread(target=self.daemon.start)
        starter.start()
        while True:
            try:
                connection = wire.Connection(self.path)
                break
            except OSError:  # it does not listen yet
                time.sleep(0.002)
        n = self.n_active(connection)
        seconds, cpu = time.monotonic() - begin, cpu_seconds(self.daemon.pid())
        self.figures += [(f"reconnect{note}: {n} active when it answers, s", seconds), ("  of it CPU time of vireod, s", cpu)]
        starter.join()
        connection.close()
        return n_before, begin

    def compared(self, n_before, begin, n_hung):
        while self.daemon.log_text().count("' found running, ") - n_before < self.n - n_hung:
            time.sleep(0.01)
        self.figures += [("  until all threads are compared, s", time.monotonic() - begin),
                         ("  of it CPU time of vireod, s", cpu_seconds(self.daemon.pid()))]

    def resize_once(self, count, names):
        connection = wire.Connection(self.path)
        calls = [(wire.SET_VCPUS, connection.domain(name) + count.to_bytes(4, "big") + (1).to_bytes(4, "big"))
                 for name in names]
        connection.close()
        return in_parallel(self.path, calls, max(1, min(100, len(names) // 10)))

    def reads_while_resizing(self, rounds, path=None):
        """(how many, p50, p99, slowest) of the reads while all go up and down that often."""
        reads = Reads(self.daemon, self.names, path)
        begin = time.monotonic()
        for count in [8, 4] * rounds:
            _, _, errors = self.resize_once(count, self.names)
            assert not errors, errors[:3]
        return reads.done(begin, time.monotonic())

    def resize(self, count, names):
        reads = Reads(self.daemon, self.names)
        before = cpu_seconds(self.daemon.pid())
        begin, ends, errors = self.resize_once(count, names)
        cpu = cpu_seconds(self.daemon.pid()) - before
        return ends, cpu, errors, reads.done(begin, begin + ends[-1])

    def measure(self, n_hung):
        self.empty = kilobytes(self.daemon.pid())
        self.start()
        self.figures.append(("KB per running domain", (kilobytes(self.daemon.pid()) - self.empty) / self.n))
        self.compared(*self.found_again(""), 0)
        self.figures.append(("KB per domain found again", (kilobytes(self.daemon.pid()) - self.empty) / self.n))
        for count in 8, 4:
            self.note(f"resize of all to {count}", *self.resize(count, self.names))
        self.scrape("")
        found = self.daemon.qemus()
        qemus = [found[name] for name in self.names[:n_hung]]
        for pid in qemus:
            os.kill(pid, signal.SIGSTOP)
        try:
            hung = set(self.names[:n_hung])
            self.note(f"resize to 8 of those that do not hang ({n_hung} do)",
                      *self.resize(8, [n for n in self.names if n not in hung]))
            self.scrape(f" with {n_hung} that hang")
            self.compared(*self.found_again(f" with {n_hung} that hang"), n_hung)
        finally:
            for pid in qemus:
                os.kill(pid, signal.SIGCONT)

    def end(self):
        """Kills them and waits until the daemon has seen it."""
        for pid in self.daemon.qemus().values():
            os.kill(pid, signal.SIGKILL)
        connection = wire.Connection(self.path)
        end = time.monotonic() + 120
        while time.monotonic() < end and self.n_active(connection) > 0:
            time.sleep(0.1)

    def note(self, what, ends, cpu, errors, reads):
        assert not errors, (len(errors), errors[:3])
        n, p50, p99, slowest = reads
        self.figures += [(f"{what}, s", ends[-1]), ("  of it CPU time of vireod, s", cpu),
                         (f"  {n} reads meanwhile: p50, ms", p50), ("  p99, ms", p99), ("  slowest, ms", slowest)]
