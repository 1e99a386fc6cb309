# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole frames: captured with AF_PACKET at a peer's interface, taken apart, built."""
import socket
import struct
import sys
import threading
import time

from edge import SO_TIMESTAMPNS, in_namespace

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_CSUMNOTREADY = 8


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Frame:
    """An Ethernet frame with IPv4 or IPv6 and UDP in it; .half_made: the kernel left the UDP checksum to the NIC."""

    def __init__(self, data, half_made=False):
        self.data, self.half_made = data, half_made
        self.destination, self.source = data[:6].hex(":"), data[6:12].hex(":")
        self.ethertype, = struct.unpack("!H", data[12:14])
        ip = data[14:]
        if self.ethertype == 0x0800:
            self.header = (ip[0] & 15) * 4
            self.tos, length, self.id, self.fragment, self.ttl, self.protocol = struct.unpack("!BHHHBB", ip[1:10])
            self.from_to = ip[12:20]
        elif self.ethertype == 0x86dd:
            self.header, self.id, self.fragment = 40, 0, 0
            self.protocol, self.ttl = ip[6], ip[7]
            length = 40 + struct.unpack("!H", ip[4:6])[0]
            self.from_to = ip[8:40]
        else:
            self.protocol = self.ttl = None
            self.payload = b""
            return
        self.ip, self.l4 = ip[:self.header], ip[self.header:length]
        self.payload = self.l4[8:] if self.protocol == 17 else self.l4

    def checksums_ok(self):
        if self.ethertype == 0x0800 and checksum(self.ip):
            return False
        pseudo = self.from_to + struct.pack("!IHH", len(self.l4), 0, self.protocol)
        return checksum(pseudo + self.l4) == 0 and self.l4[6:8] != b"\0\0"

    def comparable(self):
        """The frame without what a retransmission may have of its own: IP ID and checksums."""
        data = bytearray(self.data)
        if self.ethertype == 0x0800:
            data[18:20] = data[24:26] = b"\0\0"
        l4 = 14 + self.header
        data[l4 + 6:l4 + 8] = b"\0\0"
        return bytes(data)


class Capture(threading.Thread):
    """Everything that arrives at an interface (.frames) and leaves it (.sent), with its .time, until closed."""

    def __init__(self, namespace, interface):
        super().__init__(daemon=True)
        self.frames, self.sent, self.ending = [], [], False

        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
            s.bind((interface, 0))
            s.settimeout(0.1)
            return s
        self.socket = in_namespace(namespace, make)
        self.start()

    def run(self):
        while not self.ending:
            try:
                data, ancillary, _, address = self.socket.recvmsg(65535, 256)
            except TimeoutError:
                continue
            except OSError:
                return
            status, when = 0, time.time()
            for level, kind, value in ancillary:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, = struct.unpack("I", value[:4])
                elif (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    when = int.from_bytes(value[:8], sys.byteorder) + int.from_bytes(value[8:16], sys.byteorder) / 1e9
            frame = Frame(data, bool(status & TP_STATUS_CSUMNOTREADY))
            frame.time = when
            (self.sent if address[2] == socket.PACKET_OUTGOING else self.frames).append(frame)

    def of(self, call):
        return [f for f in self.frames if f.protocol == 17 and f"branch={call.branch};".encode() in f.payload]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending = True
        self.join()
        self.socket.close()


def udp4(source, destination, payload, sport=5060, dport=5060, options=b"", ttl=64, ident=1, flags=0):
    """An IPv4 packet with UDP, checksums whole; `options` is padded to words. The kernel adds Ethernet (IP_HDRINCL)."""
    options += b"\0" * (-len(options) % 4)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    udp = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    total = checksum(addresses + struct.pack("!BBH", 0, 17, len(udp)) + udp) or 0xffff
    udp = udp[:6] + struct.pack("!H", total) + udp[8:]
    header = struct.pack("!BBHHHBBH", 0x40 | (5 + len(options) // 4), 0, 20 + len(options) + len(udp), ident, flags, ttl, 17, 0) + addresses + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + udp


def send_raw(namespace, packet, destination):
    s = in_namespace(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    s.sendto(packet, (destination, 0))
    s.close()


def fragments(packet, first):
    """An IPv4 packet cut in two after `first` bytes of payload, a multiple of 8."""
    header, payload = packet[:20], packet[20:]
    for offset, part, more in ((0, payload[:first], 0x2000), (first, payload[first:], 0)):
        h = header[:2] + struct.pack("!H", 20 + len(part)) + header[4:6] + struct.pack("!H", more | offset // 8) + header[8:10] + b"\0\0" + header[12:20]
        yield h[:10] + struct.pack("!H", checksum(h)) + h[12:] + part

