"""The volumes of a pod as directories of files, for kubelet.py."""
import base64
import os
import shutil
import tempfile
import time

from kubelet_api import ApiError


class Volumes:
    """Files are replaced at once: ..data is a link to a directory of them, and each name a link through it."""

    def __init__(self, api, pod, directory, field):
        self.api, self.pod, self.directory, self.field = api, pod, directory, field
        self.namespace = pod["metadata"]["namespace"]
        self.tokens = {}  # audience -> token, time of the next one
        self.written = {}

    def refresh(self):
        """False while one that is not optional is missing; files stay as they are when the API server is away."""
        for volume in self.pod["spec"].get("volumes", []):
            try:
                mode, files = self.read(volume)
            except ApiError as error:
                if error.status == 404 and volume["name"] not in self.written:
                    return False
                continue
            except OSError:
                if volume["name"] not in self.written:
                    return False
                continue
            if self.written.get(volume["name"]) != files:
                self.write(self.directory / volume["name"], mode, files)
                self.written[volume["name"]] = files
        return True

    def read(self, volume):
        """Mode and files of a volume, as bytes by their names."""
        if "emptyDir" in volume:
            return 0o777, {}
        for kind in ("configMap", "secret", "downwardAPI"):
            if kind in volume:
                return volume[kind].get("defaultMode", 0o644), self.read_source({kind: volume[kind]})
        files = {}
        for source in volume["projected"]["sources"]:
            files.update(self.read_source(source))
        return volume["projected"].get("defaultMode", 0o644), files

    def read_source(self, source):
        (kind, value), = source.items()
        if kind == "serviceAccountToken":
            return {value["path"]: self.token(value)}
        if kind == "downwardAPI":
            return {item["path"]: self.field(item["fieldRef"]["fieldPath"]).encode() for item in value["items"]}
        plural = {"configMap": "configmaps", "secret": "secrets"}[kind]
        name = value.get("secretName") or value.get("name")
        try:
            document = self.api.request("GET", f"/api/v1/namespaces/{self.namespace}/{plural}/{name}")
        except ApiError as error:
            if error.status == 404 and value.get("optional"):
                return {}
            raise
        data = {key: text.encode() for key, text in (document.get("data") or {}).items()}
        if kind == "secret":
            data = {key: base64.b64decode(text) for key, text in data.items()}
        data.update({key: base64.b64decode(text) for key, text in (document.get("binaryData") or {}).items()})
        if value.get("items"):
            return {item["path"]: data[item["key"]] for item in value["items"]}
        return data

    def token(self, value):
        """Bound to the pod; a new one after 80 % of its life, as a kubelet asks for it."""
        audience, life = value.get("audience", ""), value.get("expirationSeconds", 3600)
        if audience not in self.tokens or time.monotonic() > self.tokens[audience][1]:
            metadata, account = self.pod["metadata"], self.pod["spec"].get("serviceAccountName", "default")
            bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
            spec = {"expirationSeconds": life, "boundObjectRef": bound}
            if audience:
                spec["audiences"] = [audience]
            reply = self.api.request("POST", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token", {
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
            self.tokens[audience] = (reply["status"]["token"].encode(), time.monotonic() + life * 0.8)
        return self.tokens[audience][0]

    def write(self, directory, mode, files):
        directory.mkdir(parents=True, exist_ok=True)
        if mode == 0o777:
            directory.chmod(mode)
            return
        former = os.readlink(directory / "..data") if (directory / "..data").is_symlink() else None
        new = tempfile.mkdtemp(prefix="..", dir=directory)
        os.chmod(new, 0o755)
        for name, data in files.items():
            path = os.path.join(new, name)
            with open(path, "wb") as file:
                file.write(data)
            os.chmod(path, mode)
        os.symlink(os.path.basename(new), directory / "..data_tmp")
        os.replace(directory / "..data_tmp", directory / "..data")
        for name in files:
            if not (directory / name).is_symlink():
                os.symlink(f"..data/{name}", directory / name)
        for path in directory.iterdir():
            if not path.name.startswith("..") and path.name not in files:
                path.unlink()
        if former:
            shutil.rmtree(directory / former)
