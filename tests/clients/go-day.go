// SPDX-License-Identifier: LGPL-2.1-or-later

// What a program with go-libvirt (which speaks the protocol by itself) does with the domain vm1: go-day SOCKET
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

func must(what string, err error) {
	if err != nil {
		fmt.Println("FAILED", what+":", err)
		os.Exit(1)
	}
	fmt.Println("ok", what)
}

func same(what string, wanted, found interface{}) {
	if wanted != found {
		must(what, fmt.Errorf("%v is not %v", found, wanted))
	}
}

func main() {
	l := libvirt.NewWithDialer(dialers.NewLocal(dialers.WithSocket(os.Args[1])))
	must("Connect", l.Connect())
	events, err := l.LifecycleEvents(context.Background())
	must("LifecycleEvents", err)
	_, err = l.ConnectGetLibVersion()
	must("ConnectGetLibVersion", err)
	_, err = l.ConnectGetCapabilities()
	must("ConnectGetCapabilities", err)
	domains, _, err := l.ConnectListAllDomains(1, 0)
	must("ConnectListAllDomains", err)
	same("number of domains", 1, len(domains))
	d, err := l.DomainLookupByName("vm1")
	must("DomainLookupByName", err)
	live := uint32(libvirt.DomainVCPULive)
	must("DomainSetVcpusFlags", l.DomainSetVcpusFlags(d, 3, live))
	n, err := l.DomainGetVcpusFlags(d, live)
	must("DomainGetVcpusFlags", err)
	same("number of vCPUs", int32(3), n)
	_, err = l.DomainMemoryStats(d, 20, 0)
	must("DomainMemoryStats", err)
	_, _, _, _, _, err = l.DomainBlockStats(d, "vda")
	must("DomainBlockStats", err)
	_, err = l.ConnectGetAllDomainStats([]libvirt.Domain{d}, 0, 0)
	must("ConnectGetAllDomainStats", err)
	_, err = l.DomainGetXMLDesc(d, 0)
	must("DomainGetXMLDesc", err)
	_, err = l.QEMUDomainMonitorCommand(d, `{"execute":"query-status"}`, 0)
	must("QEMUDomainMonitorCommand", err)
	pool, err := l.StoragePoolLookupByName("files")
	must("StoragePoolLookupByName", err)
	_, err = l.StorageVolLookupByName(pool, "data.raw")
	must("StorageVolLookupByName", err)
	must("DomainAttachDeviceFlags", l.DomainAttachDeviceFlags(d, "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", uint32(libvirt.DomainAffectConfig)))
	must("DomainSuspend", l.DomainSuspend(d))
	event := <-events
	same("domain of the event", "vm1", event.Dom.Name)
	must("DomainResume", l.DomainResume(d))
	must("DomainDestroy", l.DomainDestroy(d))
	must("DomainUndefineFlags", l.DomainUndefineFlags(d, 0))
	must("Disconnect", l.Disconnect())
}
