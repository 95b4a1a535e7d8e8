# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tree that the style tests look at: its files, its rooms, which room may use which."""
import os
import re
import subprocess
import sys

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
# What a room may use (HACKING.md): util <- conf <- qemu <- limits <- domain <- driver <- daemon; util <- host <- limits,
# domain; util <- rpc <- daemon, tools.
USES = {
    "src/util": set(),
    "src/host": {"src/util"},
    "src/conf": {"src/util"},
    "src/rpc": {"src/util"},
    "src/qemu": {"src/util", "src/conf"},
    "src/limits": {"src/util", "src/host", "src/conf", "src/qemu"},
    "src/domain": {"src/util", "src/host", "src/conf", "src/qemu", "src/limits"},
    "src/driver": {"src/util", "src/host", "src/conf", "src/qemu", "src/limits", "src/domain"},
    "daemon": {"src/util", "src/host", "src/conf", "src/qemu", "src/limits", "src/domain", "src/driver", "src/rpc"},
    "tools": {"src/util", "src/rpc"},
}
SKIP = 77
# What there still is of what the style tests forbid, a line each; it must not grow.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "known.txt"), encoding="utf-8") as known:
    KNOWN = [line.split() for line in known if line.strip() and not line.startswith("#")]


def files(*suffixes, under=()):
    """The files of the checkout (without git: of the folder, less its builds) that end so, relative to the top."""
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True)
    names = listed.stdout.splitlines() if listed.returncode == 0 else list(walk())
    return sorted(n for n in names if n.endswith(suffixes or ("",)) and os.path.isfile(os.path.join(TOP, n))
                  and (not under or n.startswith(tuple(u + "/" for u in under))))


def walk():
    for at, folders, found in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith((".", "build"))]
        yield from (os.path.relpath(os.path.join(at, name), TOP) for name in found)


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def room(name):
    """The room of a file, None for what is in none (tests)."""
    return next((r for r in USES if name.startswith(r + "/")), None)


def code(text):
    """The text with comments and the insides of strings blanked, line by line as before."""
    def blank(match):
        piece = match.group(0)
        if piece.startswith(('"', "'")):
            return piece[0] + " " * (len(piece) - 2) + piece[-1]
        return re.sub(r"[^\n]", " ", piece)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def finish(what, complaints):
    for complaint in complaints:
        print(complaint)
    print(f"{what}: {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(SKIP)
