# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP messages as a softswitch and a gateway write them; just enough to test with."""
import itertools
import os
import re

_number = itertools.count(1)


class Call:
    """One INVITE transaction: .message (bytes) and what identifies it."""

    def __init__(self, to="10.77.2.2", src="10.77.1.2", sport=5060, user=None, method="INVITE", cseq=1, branch=None,
                 call_id=None, to_tag=None, extra="", size=0):
        n = next(_number)
        self.number, self.to, self.src, self.sport, self.cseq, self.method = n, to, src, sport, cseq, method
        self.branch = branch or f"z9hG4bK{os.getpid():x}.{n:x}"
        self.call_id = call_id or f"{n}.{os.getpid()}@softswitch.test"
        self.from_tag = f"f{n}"
        self.user = user or f"{49000 + n}"
        self.to_tag, self.extra, self.size = to_tag, extra, size
        self.message = self.request(method)

    def request(self, method, branch=None, cseq=None, body=True, to_tag=None):
        """A request of this call; CANCEL and the ACK to a failure share the INVITE's branch (RFC 3261 9.1, 17.1.1.3)."""
        host, src = bracket(self.to), bracket(self.src)
        tag = to_tag or self.to_tag
        sdp = ""
        if body and method == "INVITE":
            family = "IP6" if ":" in self.src else "IP4"
            sdp = (f"v=0\r\no=- 1 1 IN {family} {self.src}\r\ns=-\r\nc=IN {family} {self.src}\r\nt=0 0\r\n"
                   "m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
                   "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n")
        head = (f"{method} sip:{self.user}@{host}:5060 SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {src}:{self.sport};branch={branch or self.branch};rport\r\n"
                "Max-Forwards: 70\r\n"
                f"From: \"Caller\" <sip:caller@{src}>;tag={self.from_tag}\r\n"
                f"To: <sip:{self.user}@{host}>{f';tag={tag}' if tag else ''}\r\n"
                f"Call-ID: {self.call_id}\r\nCSeq: {self.cseq if cseq is None else cseq} {method}\r\n"
                f"Contact: <sip:caller@{src}:{self.sport}>\r\n{self.extra}")
        sdp += "a=x-fill:" + "x" * (self.size - len(head) - len(sdp) - 70) + "\r\n" if self.size else ""
        if sdp:
            head += "Content-Type: application/sdp\r\n"
        return (head + f"Content-Length: {len(sdp)}\r\n\r\n" + sdp).encode()


def bracket(address):
    return f"[{address}]" if ":" in address else address


def respond(request, code, reason="Whatever", body="", method=None, content_length=None, via="", headers=""):
    """The response a UAS makes of this request (RFC 3261 8.2.6); `via` is appended to the top Via."""
    lines = request.decode().split("\r\n\r\n")[0].split("\r\n")
    keep = [line for line in lines[1:] if re.match(r"(Via|From|Call-ID|CSeq):", line)]
    keep[0] += via
    to = next(line for line in lines if line.startswith("To:"))
    if code > 100 and ";tag=" not in to:
        to += ";tag=gateway"
    if method:
        keep = [re.sub(r"^(CSeq: \d+) \w+", rf"\1 {method}", line) for line in keep]
    if body:
        headers += "Content-Type: application/sdp\r\n"
    length = len(body) if content_length is None else content_length
    return ("\r\n".join([f"SIP/2.0 {code} {reason}", *keep, to]) + f"\r\n{headers}Content-Length: {length}\r\n\r\n{body}").encode()


def branch_of(message):
    m = re.search(rb"branch=([^;,\s]+)", message)
    return m.group(1).decode() if m else None
