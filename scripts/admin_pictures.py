"""Draws the pictures of /admin for the book, with Playwright (tests/requirements.txt).

usage: admin_pictures.py COURANT CHROMIUM DEMO_FOLDER IMAGES_FOLDER
"""
import pathlib
import re
import subprocess
import sys

from playwright.sync_api import sync_playwright

COURANT, CHROMIUM, DEMO, IMAGES = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
PASSWORD = "correct horse battery"

hashed = subprocess.run([COURANT, "admin", "hash-password"], input=PASSWORD + "\n", capture_output=True, text=True, check=True)
config = DEMO / "feeds.toml"
config.write_text(f'{config.read_text()}\n[[admin.account]]\nname = "ana"\nrole = "operator"\npassword = "{hashed.stdout.strip()}"\n')
# At the time of the demo: nothing is due, and its sites are gone.
service = subprocess.Popen([COURANT, "--now", "2022-10-20T10:05:00Z", "serve", "--listen", "127.0.0.1:0"], cwd=DEMO, stderr=subprocess.PIPE, text=True)
try:
    origin = next(found.group() for line in service.stderr if (found := re.search(r"http://127\S+", line)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path, width, scheme in [
            ("admin-sources", "/admin", 1280, "light"),
            ("admin-sources-375-dark", "/admin", 375, "dark"),
            ("admin-judge", "/admin/judge", 1280, "light"),
            ("admin-mail", "/admin/mail", 1280, "light"),
        ]:
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto(f"{origin}/admin/login?l=en")
            page.fill("#name", "ana")
            page.fill("#password", PASSWORD)
            page.click("main button")
            page.goto(f"{origin}{path}?l=en")
            page.screenshot(path=f"{IMAGES}/{name}.png")
            page.close()
        browser.close()
finally:
    service.terminate()
    service.wait()
