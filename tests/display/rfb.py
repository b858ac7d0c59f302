# SPDX-License-Identifier: GPL-2.0-or-later
"""A small client of the RFB protocol (RFC 6143), for what real clients cannot be told to do."""
import socket
import struct


# Encodings that are none of pixels.
RESIZED, SCREENS, CURSOR = -223, -308, -239


class RfbError(Exception):
    pass


def connect(where, timeout=10):
    """where: a port on the loopback, or the path of a unix socket."""
    if isinstance(where, int):
        return socket.create_connection(("127.0.0.1", where), timeout)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(where)
    return s


class Rfb:
    """A client without encodings but raw, with changes of size and, if asked for, pointers of the guest's."""

    def __init__(self, where, timeout=10, cursor=False):
        self.sock = connect(where, timeout)
        version = self.take(12)
        if version[:4] != b"RFB ":
            raise RfbError(f"no RFB server: {version!r}")
        self.sock.sendall(b"RFB 003.008\n")
        kinds = self.take(self.take(1)[0])
        if 1 not in kinds:
            raise RfbError(f"the server wants a password: {list(kinds)}")
        self.sock.sendall(b"\1")
        if self.take(4) != b"\0\0\0\0":
            raise RfbError("the server lets nobody in")
        self.sock.sendall(b"\1")
        self.width, self.height = struct.unpack(">HH", self.take(4))
        self.take(16)
        self.name = self.take(struct.unpack(">I", self.take(4))[0]).decode()
        # 32 bits, blue in the lowest byte; raw pixels; DesktopSize.
        self.sock.sendall(b"\0\0\0\0" + struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        encodings = [0, RESIZED, SCREENS, *([CURSOR] if cursor else [])]
        self.sock.sendall(struct.pack(">BxH", 2, len(encodings)) +
                          b"".join(struct.pack(">i", e) for e in encodings))
        self.cursor = None  # width, height, where its hot spot is, pixels, mask
        self.pixels = bytearray(self.width * self.height * 4)
        self.updates = 0

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise RfbError("the server has closed the connection")
            data += more
        return data

    def request(self, incremental):
        self.sock.sendall(struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width, self.height))

    def receive(self):
        """Takes messages up to the next update; whether it had pixels."""
        while True:
            kind = self.take(1)[0]
            if kind == 2:  # bell
                continue
            if kind == 3:  # cut text
                self.take(3)
                self.take(struct.unpack(">I", self.take(4))[0])
                continue
            if kind:
                raise RfbError(f"message {kind} is not known")
            self.take(1)
            self.updates += 1
            pixels = False
            for _ in range(struct.unpack(">H", self.take(2))[0]):
                x, y, w, h, encoding = struct.unpack(">HHHHi", self.take(12))
                if encoding == CURSOR:
                    self.cursor = (w, h, x, y, self.take(w * h * 4), self.take((w + 7) // 8 * h))
                    continue
                if encoding == SCREENS:
                    self.take(self.take(4)[0] * 16)
                if encoding in (RESIZED, SCREENS):
                    self.width, self.height = w, h
                    self.pixels = bytearray(w * h * 4)
                    continue
                pixels = True
                if encoding:
                    raise RfbError(f"encoding {encoding} was not asked for")
                data = self.take(w * h * 4)
                for row in range(h):
                    at = ((y + row) * self.width + x) * 4
                    self.pixels[at:at + w * 4] = data[row * w * 4:(row + 1) * w * 4]
            return pixels

    def picture(self):
        """All of it, as the RGB bytes of a PPM."""
        size = None
        while size != (self.width, self.height):
            size = (self.width, self.height)
            self.request(0)
            # The server tells the size first. To ask again now would make it begin with that again.
            while not self.receive():
                pass
        rgb = bytearray(self.width * self.height * 3)
        rgb[0::3], rgb[1::3], rgb[2::3] = self.pixels[2::4], self.pixels[1::4], self.pixels[0::4]
        return bytes(rgb)

    def ask_size(self, width, height):
        """SetDesktopSize: one screen of that size."""
        self.sock.sendall(struct.pack(">BxHHBxIHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))

    def key(self, keysym):
        for down in (1, 0):
            self.sock.sendall(struct.pack(">BBxxI", 4, down, keysym))

    def pointer(self, x, y, mask=0):
        self.sock.sendall(struct.pack(">BBHH", 5, mask, x, y))

    def close(self):
        self.sock.close()
