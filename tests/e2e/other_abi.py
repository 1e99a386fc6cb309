# SPDX-License-Identifier: GPL-2.0-or-later
"""Another version of siprtx: this tree with the next ABI number, and with fields of slots and meta in other places."""
import os
import re
import shutil
import threading

from edge import BUILD, ROOT, run

_lock = threading.Lock()
ABI = 2


def changed(text):
    """include/abi.h of that version. Each change must find what it changes."""
    for old, new in (
            (r"#define SIPRTX_ABI +1\n", f"#define SIPRTX_ABI {ABI}\n"),
            (r"#define SLOT_HEADER 192", "#define SLOT_HEADER 200"),
            (r"#define SLOT_L3\t *216", "#define SLOT_L3 224"),
            (r"(struct siprtx_slot \{\n\t__u64 word;\n)", r"\1\t__u64 of_this_version;\n"),
            (r"(\t/\* the head ends here \*/\n)", r"\1\t__u64 of_this_version[3];\n")):
        text, n = re.subn(old, new, text)
        if n != 1:
            raise RuntimeError(f"include/abi.h has no {old}: the test is wrong")
    return text


def build():
    """The folder with its siprtxd and siprtx; built when this tree has changed since."""
    tree = os.path.join(BUILD, "other-abi")
    with _lock:
        with open(f"{ROOT}/include/abi.h") as f:
            text = changed(f.read())
        path = f"{tree}/include/abi.h"
        same = os.path.exists(path) and open(path).read() == text
        built = os.stat(path).st_mtime if same else None
        for folder in ("bpf", "include", "user"):
            shutil.rmtree(f"{tree}/{folder}", ignore_errors=True)
            shutil.copytree(f"{ROOT}/{folder}", f"{tree}/{folder}")
        shutil.copy2(f"{ROOT}/Makefile", f"{tree}/Makefile")
        with open(path, "w") as f:
            f.write(text)
        if same:
            os.utime(path, (built, built))
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        run("make", "-s", "-j2", "-C", tree, "all", env=environment)
    return f"{tree}/build"
