"""Looks at pages in a real browser (Chromium by Playwright) and prints what is wrong with them, a line each.

usage: browser_check.py CHROMIUM ORIGIN FEED_JSON PATH...
COURANT_TEST_COOKIE, a name=value, is sent along; COURANT_TEST_PICTURES is a folder for pictures of the pages.
Pages: no console error, no request to another host, no sideways scrolling from 320 px to 4K, no violation of WCAG 2 A and AA
(axe-core), the first Tab leads to the link that skips the navigation. Nothing that a page or the HTML of an item of FEED_JSON
holds may run: whatever runs calls alert().
"""
import json
import os
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM, ORIGIN, FEED, PATHS = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
COOKIE = os.environ.get("COURANT_TEST_COOKIE", "")
PICTURES = os.environ.get("COURANT_TEST_PICTURES", "")
# Every event that markup can wait for, on every element; and every link is followed.
PROVOKE = """() => {
  // A link that only leads elsewhere is not to take us away.
  document.addEventListener('click', (event) => {
    const link = event.target.closest && event.target.closest('a, area');
    if (link && /^https?:$/.test(link.protocol)) event.preventDefault();
  }, true);
  const names = ['click', 'mouseover', 'mouseenter', 'focus', 'blur', 'error', 'load', 'toggle', 'animationstart', 'input', 'change', 'submit',
                 'keydown', 'pointerover', 'wheel', 'scroll', 'paste', 'drag', 'begin', 'play', 'loadstart', 'beforetoggle', 'transitionend'];
  for (const element of document.querySelectorAll('body *'))
    for (const name of names) { try { element.dispatchEvent(new Event(name, {bubbles: true, cancelable: true})); } catch (error) {} }
  for (const element of document.querySelectorAll('a, area, button, summary, [href]')) { try { element.click(); } catch (error) {} }
}"""

problems = []
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

    def open_page(path, **options):
        context = browser.new_context(**options)
        if COOKIE:
            name, value = COOKIE.split("=", 1)
            context.add_cookies([{"name": name, "value": value, "url": ORIGIN}])
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda message: problems.append(f"{path}: console: {message.text}") if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(f"{path}: error: {error}"))
        page.on("dialog", lambda dialog: (problems.append(f"{path}: it ran: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.startswith((ORIGIN, "data:")) else problems.append(f"{path}: asked {request.url}"))
        response = page.goto(ORIGIN + path)
        if response.status != 200:
            problems.append(f"{path}: status {response.status}")
        return context, page

    for path in PATHS:
        # The first page is long: what is checked of it in the dark is checked on the others.
        for scheme in ("light",) if path == PATHS[0] else ("light", "dark"):
            context, page = open_page(path, viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True)
            result = Axe().run(page, options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}})
            for violation in result.response["violations"]:
                nodes = "; ".join(node["html"][:120] for node in violation["nodes"][:2])
                problems.append(f"{path} ({scheme}): {violation['id']}: {violation['help']}: {nodes}")
            context.close()
        for width in (320, 3840) if path == PATHS[0] else (320, 375, 768, 1280, 1920, 3840):
            context, page = open_page(path, viewport={"width": width, "height": 900})
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if PICTURES and width in (375, 1280):
                page.screenshot(path=f"{PICTURES}/{PATHS.index(path)}-{width}.png", full_page=True)
            if over > 0:
                problems.append(f"{path}: {over} px too wide at {width}")
            context.close()
        context, page = open_page(path)
        if page.locator("a.skip").count():
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.className")
            if focused != "skip":
                problems.append(f"{path}: the first Tab leads to {focused!r}")
        context.close()
        # Once more with all that could run provoked; the policy of the server is not to be what saves it.
        context, page = open_page(path, bypass_csp=True)
        before = len(problems)
        context.route("**/*", lambda route: route.abort())
        page.evaluate(PROVOKE)
        page.wait_for_timeout(200)
        problems[before:] = [problem for problem in problems[before:] if "it ran" in problem]
        context.close()

    items = json.load(open(FEED))["items"]
    context = browser.new_context()
    page = context.new_page()
    page.on("dialog", lambda dialog: (problems.append(f"item: it ran: {dialog.message}"), dialog.dismiss()))
    context.route("**/*", lambda route: route.abort())
    page.set_content("<!doctype html><title>x</title><main id=root></main>")
    for item in items:
        # As feed readers show it, with and without being parsed anew; addresses as they would be linked.
        link = "".join(f"<a href={json.dumps(item[key])}>x</a>" for key in ("url", "image") if item.get(key))
        page.evaluate("(html) => { document.getElementById('root').innerHTML = html; }", item.get("content_html", "") + link)
        page.evaluate(PROVOKE)
        page.evaluate("(html) => { document.getElementById('root').innerHTML = new DOMParser().parseFromString(html, 'text/html').body.innerHTML; }",
                      item.get("content_html", ""))
        page.evaluate(PROVOKE)
    page.wait_for_timeout(300)
    print(f"{len(items)} items, {len(PATHS)} pages")
    browser.close()

for problem in sorted(set(problems)):
    print(problem)
