#!/usr/bin/env python3
"""A closed-loop client of a headless Service: each of its datagrams is numbered, and must be echoed.

  udp_client.py NAME_SERVER NAME PORT LOOPS PROGRESS [terms]

Each of LOOPS loops asks the name server before each datagram, sends it to the next of the addresses from a socket that
is connected to it, so that a reply with another source address does not count, and waits for the echo. Until SIGTERM;
then each waits for its last echo. A datagram without an echo within a minute is lost. One that the pod's host refuses
is sent again, to the next address, since the client knows. The file PROGRESS has the number of echoes so far. Prints

  sent N answered N lost N refused N duplicated N foreign N

With terms the app is whoami, and each reply names the leader and its term. Replies show two leaders at one moment if two
have one term (split), or if a request that was sent after a reply of a later term was received has a reply of an earlier
one (stale). Then it prints also: late N split N stale N terms N. Late are second replies: of a request that was relayed
again. A reply does not name its request, so each request is sent from the next of many sockets.
"""
import collections
import os
import random
import re
import signal
import socket
import struct
import sys
import threading
import time

PATIENCE = 60  # seconds
SIZE = 100  # bytes
SOCKETS = 200  # of a loop, with terms


class Names:
    """Addresses of one name, asked for each time."""

    def __init__(self, server, name):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((server, 53))
        self.socket.settimeout(1)
        self.labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"

    def addresses(self):
        number = random.randrange(65536)
        try:
            self.socket.send(struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + self.labels + struct.pack("!2H", 1, 1))
            while True:
                reply = self.socket.recv(4096)
                if struct.unpack_from("!H", reply)[0] == number:
                    return sorted(self.read(reply))
        except OSError:
            return []

    def read(self, reply):
        count, at = struct.unpack_from("!H", reply, 6)[0], 12 + len(self.labels) + 4
        for _ in range(count):
            while reply[at] and reply[at] < 0xC0:
                at += reply[at] + 1
            at += 2 if reply[at] else 1
            kind, _, _, length = struct.unpack_from("!2HIH", reply, at)
            at += 10
            if kind == 1:
                yield socket.inet_ntoa(reply[at:at + length])
            at += length


class Terms:
    """What all loops have heard of leaders."""

    REPLY = re.compile(rb"(\S+) \S+ leader term (\d+) via ")

    def __init__(self):
        self.lock, self.leaders, self.highest, self.faults = threading.Lock(), {}, 0, collections.Counter()

    def hear(self, reply, highest_before):
        """False if it is no reply. highest_before: the highest term when the request was sent."""
        match = self.REPLY.match(reply)
        if not match:
            return False
        name, term = match[1].decode(), int(match[2])
        with self.lock:
            if self.leaders.setdefault(term, name) != name:
                self.fault("split", f"term {term} of {self.leaders[term]} and {name}")
            if term < highest_before:
                self.fault("stale", f"term {term} of {name} after {highest_before}")
            self.highest = max(self.highest, term)
        return True

    def fault(self, kind, text):
        self.faults[kind] += 1
        if self.faults[kind] <= 5:
            print(f"{kind}: {text}", file=sys.stderr)


class Loop(threading.Thread):
    def __init__(self, index, arguments):
        super().__init__()
        server, name, port = arguments
        self.names, self.port, self.index = Names(server, name), int(port), index
        self.counts, self.sockets, self.turn = collections.Counter(), {}, index

    def run(self):
        number = 0
        while not stopping.is_set():
            addresses = self.names.addresses()
            if not addresses:
                time.sleep(0.05)
                continue
            self.turn += 1
            outcome = self.ask(addresses[self.turn % len(addresses)], number)
            self.counts[outcome] += 1
            if outcome != "refused":
                self.counts["sent"] += 1
                number += 1

    def socket_to(self, address):
        """With terms: one that was not used for long."""
        key = self.turn % SOCKETS if terms else address
        if key not in self.sockets:
            self.sockets[key] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sockets[key].connect((address, self.port))
        elif terms:
            self.drain(self.sockets[key])
            self.sockets[key].connect((address, self.port))
        return self.sockets[key]

    def drain(self, place):
        place.setblocking(False)
        while True:
            try:
                place.recv(65536)
                self.counts["late"] += 1
            except BlockingIOError:
                return
            except OSError:
                pass  # the host refused the last one

    def ask(self, address, number):
        head = f"{run_id} {self.index} "
        text = f"{head}{number} ".encode().ljust(SIZE, b".")
        place = self.socket_to(address)
        end, highest = time.monotonic() + PATIENCE, terms.highest if terms else 0
        try:
            place.send(text)
            while (left := end - time.monotonic()) > 0:
                place.settimeout(left)
                reply = place.recv(65536)
                if terms.hear(reply, highest) if terms else reply == text:
                    return "answered"
                self.counts["duplicated" if reply.startswith(head.encode()) else "foreign"] += 1
        except TimeoutError:
            pass
        except OSError:  # no process has the port, or no host the address
            return "refused"
        print(f"lost: {number} of loop {self.index}, sent to {address}", file=sys.stderr)
        return "lost"


def main():
    loops = [Loop(index, sys.argv[1:4]) for index in range(int(sys.argv[4]))]
    for loop in loops:
        loop.start()
    while any(loop.is_alive() for loop in loops):
        time.sleep(0.1)
        with open(sys.argv[5] + ".new", "w") as file:
            file.write(str(sum(loop.counts["answered"] for loop in loops)))
        os.replace(sys.argv[5] + ".new", sys.argv[5])
    names = ("sent", "answered", "lost", "refused", "duplicated", "foreign")
    print(*(f"{name} {sum(loop.counts[name] for loop in loops)}" for name in names),
          *([f"late {sum(loop.counts['late'] for loop in loops)}"] + [f"{kind} {terms.faults[kind]}" for kind in ("split", "stale")] + [f"terms {len(terms.leaders)}"] if terms else []))


if __name__ == "__main__":
    if len(sys.argv) not in (6, 7) or sys.argv[6:] not in ([], ["terms"]):
        sys.exit(__doc__)
    terms = Terms() if sys.argv[6:] else None
    stopping, run_id = threading.Event(), random.randrange(1 << 30)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    main()
