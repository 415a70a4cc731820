#!/usr/bin/env python3
"""Each call that running pods make fails once, with each errno of its manual page.

  faults_run.py BUILD_DIR WORK_DIR RESULT ADDRESS=PID... [--match PATTERN] [--half 1|2]

The first pod leads. WORK_DIR has the pods' logs (ADDRESS.log), their tables (faults/PID), pod.yaml (their configuration),
and "done": the places that an earlier run has tested. First every kind of work is done without a fault: that tells
which work reaches which call, and which counters and log events are usual. Then, for each place and errno: the fault is
armed, the work is done until the call has failed, and it is judged:

  - the pod lives (/livez is 200), every pod returns a datagram of a new client, and every ledger closes;
  - a counter or a log line of the pod that is not usual tells the fault, or faults_run.rules says why none does.

In the last cases of a place, several calls in a row fail ("x20"; "EAGAIN x" in the rules).

RESULT gets a table. --half: every place belongs to one half; with a pattern both are run.
"""
import http.client
import os
import pathlib
import re
import signal
import socket
import sys
import time
import zlib

import fault_table

PATIENCE_S = 60  # ends a test that hangs; no verdict depends on it
ROUNDS = 30      # of a work that sometimes reaches the call
LEDGER = ("ledger_requests", "ledger_replies", "ledger_copies", "datagrams_held", "datagrams_queued")
NOT_REACHED = "not reached"
IN_A_ROW = 20    # calls that fail in the last case of each place


class Bad(Exception):
    """What is wrong with a case."""


def wait_until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)  # between two polls
    raise Bad(f"{what}: not within {PATIENCE_S} s")


