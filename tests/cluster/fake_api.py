"""An API server for tests, with scripted faults: EndpointSlices and one Lease, in a directory of plain files.

    fake_api.py DIRECTORY ADDRESS PORT CERTIFICATE KEY

DIRECTORY/events   one JSON object a line; its number is its resourceVersion: a watch sends those after its version
DIRECTORY/token    the token that requests must have
DIRECTORY/fault    "VERB FAULT" a line (get, list, watch, create, update; event: one is created; patch: of a pod): what happens to
                   such requests; the first that fits counts
DIRECTORY/told     the JSON of each Event, a line
DIRECTORY/patches  "POD JSON" a line: each patch of a pod's status
DIRECTORY/version  the only version of the API that it has; other paths are 404
DIRECTORY/requests each request is written there: verb, path, faults
A Lease is created and updated by requests, as an API server does it: an update must have its uid and version.
A fault is a status, such as 503, 429:7 (Retry-After) or 200:html, or a word below; lost: written, without a reply.
Standard library only. It ends when it is killed.
"""
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse

DIRECTORY, ADDRESS, PORT, CERTIFICATE, KEY = sys.argv[1:6]
LOCK = threading.Lock()
HTML = "<!DOCTYPE html><title>Welcome</title>\n"


def read(name):
    try:
        with open(os.path.join(DIRECTORY, name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def events():
    return [line for line in read("events").splitlines() if line]


def fault_of(verb):
    for line in read("fault").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == verb:
            return words[1]
    return ""


def item(number, line):
    """The object of an event, with its version."""
    event = json.loads(line)
    event["object"].setdefault("metadata", {})["resourceVersion"] = str(number)
    return event


def listed(kind):
    """The objects of this kind that the events leave."""
    objects = {}
    for number, line in enumerate(events(), 1):
        event = item(number, line)
        if event["object"].get("kind") != kind:
            continue
        name = event["object"]["metadata"].get("name", "")
        if event["type"] == "DELETED":
            objects.pop(name, None)
        else:
            objects[name] = event["object"]
    return list(objects.values())


def is_newest(lease, known):
    ours = lease.get("metadata", {})
    return all(ours.get(key) == known["metadata"][key] for key in ("uid", "resourceVersion"))


def write_lease(verb, lease):
    """The Lease as it is now, or None: a conflict."""
    with LOCK:
        known = listed("Lease")
        if verb == "create" and known or verb == "update" and not (known and is_newest(lease, known[0])):
            return None
        number = len(events()) + 1
        lease["metadata"].setdefault("uid", f"uid-{number}")
        event = {"type": "MODIFIED" if known else "ADDED", "object": lease}
        with open(os.path.join(DIRECTORY, "events"), "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        return item(number, json.dumps(event))["object"]


class Handler(socketserver.BaseRequestHandler):
    def send(self, data):
        self.request.sendall(data if isinstance(data, bytes) else data.encode())

    def head(self, status, *headers):
        self.send(f"HTTP/1.1 {status} Status\r\n" + "".join(f"{line}\r\n" for line in headers) + "\r\n")

    def answer(self, status, body, *headers):
        self.head(status, "Content-Type: application/json", f"Content-Length: {len(body.encode())}", *headers)
        self.send(body)

    def chunk(self, data):
        data = data.encode()
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def reset(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError("as the fault says")

    def endless(self):
        self.head(200, "Content-Type: application/json", f"Content-Length: {100 << 20}")
        while True:
            self.send("{" + " " * 65535)

    def status(self, code):
        after, _, detail = code.partition(":")
        headers = [f"Retry-After: {detail}"] if detail.isdigit() else []
        body = HTML if detail == "html" else json.dumps({"kind": "Status", "code": int(after)})
        self.answer(int(after), body, *headers)

    def fault(self, fault):
        """True: the connection is of no more use."""
        if fault[0].isdigit():
            self.status(fault)
        elif fault == "hang":
            time.sleep(3600)
        elif fault == "reset":
            self.reset()
        elif fault == "endless":
            self.endless()
        elif fault == "values":  # short values: many of them in few bytes
            self.answer(200, '{"items":[' + "0," * 1000000 + "0]}")
        elif fault == "version":
            self.answer(200, '{"metadata":{},"items":[]}')
        else:
            raise ValueError(fault)

    def respond_list(self, kind):
        items = listed(kind)
        for one in items:
            one.pop("kind")
        self.answer(200, json.dumps({"kind": kind + "List", "items": items,
                                     "metadata": {"resourceVersion": str(len(events()))}}))

    def respond_get(self):
        known = listed("Lease")
        absent = {"kind": "Status", "code": 404, "details": {"kind": "leases"}}
        self.answer(200 if known else 404, json.dumps(known[0] if known else absent))

    def respond_write(self, verb, body, fault):
        lease = write_lease(verb, json.loads(body))
        if fault == "lost":
            self.reset()
        self.answer(200 if lease else 409, json.dumps(lease or {"kind": "Status", "code": 409}))

    def respond_note(self, name, text):
        with LOCK, open(os.path.join(DIRECTORY, name), "a", encoding="utf-8") as file:
            file.write(text + "\n")
        self.answer(201, "{}")

    def odd_lines(self, fault, line):
        """True: this line was sent, or another thing in its place."""
        if fault == "split":
            for letter in line:
                self.chunk(letter)
        elif fault == "half":
            self.chunk(line[:len(line) // 2])
            self.request.shutdown(socket.SHUT_RDWR)
            raise ConnectionError("as the fault says")
        elif fault == "gone":
            self.chunk(json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}) + "\n")
            self.chunk("")
            return True
        elif fault == "garbage":
            self.chunk("no event\n")
        elif fault == "long":
            for _ in range(80):
                self.chunk("x" * 65536)
        else:
            self.chunk(line)
        return False

    def respond_watch(self, kind, version):
        self.head(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
        while True:
            lines = events()
            while version < len(lines):
                version += 1
                if item(version, lines[version - 1])["object"].get("kind") != kind:
                    continue
                if self.odd_lines(fault_of("watch"), json.dumps(item(version, lines[version - 1])) + "\n"):
                    return
            if fault_of("watch") == "end":
                self.chunk("")
                return
            time.sleep(0.02)
            if fault_of("watch") == "cut":
                self.reset()

    def more(self, data):
        more = self.request.recv(65536)
        if not more:
            raise ConnectionError("closed")
        return data + more

    def read_request(self):
        """The lines of the head, and the body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data = self.more(data)
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
        while len(body) < length:
            body = self.more(body)
        return lines, body

    def one(self):
        lines, body = self.read_request()
        method, path = lines[0].split()[:2]
        url = urllib.parse.urlparse(path)
        query = urllib.parse.parse_qs(url.query)
        kind = "Lease" if "/leases" in url.path else "EndpointSlice"
        writes = {"POST": "event" if url.path.endswith("/events") else "create", "PUT": "update", "PATCH": "patch"}
        verb = writes.get(method, "watch" if "watch" in query else "get" if "/leases/" in url.path else "list")
        fault = fault_of(verb)
        token = next((line[7 + 15:] for line in lines if line.startswith("Authorization: Bearer ")), "")
        with LOCK, open(os.path.join(DIRECTORY, "requests"), "a", encoding="utf-8") as file:
            file.write(f"{verb} {path} {fault}\n")
        if token != read("token").strip():
            self.status("401")
        elif read("version").strip() not in ("", path.split("/")[3]):
            self.status("404")
        elif fault in ("", "split", "half", "gone", "garbage", "long", "end", "cut") and verb == "watch":
            self.respond_watch(kind, int(query["resourceVersion"][0]))
        elif verb == "event" and not fault:
            self.respond_note("told", body.decode())
        elif verb == "patch" and not fault:
            self.respond_note("patches", url.path.split("/")[6] + " " + body.decode())
        elif verb in ("create", "update") and fault in ("", "lost"):
            self.respond_write(verb, body, fault)
        elif fault:
            self.fault(fault)
        elif verb == "get":
            self.respond_get()
        else:
            self.respond_list(kind)
        return True

    def handle(self):
        try:
            self.request.settimeout(None)
            self.request = CONTEXT.wrap_socket(self.request, server_side=True)
            while self.one():
                pass
        except (OSError, ValueError) as error:
            print(f"connection ended: {error}", flush=True)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(CERTIFICATE, KEY)
with Server((ADDRESS, int(PORT)), Handler) as server:
    print("listening", file=sys.stderr, flush=True)
    server.serve_forever()
