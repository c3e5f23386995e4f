"""HTTP/2 by hand: frames as bytes, so that a test can send what no library would."""
import socket
import ssl
import struct
import time

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10))
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
ENHANCE_YOUR_CALM = 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
BROKEN = (OSError, ssl.SSLError)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def integer(value, bits, first=0):
    """HPACK's integers (RFC 7541 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out = bytes([first | limit])
    value -= limit
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def literal(name, value, indexed=False):
    """A header field with its name spelled out; `indexed` puts it into the dynamic table."""
    name, value = name.encode(), value.encode()
    return (integer(0, 6, 0x40) if indexed else b"\0") + integer(len(name), 7) + name + integer(
        len(value), 7) + value


def head(path, token=None, method="GET", authority="x", more=()):
    fields = [(":method", method), (":scheme", "https"), (":authority", authority),
              (":path", path)]
    if token:
        fields.append(("authorization", f"Bearer {token}"))
    return b"".join(literal(name, value) for name, value in [*fields, *more])


class Http2:
    """One connection. take() collects what the server says until a condition holds."""

    def __init__(self, host, port, settings=b"", seconds=10, receive_bytes=None):
        raw = socket.socket()
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.settimeout(seconds)
        raw.connect((host, port))
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(raw, server_hostname=host)
        self.buffer = b""
        self.frames = []
        self.closed = False
        self.send(PREFACE + frame(SETTINGS, payload=settings))

    def send(self, data):
        """False once the server has gone."""
        try:
            self.socket.sendall(data)
        except BROKEN:
            self.closed = True
        return not self.closed

    def take(self, condition, seconds=10):
        end = time.monotonic() + seconds
        while not condition(self):
            left = end - time.monotonic()
            if left <= 0 or self.closed:
                return False
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return False
            except BROKEN:
                data = b""
            if not data:
                self.closed = True
            self.buffer += data
            self.split()
        return True

    def split(self):
        while len(self.buffer) >= 9:
            size = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + size:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big") & 0x7fffffff
            self.frames.append((kind, flags, stream, self.buffer[9:9 + size]))
            self.buffer = self.buffer[9 + size:]

    def of(self, kind, stream=None):
        return [f for f in self.frames if f[0] == kind and stream in (None, f[2])]

    def goaway_code(self):
        """Of the last GOAWAY; None where none came."""
        said = self.of(GOAWAY)
        return int.from_bytes(said[-1][3][4:8], "big") if said else None

    def reset_code(self, stream):
        said = self.of(RST_STREAM, stream)
        return int.from_bytes(said[-1][3], "big") if said else None

    def ended(self, stream):
        return any(f[1] & END_STREAM for f in self.frames
                   if f[2] == stream and f[0] in (DATA, HEADERS))

    def body(self, stream):
        return b"".join(f[3] for f in self.of(DATA, stream))

    def close(self):
        self.socket.close()
