"""The containers of a pod as processes, and their probes, for kubelet.py."""
import base64
import http.client
import pathlib
import re
import subprocess
import time

QUICK = 0.2  # seconds between two readiness probes until the first that succeeds, so that tests are quick

# In the pod's network namespace. Everything is mounted in a namespace of the process, and ends with it.
ENTER = r"""
root=$1 pod=$2 programs=$3 user=$4 capabilities=$5 read_only=$6 name=$7
shift 7
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root"/usr "$root"/etc "$root"/proc "$root"/dev "$root"/image "$root"/tmp
for link in bin lib lib32 lib64 sbin; do
    [ ! -L "/$link" ] || ln -s "usr/$link" "$root/$link"
done
mount --rbind /usr "$root/usr"
mount --rbind /proc "$root/proc"
mount --bind "$programs" "$root/image"
for device in null zero random urandom; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
cp /etc/ld.so.cache /etc/nsswitch.conf "$pod/resolv.conf" "$pod/hosts" "$root/etc"
echo "$user:x:$user:0::/:/bin/sh" >"$root/etc/passwd"
echo "$name" >"$root/etc/hostname"
hostname "$name"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
shift
[ "$read_only" != True ] || mount -o remount,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid "$user" --regid 0 --clear-groups --no-new-privs \
    --inh-caps=-all --bounding-set "$capabilities" "$@"
"""


class Container:
    def __init__(self, pod, spec):
        self.pod, self.spec, self.name = pod, spec, spec["name"]
        self.process, self.status, self.restarts, self.due = None, None, -1, 0
        self.message = ""
        self.log = pod.directory / f"log.{self.name}"

    def is_running(self):
        if self.process and self.process.poll() is not None:
            self.status = self.process.returncode
            self.message = self.last_lines() if self.status else ""
            self.due = time.monotonic() + min(2 ** max(self.restarts, 0), self.pod.kubelet.arguments.back_off)
            self.process = None
        return self.process is not None

    def last_lines(self):
        return self.log.read_text(errors="replace")[-2000:]

    def start_when_due(self):
        if time.monotonic() < self.due or self.program() is None:
            return
        mounts = []
        for mount in self.spec.get("volumeMounts", []):
            mounts += [str(self.pod.volumes.directory / mount["name"]), mount["mountPath"]]
        root = self.pod.directory / f"root.{self.name}"
        root.mkdir(exist_ok=True)
        security = {**self.pod.document["spec"].get("securityContext", {}), **self.spec.get("securityContext", {})}
        bounding = ",".join(["-all"] + ["+" + name.lower() for name in security.get("capabilities", {}).get("add", [])])
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.pod.place, "unshare", "--mount", "--uts", "sh", "-euc", ENTER, "sh",
                 str(root), str(self.pod.directory), self.pod.kubelet.arguments.programs,
                 str(security.get("runAsUser", 1001)), bounding, str(security.get("readOnlyRootFilesystem", False)),
                 self.pod.name, *mounts, "--", *self.command()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(), start_new_session=True)
        self.restarts += 1
        (self.pod.directory / f"pid.{self.name}").write_text(str(self.process.pid))

    def program(self):
        """The file in --programs that the image stands for."""
        name = self.spec["image"].rsplit("/", 1)[-1].split(":")[0].split("@")[0]
        return name if (pathlib.Path(self.pod.kubelet.arguments.programs) / name).exists() else None

    def command(self):
        values = self.environment()
        command = self.spec.get("command") or ["/image/" + self.program()]
        return [expand(word, values) for word in command + self.spec.get("args", [])]

    def environment(self):
        values = {"PATH": "/image:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": self.pod.name,
                  "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        for entry in self.spec.get("env", []):
            if "valueFrom" in entry:
                value = self.value_from(entry["valueFrom"])
            else:
                value = expand(entry.get("value", ""), values)
            if value is not None:
                values[entry["name"]] = value
        return values

    def value_from(self, source):
        if "fieldRef" in source:
            return self.pod.field(source["fieldRef"]["fieldPath"])
        (kind, value), = source.items()
        plural = {"configMapKeyRef": "configmaps", "secretKeyRef": "secrets"}[kind]
        document = self.pod.api.request("GET", f"/api/v1/namespaces/{self.pod.namespace}/{plural}/{value['name']}")
        text = document["data"].get(value["key"])
        return base64.b64decode(text).decode() if text and kind == "secretKeyRef" else text

    def before_stop(self, end):
        """preStop, within the grace period."""
        hook = self.spec.get("lifecycle", {}).get("preStop", {})
        if not self.is_running():
            return
        if "sleep" in hook:
            time.sleep(max(0, min(hook["sleep"]["seconds"], end - time.monotonic())))
        if "exec" in hook:
            subprocess.run(["nsenter", "--target", str(self.process.pid), "--mount", "--net", "--root",
                            *hook["exec"]["command"]], check=False, timeout=max(0.1, end - time.monotonic()))

    def kill(self, number):
        if self.is_running():
            self.process.send_signal(number)

    def wait(self, seconds):
        """Until it has ended; by SIGKILL after these seconds."""
        if not self.is_running():
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.is_running()

    def report(self, is_ready):
        ended = {"terminated": {"exitCode": self.status or 0, "message": self.message,
                                "reason": "Error" if self.status else "Completed"}}
        if self.is_running():
            state = {"running": {}}
        elif self.program() is None:
            state = {"waiting": {"reason": "ErrImagePull", "message": f"no program for {self.spec['image']}"}}
        elif self.pod.document["metadata"].get("deletionTimestamp"):
            state = ended
        else:
            state = {"waiting": {"reason": "CrashLoopBackOff" if self.restarts >= 0 else "ContainerCreating"}}
        return {"name": self.name, "image": self.spec["image"], "imageID": "", "ready": is_ready,
                "started": self.is_running(), "restartCount": max(self.restarts, 0), "state": state,
                "lastState": ended if self.status is not None else {}}


def expand(text, values):
    """$(NAME), as the API documents it."""
    return re.sub(r"\$\(([A-Za-z0-9_]+)\)", lambda match: values.get(match[1], match[0]), text)


class Probe:
    """An httpGet probe with its thresholds; without one it is true while the container runs."""

    def __init__(self, spec, address, container):
        self.spec, self.address = spec, address
        ports = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
        if spec:
            port = spec["httpGet"]["port"]
            self.port = ports.get(port, port)
        self.reset(spec is None)

    def reset(self, is_true):
        self.is_true, self.failures, self.due = is_true or self.spec is None, 0, 0

    def step(self):
        """True unless the last ones, as many as its threshold, failed."""
        if not self.spec:
            self.is_true = True
        elif time.monotonic() >= self.due:
            if self.ask():
                self.is_true, self.failures = True, 0
            else:
                self.failures += 1
                if self.failures >= self.spec.get("failureThreshold", 3):
                    self.is_true = False
            self.due = time.monotonic() + (self.spec.get("periodSeconds", 10) if self.is_true else QUICK)
        return self.is_true

    def ask(self):
        connection = http.client.HTTPConnection(self.address, self.port, timeout=self.spec.get("timeoutSeconds", 1))
        try:
            connection.request("GET", self.spec["httpGet"]["path"])
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
