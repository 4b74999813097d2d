"""Checks the DKIM signatures of a message by an independent implementation (dkimpy).

usage: dkim_verify.py MESSAGE RSA_PUBLIC_PEM ED25519_SEED_BASE64
Prints one line for each signature: its algorithm, whether it verifies, and whether it breaks when a header is added.
"""
import base64
import re
import sys

import dkim
import nacl.signing

message = open(sys.argv[1], "rb").read()
rsa = "".join(line for line in open(sys.argv[2]).read().splitlines() if "-----" not in line)
ed25519 = base64.b64encode(bytes(nacl.signing.SigningKey(base64.b64decode(sys.argv[3])).verify_key)).decode()
RECORDS = {b"rsa._domainkey.example.org.": f"v=DKIM1; k=rsa; p={rsa}", b"ed._domainkey.example.org.": f"v=DKIM1; k=ed25519; p={ed25519}"}


def txt(name, timeout=5):
    return RECORDS[name].encode()


ADDED = [b"From", b"To", b"Cc", b"Subject", b"Date", b"Reply-To", b"List-Unsubscribe", b"List-Unsubscribe-Post", b"Content-Type"]
verifier = dkim.DKIM(message)
signatures = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
for index, signature in enumerate(signatures):
    algorithm = re.search(rb"a=([a-z0-9-]+)", signature).group(1).decode()
    signed = "".join(re.search(rb"[\s;]h=([^;]+)", signature).group(1).decode().lower().split())
    covered = all(name in signed.split(":") for name in ("list-unsubscribe-post", "content-type"))
    # Each of these added on the way breaks the signature.
    added = [not dkim.DKIM(name + b": x@example.org\r\n" + message).verify(idx=index, dnsfunc=txt) for name in ADDED]
    print(algorithm, verifier.verify(idx=index, dnsfunc=txt), covered and all(added))
