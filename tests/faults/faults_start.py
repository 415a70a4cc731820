#!/usr/bin/env python3
"""Each call that a pod makes before it is ready fails once, with each errno of its manual page.

  faults_start.py BUILD_DIR WORK_DIR RESULT [PATTERN]

Verdict of each case: the pod ends with status 1 or 2 and a line that has the error's text; or it serves (ready, echo,
SIGTERM ends it with 0), and a line of level warn or error tells the fault, or faults_start.rules says why none does.
WORK_DIR has a pod's configurations (test_faults_start.sh). RESULT gets a table. PATTERN: only these places.
"""
import concurrent.futures
import errno
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import fault_table

PATIENCE_S = 60  # ends a test that hangs; no verdict depends on it
JOBS = 4
OCCURRENCES = (0, 1)  # and the last one


class Pod:
    """One pod at an address of its own, with a table of faults."""

    def __init__(self, test, slot, options):
        self.test, self.address, self.options = test, f"127.0.97.{slot + 1}", options
        self.log_path = test.work / f"start-{slot}.log"
        self.table_path = test.work / f"start-{slot}.table"

    def start(self, arm=None):
        self.table_path.unlink(missing_ok=True)
        self.faults = fault_table.Faults(self.table_path)
        if arm:
            self.faults.arm(*arm)
        environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(self.test.preload),
                       "FAULT_FILE": str(self.table_path), "HEADLESSD_DRAIN_TIME": "10ms",
                       "HEADLESSD_LOG_FORMAT": "text", "HEADLESSD_RCVBUF": "208KiB"}
        options = [option.replace("@SELF@", self.address) for option in self.options]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([self.test.program, "--self", self.address, *options],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection(self.address, 8080, timeout=10)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def echoes(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.sendto(b"hello", (self.address, 12000))
            try:
                return client.recv(100) == b"hello"
            except OSError:
                return False

    def wait_until(self, condition):
        """True, False after PATIENCE_S, or None when the process has ended."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return None
            if condition():
                return True
            time.sleep(0.005)  # between two polls
        return False

    def end(self):
        """SIGTERM; returns the exit status, or "hangs"."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "hangs"

    def lines(self):
        return self.log_path.read_text(errors="replace").splitlines()


class Test:
    def __init__(self, build, work, result, pattern):
        self.build, self.work, self.result = pathlib.Path(build), pathlib.Path(work), result
        self.program = str(self.build / "headlessd")
        self.preload = pathlib.Path(os.environ.get("FAULT_PRELOAD", self.build / "tests/fault_inject.so")).resolve()
        self.rules = fault_table.Rules(fault_table.HERE / "faults_start.rules")
        self.pattern = re.compile(pattern or "")
        self.slots = list(range(JOBS))
        self.lock = threading.Lock()
        self.rows = []

    def configurations(self):
        for path in sorted(self.work.glob("*.start")):
            yield path.stem, path.read_text().split()

    def record(self, options):
        """The calls that a pod makes until it is ready, and has replied."""
        pod = Pod(self, 0, options)
        pod.start()
        if not pod.wait_until(pod.is_ready) or not pod.wait_until(pod.echoes):
            raise SystemExit("without a fault the pod does not serve:\n" + "\n".join(pod.lines()))
        calls = pod.faults.calls()
        if pod.end() != 0:
            raise SystemExit("without a fault the pod does not end")
        self.usual = {line.split()[2] for line in self.told(pod.lines(), set())}
        return calls

    def told(self, lines, usual=None):
        """The lines without the events that a pod logs without a fault."""
        usual = self.usual if usual is None else usual
        return [line for line in lines if re.search(r" (info |warn |error) ", line) and line.split()[2] not in usual]

    def cases(self, calls, done):
        for raw, count in sorted(calls.items()):
            place = fault_table.Place(raw, self.program)
            if place.thread not in ("main", "files") or not self.pattern.search(str(place)):
                continue # faults_run.py has the other threads
            for error in fault_table.errnos_of(place):
                for skip in sorted({n for n in (*OCCURRENCES, count - 1) if n < count}):
                    if (raw, error, skip) not in done:
                        done.add((raw, error, skip))
                        yield place, error, skip

    def judge(self, place, error, pod):
        """Returns the outcome, and what is wrong with it or None."""
        number = fault_table.number_of(error)
        texts = [os.strerror(number)] if 0 < number < fault_table.EAI else [""]
        if error == "ENOMEM":  # pthread_create says EAGAIN
            texts += ["out of memory", os.strerror(errno.EAGAIN)]
        ready = pod.wait_until(lambda: pod.is_ready() and pod.echoes())
        taken = pod.faults.taken()
        status = pod.process.wait() if ready is None else pod.end()
        told = self.told(pod.lines())
        if ready is None and status < 0:
            reason = self.rules.reason(place, f"{error}-signal")
            return f"signal {-status}: {reason}", None if reason else "it crashes"
        if ready is None:
            said = [line for line in pod.lines() if any(text in line for text in texts)]
            what = f"exit {status}: {said[-1][-150:] if said else ' | '.join(pod.lines())[-150:]}"
            return what, None if said and status in (1, 2) and taken else "no line has the error's text"
        if ready is False:
            return "not ready: " + " | ".join(pod.lines())[-150:], "it does not serve"
        if status == 1 and any("start_failed" in line and text in line for line in told for text in texts):
            return f"exit 1, after some threads had served: {told[-1][25:175]}", None
        if isinstance(status, int) and status < 0 and self.rules.reason(place, f"{error}-signal"):
            return f"signal {-status}", None  # the admin port answered before
        if status != 0:
            return f"serves, SIGTERM: {status}", "it does not end well"
        if not taken:
            return "not reached", None
        if told:
            return f"serves, says: {told[0][25:175]}", None
        reason = self.rules.reason(place, error)
        return f"serves: {reason}", None if reason else "it serves, and nothing tells the fault"

    def run_case(self, configuration, options, case):
        place, error, skip = case
        with self.lock:
            slot = self.slots.pop()
        pod = Pod(self, slot, options)
        try:
            pod.start((place.raw, fault_table.number_of(error), skip))
            outcome, wrong = self.judge(place, error, pod)
        finally:
            if pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()
            pod.faults.close()
            with self.lock:
                self.slots.append(slot)
        row = (configuration, str(place), skip + 1, error, "FAIL" if wrong else "ok",
               f"{wrong}: {outcome}" if wrong else outcome)
        with self.lock:
            self.rows.append(row)
            if wrong:
                print("  *", *row[:4], row[5], flush=True)

    def run(self):
        done = set()
        for configuration, options in self.configurations():
            cases = list(self.cases(self.record(options), done))
            with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
                futures = [pool.submit(self.run_case, configuration, options, case) for case in cases]
                for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
                    future.result()
                    if number % 200 == 0:
                        print(f"{configuration}: {number} of {len(cases)} cases", flush=True)
            print(f"{configuration}: {len(cases)} cases", flush=True)
        self.rows.sort()
        with open(self.result, "w", encoding="utf-8") as table:
            for row in self.rows:
                print(*row, sep="\t", file=table)
        bad = [row for row in self.rows if row[4] == "FAIL"]
        unused = [] if self.pattern.pattern else self.rules.unused()
        for row in unused:
            print("  * a rule that no case needs:", row)
        print(f"{len(self.rows) - len(bad)} of {len(self.rows)} cases passed")
        return bool(bad or unused or not self.rows)


sys.exit(Test(*sys.argv[1:4], sys.argv[4] if len(sys.argv) > 4 else "").run())
