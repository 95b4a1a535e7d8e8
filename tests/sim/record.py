#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes replies/ARCH.json: what a real QEMU answers when vireod probes it. record.py [ARCH]..."""
import json
import os
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COMMANDS = ("query-version", "query-machines", "query-target", "query-kvm", "query-commands", "query-cpu-definitions")
KEPT_MODELS = 12  # of the many


def conversation(argv, commands):
    """The greeting and each command's answer of a QEMU started with these arguments and -S."""
    with tempfile.TemporaryDirectory(prefix="vireo-record.", dir="/tmp") as directory:
        with listen(f"{directory}/qmp") as listener:
            qemu = subprocess.Popen([*argv, "-S", "-no-user-config", "-nodefaults", "-display", "none", "-chardev",
                                     f"socket,id=charmonitor,fd={listener.fileno()},server=on,wait=off",
                                     "-mon", "chardev=charmonitor,mode=control"], pass_fds=[listener.fileno()],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with socket.socket(socket.AF_UNIX) as connection, connection.makefile("r") as lines:
                connection.settimeout(20)
                connection.connect(f"{directory}/qmp")
                answers = [json.loads(lines.readline())]
                for command in [{"execute": "qmp_capabilities"}, *commands]:
                    connection.sendall(json.dumps(command).encode() + b"\n")
                    answer = {}
                    while not {"return", "error"} & answer.keys():
                        answer = json.loads(lines.readline())
                    answers.append(answer)
                return [answers[0], *answers[2:]]
        finally:
            qemu.kill()
            qemu.wait()


def listen(path):
    """As vireod makes it: src/qemu/monitor.c says why it does not block."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    listener.setblocking(False)
    return listener


def record(arch):
    greeting, *answers = conversation([f"qemu-system-{arch}", "-machine", "none,accel=kvm:tcg"],
                                      [{"execute": c} for c in COMMANDS])
    found = {"greeting": greeting}
    for command, answer in zip(COMMANDS, answers):
        if "return" in answer:
            found[command] = answer["return"]
    models = found.get("query-cpu-definitions", [])
    found["query-cpu-definitions"] = [{"name": m["name"], "typename": m.get("typename", "")} for m in models
                                      if m["name"] in ("max", "kvm64", "qemu64", "host")] or models[:KEPT_MODELS]
    found["query-kvm"] = {"present": True, "enabled": True}
    with open(f"{HERE}/replies/{arch}.json", "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "\n}\n")


if __name__ == "__main__":
    for name in sys.argv[1:] or ["x86_64"]:
        record(name)
