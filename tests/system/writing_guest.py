# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that write to their memory all the time: Linux, which looks whether it finds again what it wrote, and a boot
sector, which starts in no time."""
import os

from conftest import GUEST

HERE = os.path.dirname(os.path.abspath(__file__))
# Copies of random bytes. Whatever is lost of them, or of what does it, shows.
WRITER = """
dd if=/dev/urandom of=/tmp/first bs=1M count=%d 2>/dev/null
sum=$(md5sum </tmp/first)
(
    n=0
    while :; do
        cp /tmp/first /tmp/second
        if [ "$(md5sum </tmp/second)" = "$sum" ]; then n=$((n + 1)); echo "WROTE $n"; else echo CORRUPT; fi >/dev/console
    done
) &
"""
# cli; xor ax,ax; mov dx,0xcd8; out dx,al (as an operating system with ACPI's CPU hotplug); a: inc eax; mov bx,0x2000;
# b: mov es,bx; xor di,di; mov cx,0x8000; rep stosw; add bx,0x1000; cmp bx,0x9000; jb b; jmp a
SECTOR = bytes.fromhex("fa31c0bad80cee6640bb00208ec331ffb90080f3ab81c3001081fb009072ed" "ebe6").ljust(510, b"\0") + b"\x55\xaa"


def cpio(name, content, mode):
    """One file as an archive in the kernel's format."""
    out = b""
    for path, data, bits in ((name, content, mode), ("TRAILER!!!", b"", 0)):
        fields = [0, bits, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path) + 1, 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + path.encode() + b"\0"
        out += b"\0" * (-len(out) % 4)
        out += data + b"\0" * (-len(data) % 4)
    return out


def writing_initrd(path, mebibytes=24):
    """The tests' guest with a program that writes: its init goes in the place of the other."""
    with open(f"{HERE}/../../scripts/guest-init") as f:
        text = f.read()
    assert "\nlast=\n" in text
    with open(f"{GUEST}/initrd", "rb") as f:
        archive = f.read()
    with open(path, "wb") as f:
        f.write(archive + b"\0" * (-len(archive) % 4))
        f.write(cpio("init", text.replace("\nlast=\n", WRITER % mebibytes + "\nlast=\n").encode(), 0o100755))
    os.chmod(path, 0o644)


def rounds(daemon, name):
    """How often the guest has found again what it wrote, by its console there."""
    try:
        with open(daemon.console(name), errors="replace") as f:
            text = f.read()
    except OSError:
        return 0
    assert "CORRUPT" not in text, text[-500:]
    words = text.rpartition("\n")[0].split()
    return max([int(b) for a, b in zip(words, words[1:]) if a == "WROTE" and b.isdigit()], default=0)
