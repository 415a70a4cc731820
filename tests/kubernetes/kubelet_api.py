"""Requests to a Kubernetes API server, for kubelet.py. An Api is used by one thread."""
import http.client
import json
import ssl
import urllib.parse

TIMEOUT = 10  # seconds, of a request
WATCH = 120  # and of a watch


class ApiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    def __init__(self, server, ca, token):
        url = urllib.parse.urlsplit(server)
        self.host, self.port = url.hostname, url.port
        self.context = ssl.create_default_context(cafile=ca)
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self.connection = None

    def connect(self, timeout):
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.context)

    def try_request(self, method, path, body):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        if not self.connection:
            self.connection = self.connect(TIMEOUT)
        self.connection.request(method, path, body, {**self.headers, "Content-Type": kind})
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise ApiError(response.status, json.loads(text).get("message", "") if text[:1] == b"{" else text[:200])
        return json.loads(text)

    def request(self, method, path, document=None):
        """The document of the reply; ApiError for a status that is none of success, OSError without a reply."""
        body = json.dumps(document) if document is not None else None
        was_open = self.connection is not None
        try:
            return self.try_request(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            if not was_open:
                raise OSError(repr(error)) from error
        try:
            return self.try_request(method, path, body)  # the server had closed the idle connection
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            raise OSError(repr(error)) from error

    def watch(self, path, version):
        """Events from this version on, until the server ends the watch."""
        connection = self.connect(WATCH + TIMEOUT)
        query = f"?watch=1&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds={WATCH}"
        try:
            connection.request("GET", path + query, headers=self.headers)
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(response.status, response.read(200))
            while line := response.readline():
                yield json.loads(line)
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()
