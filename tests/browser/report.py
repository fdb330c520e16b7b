#!/usr/bin/env python3
"""Checks reports of divita in Chromium: a film's page, or an index of films.

  report.py PAGE.html AXE_JS OUTPUT_DIR [--chromium PATH] [--chromedriver PATH] [--name NAME]

Opens the file at 1280 and 390 pixels, light and dark. Nothing may reach the console, leave the
file, violate the policy or scroll to the side; axe-core must find no violation. Of a film's page it
also moves the curve by keys, zooms, chooses a genre, goes to a shot, and reads the page without
JavaScript. Writes screenshots and the print as PDF to OUTPUT_DIR. Prints one line of JSON.

The status is 1 if a check fails, 77 if Chromium or chromedriver is absent. axe-core is `axe.min.js`
of the npm package `axe-core`.
"""

import argparse
import base64
import json
import shutil
import sys
import time
from pathlib import Path

from live_page import VIEWS, WATCH, Browser, Failure

# Keys beyond those of the live page.
KEYS = {"ArrowRight": 39, "PageDown": 34, "End": 35, "Home": 36, "Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40}


class Report:
    """A report in a browser."""

    def __init__(self, browser, options):
        self.browser, self.options = browser, options
        self.url = Path(options.page).resolve().as_uri()
        self.axe_js = Path(options.axe_js).read_text(encoding="utf-8")
        self.requests = []
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def view(self, width, scheme, height=900):
        self.browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                              mobile=width < 600)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.devtools("Emulation.setEmulatedMedia", features=[feature])

    def open(self):
        self.browser.post("/url", {"url": self.url})

    def run(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def press(self, key):
        text = "\r" if key == "Enter" else ""
        self.browser.devtools("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=key, code=key,
                              windowsVirtualKeyCode=KEYS[key], text=text)
        self.browser.devtools("Input.dispatchKeyEvent", type="keyUp", key=key, code=key,
                              windowsVirtualKeyCode=KEYS[key])

    def screenshot(self, name, width, scheme, height=0):
        self.view(width, scheme)
        if not height:
            self.run("scrollTo(0, 0)")
            height = min(self.run("return document.documentElement.scrollHeight;"), 6000)
        self.view(width, scheme, height)
        time.sleep(0.3)
        picture = self.browser.request("GET", f"{self.browser.session}/screenshot")
        path = Path(self.options.output) / f"{self.options.name}-{name}.png"
        path.write_bytes(base64.b64decode(picture))

    def check(self, width):
        """Checks that the page keeps to itself and to its width."""
        faults = []
        for entry in self.browser.logs("browser"):
            if entry["level"] in ("SEVERE", "WARNING"):
                faults.append(f"console: {entry['message']}")
        for entry in self.browser.logs("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                if not message["params"].get("documentURL", "").startswith("chrome:"):
                    self.requests.append(message["params"]["request"]["url"])
        watched = self.run("return watched;")
        faults += [f"policy violated: {text}" for text in watched["violations"]]
        faults += [f"script error: {text}" for text in watched["errors"]]
        for url in sorted(set(self.requests)):
            if url.split("#")[0] != self.url and not url.startswith("data:"):
                faults.append(f"request: {url[:200]}")
        scroll = self.run("return document.documentElement.scrollWidth;")
        if scroll > width:
            faults.append(f"horizontal scroll: {scroll} pixels of content in {width}")
        if faults:
            raise Failure(f"at {width}: " + "; ".join(faults))

    def axe(self, width, scheme):
        """Runs all default rules of axe-core with all disclosures open, on the first 100 rows of shots."""
        self.run(self.axe_js + "\nreturn typeof axe;")
        self.run("for (const one of document.querySelectorAll('details')) one.open = true;")
        result = self.browser.run_async(
            "const done = arguments[arguments.length - 1];"
            "axe.run({ exclude: [['table.shots tbody tr:nth-child(n+101)']] }).then(r => done({ passes: r.passes.map(p => p.id), violations: r.violations.map(v => ({ id: v.id,"
            " help: v.help, nodes: v.nodes.slice(0, 3).map(n => `${n.target} ${n.failureSummary}`) })) }),"
            " e => done({ error: String(e) }));")
        self.run("for (const one of document.querySelectorAll('details')) one.open = false;")
        if "error" in result:
            raise Failure(f"axe-core at {width} {scheme}: {result['error']}")
        if result["violations"]:
            raise Failure(f"axe-core at {width} {scheme} finds {json.dumps(result['violations'])[:3000]}")
        return len(result["passes"])

    def keyboard(self):
        """Reads the curve by keys, zooms, and goes to a shot."""
        told = "return document.activeElement.getAttribute('aria-valuetext');"
        self.run("document.querySelector('[role=slider]').focus();")
        self.press("Home")
        heard = [self.run(told)]
        for key in ("ArrowRight", "PageDown", "End", "Home", "ArrowRight"):
            self.press(key)
            heard.append(self.run(told))
        if len(set(heard[:4])) < 4 or heard[4] != heard[0] or heard[5] != heard[1]:
            raise Failure(f"the keys do not move the cursor: {heard}")
        time.sleep(0.5)
        spoken = self.run("return document.querySelector('#told').textContent;")
        shown = self.run("return document.querySelector('#now').innerText;")
        if "%" not in spoken or spoken.split("%")[0].rsplit(" ", 1)[1] not in shown:
            raise Failure(f"the values are not announced: {spoken!r}, shown {shown!r}")
        self.press("Enter")
        row = self.run("return document.activeElement.id;")
        if not row.startswith("s"):
            raise Failure(f"Enter does not go to the shot: {row!r}")
        self.run("document.querySelector('#in').click();")
        zoomed = self.run("return document.querySelector('#view').textContent;")
        wide = self.run("return document.querySelector('#track').clientWidth / document.querySelector('#scroller')"
                        ".clientWidth;")
        if self.run("return !document.querySelector('#out').disabled;") and wide < 1.9:
            raise Failure(f"zoom does not widen the curves: {wide}")
        self.run("document.querySelector('#out').click();")
        hidden = "return document.querySelectorAll('.lane:not(.off)').length;"
        before = self.run(hidden)
        self.run("document.querySelector('#timeline input').click();")
        if self.run(hidden) != before - 1:
            raise Failure("a genre cannot be hidden")
        self.run("document.querySelector('#timeline input').click();")
        return {"heard": heard[:4], "spoken": spoken, "zoomed": zoomed}

    def focus(self):
        """Reaches everything by Tab, each with a visible focus."""
        self.run("scrollTo(0, 0); const e = document.querySelector('h1'); e.tabIndex = -1; e.focus(); e.blur();"
                 "e.removeAttribute('tabindex');")
        expected = self.run(
            "return [...document.querySelectorAll('a[href], [tabindex=\"0\"], summary, button:not([tabindex=\"-1\"]),"
            " input')].filter(e => e.checkVisibility() && !e.disabled && !e.classList.contains('skip')"
            " && !e.closest('details:not([open]) > div')).length;")
        reached, bad = 0, []
        for _ in range(expected + 5):
            self.press("Tab")
            step = self.run("""
                const e = document.activeElement;
                if (e === document.body) return null;
                const style = getComputedStyle(e), box = e.getBoundingClientRect();
                return { name: e.getAttribute('aria-label') || e.innerText || e.id,
                  ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1,
                  seen: box.bottom > 0 && box.top < innerHeight };
            """)
            if step is None:
                break
            reached += 1
            if not (step["ring"] and step["seen"]):
                bad.append(step["name"])
        if reached < expected or bad:
            raise Failure(f"Tab reaches {reached} of {expected} elements; no visible focus on {bad[:5]}")
        return {"reached": reached}

    def copy(self):
        """Copies timecodes by a button, and goes from button to button by arrow keys."""
        self.browser.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite"])
        self.run("document.querySelector('table.shots button').focus();")
        self.press("ArrowDown")
        self.press("Enter")
        time.sleep(0.3)
        said = self.run("return document.querySelector('#copied').textContent;")
        if not said.startswith("Copied"):
            raise Failure(f"timecodes are not copied: {said!r}")

    def without_script(self):
        """Reads the page with JavaScript off."""
        self.browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
        self.open()
        self.screenshot("no-script", 1280, "light")
        self.browser.devtools("Emulation.setScriptExecutionDisabled", value=False)

    def print(self):
        data = self.browser.devtools("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
        (Path(self.options.output) / f"{self.options.name}.pdf").write_bytes(base64.b64decode(data))


def examine(report):
    """Runs all checks and returns what they found."""
    result = {"page": report.options.page, "ok": True, "rules_passed": 0}
    begin = time.monotonic()
    for width, scheme in VIEWS:
        report.view(width, scheme)
        report.open()
        is_film = report.run("return Boolean(document.querySelector('#timeline'));")
        report.check(width)
        report.screenshot(f"{width}-{scheme}", width, scheme)
        report.view(width, scheme)
        result["rules_passed"] = max(result["rules_passed"], report.axe(width, scheme))
        if is_film and report.run("return Boolean(document.querySelector('.lane'));"):
            result["keyboard"] = report.keyboard()
            result["focus"] = report.focus()
            report.copy()
        report.check(width)
    report.view(1280, "light")
    report.open()
    if is_film:
        for _ in range(3):
            report.run("document.querySelector('#in')?.click();")
        report.run("document.querySelector('[role=slider]')?.focus(); document.querySelector('#timeline')"
                   ".scrollIntoView();")
        report.press("PageDown")
        report.screenshot("zoomed", 1280, "light", 900)
        report.check(1280)
    report.print()
    if is_film:
        report.without_script()
    result["seconds"] = round(time.monotonic() - begin, 1)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page")
    parser.add_argument("axe_js")
    parser.add_argument("output")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--chromedriver", default=shutil.which("chromedriver"))
    parser.add_argument("--name", help="begin of the names of screenshots (default: that of the page)")
    options = parser.parse_args()
    options.name = options.name or Path(options.page).stem
    if not options.chromium or not options.chromedriver:
        print("needs Chromium and chromedriver (Debian: chromium-driver)", file=sys.stderr)
        return 77
    Path(options.output).mkdir(parents=True, exist_ok=True)
    browser = None
    try:
        browser = Browser(options)
        print(json.dumps(examine(Report(browser, options)), ensure_ascii=False))
        return 0
    except (Failure, OSError) as error:
        print(json.dumps({"page": options.page, "ok": False, "error": str(error)}, ensure_ascii=False))
        return 1
    finally:
        if browser:
            browser.close()


if __name__ == "__main__":
    sys.exit(main())
