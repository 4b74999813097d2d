"""Opens a page in a real browser (Chromium by Playwright), waits until it shows a feed, and prints the links that it then has.

usage: embed_check.py CHROMIUM ADDRESS LINKS
LINKS is how many links the list is to have. Each is printed as its address and its text, a line each; after that, the errors.
"""
import sys

from playwright.sync_api import sync_playwright

CHROMIUM, ADDRESS, LINKS = sys.argv[1], sys.argv[2], int(sys.argv[3])

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    page = browser.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append(f"it ran: {dialog.message}"), dialog.dismiss()))
    page.goto(ADDRESS)
    links = page.locator("#courant-news a")
    try:
        page.wait_for_function(f"document.querySelectorAll('#courant-news a').length === {LINKS}", timeout=20_000)
    except Exception as error:
        errors.append(str(error))
    for link in links.all():
        print(link.get_attribute("href"), link.inner_text())
    browser.close()

for error in errors:
    print("error", error)
