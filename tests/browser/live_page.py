#!/usr/bin/env python3
"""Drives the live page of `divita serve` in Chromium, step by step.

  live_page.py URL AXE_JS OUTPUT_DIR [--chromium PATH] [--chromedriver PATH] [--timeout SECONDS]

Reads one command per line from standard input and answers each with one line of JSON, {"command",
"ok", ...}. Words are split as in a shell, so a name with spaces stands in quotes.

  wait-live                        wait until the page is connected to the service
  wait-lost                        wait until the page says that it reconnects
  wait-source NAME STATE           wait until the source has the state; STATE `gone`: until it is absent
  wait-genres NAME                 wait until the source shows genres
  wait-curve NAME                  wait until the source shows a curve
  wait-shot NAME                   wait until the source shows a shot
  wait-picture NAME                wait until the source shows a keyframe
  wait-text NAME TEXT              wait until the source's card contains a text
  text NAME                        return the text of the source's card
  page-text                        return the text of the page
  open FRAGMENT                    go to a fragment of the page, such as `#source=hall`; `#` shows all
  view WIDTH HEIGHT light|dark     set size and colour scheme
  screenshot NAME WIDTH HEIGHT light|dark
                                   set them and write OUTPUT_DIR/NAME.png; HEIGHT 0 is the whole page
  axe                              run all default rules of axe-core at 390 and 1280 pixels, light and dark
  keyboard                         reach everything by Tab with a visible focus, read a curve by arrow keys
  quiet SECONDS                    no live region speaks within this time
  check [offline]                  no error, no violation of the policy, no foreign request, no horizontal
                                   scroll; `offline` permits failed requests to the service itself
  quit                             end with status 0

The first command that fails ends the program with status 1, after an answer with "ok": false and
"error". The status is 77 if Chromium or chromedriver is absent. `keyboard` needs a source with a curve.
axe-core is `axe.min.js` of the npm package `axe-core`.
"""

import argparse
import base64
import json
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
]

# Runs before the page does: collects violations of the policy, errors, and what live regions say.
WATCH = """
window.watched = { violations: [], errors: [], said: [] };
addEventListener('securitypolicyviolation', e => watched.violations.push(`${e.effectiveDirective}: ${e.blockedURI}`));
addEventListener('error', e => { if (e.message) watched.errors.push(e.message); });
addEventListener('unhandledrejection', e => watched.errors.push(String(e.reason)));
addEventListener('DOMContentLoaded', () => {
  for (const region of document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log]')) {
    new MutationObserver(() => watched.said.push(region.textContent))
      .observe(region, { childList: true, characterData: true, subtree: true });
  }
});
"""

CARD = "const card = [...document.querySelectorAll('[data-source]')].find(e => e.dataset.source === arguments[0]);"

VIEWS = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]

KEYS = {
    "Tab": ("Tab", 9), "ArrowLeft": ("ArrowLeft", 37), "ArrowRight": ("ArrowRight", 39), "Home": ("Home", 36),
    "End": ("End", 35), "PageDown": ("PageDown", 34), "Escape": ("Escape", 27),
}


class Failure(Exception):
    """A step that did not succeed, with the reason in words."""


