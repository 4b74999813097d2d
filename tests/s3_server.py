"""A real S3-compatible server (moto) for the tests, with one bucket, "news". usage: s3_server.py CERT KEY FOLDER; prints its port, serves
HTTP until its standard input ends.

Below /-/ a test looks and meddles:
  GET  /-/objects        what is in the bucket: names, bytes (Base64), Content-Type, Cache-Control
  GET  /-/requests       the requests of courant since the last time
  POST /-/put/KEY        writes an object, as somebody else would
  POST /-/delete/KEY     deletes one; without KEY, all
  POST /-/fault/WHAT/N   courant's requests after the next N uploads are answered with the status WHAT, or "hang"; "none" ends that
"""
import base64
import json
import sys
import threading
import time

import boto3
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "news"
lock = threading.Lock()
requests = []
fault = {"what": "none", "after": 0}
moto = DomainDispatcherApplication(create_backend_app)


def client():
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(user_agent="test", proxies={}, s3={"addressing_style": "path"}),
    )


def objects():
    s3, found = client(), {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            got = s3.get_object(Bucket=BUCKET, Key=item["Key"])
            found[item["Key"]] = [
                base64.b64encode(got["Body"].read()).decode(),
                got["ContentType"],
                got.get("CacheControl", ""),
            ]
    return found


def control(path, body):
    action, _, rest = path.partition("/")
    if action == "objects":
        return objects()
    if action == "requests":
        with lock:
            taken = requests[:]
            requests.clear()
        return taken
    if action == "put":
        client().put_object(Bucket=BUCKET, Key=rest, Body=body)
    elif action == "delete":
        for key in [rest] if rest else list(objects()):
            client().delete_object(Bucket=BUCKET, Key=key)
    elif action == "fault":
        what, _, after = rest.partition("/")
        with lock:
            fault.update(what=what, after=int(after or 0))
    return None


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path.startswith("/-/"):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        text = json.dumps(control(path[3:], environ["wsgi.input"].read(length))).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]
    if environ.get("HTTP_USER_AGENT", "").startswith("courant/"):
        with lock:
            query = environ.get("QUERY_STRING", "")
            is_faulty = fault["what"] != "none" and fault["after"] <= 0
            if not is_faulty and method == "PUT":
                fault["after"] -= 1
            what = fault["what"] if is_faulty else "none"
            requests.append([method, path, query, what])
        while what == "hang":
            time.sleep(0.05)
            what = fault["what"]
        if what != "none":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            text = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
            start_response(f"{what} Fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
            return [text]
    return moto(environ, start_response)


server = make_server("127.0.0.1", 0, application, threaded=True)
server.log = lambda *arguments: None
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
client().create_bucket(Bucket=BUCKET)
print(server.server_port, flush=True)
sys.stdin.read()
