"""The declarations of the Python package against what a C compiler makes of the headers. wire/python_abi compares their text."""

import ctypes
import os
import subprocess

from conftest import SOURCE
from soma import _abi


def structs():
    return [t for t in vars(_abi).values() if isinstance(t, type) and issubclass(t, ctypes.Structure) and t is not ctypes.Structure]


def test_sizes_and_offsets_are_those_of_a_c_compiler(tmp_path):
    lines = []
    for struct in structs():
        name = struct.__name__
        lines.append(f'printf("{name} %zu\\n", sizeof(struct {name}));')
        for field, kind, *_ in struct._fields_:
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, {field}), sizeof(((struct {name} *)0)->{field}));')
    program = tmp_path / "sizes.c"
    program.write_text("#include <soma/soma.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n" + "\n".join(lines) + "\n}\n")
    includes = [f"-I{SOURCE}/client/include", f"-I{SOURCE}/common/include"]
    subprocess.run([os.environ.get("CC", "cc"), *includes, program, "-o", tmp_path / "sizes"], check=True)
    there = subprocess.run([tmp_path / "sizes"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    ours = []
    for struct in structs():
        ours.append(f"{struct.__name__} {ctypes.sizeof(struct)}")
        for field, kind, *_ in struct._fields_:
            ours.append(f"{struct.__name__}.{field} {getattr(struct, field).offset} {ctypes.sizeof(kind)}")
    assert there == ours
    assert len(ours) > 400
