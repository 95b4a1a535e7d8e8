# SPDX-License-Identifier: LGPL-2.1-or-later
"""cockpit-machines in a browser that nobody sees: what a person does with domains there. It talks through libvirt-dbus."""
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from conftest import HERE, picture, wait_for
from test_clients import boot_cd

webdriver = pytest.importorskip("selenium.webdriver", reason="SKIP: python3-selenium is not installed: tests/clients/run-all")
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"


@pytest.fixture
def page(daemon, guest):
    """The page of the machines, loaded."""
    for program in (CHROMIUM, DRIVER, "/usr/lib/cockpit/cockpit-ws", "/usr/sbin/libvirt-dbus", "virt-install"):
        if not shutil.which(program):
            pytest.skip(f"SKIP: {program} is not installed: tests/clients/run-all installs it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = open(f"{daemon.root}/cockpit.log", "wb")
    host = subprocess.Popen([f"{HERE}/at-system", daemon.socket, f"{HERE}/cockpit-host", str(port)], stdin=subprocess.PIPE, stdout=log,
                            stderr=log)
    browser = None
    try:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1300,1000", f"--user-data-dir={daemon.root}/browser"):
            options.add_argument(word)
        browser = webdriver.Chrome(service=Service(DRIVER), options=options)
        yield Page(browser, f"http://127.0.0.1:{port}/cockpit/@localhost/machines/index.html")
    finally:
        if browser:
            browser.quit()
        host.stdin.close()
        host.wait(60)
        log.close()


class Page:
    def __init__(self, browser, address):
        self.browser, self.address = browser, address

    def find(self, selector):
        """CSS, or XPath when it begins with //."""
        what = By.XPATH if selector.startswith("//") else By.CSS_SELECTOR
        try:
            return next((e for e in self.browser.find_elements(what, selector) if e.is_displayed()), None)
        except WebDriverException:  # it was drawn anew meanwhile
            return None

    def wait(self, selector, seconds=30):
        return wait_for(lambda: self.find(selector), seconds, lambda: f"'{selector}' on the page")

    def click(self, selector):
        def clicked():
            element = self.find(selector)
            try:
                return element and (element.click() or True)
            except WebDriverException:  # something lies over it still
                return False
        wait_for(clicked, 30, f"'{selector}' that can be clicked")

    def put(self, selector, text):
        self.wait(selector).send_keys(Keys.CONTROL + "a")
        self.wait(selector).send_keys(text)

    def choose(self, selector, value):
        self.wait(selector)
        self.click(f"{selector} option[value='{value}']")

    def machines(self):
        """The list. Without KVM the page says so first."""
        def shown():
            try:
                self.browser.get(self.address)
            except WebDriverException:
                return False
            end = time.monotonic() + 60
            while time.monotonic() < end:
                ignore = self.find("//button[text()='Ignore']")
                if ignore:
                    ignore.click()
                if self.find("#create-new-vm"):
                    return True
                time.sleep(0.2)
            return False
        wait_for(shown, 60, "list of machines")

    def complaints(self):
        more = self.find("//button[contains(., 'show more')]")
        if more:
            more.click()
        return [e.text for e in self.browser.find_elements(By.CSS_SELECTOR, ".pf-c-alert.pf-m-danger")]

    def picture(self, daemon, name):
        path = f"{daemon.root}/cockpit-{name}-{daemon.side}.png"
        assert self.browser.save_screenshot(path)
        picture(path)


@pytest.mark.client("cockpit-machines", "cockpit-machines", "list, details, another number of vCPUs, in Chromium")
def test_list_details_and_vcpus(daemon, page):
    daemon.boot("vm1", maximum=4, current=4)
    page.machines()
    assert page.wait("#vm-vm1-system-state").text == "Running"
    page.picture(daemon, "list")
    page.click("#vm-vm1-system-name")
    assert page.wait("#vm-vm1-vcpus-count").text.split()[0] == "4"
    assert "\n".join(page.complaints()) == ""
    page.click("#vm-vm1-vcpus-count button")
    page.put("#machines-vcpu-max-field", "3" + Keys.TAB)
    page.put("#machines-vcpu-count-field", "2" + Keys.TAB)
    page.click("#machines-vcpu-modal-dialog-apply")
    wait_for(lambda: not page.find("#machines-vcpu-modal-dialog"), 60, "end of the dialog")
    counts = daemon.counts("vm1")  # it never plugs: the definition has them, the machine after its next start
    assert (counts["maximum", "config"], counts["current", "config"], counts["current", "live"]) == (3, 2, 4)
    page.wait("#vm-vm1-vcpus-count button")
    page.picture(daemon, "details")
    assert "\n".join(page.complaints()) == ""


@pytest.fixture
def default_network(daemon):
    """What its virt-install wants: here a network of that name on a bridge of the host, as docs/examples has it."""
    bridge = f"vcd{os.getpid()}"
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "link", "set", bridge, "up"], check=True)
        path = f"{daemon.root}/default.xml"
        with open(f"{HERE}/../../docs/examples/network-default.xml") as f, open(path, "w") as g:
            g.write(f.read().replace("'br0'", f"'{bridge}'"))
        for command in ("net-define", path), ("net-start", "default"), ("net-autostart", "default"):
            daemon.virsh(*command)
        yield bridge
    finally:
        for name in daemon.virsh("list", "--name").split():
            daemon.run("virsh", "destroy", name, ok=None)
        subprocess.run(["ip", "link", "del", bridge], check=True)


def cards_of(bridge):
    return os.listdir(f"/sys/class/net/{bridge}/brif")


@pytest.mark.client("cockpit-machines", "cockpit-machines", "creates a machine: CD, new disk, the network 'default'",
                    kvm=False)
def test_create(daemon, default_network, page):
    page.machines()
    page.click("#create-new-vm")
    page.put("#vm-name", "made")
    page.choose("#source-type", "file")
    page.put("#source-file-group input", boot_cd(daemon))
    page.click("//button[contains(@class, 'menu-item') and contains(., 'cd.iso')]")
    page.put("input[placeholder='Choose an operating system']", "Debian")
    page.click("//button[contains(@class, 'menu-item') and contains(., 'Debian')]")
    page.choose("#memory-size-unit-select", "MiB")
    page.put("#memory-size", "256" + Keys.TAB)
    page.put("#storage-limit", "1" + Keys.TAB)
    page.picture(daemon, "create")
    page.click("#create-and-run")
    wait_for(lambda: not page.find("#create-vm-dialog"), 60, "end of the dialog")
    wait_for(lambda: page.find(".pf-c-alert.pf-m-danger") or
             daemon.run("virsh", "domstate", "made", ok=None).stdout.strip() == "running", 60, "machine that runs")
    assert "\n".join(page.complaints()) == ""
    xml = daemon.virsh("dumpxml", "made")
    assert "<source network='default'" in xml and "cd.iso" in xml and ".qcow2" in xml, xml
    assert len(cards_of(default_network)) == 1
    wait_for(lambda: re.search(r"sda rd_req [1-9]", daemon.virsh("domblkstat", "made", "sda")), 60, "look at the CD")
    wait_for(lambda: page.wait("#vm-made-system-state").text == "Running", 60, "'Running' on the page")
    page.picture(daemon, "created")
    assert "\n".join(page.complaints()) == ""
