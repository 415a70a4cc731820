#!/usr/bin/env python3
"""The name server of a test cluster whose API server is older than CoreDNS allows: records of Services, type A only.

  dns.py --server URL --ca FILE --token FILE --bind ADDRESS

A headless Service has the addresses that its EndpointSlices (discovery.k8s.io/v1beta1) call ready, and a name for each
endpoint with a hostname; any other Service has its cluster IP. Records have a TTL of 0, like CoreDNS in lib.sh.
"""
import argparse
import pathlib
import socket
import struct
import sys
import threading
import time

from kubelet_api import Api, ApiError

DOMAIN = ["svc", "cluster", "local"]
SERVICES, SLICES = "/api/v1/services", "/apis/discovery.k8s.io/v1beta1/endpointslices"
TYPE_A, CLASS_IN = 1, 1
NO_ERROR, FORMAT_ERROR, NO_NAME = 0, 1, 3


class Mirror(threading.Thread):
    """All objects of one kind as the API server has them."""

    def __init__(self, new_api, path):
        super().__init__(daemon=True)
        self.new_api, self.path, self.objects = new_api, path, {}

    def run(self):
        while True:
            try:
                self.follow()
            except (ApiError, OSError, ValueError) as error:
                print(self.path, error, file=sys.stderr, flush=True)
                time.sleep(0.1)

    def follow(self):
        """A list, then its changes, until the connection ends. Readers get a dictionary that is not changed any more."""
        whole = self.new_api().request("GET", self.path)
        self.objects = {document["metadata"]["uid"]: document for document in whole["items"]}
        for event in self.new_api().watch(self.path, whole["metadata"]["resourceVersion"]):
            if event["type"] == "ERROR":
                return
            if event["type"] == "BOOKMARK":
                continue
            objects, document = dict(self.objects), event["object"]
            objects.pop(document["metadata"]["uid"], None)
            if event["type"] != "DELETED":
                objects[document["metadata"]["uid"]] = document
            self.objects = objects


class Zone:
    def __init__(self, services, slices):
        self.services, self.slices = services, slices

    def lookup(self, name):
        """The addresses of a name, or None where it does not exist."""
        labels = name.lower().split(".")
        if labels[-3:] != DOMAIN or len(labels) not in (5, 6):
            return None
        *host, service, namespace = labels[:-3]
        for document in self.services.objects.values():
            if (document["metadata"]["namespace"], document["metadata"]["name"]) == (namespace, service):
                break
        else:
            return None
        if document["spec"].get("clusterIP", "None") != "None":
            return None if host else [document["spec"]["clusterIP"]]
        addresses = self.ready(namespace, service, host[0] if host else None)
        return None if host and not addresses else addresses

    def ready(self, namespace, service, host):
        addresses = set()
        for document in self.slices.objects.values():
            metadata = document["metadata"]
            if metadata["namespace"] != namespace or document["addressType"] != "IPv4":
                continue
            if metadata.get("labels", {}).get("kubernetes.io/service-name") != service:
                continue
            for endpoint in document.get("endpoints") or []:
                is_ready = endpoint.get("conditions", {}).get("ready", True)
                if is_ready and host in (None, endpoint.get("hostname")):
                    addresses.add(endpoint["addresses"][0])
        return sorted(addresses)


def read_question(query):
    """Name, type, and where the question ends; ValueError or IndexError for what is none."""
    at, labels = 12, []
    while query[at]:
        if query[at] > 63:
            raise ValueError("a compressed name")
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    if len(query) < at + 5:
        raise ValueError("no type")
    return ".".join(labels), struct.unpack_from(">H", query, at + 1)[0], at + 5


def reply(zone, query):
    try:
        name, kind, end = read_question(query)
    except (ValueError, IndexError):
        return query[:2] + struct.pack(">HHHHH", 0x8000 | FORMAT_ERROR, 0, 0, 0, 0)
    addresses = zone.lookup(name)
    records = (addresses or []) if kind == TYPE_A else []
    flags = 0x8400 | (query[2] & 1) << 8 | (NO_NAME if addresses is None else NO_ERROR)
    answer = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:end]
    for address in records:
        answer += struct.pack(">HHHIH", 0xC00C, TYPE_A, CLASS_IN, 0, 4) + socket.inet_aton(address)
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("server", "ca", "token", "bind"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()

    def new_api():
        return Api(arguments.server, arguments.ca, pathlib.Path(arguments.token).read_text().strip())

    mirrors = [Mirror(new_api, path) for path in (SERVICES, SLICES)]
    for mirror in mirrors:
        mirror.start()
    zone = Zone(*mirrors)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((arguments.bind, 53))
    while True:
        query, client = server.recvfrom(4096)
        if len(query) >= 12 and not query[2] & 0x80:
            server.sendto(reply(zone, query), client)


if __name__ == "__main__":
    main()