class Pod:
    def __init__(self, work, address, pid):
        self.address, self.pid = address, int(pid)
        self.faults = fault_table.Faults(work / "faults" / pid)
        self.log = work / f"{address}.log"
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.setblocking(False)

    def get(self, path):
        """Status and body, or None: the connection failed."""
        try:
            connection = http.client.HTTPConnection(self.address, 8080, timeout=PATIENCE_S)
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def numbers(self):
        got = wait_until(f"/metrics of {self.address}", lambda: self.get("/metrics"))
        rows = (line.rsplit(" ", 1) for line in got[1].splitlines() if line.startswith("headlessd_"))
        return {name.removeprefix("headlessd_"): float(value) for name, value in rows}

    def events(self):
        """Counts of log events."""
        counts = {}
        for line in self.log.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) > 2 and words[1] in ("info", "warn", "error"):
                counts["log " + words[2]] = counts.get("log " + words[2], 0) + 1
        return counts

    def told(self):
        """Every counter, and the counts of log events."""
        counters = {name: value for name, value in self.numbers().items() if "_total" in name}
        return counters | self.events()

    def send(self, *payloads):
        for payload in payloads:
            try:
                self.client.sendto(payload, (self.address, 12000))
            except OSError:
                pass  # a refusal of an earlier one

    def drain(self):
        got = []
        while True:
            try:
                got.append(self.client.recv(65536))
            except OSError:
                return got

    def returns(self, payload):
        """True when a datagram of a new client comes back; sent again after each 200 ms of silence."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            end = time.monotonic() + PATIENCE_S
            while time.monotonic() < end:
                try:
                    client.sendto(payload, (self.address, 12000))
                    if payload in client.recv(65536):
                        return True
                except OSError:
                    pass
        raise Bad(f"{self.address} returns no datagram")

    def is_alive(self):
        return os.path.exists(f"/proc/{self.pid}/fd")


class Test:
    def __init__(self, build, work, result, pods, pattern, half):
        self.program = str(pathlib.Path(build) / "headlessd")
        self.work, self.result, self.pattern = pathlib.Path(work), result, re.compile(pattern)
        self.pods = [Pod(self.work, *pod.split("=")) for pod in pods]
        self.half = half
        self.rules = fault_table.Rules(fault_table.HERE / "faults_run.rules")
        self.done_path = self.work / "done"
        self.done = set(self.done_path.read_bytes().split(b"\n\n\n")) if self.done_path.exists() else set()
        self.missed = set()  # places that no work has reached: a later run may
        self.numbered = 0
        self.held = 1
        self.rows = []
        # The cheap ones first. Those after "idle" change the leader.
        self.works = {"datagrams": self.datagrams, "burst": self.burst, "http": self.http, "command": self.command,
                      "group": self.group, "reload": self.reload, "idle": self.idle, "lead": self.lead}

    # ---- kinds of work, each reaches other calls

    def datagrams(self, pod):
        self.numbered += 1
        pod.send(*(b"%d %d" % (self.numbered, i) for i in range(4)))
        pod.returns(b"new %d" % self.numbered)
        pod.drain()

    def burst(self, pod):
        pod.send(*[bytes(400)] * 64, bytes(5000), b"", bytes(20000))
        pod.returns(b"after %d" % self.numbered)
        pod.drain()

    def http(self, pod):
        for path in ("/livez", "/readyz", "/status", "/", "/sessions", "/leader", "/nothing"):
            pod.get(path)
        try:
            with socket.create_connection((pod.address, 8080), PATIENCE_S) as stream:
                stream.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
                stream.recv(65536)
        except OSError:
            pass
        wait_until("the stream is closed", lambda: not pod.numbers()["event_streams"])

    def command(self, pod):
        pod.send(b'{"leader":"192.0.2.77"}')
        pod.returns(b"obeyed %d" % self.numbered)

    def group(self, pod):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            try:
                client.sendto(b"to all", ("239.1.2.3", 12000))
            except OSError:
                pass
        pod.returns(b"grouped %d" % self.numbered)

    def reload(self, pod):
        self.held = self.held % 30 + 1
        new = self.work / "pod.yaml.new"
        new.write_text(f"hold.time: {self.held}s\n")
        new.replace(self.work / "pod.yaml")
        reloads = self.reloads(pod)
        os.kill(pod.pid, signal.SIGHUP)
        wait_until("the file is read again", lambda: self.reloads(pod) != reloads)

    @staticmethod
    def reloads(pod):
        return pod.numbers()["config_reloads_total"]

    @staticmethod
    def idle(_):
        time.sleep(1.2)  # the main thread looks at files once a second

    def lead(self, pod):
        """Another pod leads, then the first one again."""
        for leader in (self.pods[-1], self.pods[0]):
            self.make_leader(leader)
            pod.returns(b"led %d" % self.numbered)

    def make_leader(self, leader):
        def obeyed():
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(1)
                    client.sendto(b'{"leader":"%s"}' % leader.address.encode(), (leader.address, 12000))
                    client.recv(100)
            except OSError:
                pass
            return self.all_follow(leader)

        if len(self.pods) > 1:
            wait_until(f"{leader.address} leads", obeyed)

    def all_follow(self, leader):
        return all((pod.get("/leader") or ("", ""))[1].startswith('{"leader":{"address":"%s"' % leader.address)
                   for pod in self.pods)

    # ---- without a fault

    def learn(self):
        """Sets, for each pod, the places of each work, and its usual counters and events."""
        self.reached, before = [], [pod.told() for pod in self.pods]
        for pod in self.pods:
            reached = {}
            for name, work in self.works.items():
                for _ in range(2 if name != "idle" else 1):
                    calls = pod.faults.calls()
                    work(pod)
                    for raw, count in pod.faults.calls().items():
                        if count > calls.get(raw, 0):
                            reached.setdefault(raw, []).append(name)
            self.reached.append(reached)
        self.settle()
        self.usual = [{name for name, value in pod.told().items() if value > was.get(name, 0)}
                      for pod, was in zip(self.pods, before)]

    # ---- with one

    def settle(self):
        """Every pod returns datagrams, every ledger closes, and the first pod leads. Sets numbers of the pods."""
        for pod in self.pods:
            if not pod.is_alive():
                raise Bad(f"{pod.address} has ended")
            pod.returns(b"settled %d" % self.numbered)
        for pod in self.pods:
            wait_until(f"/livez of {pod.address} is 200", lambda: (pod.get("/livez") or [0])[0] == 200)  # pylint: disable=W0640
            wait_until(f"the ledger of {pod.address} closes",
                       lambda: not any(map(pod.numbers().get, LEDGER)))  # pylint: disable=W0640
        if not self.all_follow(self.pods[0]):
            self.make_leader(self.pods[0])

    def provoke(self, pod, names, times):
        """Does the work until the call has failed so often; returns False if it never has."""
        for name in sorted(set(names), key=list(self.works).index):
            for _ in range(ROUNDS if name not in ("idle", "lead") else 4):
                self.works[name](pod)
                if pod.faults.taken() >= times:
                    return True
            if pod.faults.taken():
                return True
        return False

    def case(self, index, place, error, times):
        pod = self.pods[index]
        before = pod.told()
        pod.faults.arm(place.raw, fault_table.number_of(error), times=times)
        try:
            reached = self.provoke(pod, self.reached[index][place.raw], times)
        finally:
            pod.faults.disarm()
        self.settle()
        if not reached:
            return NOT_REACHED
        told = [name for name, value in pod.told().items()
                if value > before.get(name, 0) and name not in self.usual[index]]
        if told:
            return "told by " + ", ".join(sorted(told)[:4])
        reason = self.rules.reason(place, error + (" x" if times > 1 else ""))
        if not reason:
            raise Bad("nothing tells the fault")
        return reason

    def is_wanted(self, place):
        if self.pattern.pattern:
            return self.pattern.search(str(place))
        return not self.half or zlib.crc32(str(place).encode()) % 2 == self.half - 1

    def cases(self):
        listed = set(self.done)
        for index, pod in enumerate(self.pods):
            for raw in sorted(self.reached[index]):
                place = fault_table.Place(raw, self.program)
                if raw in listed or not self.is_wanted(place):
                    continue
                listed.add(raw)
                errors = fault_table.errnos_of(place)
                if place.function == "epoll_ctl" and place.detail.startswith("del"):
                    continue  # fails for descriptors that are not there only
                for error in errors:
                    yield index, place, error, 1
                for error in self.errors_in_a_row(place, errors):
                    yield index, place, error, IN_A_ROW

    @staticmethod
    def errors_in_a_row(place, errors):
        """Each errno of sends, which are tried again; of other calls the first is enough. Not EAGAIN on a connection:
        no event follows where the buffer was not full, and each call waits for a timeout."""
        if not place.function.startswith("send") or place.detail == "netlink":
            errors = errors[:1]
        return [error for error in errors if error != "short" and (error, place.detail) != ("EAGAIN", "accepted")]

    def run_case(self, index, place, error, times):
        row = [self.pods[index].address, str(place), error + (f" x{times}" if times > 1 else "")]
        began = time.monotonic()
        try:
            if place.raw in self.missed - self.done:
                row += ["ok", NOT_REACHED]  # nor by this errno
            else:
                row += ["ok", self.case(index, place, error, times)]
            (self.missed if row[4] == NOT_REACHED else self.done).add(place.raw)
        except Bad as bad:
            row += ["FAIL", str(bad)]
            print("  *", *row, flush=True)
        self.rows.append(row + [f"{time.monotonic() - began:.2f} s"])

    def run(self):
        self.learn()
        cases = list(self.cases())
        for number, case in enumerate(cases, 1):
            self.run_case(*case)
            if number % 100 == 0:
                print(f"{number} of {len(cases)} cases", flush=True)
            if not all(pod.is_alive() for pod in self.pods):
                print("  * a pod has ended: the other cases are not run", flush=True)
                break
        self.done_path.write_bytes(b"\n\n\n".join(self.done))
        with open(self.result, "a", encoding="utf-8") as table:
            for row in self.rows:
                print(*row, sep="\t", file=table)
        bad = sum(row[3] == "FAIL" for row in self.rows)
        missed = sum(row[4] == NOT_REACHED for row in self.rows)
        print(f"{len(self.rows) - bad} of {len(cases)} cases passed, {missed} of them not reached")
        if not cases:
            return not any(self.reached)
        return bool(bad or len(self.rows) < len(cases) or missed * 4 > len(cases))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    options = {"--match": "", "--half": "0"}
    for option in options:
        if option in arguments:
            options[option] = arguments.pop(arguments.index(option) + 1)
            arguments.remove(option)
    sys.exit(Test(*arguments[:3], arguments[3:], options["--match"], int(options["--half"])).run())
