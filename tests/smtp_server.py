"""A real SMTP server (aiosmtpd) for the tests: STARTTLS, AUTH, and refusals on request.

usage: smtp_server.py CERT KEY FOLDER
Prints its port, then writes each message that it takes to FOLDER as NNNN.eml, with the envelope in front.
Recipients: bounce*@ get 550, tempfail*@ get 452 the first time only, drop*@ lose the connection in mid-DATA.
User "courant", password "geheim"; without STARTTLS and AUTH nothing is taken.
"""
import asyncio
import itertools
import pathlib
import ssl
import sys

from aiosmtpd.smtp import AuthResult, SMTP

CERT, KEY, FOLDER = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
numbers = itertools.count()
deferred = set()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("bounce"):
            return "550 5.1.1 no such user"
        if address.startswith("tempfail") and address not in deferred:
            deferred.add(address)
            return "452 4.2.2 mailbox full, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if any(address.startswith("drop") for address in envelope.rcpt_tos):
            server.transport.abort()
            return "421 gone"
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {','.join(envelope.rcpt_tos)}\r\n"
        path = FOLDER / f"{next(numbers):04}.eml"
        path.write_bytes(head.encode() + envelope.content)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    # Unless "handled" is false, the server takes it that we have answered already.
    return AuthResult(success=(data.login, data.password) == (b"courant", b"geheim"), handled=False)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(CERT, KEY)


def protocol():
    return SMTP(Handler(), hostname="localhost", tls_context=context, require_starttls=True,
                authenticator=authenticate, auth_required=True)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, host="127.0.0.1", port=0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Until the test lets go of our standard input.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
