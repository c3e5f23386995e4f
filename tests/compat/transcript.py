"""Transcripts: files of commands and of what they must print. One reads like a terminal session:

    << name.yaml          the lines up to >> become a file in the folder of the session
    $ get pods            runs the client with these words, as a shell splits them
    NAME  READY ...       what it prints: standard output, then standard error
    [exit 1]              its exit code where that is not 0
    $~ get pods           the same, asked again until it prints this, at most 30 s
    $& get pods -w        starts and goes on; judged at the end of the transcript
    $name= get node ...   prints anything; from here on %name% stands for it
    ? <1.28               the next command only for clients of these minors (also >=1.28)
    ? <1.28 | text        an expected line only for clients of these minors
    # ...                 a comment

In expected lines a run of blanks equals any other, a run of empty lines equals one, a line of
`...` stands for any lines, and {age} {time} {uid} {number} {ip} {node} {id} {any} stand for what
differs from run to run.
"""
import re
import shlex
import subprocess
import time

from keelway_server import Failure

PATTERNS = {"age": r"(\d+[smhd]){1,2}", "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
            "uid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "number": r"\d+",
            "ip": r"\d+\.\d+\.\d+\.\d+", "node": r"i-[0-9a-f]{17}\.ec2\.internal",
            "id": r"[a-z0-9]+", "any": r".*"}
COMMAND = re.compile(r"\$(~|&|\w+=)? (.*)")
CONDITION = re.compile(r"\? (<|>=)1\.(\d+)(?: \| (.*))?")


def holds(condition, minor):
    bound = int(condition[2])
    return minor >= bound if condition[1] == ">=" else minor < bound


class Step:
    def __init__(self, line, mode, text, condition):
        self.line, self.mode, self.text, self.condition = line, mode, text, condition
        self.expected, self.code = [], 0

    def meant_for(self, minor):
        return self.condition is None or holds(self.condition, minor)

    def lines_for(self, minor):
        for line in self.expected:
            condition = CONDITION.fullmatch(line)
            if condition is None:
                yield line
            elif holds(condition, minor):
                yield condition[3]


def parse(path):
    steps, only, in_file = [], None, False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        command, condition = COMMAND.fullmatch(line), CONDITION.fullmatch(line)
        if in_file:
            in_file = line != ">>"
            if in_file:
                steps[-1].expected.append(line)
        elif line.startswith("<< "):
            steps.append(Step(number, "file", line[3:], None))
            in_file = True
        elif condition and condition[3] is None:
            only = condition
        elif command:
            steps.append(Step(number, command[1] or "", command[2], only))
            only = None
        elif line.startswith("[exit "):
            steps[-1].code = int(line[6:-1])
        elif not line.startswith("# ") and steps:
            steps[-1].expected.append(line)
    return steps


def squeeze(text):
    lines = [re.sub(r"[ \t]+", " ", line).rstrip() for line in text.splitlines()]
    return re.sub("\n\n+", "\n\n", "\n".join(lines).strip("\n")) + "\n"


def pattern_of(expected):
    parts = []
    for line in squeeze("\n".join(expected)).splitlines():
        if line == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        words = re.split(r"\{(%s)\}" % "|".join(PATTERNS), line)
        parts.append("".join(PATTERNS[word] if i % 2 else re.escape(word)
                             for i, word in enumerate(words)) + r"\n")
    return re.compile("".join(parts))


class Session:
    """One client in one folder. `prefix` is its command, `minor` its version 1.N."""

    def __init__(self, prefix, env, folder, minor):
        self.prefix, self.env, self.folder, self.minor = prefix, env, folder, minor
        self.names = {}

    def fill(self, text):
        for name, value in self.names.items():
            text = text.replace(f"%{name}%", value)
        return text

    def start(self, step):
        command = [*self.prefix, *shlex.split(self.fill(step.text))]
        return subprocess.Popen(command, env=self.env, cwd=self.folder, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def judge(self, step, process):
        """What differs; empty where nothing does."""
        out, err = process.communicate(timeout=60)
        actual = squeeze(out + err)
        if step.mode.endswith("="):
            self.names[step.mode[:-1]] = out.strip()
            return "" if process.returncode == 0 else actual
        expected = [self.fill(line) for line in step.lines_for(self.minor)]
        if process.returncode == step.code and pattern_of(expected).fullmatch(actual):
            return ""
        text = squeeze("\n".join(expected))
        return (f"line {step.line}: $ {self.fill(step.text)}\n--- expected, exit {step.code}\n"
                f"{text}--- got, exit {process.returncode}\n{actual}")

    def play(self, path):
        """Runs every step; raises Failure with the first differences."""
        differences, running = [], []
        for step in parse(path):
            if not step.meant_for(self.minor):
                continue
            if step.mode == "file":
                text = self.fill("\n".join(step.expected) + "\n")
                (self.folder / step.text).write_text(text)
            elif step.mode == "&":
                running.append((step, self.start(step)))
            else:
                differences.append(self.settle(step))
        differences += [self.judge(step, process) for step, process in running]
        differences = [d for d in differences if d]
        if differences:
            shown = "\n".join(differences[:6])
            raise Failure(f"{path.name}: {len(differences)} steps differ\n{shown}")

    def settle(self, step):
        end = time.monotonic() + (30 if step.mode == "~" else 0)
        while True:
            difference = self.judge(step, self.start(step))
            if not difference or time.monotonic() >= end:
                return difference
            time.sleep(0.1)