class Browser:
    """A session of Chromium, over the HTTP protocol of WebDriver."""

    def __init__(self, options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.session = None
        self.profile = tempfile.TemporaryDirectory(prefix="live-page-", ignore_cleanup_errors=True)
        self.driver = subprocess.Popen([options.chromedriver, f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.wait_until_ready()
        chrome = {
            "binary": options.chromium,
            "args": FLAGS + [f"--user-data-dir={self.profile.name}"],
            "perfLoggingPrefs": {"enableNetwork": True, "enablePage": False},
        }
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": chrome,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"script": 120_000, "pageLoad": 60_000},
        }
        answer = self.request("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{answer['sessionId']}"

    def wait_until_ready(self):
        for _ in range(300):
            try:
                if self.request("GET", "/status")["ready"]:
                    return
            except (OSError, Failure):
                pass
            if self.driver.poll() is not None:
                raise Failure(f"chromedriver ended with status {self.driver.returncode}; start it by hand to see why")
            time.sleep(0.1)
        raise Failure("chromedriver does not answer after 30 seconds")

    def request(self, method, path, body=None):
        """Returns the value of the answer to a request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Failure(f"{path.rsplit('/', 1)[-1]}: {value['message'].splitlines()[0]}") from error

    def post(self, path, body):
        return self.request("POST", self.session + path, body)

    def run(self, script, *arguments):
        """Returns what `script` returns in the page. The page's policy does not apply to it."""
        return self.post("/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        """Returns what `script` passes to its last argument, a function."""
        return self.post("/execute/async", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def logs(self, kind):
        """Returns and forgets the entries of a log."""
        return self.post("/se/log", {"type": kind})

    def press(self, key, is_shifted=False):
        name, code = KEYS[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.devtools("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code,
                          modifiers=8 if is_shifted else 0)

    def close(self):
        try:
            if self.session:
                self.request("DELETE", self.session)
        except (OSError, Failure):
            pass
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
        self.profile.cleanup()


class Page:
    """The live page, and the commands that it understands."""

    def __init__(self, browser, options):
        self.browser, self.options = browser, options
        self.url = urlsplit(options.url)
        self.requests, self.entries, self.width = [], [], 0
        self.axe_js = Path(options.axe_js).read_text(encoding="utf-8")
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.view(1280, 900, "light")
        browser.post("/url", {"url": options.url})

    def wait(self, what, script, *arguments):
        """Waits until `script` returns something true, and returns it."""
        begin = time.monotonic()
        while time.monotonic() - begin < self.options.timeout:
            value = self.browser.run(script, *arguments)
            if value:
                return value
            time.sleep(0.1)
        text = self.page_text()["text"][:2000]
        raise Failure(f"{what}: not within {self.options.timeout:g} s. The page says: {text!r}")

    def wait_live(self):
        self.wait("page live", "return document.querySelector('#link').dataset.kind === 'live';")
        return {}

    def wait_lost(self):
        self.wait("page without connection", "return document.querySelector('#link').dataset.kind === 'lost';")
        return {}

    def wait_source(self, name, state):
        if state == "gone":
            self.wait(f"source {name} gone", CARD + "return !card;", name)
        else:
            script = CARD + "return card && card.dataset.state === arguments[1];"
            self.wait(f"source {name} {state}", script, name, state)
        return {}

    def wait_genres(self, name):
        self.wait(f"genres of {name}", CARD + "return Boolean(card?.querySelector('.genres li'));", name)
        return {}

    def wait_curve(self, name):
        # Curves are drawn only in view.
        script = "card?.querySelector('.curve').scrollIntoView(); return Boolean(card?.querySelector('.plot path[d]'));"
        self.wait(f"curve of {name}", CARD + script, name)
        return {}

    def wait_shot(self, name):
        self.wait(f"shot of {name}", CARD + "return Boolean(card?.querySelector('.shots tbody tr'));", name)
        return {}

    def wait_picture(self, name):
        script = (
            "card?.scrollIntoView(); const picture = card?.querySelector('.keyframe');"
            "return picture && !picture.hidden && picture.naturalWidth > 0;"
        )
        self.wait(f"keyframe of {name}", CARD + script, name)
        return {}

    def wait_text(self, name, text):
        script = "return Boolean(card?.innerText.includes(arguments[1]));"
        self.wait(f"source {name} with {text!r}", CARD + script, name, text)
        return {}

    def text(self, name):
        text = self.browser.run(CARD + "return card ? card.innerText : null;", name)
        if text is None:
            raise Failure(f"source {name}: not on the page")
        return {"text": text}

    def page_text(self):
        return {"text": self.browser.run("return document.body.innerText;")}

    def open(self, fragment):
        self.browser.run("location.hash = arguments[0];", fragment)
        self.settle()
        return {}

    def view(self, width, height, scheme):
        width, height = int(width), int(height)
        self.width = width
        self.browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                              mobile=width < 600)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.devtools("Emulation.setEmulatedMedia", features=[feature])
        return {}

    def settle(self):
        """Lets the page draw: its curves are redrawn every 2.5 seconds."""
        time.sleep(3)

    def screenshot(self, name, width, height, scheme):
        is_whole = int(height) == 0
        self.view(width, 900 if is_whole else height, scheme)
        if is_whole:
            self.view(width, self.browser.run("return document.documentElement.scrollHeight;"), scheme)
        self.settle()
        if is_whole:
            self.view(width, self.browser.run("return document.documentElement.scrollHeight;"), scheme)
        picture = self.browser.request("GET", f"{self.browser.session}/screenshot")
        path = Path(self.options.output) / f"{name}.png"
        path.write_bytes(base64.b64decode(picture))
        return {"path": str(path)}

    def axe(self):
        self.browser.run(self.axe_js + "\nreturn typeof axe;")
        # A table of values counts too.
        self.browser.run("const table = document.querySelector('details'); if (table) table.open = true;")
        found, rules = [], set()
        for width, scheme in VIEWS:
            self.view(width, 900, scheme)
            time.sleep(1)
            result = self.browser.run_async(
                "const done = arguments[arguments.length - 1];"
                "axe.run().then(r => done(r), e => done({ error: String(e) }));")
            if "error" in result:
                raise Failure(f"axe-core at {width} {scheme}: {result['error']}")
            rules.update(rule["id"] for rule in result["passes"])
            for rule in result["violations"]:
                nodes = [f"{' '.join(map(str, node['target']))} {node['failureSummary']}" for node in rule["nodes"][:3]]
                found.append(f"{width} {scheme}: {rule['id']} ({rule['help']}): {'; '.join(nodes)}")
        self.browser.run("const table = document.querySelector('details'); if (table) table.open = false;")
        if found:
            raise Failure("axe-core finds " + " | ".join(found))
        return {"views": len(VIEWS), "rules_passed": len(rules)}

    def keyboard(self):
        self.view(1280, 900, "light")
        expected = self.browser.run(
            # Tab goes on from where the focus was last.
            "const first = document.querySelector('h1'); first.tabIndex = -1; first.focus(); first.blur();"
            "first.removeAttribute('tabindex'); scrollTo(0, 0);"
            "return [...document.querySelectorAll('a[href], [tabindex=\"0\"], summary, button, input')]"
            ".filter(e => e.checkVisibility() && !e.closest('details:not([open]) > div')).length;")
        reached, sliders, hidden = 0, 0, []
        for _ in range(expected + 5):
            self.browser.press("Tab")
            step = self.browser.run("""
                const e = document.activeElement;
                if (e === document.body) return null;
                const style = getComputedStyle(e), box = e.getBoundingClientRect();
                const top = document.querySelector('#top');
                const covered = getComputedStyle(top).position === 'sticky' ? top.getBoundingClientRect().bottom : 0;
                return { name: e.getAttribute('aria-label') || e.innerText, slider: e.getAttribute('role') === 'slider',
                  ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                  seen: box.bottom > covered && box.top < innerHeight && box.width > 0 };
            """)
            if step is None:
                break
            reached += 1
            sliders += step["slider"]
            if not (step["ring"] and step["seen"]):
                hidden.append(step["name"])
        if reached < expected:
            raise Failure(f"Tab reaches {reached} of {expected} elements")
        if hidden:
            raise Failure(f"no visible focus on {hidden}")
        return {"reached": reached, "sliders": sliders, **self.read_curve()}

    def read_curve(self):
        """Reads a curve with the arrow keys."""
        text = "return document.activeElement.getAttribute('aria-valuetext');"
        focused = self.browser.run(
            "const e = [...document.querySelectorAll('[role=slider]')].find(e => e.checkVisibility());"
            "if (e) e.focus(); return Boolean(e);")
        if not focused:
            raise Failure("keyboard: no curve on the page")
        told = [self.browser.run(text)]
        for key in ("ArrowLeft", "ArrowLeft", "Home", "End"):
            self.browser.press(key)
            time.sleep(0.1)
            told.append(self.browser.run(text))
        if len({*told[:4]}) < 3:
            raise Failure(f"keyboard: the arrow keys do not change what the curve tells: {told}")
        is_shown = "const tip = document.activeElement.querySelector('.tip'); return !tip.hidden;"
        if not self.browser.run(is_shown):
            raise Failure("keyboard: the curve shows no values at its cursor")
        time.sleep(3)
        if self.browser.run(text) != told[-1]:
            raise Failure("keyboard: the curve speaks without a key")
        self.browser.press("Escape")
        if self.browser.run(is_shown):
            raise Failure("keyboard: Escape does not hide the values")
        return {"told": told}

    def quiet(self, seconds):
        before = len(self.browser.run("return watched.said;"))
        time.sleep(float(seconds))
        said = self.browser.run("return watched.said;")[before:]
        if said:
            raise Failure(f"live regions said {said}")
        return {}

    def check(self, mode=""):
        self.entries += self.browser.logs("browser")
        for entry in self.browser.logs("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                # Chromium's own first page loads parts of itself.
                if not message["params"].get("documentURL", "").startswith("chrome:"):
                    self.requests.append(message["params"]["request"]["url"])
        watched = self.browser.run("return watched;")
        faults = [f"policy violated: {text}" for text in watched["violations"]]
        faults += [f"script error: {text}" for text in watched["errors"]]
        for entry in self.entries:
            is_network = entry.get("source") == "network" and mode == "offline"
            if entry["level"] in ("SEVERE", "WARNING") and not is_network:
                faults.append(f"console: {entry['message']}")
        origin = (self.url.scheme, self.url.netloc)
        for url in sorted(set(self.requests)):
            if urlsplit(url)[:2] != origin and not url.startswith("data:"):
                faults.append(f"request to another origin: {url}")
        scroll = self.browser.run("return document.documentElement.scrollWidth;")
        if scroll > self.width:
            faults.append(f"horizontal scroll: {scroll} pixels of content in {self.width}")
        faults += self.policy_faults()
        if faults:
            raise Failure("; ".join(faults))
        return {"requests": len(self.requests), "width": self.width}

    def policy_faults(self):
        """Returns what is wrong with the policy that the service sends, unless it is down."""
        try:
            with urllib.request.urlopen(self.options.url, timeout=10) as answer:
                policy = answer.headers.get("Content-Security-Policy", "")
        except OSError:
            return []
        rules = [rule.split() for rule in policy.split(";") if rule.split()]
        loose = [rule for rule in rules if "'unsafe-inline'" in rule or "'unsafe-eval'" in rule or "*" in rule]
        faults = [f"policy permits {' '.join(rule)}" for rule in loose]
        if ["default-src", "'none'"] not in rules:
            faults.append(f"policy without default-src 'none': {policy!r}")
        return faults


def answer(page, line):
    """Runs a command and returns its answer."""
    words = shlex.split(line)
    commands = {
        "wait-live": page.wait_live, "wait-lost": page.wait_lost, "wait-source": page.wait_source,
        "wait-genres": page.wait_genres, "wait-curve": page.wait_curve, "wait-shot": page.wait_shot,
        "wait-picture": page.wait_picture, "wait-text": page.wait_text, "text": page.text,
        "page-text": page.page_text, "open": page.open,
        "view": page.view, "screenshot": page.screenshot, "axe": page.axe, "keyboard": page.keyboard,
        "quiet": page.quiet, "check": page.check,
    }
    if words[0] not in commands:
        raise Failure(f"unknown command {words[0]!r}; the commands are {', '.join(commands)} and quit")
    try:
        return commands[words[0]](*words[1:])
    except TypeError as error:
        raise Failure(f"{words[0]}: {error}") from error


def drive(page):
    """Answers commands until `quit` or the end of the input. Returns the exit status."""
    for line in sys.stdin:
        if not line.strip():
            continue
        if line.strip() == "quit":
            break
        try:
            result = {"command": line.strip(), "ok": True, **answer(page, line)}
        except (Failure, OSError, ValueError) as error:
            result = {"command": line.strip(), "ok": False, "error": str(error)}
        print(json.dumps(result, ensure_ascii=False), flush=True)
        if not result["ok"]:
            return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("axe_js")
    parser.add_argument("output")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--chromedriver", default=shutil.which("chromedriver"))
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds that a wait-* command waits (default 30)")
    options = parser.parse_args()
    if not options.chromium or not options.chromedriver:
        print("needs Chromium and chromedriver (Debian: chromium-driver)", file=sys.stderr)
        return 77
    Path(options.output).mkdir(parents=True, exist_ok=True)
    browser = None
    try:
        browser = Browser(options)
        return drive(Page(browser, options))
    except (Failure, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if browser:
            browser.close()


if __name__ == "__main__":
    sys.exit(main())
