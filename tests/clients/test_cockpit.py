# SPDX-License-Identifier: LGPL-2.1-or-later
"""cockpit-machines in a browser that nobody sees: what a person does with domains there. It talks through libvirt-dbus."""
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../system")]
from conftest import daemon, guest, wait_for  # noqa: E402,F401

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
    host = subprocess.Popen([f"{HERE}/cockpit-host", daemon.socket, str(port)], stdin=subprocess.PIPE, stdout=log,
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

    def find(self, selector, what=By.CSS_SELECTOR):
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

    def machines(self):
        """The list. Without KVM the page says so first."""
        def shown():
            try:
                self.browser.get(self.address)
            except WebDriverException:
                return False
            end = time.monotonic() + 60
            while time.monotonic() < end:
                ignore = self.find("//button[text()='Ignore']", By.XPATH)
                if ignore:
                    ignore.click()
                if self.find("#create-new-vm"):
                    return True
                time.sleep(0.2)
            return False
        wait_for(shown, 60, "list of machines")

    def complaints(self):
        return [e.text for e in self.browser.find_elements(By.CSS_SELECTOR, ".pf-c-alert.pf-m-danger")]

    def picture(self, path):
        assert self.browser.save_screenshot(path)


def test_list_details_and_vcpus(daemon, page):
    daemon.boot("vm1", maximum=4, current=4)
    page.machines()
    assert page.wait("#vm-vm1-system-state").text == "Running"
    page.picture(f"{daemon.root}/list.png")
    page.click("#vm-vm1-system-name")
    assert page.wait("#vm-vm1-vcpus-count").text.split()[0] == "4"
    assert page.complaints() == []
    page.click("#vm-vm1-vcpus-count button")
    page.put("#machines-vcpu-max-field", "3" + Keys.TAB)
    page.put("#machines-vcpu-count-field", "2" + Keys.TAB)
    page.click("#machines-vcpu-modal-dialog-apply")
    wait_for(lambda: not page.find("#machines-vcpu-modal-dialog"), 60, "end of the dialog")
    counts = daemon.counts("vm1")  # it never plugs: the definition has them, the machine after its next start
    assert (counts["maximum", "config"], counts["current", "config"], counts["current", "live"]) == (3, 2, 4)
    page.wait("#vm-vm1-vcpus-count button")
    page.picture(f"{daemon.root}/details.png")
    assert page.complaints() == []
