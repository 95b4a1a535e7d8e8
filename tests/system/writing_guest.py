# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that write to their memory all the time: Linux, which looks whether it finds again what it wrote, and a boot
sector, which starts in no time."""
import os
import re

from conftest import GUEST, wait_for

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
# cli; xor ax,ax; mov ds,ax; mov dx,0xcd8; out dx,al (as an operating system with ACPI's CPU hotplug); to protected mode;
# a: inc ebx; mov edi,1M; mov ecx,8M; mov eax,ebx; rep stosd; jmp a
SECTOR = bytes.fromhex("fa31c08ed8bad80cee0f0116507c0f20c00c010f22c0ea1b7c080066b810008ed88ec043bf00001000b90000800089d8f3abebef"
                       "8d7426000000000000000000ffff0000009acf00ffff00000092cf001700387c0000").ljust(510, b"\0") + b"\x55\xaa"
WRITES_AT = 1 << 20  # 32 MiB from there on, all of it with the number of the round


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


def sector_guest(daemon, name, more="", **options):
    """Defines and starts the boot sector's guest, and waits until it writes."""
    path = f"{daemon.root}/{name}.sector"
    with open(path, "wb") as f:
        f.write(SECTOR.ljust(1 << 20, b"\0"))
    disk = f"<disk type='file' device='disk'><source file='{path}'/><target dev='vda' bus='virtio'/><readonly/></disk>"
    daemon.define(name, boot=False, maximum=4, extra=disk + more, **options)
    daemon.virsh("start", name)
    wait_for(lambda: written(daemon, name), 20, "boot sector that writes")


def written(daemon, name):
    """The number of its round."""
    said = daemon.virsh("qemu-monitor-command", name, "--hmp", f"xp /1wx {WRITES_AT}")
    return int(re.search(r": (0x[0-9a-f]{8})", said).group(1), 16)


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
