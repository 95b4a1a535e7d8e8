# SPDX-License-Identifier: LGPL-2.1-or-later
# What vagrant and Foreman do through fog: a volume, a copy of it, a machine, its life. fog-day URI IMAGE
require "fog/libvirt"

def check(what, value)
  abort "FAILED #{what}" unless value
  puts "ok #{what}"
end

compute = Fog::Compute.new(provider: "libvirt", libvirt_uri: ARGV[0])
check "node", compute.nodes.first.cpus.positive?
check "networks", compute.networks.all.map(&:name).include?("lab")
check "pools", compute.pools.all.map(&:name).include?("files")
compute.volumes.create(name: "box.raw", pool_name: "files", format_type: "raw", capacity: "1M", allocation: "0M")
volume = compute.volumes.all(name: "box.raw").first
volume.upload_image(ARGV[1])
check "upload", File.binread(volume.path, 512) == File.binread(ARGV[1], 512)
compute.clone_volume("files", volume.to_xml.sub("box.raw", "copy.raw"), "box.raw")
copy = compute.volumes.all(name: "copy.raw").first
check "clone", File.binread(copy.path, 512) == File.binread(ARGV[1], 512)
server = compute.servers.create(name: "fog", cpus: 2, memory_size: 65_536, domain_type: "qemu", volumes: [copy],
                                nics: [{ type: "network", network: "lab" }], boot_order: ["hd"])
check "define", compute.servers.get(server.id).name == "fog"
server.start
server.wait_for { ready? }
check "start", server.state == "running"
check "display", server.reload.vnc_port.to_i >= 5900
server.suspend
check "suspend", server.reload.state == "paused"
server.resume
server.update_autostart(true)
check "autostart", server.reload.autostart
server.poweroff
check "poweroff", server.reload.state == "shutoff"
server.destroy(destroy_volumes: true)
check "destroy", compute.servers.all.empty? && compute.volumes.all.map(&:name).sort == ["box.raw", "data.raw"]
