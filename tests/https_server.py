"""A real HTTPS server for the tests. usage: https_server.py CERT KEY FILE; prints its port, serves FILE until its standard input ends."""
import http.server
import ssl
import sys
import threading

CERT, KEY, FILE = sys.argv[1:4]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open(FILE, "rb").read()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Silence: a refused handshake is what the test is about."""




def loaded():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERT, KEY)
    return context


def renewed(connection, name, before):
    """The certificate may have been renewed: whoever connects sees the one that is there now."""
    connection.context = loaded()


context = loaded()
context.sni_callback = renewed
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.handle_error = lambda *arguments: None
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
