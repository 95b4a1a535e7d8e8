# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of libvirt's protocol without libvirt's library: calls written as bytes, several under way at once."""
import socket
import struct

PROGRAM = 0x20008086
OPEN, XML_DESC, INFO, LOOKUP, LIB_VERSION, SET_VCPUS, LIST_ALL, STATS = 1, 14, 16, 23, 157, 199, 273, 344
HEADER = struct.Struct(">IIIiiIi")


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


class Connection:
    def __init__(self, path, readonly=False):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)  # without a time limit, so that it waits where others wait, too
        self.socket.settimeout(60)
        self.serial, self.input = 0, b""
        self.call(66)  # AUTH_LIST
        self.call(OPEN, struct.pack(">I", 1) + text("qemu:///system") + struct.pack(">I", int(readonly)))

    def send(self, procedure, arguments=b""):
        self.serial += 1
        self.socket.sendall(HEADER.pack(HEADER.size + len(arguments), PROGRAM, 1, procedure, 0, self.serial, 0) + arguments)
        return self.serial

    def receive(self):
        """(serial, status, payload) of the next reply."""
        while True:
            while len(self.input) < 4 or len(self.input) < struct.unpack(">I", self.input[:4])[0]:
                data = self.socket.recv(1 << 20)
                if not data:
                    raise OSError("the daemon has closed the connection")
                self.input += data
            length, program, _, _, kind, serial, status = HEADER.unpack(self.input[:HEADER.size])
            payload, self.input = self.input[HEADER.size:length], self.input[length:]
            if program == PROGRAM and kind == 1:
                return serial, status, payload

    def call(self, procedure, arguments=b""):
        self.send(procedure, arguments)
        _, status, payload = self.receive()
        if status:
            raise OSError(f"procedure {procedure}: {said(payload)}")
        return payload

    def domain(self, name):
        """A domain as an argument of calls."""
        return self.call(LOOKUP, text(name))

    def close(self):
        self.socket.close()


def said(payload):
    """The sentence of an error."""
    length = struct.unpack(">I", payload[12:16])[0]
    return payload[16:16 + length].decode(errors="replace")
