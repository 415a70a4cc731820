"""The table that fault_inject.h describes, call sites with names, and the errnos of each function."""
import bisect
import ctypes
import errno
import functools
import mmap
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).parent
SITES = 4096
SHORT = -1
EAI = 1000  # plus the negative result of getaddrinfo
READY = 2
FUNCTIONS = re.findall(r"^FAULT_FUNCTION\((\w+)\)", (HERE / "fault_functions.h").read_text(), re.M)


class Key(ctypes.Structure):
    _fields_ = [("function", ctypes.c_uint32), ("detail", ctypes.c_uint32), ("offset", ctypes.c_uint64),
                ("module", ctypes.c_char * 32), ("thread", ctypes.c_char * 16)]


class Site(ctypes.Structure):
    _fields_ = [("state", ctypes.c_uint32), ("unused", ctypes.c_uint32), ("caller", ctypes.c_uint64),
                ("calls", ctypes.c_uint64), ("key", Key)]


class Order(ctypes.Structure):
    _fields_ = [("is_armed", ctypes.c_int32), ("skip", ctypes.c_int32), ("times", ctypes.c_int32),
                ("taken", ctypes.c_int32), ("error", ctypes.c_int32), ("unused", ctypes.c_int32), ("key", Key)]


class Table(ctypes.Structure):
    _fields_ = [("order", Order), ("sites", Site * SITES)]


class Faults:
    """The table of one process. Made before its start, the fault may be armed before."""

    def __init__(self, path):
        with open(path, "a+b") as file:
            if file.tell() < ctypes.sizeof(Table):
                file.truncate(ctypes.sizeof(Table))
            self.memory = mmap.mmap(file.fileno(), ctypes.sizeof(Table))
        self.table = Table.from_buffer(self.memory)

    def close(self):
        del self.table
        self.memory.close()

    def calls(self):
        """Calls so far, by key as bytes."""
        return {bytes(site.key): site.calls for site in self.table.sites if site.state == READY}

    def arm(self, key, error, skip=0, times=1):
        order = self.table.order
        order.is_armed = 0
        order.skip, order.times, order.taken, order.error = skip, times, 0, error
        ctypes.memmove(ctypes.byref(order.key), key, len(key))
        order.is_armed = 1

    def disarm(self):
        self.table.order.is_armed = 0

    def taken(self):
        return self.table.order.taken


# ---- names

