"""A real IMAP server (pymap) for the tests, with STARTTLS and one mailbox.

usage: imap_server.py CERT KEY FOLDER
Puts the messages of FOLDER (*.eml) into the INBOX of "demouser" (password "demopass"), unread, and prints its port.
"""
import ctypes
import imaplib
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

CERT, KEY, FOLDER = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def end_with_us():
    # The test may kill us: the server is not to live on (prctl PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


command = "import sys; from pymap.main import main; sys.exit(main())"
server = subprocess.Popen([sys.executable, "-c", command, "--host", "127.0.0.1", "--port", str(port), "--cert", CERT, "--key", KEY,
                           "dict", "--demo-data"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_us)
try:
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
    # Until the test lets go of our standard input.
    sys.stdin.read()
finally:
    server.terminate()
    server.wait()
