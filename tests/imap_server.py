"""A real IMAP server (pymap) for the tests, with STARTTLS and one mailbox.

usage: imap_server.py CERT KEY FOLDER
Puts the messages of FOLDER (*.eml) into the INBOX of "demouser" (password "demopass"), unread, and prints its port.
"""
import imaplib
import os
import pathlib
import socket
import ssl
import sys
import time

CERT, KEY, FOLDER = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

# The server takes our place, so that whoever ends us ends it; a child fills the mailbox and tells the port.
if os.fork() > 0:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    command = "import sys; from pymap.main import main; sys.exit(main())"
    os.execv(sys.executable, [sys.executable, "-c", command, "--host", "127.0.0.1", "--port", str(port), "--cert", CERT, "--key", KEY,
                              "dict", "--demo-data"])

for _ in range(200):
    try:
        client = imaplib.IMAP4("127.0.0.1", port)
        break
    except OSError:
        time.sleep(0.05)
client.starttls(ssl_context=ssl._create_unverified_context())
client.login("demouser", "demopass")
client.select("INBOX")
client.store("1:*", "+FLAGS", "\\Seen")
for path in sorted(FOLDER.glob("*.eml")):
    client.append("INBOX", None, None, path.read_bytes())
client.logout()
print(port, flush=True)
os._exit(0)
