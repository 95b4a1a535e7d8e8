# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stops a migration at one moment, between the client, the two vireods and the two QEMUs, and does something there."""
import contextlib
import os
import re
import socket
import struct
import threading

HEADER = struct.Struct(">7I")  # length, program, version, procedure, type, serial, status
# Procedures of libvirt's version 3 with parameters: (number, is a reply) -> the moment before it is passed on.
CALLS = {(302, 1): "begun", (303, 0): "preparing", (303, 1): "prepared", (305, 1): "performed",
         (306, 0): "finishing", (306, 1): "finished", (307, 0): "confirming"}
# Words between the vireods (src/driver/migrate-wire.h).
WORDS = {b"R": "ready", b"Y": "yours", b"D": "done"}
HELLO = 41  # bytes
EARLY, LATE = 32 << 10, 256 << 10  # bytes of the guest's state
MOMENTS = ["begun", "preparing", "prepared", "early", "late", "performed", "finishing", "ready", "yours", "done",
           "finished", "confirming"]


class Relay:
    """Passes on what comes to a socket, in the pieces that its reader makes of it."""

    def __init__(self, path, target, reader):
        self.path, self.target, self.reader = path, target, reader
        self.open = set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                self.open |= {near, far}
                try:
                    far.connect(self.target)
                except OSError:
                    self.cut(near, far)
                    continue
                memory = {}
                for a, b, back in (near, far, False), (far, near, True):
                    threading.Thread(target=self.pass_on, args=(a, b, self.reader(a, back, memory)), daemon=True).start()

    def pass_on(self, a, b, pieces):
        with contextlib.suppress(OSError):
            for piece in pieces:
                b.sendall(piece)
        self.cut(a, b)

    def cut(self, *sockets):
        for end in sockets or list(self.open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self.open.discard(end)

    def close(self):
        """No connection passes it any more."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


class Stops:
    """Relays around two daemons; `action(self)` is called once, at the moment, while the rest waits."""

    def __init__(self, here, there, moment, action):
        self.here, self.there, self.moment, self.action = here, there, moment, action
        self.lock = threading.Lock()
        self.came = False
        self.done = threading.Event()  # the action is over
        self.error = None
        self.state = None  # the relay of the guest's state
        self.calls = [Relay(f"{side.root}/relay", side.socket, self.read_calls) for side in (here, there)]
        self.uris = [f"qemu+unix:///system?socket={relay.path}" for relay in self.calls]

    def at(self, moment):
        with self.lock:
            if self.came or moment != self.moment:
                return
            self.came = True
        try:
            self.action(self)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
        self.done.set()

    def read_calls(self, end, _back, _memory):
        data = b""
        while chunk := end.recv(1 << 16):
            data += chunk
            while len(data) >= 4 and len(data) >= (length := struct.unpack(">I", data[:4])[0]):
                _, program, _, number, kind, _, _ = HEADER.unpack(data[:HEADER.size])
                name = CALLS.get((number, kind)) if program == 0x20008086 else None
                if name == "prepared":
                    self.step_between()
                if name:
                    self.at(name)
                yield data[:length]
                data = data[length:]

    def step_between(self):
        """Puts a relay where the destination listens for the guest's state."""
        run = f"{self.there.root}/run"
        for name in filter(re.compile(r"\.migrate$").search, os.listdir(run)):
            os.rename(f"{run}/{name}", f"{self.there.root}/state")
            self.state = Relay(f"{run}/{name}", f"{self.there.root}/state", self.read_state)

    def read_state(self, end, back, memory):
        hello = b""
        while not back and len(hello) < HELLO:
            chunk = end.recv(HELLO - len(hello))
            if not chunk:
                return
            hello += chunk
        if hello:
            memory["role"] = hello[8:9]
            yield hello
        n = 0
        while chunk := end.recv(1 << 14):
            n += len(chunk)
            if memory.get("role") == b"W":
                for byte in chunk:
                    self.at(WORDS.get(bytes([byte])))
            elif not back and n >= EARLY:
                self.at("late" if n >= LATE else "early")
            yield chunk

    def cut_state(self):
        if self.state:
            self.state.close()

    def cut_calls(self):
        for relay in self.calls:
            relay.close()

    def close(self):
        self.cut_calls()
        self.cut_state()
        with contextlib.suppress(OSError):
            os.unlink(f"{self.there.root}/state")
