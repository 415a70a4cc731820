#!/usr/bin/env python3
"""A small kubelet for tests: it runs the pods of a real API server as real processes in network namespaces.

  kubelet.py --server URL --ca FILE --token FILE --programs DIR --state DIR --prefix NAME [--nodes N]
             [--back-off SECONDS]

It stands for the scheduler and for N nodes: it binds each new pod to the next node. A pod gets a namespace with an
address out of 10.244.0.0/16 on the bridge br0, which is never given again, and its containers a root directory with
the mounts of the manifest, a user that is not root, and no capability that the manifest does not add. An image stands
for the program of its name in --programs. Readiness and liveness probes (httpGet), preStop (exec, sleep), restarts
with back-off, the grace period, projected and bound tokens, and changes of ConfigMaps and Secrets are as in a kubelet.
Not here: images, cgroups (no limit of CPU or memory), seccomp profiles, host networks, init containers, exec and logs.

In --state, NAMESPACE/POD/ has the files pid.CONTAINER, log.CONTAINER, address and netns, for tests that do harm to a pod.
"""
import argparse
import pathlib
import signal
import subprocess
import sys
import threading
import time

from kubelet_api import Api, ApiError
from kubelet_container import Container, Probe
from kubelet_volumes import Volumes

TICK = 0.1  # seconds
VOLUMES_EVERY = 1
RESOLV_CONF = "nameserver 10.96.0.10\nsearch {0}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"


def log(*text):
    print(time.strftime("%H:%M:%S"), *text, file=sys.stderr, flush=True)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Network:
    """Hands out addresses, and the namespaces that have them."""

    def __init__(self, prefix):
        self.prefix, self.last, self.lock = prefix, 0, threading.Lock()

    def add(self):
        with self.lock:
            self.last += 1
            number = self.last
        address, place, link = f"10.244.{1 + number // 250}.{1 + number % 250}", f"{self.prefix}-{number}", f"pod{number}"
        ip("netns", "add", place)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", place)
        ip("link", "set", link, "master", "br0", "up")
        for command in (["link", "set", "lo", "up"], ["addr", "add", f"{address}/16", "dev", "eth0"],
                        ["link", "set", "eth0", "up"], ["route", "add", "default", "via", "10.244.0.1"]):
            ip("-n", place, *command)
        return address, place

    def remove(self, place):
        subprocess.run(["ip", "netns", "del", place], check=False)


class Pod(threading.Thread):
    """One pod, from its binding to its end. Only this thread changes what is here, but for document and gone."""

    def __init__(self, kubelet, document):
        super().__init__(daemon=True)
        metadata = document["metadata"]
        self.kubelet, self.document, self.api = kubelet, document, kubelet.new_api()
        self.namespace, self.name, self.uid = metadata["namespace"], metadata["name"], metadata["uid"]
        self.path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        self.directory = kubelet.state / self.namespace / self.name
        self.gone = False  # the API server has it no more
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.address = self.place = None
        self.containers, self.reported = [], None

    def run(self):
        try:
            self.start_all()
            while not self.gone and not self.kubelet.stopping and not self.document["metadata"].get("deletionTimestamp"):
                self.step()
                time.sleep(TICK)
        except Exception as error:  # the pod ends, the kubelet does not
            log(self.namespace, self.name, "failed:", repr(error))
            self.stop_all(0)
            return
        grace = self.document["metadata"].get("deletionGracePeriodSeconds", 30)
        self.stop_all(2 if self.kubelet.stopping else grace)

    def start_all(self):
        self.address, self.place = self.kubelet.network.add()
        self.directory.mkdir(parents=True, exist_ok=True)
        files = {"address": self.address, "netns": self.place, "resolv.conf": RESOLV_CONF.format(self.namespace),
                 "hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n"}
        for name, text in files.items():
            (self.directory / name).write_text(text)
        self.volumes = Volumes(self.api, self.document, self.directory / "volumes", self.field)
        while not self.volumes.refresh() and not self.gone and not self.document["metadata"].get("deletionTimestamp"):
            time.sleep(TICK)  # of a ConfigMap or a Secret that is not there yet
        for spec in self.document["spec"]["containers"]:
            container = Container(self, spec)
            probe = {kind: Probe(spec.get(kind), self.address, spec) for kind in ("readinessProbe", "livenessProbe")}
            self.containers.append((container, probe["readinessProbe"], probe["livenessProbe"]))
        self.volumes_due = time.monotonic() + VOLUMES_EVERY

    def step(self):
        for container, readiness, liveness in self.containers:
            if not container.is_running():
                readiness.reset(False)
                liveness.reset(True)
                container.start_when_due()
                continue
            readiness.step()
            if not liveness.step():
                log(self.name, container.name, "is restarted: its liveness probe fails")
                container.kill(signal.SIGTERM)
                container.wait(self.document["spec"].get("terminationGracePeriodSeconds", 30))
        if time.monotonic() > self.volumes_due:
            self.volumes.refresh()
            self.volumes_due = time.monotonic() + VOLUMES_EVERY
        self.report("Running")

    def stop_all(self, grace):
        end = time.monotonic() + grace
        for container, _, _ in self.containers:
            container.before_stop(end)
            container.kill(signal.SIGTERM)
        while time.monotonic() < end and any(container.is_running() for container, _, _ in self.containers):
            for container, readiness, _ in self.containers:
                if container.is_running():
                    readiness.step()
                else:
                    readiness.reset(False)
            self.report("Running")
            time.sleep(TICK)
        for container, readiness, _ in self.containers:
            container.wait(0)
            readiness.reset(False)
        if self.place:
            self.kubelet.network.remove(self.place)
        if not self.gone and self.document["metadata"].get("deletionTimestamp"):
            self.report("Succeeded" if all(container.status == 0 for container, _, _ in self.containers) else "Failed")
            self.delete()
        self.kubelet.ended(self)

    def delete(self):
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
                "preconditions": {"uid": self.uid}}
        while not self.gone and not self.kubelet.stopping:
            try:
                self.api.request("DELETE", self.path, body)
                return
            except ApiError as error:
                if error.status in (404, 409):
                    return
            except OSError:
                pass
            time.sleep(TICK)

    def report(self, phase):
        """The status, when it differs from the last one that the API server took. podIPs must not change."""
        ready = [readiness.is_true and container.is_running() for container, readiness, _ in self.containers]
        conditions = {"PodScheduled": True, "Initialized": True, "PodReadyToStartContainers": phase == "Running",
                      "ContainersReady": all(ready), "Ready": all(ready)}
        status = {
            "phase": phase, "startTime": self.started, "hostIP": "10.244.0.1", "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "conditions": [{"type": kind, "status": str(value)} for kind, value in conditions.items()],
            "containerStatuses": [entry[0].report(is_ready) for entry, is_ready in zip(self.containers, ready)],
        }
        if status == self.reported:
            return
        try:
            self.api.request("PATCH", self.path + "/status", {"metadata": {"uid": self.uid}, "status": status})
            self.reported = status
        except (ApiError, OSError) as error:
            log(self.namespace, self.name, "status:", error)

    def field(self, path):
        """A value of the downward API."""
        if path.startswith(("metadata.labels[", "metadata.annotations[")):
            part, key = path[len("metadata."):].rstrip("]").split("[", 1)
            return self.document["metadata"].get(part, {}).get(key.strip("'"), "")
        known = {"status.podIP": self.address, "status.podIPs": self.address, "status.hostIP": "10.244.0.1"}
        if path in known:
            return known[path]
        value = self.document
        for part in path.split("."):
            value = value[part]
        return value


