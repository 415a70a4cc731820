"""Does the schema for editors agree with headlessd about what a file may say?

    agree.py HEADLESSD DIRECTORY

- Each DIRECTORY/good_*.yaml passes both, each bad_*.yaml fails both.
- The defaults, as --dump-config writes them, pass.
- A list of values, right, wrong and just beyond each range, as the value of every option: what the
  schema refuses headlessd refuses too, else editors would raise false alarms; and of choices and of
  plain numbers the schema knows all that headlessd refuses.

Last line: "count: PASSED FAILED 0".
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

BATCH = 15  # options in one file: headlessd shows 20 errors at most

SCALARS = """0 1 2 3 20 21 63 64 65 100 128 129 130 256 257 575 576 1000 1400 4096 65535 65536 1048576
1048577 4294967296 4294967297 9223372036854775807 9223372036854775808 007 00 -1 1.5 1e3 0x10 +5
"1" "0" "4096" "65536" 'x y' "" 0s 0ns 1ns 1us 1ms 1s 1m 1h 9ms 10ms 99ms 100ms 29s 30s 30001ms 59s
60s 61s 1m 2m 10m 11m 601s 24h 25h 86400s 86401s 3600s 3601s 60m 61m 1500us 01s 1.5s 1S 1d 5 10000000ns
9999999ns 0B 1B 1KiB 3KiB 4KiB 4095 4095B 1MiB 1023KiB 1GiB 1025MiB 1048575KiB 4GiB 5GiB 4097MiB 1KB
16MB 1k true false True yes on off none None auto max any fast leader ordered majority v2 debug json
local proxy-v2 raw echo whoami discard spdy pod-0 10.0.0.300 10.0.0.1 10.0.0.01 10.0.0 1.2.3.4.5 ::1
fd00::1 "fe80::1%1" "::1%lo" "[fd00::1]:53" "[fd00::1]" 10.0.0.1:53 10.0.0.1:0 10.0.0.1:65536 ":80"
":0" ":080" ":65536" udp://10.0.0.9:53 udp://10.0.0.9 "udp://[fd00::9]:53" udp://name:53 tcp://10.0.0.9:53
a=10.0.0.1 a=b =10.0.0.1 "a=10.0.0.1,b=10.0.0.2" "a=10.0.0.1, b=10.0.0.2" "a," ",a" 10.0.0.0/8
10.0.0.0/33 "::/0" "::/128" "::/129" 10.0.0.0/8,::1 239.1.2.3 "239.1.2.3%eth0" "ff02::12%eth0"
239.1.2.3:5 [] [a] [10.0.0.1] [10.0.0.1,10.0.0.2] [a=10.0.0.1] ["a=10.0.0.1","a=10.0.0.2"] [1] [[a]]
["10.0.0.0/8"] ["239.1.2.3","ff02::12%eth0"] {} {a: b} /var/lib/x a/b name.with.dots. a_b a:b a%b
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"""
VALUES = re.findall(r"""\{[^}]*\}|\[\[[^]]*\]\]|\[[^]]*\]|"[^"]*"|'[^']*'|\S+""", SCALARS)

# By its words in an error: the value alone is wrong, whatever the others are.
BY_ITSELF = re.compile(r"is out of range|is not (one of|a )|has (no|an unknown) unit|a leading zero"
                       r"|is empty|takes one value|no such option")
# What is the same to YAML, and so to a schema, as what headlessd takes.
SPELLINGS = {"007", "00", "1e3", "0x10", "+5", "True"}


class Loader(yaml.SafeLoader):
    """YAML 1.2, as editors read it: yes, on and off are texts."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
        ("bool", r"^(true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("int", r"^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$", "-+0123456789"),
        ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+.0123456789")):
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)
Loader.add_constructor("tag:yaml.org,2002:int",
                       lambda loader, node: int(node.value, 0 if "x" in node.value else 10))


class Verdicts:
    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, right, what):
        if right:
            self.passed += 1
        else:
            self.failed += 1
            print("---", what)


def check_config(headlessd, path):
    run = subprocess.run([headlessd, "-c", str(path), "--check-config"], env={}, text=True,
                         capture_output=True, timeout=30, check=False)
    if run.returncode not in (0, 2):
        sys.exit(f"{headlessd} --check-config ended with {run.returncode}: {run.stderr}")
    return run.returncode == 0, run.stderr


def check_file(validator, path):
    return validator.is_valid(yaml.load(path.read_text(), Loader))


def check_samples(verdicts, headlessd, validator, directory):
    samples = sorted(directory.glob("good_*.yaml")) + sorted(directory.glob("bad_*.yaml"))
    verdicts.expect(samples, f"no sample in {directory}")
    for path in samples:
        good = path.name.startswith("good_")
        said, why = check_config(headlessd, path)
        verdicts.expect(said == good, f"{path}: headlessd says {said}: {why}")
        verdicts.expect(check_file(validator, path) == good, f"{path}: the schema says {not good}")


def check_defaults(verdicts, headlessd, validator, work):
    path = work / "defaults.yaml"
    path.write_text(subprocess.run([headlessd, "--dump-config"], env={}, text=True, timeout=30,
                                   capture_output=True, check=True).stdout)
    verdicts.expect(check_file(validator, path), "the schema refuses the defaults")


def is_exact(definition, value):
    """Of choices, and of numbers without a unit, a schema can know everything."""
    choices, ranges = r"[a-z0-9-]+(, [a-z0-9-]+)+\. Default", r"\d+\w*[.][.]"
    return bool(re.search(rf"Allowed: ({choices}|{ranges if value.isdigit() else choices})",
                          definition["description"]))


def compare(definition, key, value, right, errors):
    """What the two say of one option; the errors are headlessd's."""
    if not right and not errors:
        return [f"{key}: {value}: the schema alone refuses it"]
    if right and value not in SPELLINGS and is_exact(definition, value) and any(
            BY_ITSELF.search(error) for error in errors):
        return [f"{key}: {value}: headlessd alone refuses it: {errors}"]
    return []


def check_values(verdicts, headlessd, schema, validator, work):
    keys = [key for key in schema["properties"] if key in schema["definitions"]]
    path = work / "values.yaml"
    judged = {True: 0, False: 0}
    for value in VALUES:
        complaints = []
        for start in range(0, len(keys), BATCH):
            batch = keys[start:start + BATCH]
            path.write_text("".join(f"{key}: {value}\n" for key in batch))
            said = check_config(headlessd, path)[1]
            for line, key in enumerate(batch, 1):
                errors = re.findall(rf"^{re.escape(str(path))}:{line}: (.*)$", said, re.M)
                right = validator.is_valid(yaml.load(f"{key}: {value}", Loader))
                judged[right] += 1
                complaints += compare(schema["definitions"][key], key, value, right, errors)
        verdicts.expect(not complaints, "\n    ".join(complaints))
    verdicts.expect(min(judged.values()) > len(keys), f"nothing to agree about: {judged}")


def main():
    headlessd, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    schema = json.loads(pathlib.Path("docs/headlessd.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    verdicts = Verdicts()
    with tempfile.TemporaryDirectory() as work:
        check_samples(verdicts, headlessd, validator, directory)
        check_defaults(verdicts, headlessd, validator, pathlib.Path(work))
        check_values(verdicts, headlessd, schema, validator, pathlib.Path(work))
    print(f"count: {verdicts.passed} {verdicts.failed} 0")
    sys.exit(verdicts.failed > 0)


main()
