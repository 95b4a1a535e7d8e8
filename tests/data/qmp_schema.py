# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QEMU of a recorded version (record-schema) would say of a command, a reply, or the JSON of an option."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = ("7.2", "10.0", "11.1")
JSON_TYPES = {"string": str, "int": int, "number": (int, float), "boolean": bool, "null": type(None)}
# Properties that every device has, or that take more than their recorded type says (addr: "1e.0", too).
# Names that QEMU has for them on every machine with PCI.
OTHER_NAMES = {"virtio-iommu": "virtio-iommu-pci"}
ANY_DEVICE = {"driver", "id", "bus", "addr", "romfile"}


class Schema:
    def __init__(self, version):
        self.version = version
        self.entities, self.commands, self.events, self.devices = {}, {}, {}, {}
        with open(f"{HERE}/qemu-{version}/qmp.txt", encoding="utf-8") as f:
            for line in f:
                kind, name, *rest = line.split()
                if kind in ("command", "event"):
                    known = self.commands if kind == "command" else self.events
                    known[name.rstrip("!")] = (name.endswith("!"), *rest)
                else:
                    self.entities[name] = (kind, rest)
        with open(f"{HERE}/qemu-{version}/devices.txt", encoding="utf-8") as f:
            for line in f:
                name, *properties = line.split()
                self.devices[name] = dict(word.split(":", 1) for word in properties)

    def command(self, name, arguments=None):
        """Complaints, none when it is right: about the command, its arguments, and what of it is deprecated."""
        if name not in self.commands:
            return [f"QEMU {self.version} has no command {name}"]
        old, kind, _ = self.commands[name]
        found = [f"{name} is deprecated in QEMU {self.version}"] if old else []
        if name == "device_add":
            return found + self.device(arguments or {})
        return found + self.check(kind, arguments or {}, name)

    def reply(self, name, value):
        return self.check(self.commands[name][2], value, f"reply of {name}", lenient=True)

    def event(self, name, data):
        if name not in self.events:
            return [f"QEMU {self.version} has no event {name}"]
        return self.check(self.events[name][1], data, name, lenient=True)

    def blockdev(self, value):
        return self.command("blockdev-add", value)

    def netdev(self, value):
        return self.command("netdev_add", value)

    def object(self, value):
        return self.command("object-add", value)

    def device(self, value):
        """Of -device and device_add, whose arguments are the device's properties."""
        driver = OTHER_NAMES.get(value.get("driver"), value.get("driver"))
        if driver not in self.devices:
            return [f"QEMU {self.version} has no device {driver}, or record-schema did not ask for it"]
        if driver.endswith("-cpu"):
            return []  # a socket, a core, a node: as query-hotpluggable-cpus said
        found = []
        for key, given in value.items():
            kind = self.devices[driver].get(key)
            if key in ANY_DEVICE:
                continue
            if kind is None:
                found.append(f"{driver} of QEMU {self.version} has no property {key}")
            elif kind == "bool" and not isinstance(given, bool) or kind == "str" and not isinstance(given, str) or \
                    kind.rstrip("0123456789") in ("int", "uint", "size") and (
                        isinstance(given, bool) or not isinstance(given, int)):
                found.append(f"{driver}.{key} of QEMU {self.version} is {kind}, not {given!r}")
        return found

    def check(self, kind, value, where, lenient=False):
        """Of a value of a type. lenient: what QEMU says may have more than this version knew."""
        if kind not in self.entities:
            return [] if kind == "-" else [f"{where}: unknown type {kind}"]
        meta, rest = self.entities[kind]
        return getattr(self, "check_" + meta)(rest, value, where, lenient)

    def check_builtin(self, rest, value, where, lenient):
        wanted = JSON_TYPES.get(rest[0])
        if wanted is None or isinstance(value, wanted) and (wanted in (bool, (int, float)) or not isinstance(value, bool)):
            return []
        return [f"{where}: {value!r} is no {rest[0]}"]

    def check_enum(self, rest, value, where, lenient):
        return [] if value in rest or lenient and isinstance(value, str) else \
            [f"{where}: {value!r} is none of {' '.join(rest)}"]

    def check_array(self, rest, value, where, lenient):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no array"]
        return [c for i, item in enumerate(value) for c in self.check(rest[0], item, f"{where}[{i}]", lenient)]

    def check_alternate(self, rest, value, where, lenient):
        each = [self.check(kind, value, where, lenient) for kind in rest]
        # The most telling complaints are those of the branch that takes an object.
        return [] if any(not found for found in each) else max(each, key=lambda found: (isinstance(value, dict), len(found)))

    def members(self, rest, value, where):
        """({member: (type, optional, deprecated)}, complaints) of an object and of the variant that its tag chooses."""
        known, complaints = {}, []
        words = rest[:rest.index("by")] if "by" in rest else rest
        for word in words:
            name, kind = word.rsplit(":", 1)
            known[name.rstrip("?!")] = (kind, "?" in name, "!" in name)
        if "by" in rest:
            tag, *cases = rest[rest.index("by") + 1:]
            kind = dict(case.rsplit("=", 1) for case in cases).get(value.get(tag))
            if kind and self.entities[kind][0] == "object":
                more, complaints = self.members(self.entities[kind][1], value, where)
                known.update(more)
        return known, complaints

    def check_object(self, rest, value, where, lenient):
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no object"]
        known, found = self.members(rest, value, where)
        for name, (kind, optional, old) in known.items():
            if name in value:
                found += [f"{where}.{name} is deprecated in QEMU {self.version}"] if old and not lenient else []
                found += self.check(kind, value[name], f"{where}.{name}", lenient)
            elif not optional:
                found.append(f"{where}: QEMU {self.version} wants {name}")
        if not lenient:
            found += [f"{where}: QEMU {self.version} knows no {name}" for name in value if name not in known]
        return found