class Kubelet:
    def __init__(self, arguments):
        self.arguments = arguments
        self.state, self.network = pathlib.Path(arguments.state), Network(arguments.prefix)
        self.pods, self.lock, self.stopping, self.bound = {}, threading.Lock(), False, 0
        self.api = self.new_api()

    def new_api(self):
        return Api(self.arguments.server, self.arguments.ca, pathlib.Path(self.arguments.token).read_text().strip())

    def register(self):
        conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
        for number in range(1, self.arguments.nodes + 1):
            name = f"node-{number}"
            labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number}"}
            self.api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node",
                                                       "metadata": {"name": name, "labels": labels}})
            self.api.request("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": conditions}})

    def bind(self, metadata):
        self.bound += 1
        node = f"node-{self.bound % self.arguments.nodes + 1}"
        self.api.request("POST", f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/binding", {
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": metadata["name"], "uid": metadata["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}})

    def seen(self, kind, document):
        metadata = document["metadata"]
        with self.lock:
            pod = self.pods.get(metadata["uid"])
        if kind == "DELETED":
            if pod:
                pod.gone = True
        elif pod:
            pod.document = document
        elif metadata.get("deletionTimestamp") and not document["spec"].get("nodeName"):
            pass  # the API server removes it by itself
        elif not document["spec"].get("nodeName"):
            try:
                self.bind(metadata)
            except ApiError as error:
                log(metadata["name"], "binding:", error)
        elif document["status"].get("phase") == "Pending":
            pod = Pod(self, document)
            with self.lock:
                self.pods[pod.uid] = pod
            log(pod.namespace, pod.name, "starts")
            pod.start()

    def ended(self, pod):
        log(pod.namespace, pod.name, "has ended")
        with self.lock:
            del self.pods[pod.uid]

    def watch(self):
        """All pods, then their changes, until the connection ends."""
        whole = self.api.request("GET", "/api/v1/pods")
        there = {document["metadata"]["uid"] for document in whole["items"]}
        for pod in list(self.pods.values()):
            pod.gone = pod.gone or pod.uid not in there
        for document in whole["items"]:
            self.seen("ADDED", document)
        for event in self.new_api().watch("/api/v1/pods", whole["metadata"]["resourceVersion"]):
            if event["type"] == "ERROR":
                return
            if event["type"] != "BOOKMARK":
                self.seen(event["type"], event["object"])

    def run(self):
        self.register()
        log("ready")
        while True:
            try:
                self.watch()
            except (ApiError, OSError, ValueError) as error:
                log("watch:", error)
                time.sleep(TICK)

    def stop(self):
        self.stopping = True
        for pod in list(self.pods.values()):
            pod.join(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("server", "ca", "token", "programs", "state", "prefix"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--back-off", type=float, default=10, help="the longest pause before a container is restarted")
    kubelet = Kubelet(parser.parse_args())

    def end(*_):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        kubelet.run()
    finally:
        kubelet.stop()


if __name__ == "__main__":
    main()