@functools.lru_cache(maxsize=None)
def symbols_of(program):
    listed = subprocess.run(["nm", "--defined-only", "-n", program], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    rows = [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in "tT"]
    return [row[0] for row in rows], [row[1] for row in rows]


def caller_of(key, program):
    """The function that calls, or the library."""
    if key.module.decode() != os.path.basename(program):
        return key.module.decode().split(".so")[0] or "?"
    places, names = symbols_of(program)
    return names[bisect.bisect_right(places, key.offset - 1) - 1].split(".")[0]


ROLES = {1: "file", 2: "eventfd", 3: "timerfd", 4: "epoll", 5: "accepted", 6: "socket", 7: "netlink", 8: "stderr"}
PORTS = {12000: "data", 12001: "relay", 12002: "peer", 8080: "admin", 32768: "ephemeral"}
OPTIONS = {"setsockopt", "getsockopt"}
FUTEX = 202


def role_name(role):
    port = role & 0xffff
    if role & 0x10000:
        return "to " + PORTS.get(port, str(port))
    return ROLES.get(role) or PORTS.get(port, str(port) if port else "none")


def detail_name(function, detail):
    if function in OPTIONS:
        return f"{detail >> 16}/{detail & 0xffff}"
    if function == "socket":
        return f"{detail >> 8}/{detail & 0xff}"
    if function == "syscall":
        number = detail & 0xffff
        return f"{number}/{('wait', 'wake')[detail >> 16]}" if number == FUTEX else str(number)
    if function == "epoll_ctl":
        return ("", "add ", "del ", "mod ")[detail >> 20] + role_name(detail & 0xfffff)
    if function in {"ioctl", "fcntl", "open", "openat", "prctl", "madvise", "getrlimit", "setrlimit"}:
        return str(detail)
    return role_name(detail) if detail else ""


class Place:
    """A call site with names: how tables and rules refer to it."""

    def __init__(self, raw, program):
        key = Key.from_buffer_copy(raw)
        self.raw = raw
        self.function = FUNCTIONS[key.function]
        self.caller = caller_of(key, program)
        self.thread = key.thread.decode()
        self.detail = detail_name(self.function, key.detail)

    def __str__(self):
        return f"{self.function}({self.detail}) by {self.caller} in {self.thread}"


# ---- errnos

# What the manual pages of each function list and a caller can meet here; EINTR and EAGAIN where the kernel may
# return them for the descriptors of this program. "short": less than asked for. EAI: results of getaddrinfo.
SEND = "ENOBUFS ENOMEM EPERM EACCES EMSGSIZE ECONNREFUSED EHOSTUNREACH ENETUNREACH ENETDOWN EINVAL EIO EAGAIN EINTR"
RECEIVE = "ENOMEM EIO ENETDOWN ECONNREFUSED EINVAL EAGAIN EINTR"
ERRNOS = {
    "socket": "EMFILE ENFILE ENOBUFS ENOMEM EACCES EAFNOSUPPORT",
    "bind": "EADDRINUSE EADDRNOTAVAIL EACCES EINVAL ENOMEM",
    "connect": "ECONNREFUSED ENETUNREACH EACCES EPERM EAGAIN EADDRNOTAVAIL EINTR",
    "listen": "EADDRINUSE EOPNOTSUPP EPERM",
    "accept4": "EMFILE ENFILE ENOBUFS ENOMEM ECONNABORTED EPERM EPROTO EAGAIN EINTR",
    "shutdown": "ENOTCONN",
    "getsockname": "ENOBUFS",
    "setsockopt": "ENOPROTOOPT EINVAL EPERM ENOMEM ENOBUFS",
    "getsockopt": "ENOPROTOOPT EINVAL ENOMEM",
    "recvmmsg": RECEIVE + " short",
    "recvmsg": RECEIVE,
    "recvfrom": RECEIVE,
    "recv": "ENOMEM ECONNRESET EIO EAGAIN EINTR short",
    "sendmmsg": SEND + " short",
    "sendmsg": SEND + " EPIPE ECONNRESET short",
    "sendto": SEND,
    "send": SEND + " EPIPE ECONNRESET short",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC EPERM",
    "epoll_wait": "EINTR ENOMEM",
    "poll": "EINTR ENOMEM",
    "select": "EINTR ENOMEM",
    "eventfd": "EMFILE ENFILE ENOMEM",
    "timerfd_create": "EMFILE ENFILE ENOMEM ENODEV",
    "timerfd_settime": "EINVAL ENOMEM",
    "nanosleep": "EINTR",
    "sigtimedwait": "EAGAIN EINTR",
    "syscall 202/wait": "EAGAIN EINTR ETIMEDOUT",
    "syscall 202/wake": "",  # fails for addresses and operations that are wrong only
    "syscall 125": "EPERM ENOSYS",  # capget; by a filter of the container
    "syscall 126": "EPERM ENOSYS",  # capset
    "syscall": "ENOMEM EINVAL EPERM ENOSYS",
    "open": "EMFILE ENFILE ENOMEM EACCES EIO ENOSPC EROFS EINTR",
    "openat": "EMFILE ENFILE ENOMEM EACCES EIO EINTR",
    "read": "EIO EAGAIN EINTR short",
    "write": "EIO ENOSPC EDQUOT EPIPE EAGAIN EINTR short",
    "close": "EIO EINTR ENOSPC",
    "rename": "EIO ENOSPC EROFS EACCES",
    "stat": "EACCES EIO ENOMEM",
    "fstat": "ENOMEM EIO",
    "opendir": "EMFILE ENFILE ENOMEM EACCES EIO",
    "readdir": "EIO ENOMEM",
    "fopen": "EMFILE ENOMEM EACCES EIO",
    "ioctl": "ENODEV EINVAL",
    "fcntl": "EINVAL EPERM",
    "mmap": "ENOMEM",
    "munmap": "ENOMEM",
    "madvise": "ENOMEM EINVAL",
    "malloc": "ENOMEM",
    "calloc": "ENOMEM",
    "realloc": "ENOMEM",
    "aligned_alloc": "ENOMEM",
    "pthread_create": "EAGAIN EPERM",
    "pthread_setname_np": "ERANGE",
    "getaddrinfo": "EAI_AGAIN EAI_FAIL EAI_NONAME EAI_MEMORY EMFILE",
    "getifaddrs": "EMFILE ENOMEM",
    "if_nametoindex": "ENODEV EMFILE",
    "if_indextoname": "ENXIO EMFILE",
    "getrlimit": "EPERM",
    "setrlimit": "EPERM",
    "getrandom": "EINTR EAGAIN ENOSYS",
    "prctl": "EPERM EINVAL",
}
EAI_VALUES = {"EAI_AGAIN": 3, "EAI_FAIL": 4, "EAI_NONAME": 2, "EAI_MEMORY": 10}


def errnos_of(place):
    """Those of the function with this detail (a system call), or of the function."""
    return ERRNOS.get(f"{place.function} {place.detail}", ERRNOS[place.function]).split()


def number_of(name):
    if name == "short":
        return SHORT
    return EAI + EAI_VALUES[name] if name in EAI_VALUES else getattr(errno, name)


# ---- faults that are rightly not told

class Rules:
    """Rows "FUNCTION DETAIL CALLER THREAD ERRNOS: REASON" of a file; each of the first five is a pattern."""

    def __init__(self, path):
        self.rows = []
        for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            head, _, reason = line.partition(": ")
            words = head.split()
            if len(words) != 5 or not reason:
                raise SystemExit(f"{path}:{number}: five patterns, a colon and a reason are expected")
            self.rows.append([re.compile(word.replace("_any_", ".*")) for word in words] + [reason.strip(), 0])

    def reason(self, place, error):
        for row in self.rows:
            values = (place.function, place.detail.replace(" ", "-") or "-", place.caller, place.thread, error.replace(" ", "-"))
            if all(pattern.fullmatch(value) for pattern, value in zip(row, values)):
                row[6] += 1
                return row[5]
        return None

    def unused(self):
        return [" ".join(pattern.pattern for pattern in row[:5]) for row in self.rows if not row[6]]
